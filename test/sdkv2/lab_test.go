package sdkv2

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lab starts a simulated AWS that ends with the test, and adds its environment to w's.
func (w *workspace) lab(t *testing.T, seed string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(ours(t), "norikae"), "lab", "up", "--seed", seed, "--listen", "127.0.0.1:0", "-o", "json")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait()
	})
	facts, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the lab did not say where it is: %v", err)
	}
	var world struct {
		Endpoint, ListenerARN, HostedZoneID string
		Env                                 []string
	}
	if err := json.Unmarshal(facts, &world); err != nil {
		t.Fatal(err)
	}
	for _, is := range []string{world.ListenerARN, world.HostedZoneID} {
		if !strings.Contains(w.read(t, "main.tf"), is) {
			t.Fatalf("the lab's world %s has %s, the fixture names another: write its main.tf and make fixtures anew", seed, is)
		}
	}
	w.env = append(w.env, world.Env...)
}

// aws calls the lab with Debian's AWS CLI, which needs to be told where it is.
func (w *workspace) aws(t *testing.T, args ...string) string {
	t.Helper()
	var endpoint string
	for _, kv := range w.env {
		if v, ok := strings.CutPrefix(kv, "AWS_ENDPOINT_URL="); ok {
			endpoint = v
		}
	}
	return w.run(t, "/usr/bin/aws", append([]string{"--endpoint-url", endpoint, "--output", "json"}, args...)...)
}

// rule makes a rule as the old provider did: with weights, and without a tag.
func (w *workspace) rule(t *testing.T, priority, conditions string, weights string) {
	t.Helper()
	const listener = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/lab/28911965408373c3/e440408e5923a3b7"
	w.aws(t, "elbv2", "create-rule", "--listener-arn", listener, "--priority", priority, "--conditions", conditions,
		"--actions", `[{"Type":"forward","ForwardConfig":{"TargetGroups":[`+weights+`]}}]`)
}

const (
	blue  = `{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/92e0dc5909d5d1e1","Weight":`
	green = `{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/dad1a4ea44841cab","Weight":`
)

// live makes the lab what the fixtures' states say that it is.
var live = map[string]func(*testing.T, *workspace){
	"alb": func(t *testing.T, w *workspace) {
		w.lab(t, "blue-green")
		w.rule(t, "11", `[{"Field":"path-pattern","PathPatternConfig":{"Values":["/api/*","/v2/*"]}}]`, green+`100},`+blue+`0}`)
		w.rule(t, "12", `[{"Field":"http-request-method","HttpRequestMethodConfig":{"Values":["GET","POST"]}},{"Field":"query-string","QueryStringConfig":{"Values":[{"Key":"version","Value":"2"}]}}]`, blue+`1}`)
		w.rule(t, "13", `[{"Field":"source-ip","SourceIpConfig":{"Values":["203.0.113.0/24"]}}]`, blue+`3},`+green+`1}`)
		w.env = append(w.env, "DATADOG_API_KEY=fake", "DATADOG_APPLICATION_KEY=fake")
	},
	"route53": func(t *testing.T, w *workspace) {
		w.lab(t, "route53")
		for _, r := range []string{`"SetIdentifier":"blue","Weight":10`, `"SetIdentifier":"green","Weight":90`} {
			w.aws(t, "route53", "change-resource-record-sets", "--hosted-zone-id", "Z47Z5SHO8NZPZKHMZX6C", "--change-batch",
				`{"Changes":[{"Action":"CREATE","ResourceRecordSet":{"Name":"www.example.com","Type":"A",`+r+`,"TTL":60,"ResourceRecords":[{"Value":"203.0.113.1"}]}}]}`)
		}
	},
}
