package awssim_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim"
)

// awsCLI is Debian's awscli, a client that nobody here wrote. It ignores
// AWS_ENDPOINT_URL: without --endpoint-url it would dial the real AWS.
const awsCLI = "/usr/bin/aws"

// aws runs the AWS CLI against the lab and returns what it prints.
func (f fixture) aws(t *testing.T, args ...string) (stdout, stderr string, ok bool) {
	t.Helper()
	if _, err := os.Stat(awsCLI); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	c := exec.CommandContext(t.Context(), awsCLI, append([]string{"--endpoint-url", f.Endpoint(), "--no-cli-pager", "--output", "json"}, args...)...)
	c.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}, f.Env()...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	return out.String(), errs.String(), err == nil
}

// What TestTheAWSCLIDrivesEveryOperation leaves out: the lab's world, and refusals.
func TestTheAWSCLIWorksAgainstTheLab(t *testing.T) {
	f, end := start(t, awssim.Fast(), nil)
	defer end()
	w := f.World()

	out, errs, _ := f.aws(t, "elbv2", "describe-rules", "--listener-arn", w.ListenerARN)
	var rules struct {
		Rules []struct {
			RuleArn, Priority string
			Actions           []struct {
				ForwardConfig struct {
					TargetGroups []struct {
						TargetGroupArn string
						Weight         int
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &rules); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if len(rules.Rules) != 2 || rules.Rules[0].RuleArn != w.RuleARN || rules.Rules[0].Priority != "10" || rules.Rules[1].Priority != "default" {
		t.Errorf("rules %+v", rules)
	}
	if g := rules.Rules[0].Actions[0].ForwardConfig.TargetGroups; len(g) != 2 || g[0].Weight != 100 || g[1].Weight != 0 {
		t.Errorf("target groups %+v", g)
	}

	if _, errs, ok := f.aws(t, "elbv2", "describe-rules", "--rule-arns", w.RuleARN+"0"); ok || !strings.Contains(errs, "(RuleNotFound)") {
		t.Errorf("an unknown rule: %s", errs)
	}
	if _, errs, ok := f.aws(t, "elb", "describe-load-balancers"); ok || !strings.Contains(errs, "(NotSimulated)") {
		t.Errorf("an API version that is not there: %s", errs)
	}
	if _, errs, ok := f.aws(t, "cloudwatch", "describe-alarms"); ok || !strings.Contains(errs, "(NotSimulated)") {
		t.Errorf("an operation that is not there: %s", errs)
	}
	if _, errs, ok := f.aws(t, "sns", "list-topics"); ok || !strings.Contains(errs, "NotSimulated") {
		t.Errorf("a service that is not there: %s", errs)
	}
	if _, errs, ok := f.aws(t, "sqs", "list-queues"); ok || !strings.Contains(errs, "NotSimulated") {
		t.Errorf("a protocol that is not there: %s", errs)
	}
	if _, errs, ok := f.aws(t, "lambda", "list-functions"); ok || !strings.Contains(errs, "NotSimulated") {
		t.Errorf("a REST service that is not there: %s", errs)
	}
}
