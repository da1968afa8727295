package ec2_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	account = wire.DefaultAccountID
	region  = "eu-west-1"
)

// cloud is EC2 on a real listener.
type cloud struct {
	*testing.T
	*awsec2.Client
	url    string
	svc    *ec2.Service
	driven map[string]bool // operations that succeeded
}

func start(t *testing.T, cfg ec2.Config) *cloud {
	t.Helper()
	c := &cloud{T: t, svc: ec2.New(cfg), driven: map[string]bool{}}
	mux := wire.NewMux(wire.Config{Observe: func(call wire.Call) {
		if call.Error == "" {
			c.driven[call.Request.Operation] = true
		}
	}})
	mux.Register(c.svc.Registration())
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	c.Client = awsec2.New(awsec2.Options{
		BaseEndpoint: &c.url, Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKID", "fake", ""), RetryMaxAttempts: 1,
	})
	return c
}

// must is for calls that have to succeed.
func must[T any](t testing.TB) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func (c *cloud) wantCode(err error, code, message string) {
	c.Helper()
	if codeOf(err) != code || !strings.Contains(err.Error(), message) {
		c.Errorf("%v, want %s with %q", err, code, message)
	}
}

func (c *cloud) wantDriven() {
	c.Helper()
	for _, op := range ec2.Operations() {
		if op.Fidelity != wire.Absent && !c.driven[op.Name] {
			c.Errorf("%s was not driven", op.Name)
		}
	}
}

// aws runs Debian's awscli, which would dial the real AWS without --endpoint-url, and
// returns the text at a path of its answer, such as Vpc.VpcId or Vpcs.0.VpcId.
func (c *cloud) aws(path string, args ...string) string {
	c.Helper()
	const awsCLI = "/usr/bin/aws"
	cmd := exec.CommandContext(c.Context(), awsCLI, append([]string{"--endpoint-url", c.url, "--no-cli-pager", "--output", "json", "ec2"}, args...)...)
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + c.TempDir(), "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=fake",
		"AWS_DEFAULT_REGION=" + region, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	if _, err := os.Stat(awsCLI); err != nil {
		c.Fatalf("%v: install it with apt-get install awscli", err)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		c.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, errs.String())
	}
	if path == "" {
		return out.String()
	}
	var v any
	if err := json.Unmarshal(out.Bytes(), &v); err != nil {
		c.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, out.String())
	}
	for name := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			if len(x) == 0 || name != "0" {
				c.Fatalf("aws %s: no %s: %s", strings.Join(args, " "), path, out.String())
			}
			v = x[0]
		}
	}
	return fmt.Sprint(v)
}

func (c *cloud) want(text, path string, args ...string) {
	c.Helper()
	if got := c.aws(path, args...); got != text {
		c.Errorf("aws ec2 %s: %s is %q, want %q", strings.Join(args, " "), path, got, text)
	}
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

func tagged(typ types.ResourceType, key, value string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: typ, Tags: []types.Tag{{Key: &key, Value: &value}}}}
}

// clock that a test moves.
type clock struct{ t time.Time }

func newClock() *clock               { return &clock{time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }
