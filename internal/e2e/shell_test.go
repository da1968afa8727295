package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What `norikae lab up` prints is pasted into a shell of somebody who works with the
// real AWS. From then on nothing in it may lead there.
func TestTheLabsEnvironmentKeepsAShellAwayFromTheRealAWS(t *testing.T) {
	t.Parallel()
	up := start(t, command{args: []string{"lab", "up", "--listen", "127.0.0.1:0"}})
	until(t, "the lab is up", func() bool { return strings.Contains(up.out.String(), "# Ctrl-C here ends it.") })
	script := up.out.String() + `
set -eu
aws --version >&2
aws sts get-caller-identity --query Account --output text
rule=$(norikae lab world | tr -d ' ",' | sed -n 's/^ruleARN://p')
blue=$(aws elbv2 describe-target-groups --names blue --query 'TargetGroups[0].TargetGroupArn' --output text)
aws elbv2 modify-rule --rule-arn "$rule" --actions "Type=forward,TargetGroupArn=$blue" --query 'Rules[0].Priority' --output text
aws cloudwatch list-metrics --namespace AWS/ApplicationELB --query 'length(Metrics) > ` + "`0`" + `' --output text
norikae lab manifest | norikae plan -f - -o json | grep -c '"reason": "Step"'
`
	bin := t.TempDir()
	if err := os.Symlink(os.Getenv(binaryVar), bin+"/norikae"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Env = []string{
		"PATH=" + bin + ":/usr/bin:/bin", "HOME=" + t.TempDir(), "XDG_STATE_HOME=" + t.TempDir(),
		// Where the real AWS would be; .invalid never resolves.
		"AWS_PROFILE=production", "AWS_DEFAULT_REGION=eu-west-1", "AWS_SESSION_TOKEN=real",
		"AWS_ENDPOINT_URL_STS=https://sts.invalid", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=https://elb.invalid", "AWS_ENDPOINT_URL_CLOUDWATCH=https://monitoring.invalid",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
	}
	var errs lockedBuffer
	shell.Stderr = &errs
	out, err := shell.Output()
	if want := "000000000000\n10\nTrue\n9\n"; err != nil || string(out) != want {
		t.Errorf("%v: the shell says\n%s\nwant\n%s\n%s", err, out, want, errs.String())
	}
	up.signal(syscall.SIGTERM)
	if res := up.wait(t); res.code != 0 || res.stderr != "" {
		t.Errorf("the lab ended with %d: %s", res.code, res.stderr)
	}
}
