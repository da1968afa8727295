package dns_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// awsCLI is Debian's awscli, a client that nobody here wrote. It ignores
// AWS_ENDPOINT_URL: without --endpoint-url it would dial the real AWS.
const awsCLI = "/usr/bin/aws"

// shell runs "aws route53" against an endpoint.
type shell struct {
	*testing.T

	endpoint string
}

func (s shell) exec(args ...string) (out, errs string, ok bool) {
	s.Helper()
	if _, err := os.Stat(awsCLI); err != nil {
		s.Fatalf("%v: install it with apt-get install awscli", err)
	}
	c := exec.CommandContext(s.Context(), awsCLI, append([]string{
		"--endpoint-url", s.endpoint, "--no-cli-pager", "--output", "json", "route53",
	}, args...)...)
	c.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + s.TempDir(), "AWS_ACCESS_KEY_ID=FAKEKEY", "AWS_SECRET_ACCESS_KEY=fake", "AWS_REGION=us-east-1",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	return stdout.String(), stderr.String(), err == nil
}

// run returns what is at a path such as "HostedZone.Id" of the answer.
func (s shell) run(path string, args ...string) string {
	s.Helper()
	out, errs, ok := s.exec(args...)
	if !ok {
		s.Fatalf("aws route53 %s: %s", strings.Join(args, " "), errs)
	}
	if path == "" {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		s.Fatalf("aws route53 %s: %v in %s", args[0], err, out)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(x) {
				s.Fatalf("aws route53 %s: nothing at %s of %s", args[0], path, out)
			}
			v = x[i]
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		s.Fatal(err)
	}
	return strings.Trim(string(text), `"`)
}

func (s shell) want(want, path string, args ...string) {
	s.Helper()
	if got := s.run(path, args...); got != want {
		s.Errorf("aws route53 %s: %s is %s, want %s", strings.Join(args, " "), path, got, want)
	}
}

// weights is a change of both weighted records of a name, as a person writes it.
func weights(action string, blue, green int) string {
	var changes []string
	for id, weight := range map[string]int{"blue": blue, "green": green} {
		ip := map[string]string{"blue": "127.0.0.1", "green": "127.0.0.2"}[id]
		changes = append(changes, `{"Action":"`+action+`","ResourceRecordSet":{"Name":"www.example.com","Type":"A","SetIdentifier":"`+id+
			`","Weight":`+strconv.Itoa(weight)+`,"TTL":60,"ResourceRecords":[{"Value":"`+ip+`"}]}}`)
	}
	return `{"Comment":"shift","Changes":[` + strings.Join(changes, ",") + `]}`
}

func TestTheAWSCLIMovesANameFromBlueToGreen(t *testing.T) {
	t.Parallel() // ten Python processes
	var mu sync.Mutex
	now := time.Now()
	l := newLab(t, route53.Config{
		Now:              func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		PropagationDelay: func() time.Duration { return 30 * time.Second },
	})
	later := func() { mu.Lock(); defer mu.Unlock(); now = now.Add(30 * time.Second) }
	mux := wire.NewMux(wire.Config{})
	mux.Register(l.Registration())
	srv := httptest.NewServer(mux)
	defer srv.Close()
	s := shell{t, srv.URL}

	zone := s.run("HostedZone.Id", "create-hosted-zone", "--name", "shop.example.com", "--caller-reference", "once", "--hosted-zone-config", "Comment=shop")
	later()

	www := func(batch string) string { return strings.ReplaceAll(batch, "www.example.com", "www.shop.example.com") }
	change := func(batch string) string {
		t.Helper()
		return s.run("ChangeInfo.Id", "change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", www(batch))
	}
	share := func(blue, green int) {
		t.Helper()
		if got := l.count(t, "www.shop.example.com.", 200); (got["127.0.0.1"] > 0) != (blue > 0) || (got["127.0.0.2"] > 0) != (green > 0) {
			t.Errorf("at %d to %d, 200 answers are %v", blue, green, got)
		}
	}
	change(weights("CREATE", 100, 0))
	share(0, 0)
	later()
	share(100, 0)
	if _, errs, ok := s.exec("change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", www(weights("CREATE", 1, 1))); ok ||
		!strings.Contains(errs, "(InvalidChangeBatch)") || !strings.Contains(errs, "Tried to create resource record set [name='www.shop.example.com.', type='A', set-identifier='blue'] but it already exists") {
		t.Errorf("to create it twice: %s", errs)
	}
	id := change(weights("UPSERT", 50, 50))
	s.want("PENDING", "ChangeInfo.Status", "get-change", "--id", id)
	s.want("50", "ResourceRecordSets.0.Weight", "list-resource-record-sets", "--hosted-zone-id", zone, "--start-record-name", "www.shop.example.com", "--start-record-type", "A")
	share(100, 0)
	later()
	s.want("INSYNC", "ChangeInfo.Status", "get-change", "--id", id)
	share(50, 50)
	change(weights("UPSERT", 0, 100))
	later()
	share(0, 100)
	change(weights("DELETE", 0, 100))
	s.want("PENDING", "ChangeInfo.Status", "delete-hosted-zone", "--id", zone)
}
