package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for other processes, which wait for the clock: all at once they
	// take as long as the longest.
	if err := flag.Set("test.parallel", "64"); err != nil {
		panic(err)
	}
	hearSignals()
	os.Exit(run(m))
}

// hearSignals makes the processes that are started here hear all signals, even when the
// tests themselves run under nohup or in the background: a signal that is handled here
// is a default one for them, an ignored one they would inherit.
func hearSignals() {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

// run builds the binary once, and takes from the process all that it knows of the real
// AWS, so that no mistake here can reach it.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "norikae-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "DD_") {
			os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true",
		binaryVar: filepath.Join(dir, "norikae"),
	} {
		os.Setenv(name, value)
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-o", os.Getenv(binaryVar), "github.com/norikae/norikae/cmd/norikae")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building norikae: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// binaryVar names the variable that tells the tests where the binary is.
const binaryVar = "NORIKAE_E2E_BINARY"

// lab is `norikae lab up` in a process of its own.
type lab struct {
	awssim.World

	api *elb.Client
}

// startLab runs a lab until the test ends.
func startLab(t *testing.T) *lab {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), "lab", "up", "--listen", "127.0.0.1:0", "-o", "json")
	cmd.Env = []string{"HOME=" + t.TempDir()}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the lab ended badly: %v\n%s", err, errs.String())
		}
	})
	l := &lab{}
	if err := json.NewDecoder(out).Decode(&l.World); err != nil {
		t.Fatalf("what the lab prints: %v\n%s", err, errs.String())
	}
	l.api = elb.New(elb.Options{
		BaseEndpoint: aws.String(l.Endpoint), Region: l.Region,
		Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHETEST", "fake", ""),
	})
	return l
}

// arn of a target group of the world.
func (l *lab) arn(name string) string {
	for _, g := range l.TargetGroups {
		if g.Name == name {
			return g.ARN
		}
	}
	return "no target group " + name
}

// ask calls the control endpoint and decodes the answer into out, unless it is nil. It
// works in cleanups too, when the test's context is over.
func (l *lab) ask(t *testing.T, method, path, body string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, l.Endpoint+awssim.ControlPrefix+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, b)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%s %s: %v\n%s", method, path, err, b)
	}
}

func (l *lab) fault(t *testing.T, rule string) {
	t.Helper()
	l.ask(t, http.MethodPost, "faults", rule, nil)
}

func (l *lab) clearFaults(t *testing.T) {
	t.Helper()
	l.ask(t, http.MethodDelete, "faults", "", nil)
}

func (l *lab) counters(t *testing.T) (c awssim.Counters) {
	t.Helper()
	l.ask(t, http.MethodGet, "counters", "", &c)
	return c
}

// calls are all API calls so far, as `norikae lab calls` prints them.
func (l *lab) calls(t *testing.T) []awssim.CallEntry {
	t.Helper()
	res := start(t, command{args: []string{"lab", "calls", "--endpoint", l.Endpoint}}).wait(t)
	if res.code != 0 {
		t.Fatalf("norikae lab calls: %s", res.stderr)
	}
	var out []awssim.CallEntry
	for d := json.NewDecoder(strings.NewReader(res.stdout)); ; {
		var e awssim.CallEntry
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("norikae lab calls: %v", err)
		}
		out = append(out, e)
	}
}

// weights are what the rule forwards by now, by the name of the target group.
func (l *lab) weights(t *testing.T) map[string]int {
	t.Helper()
	out, err := l.api.DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{l.RuleARN}})
	if err != nil {
		t.Fatal(err)
	}
	w := map[string]int{}
	for _, g := range out.Rules[0].Actions[0].ForwardConfig.TargetGroups {
		w[l.name(aws.ToString(g.TargetGroupArn))] = int(aws.ToInt32(g.Weight))
	}
	return w
}

func (l *lab) name(arn string) string {
	for _, g := range l.TargetGroups {
		if g.ARN == arn {
			return g.Name
		}
	}
	return arn
}

// setWeights as somebody else would.
func (l *lab) setWeights(t *testing.T, blue, green int) {
	t.Helper()
	_, err := l.api.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: aws.String(l.RuleARN), Actions: []types.Action{{
		Type: types.ActionTypeEnumForward,
		ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
			{TargetGroupArn: aws.String(l.arn("blue")), Weight: aws.Int32(int32(blue))},
			{TargetGroupArn: aws.String(l.arn("green")), Weight: aws.Int32(int32(green))},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// tags of the rule: where a shift leaves its mark.
func (l *lab) tags(t *testing.T) map[string]string {
	t.Helper()
	out, err := l.api.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{l.RuleARN}})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range out.TagDescriptions[0].Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return tags
}

// noMark fails when something of a shift is left on the rule.
func (l *lab) noMark(t *testing.T) {
	t.Helper()
	for k, v := range l.tags(t) {
		if strings.HasPrefix(k, "norikae.dev/") && k != "norikae.dev/owner" {
			t.Errorf("the tag %s = %q is left on the rule", k, v)
		}
	}
}

// written are the weights that calls asked for, where they had an effect, as blue:green.
func (l *lab) written(calls []awssim.CallEntry) []string {
	var out []string
	for _, c := range calls {
		if c.Weights != nil && c.Effect {
			out = append(out, fmt.Sprintf("%d:%d", c.Weights[l.arn("blue")], c.Weights[l.arn("green")]))
		}
	}
	return out
}

// env is what a shell near the lab has, with a state directory.
func (l *lab) env(state string) []string {
	return append(slices.Clone(l.Env), "XDG_STATE_HOME="+state, "HOME=/nonexistent")
}

// manifest of a shift to blue and green. Strategy and what follows come as YAML.
func (l *lab) manifest(name string, blue, green int, rest string) string {
	return fmt.Sprintf(`apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: %s}
spec:
  route:
    alb:
      listenerARN: %s
      rule: {priority: 10, hosts: [example.com]}
  destinations:
  - {name: blue, targetGroupARN: "%s", weight: %d}
  - {name: green, targetGroupARN: "%s", weight: %d}
%s`, name, l.ListenerARN, l.arn("blue"), blue, l.arn("green"), green, rest)
}

// command is a call of the binary.
type command struct {
	args  []string
	env   []string // the whole environment
	dir   string   // to work in
	stdin string
}

// process is a running command.
type process struct {
	cmd      *exec.Cmd
	out, err lockedBuffer
	done     chan struct{} // closed when it has ended
}

// result of a command.
type result struct {
	code           int // -1: killed by a signal
	stdout, stderr string
}

func start(t *testing.T, c command) *process {
	t.Helper()
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), os.Getenv(binaryVar), c.args...), done: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdin = c.env, c.dir, strings.NewReader(c.stdin)
	if c.env == nil {
		p.cmd.Env = []string{"HOME=/nonexistent"}
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState tells the exit code
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
	})
	return p
}

// signal a process that may have ended.
func (p *process) signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// patience bounds every wait; nothing here takes as long on a machine that works.
const patience = 2 * time.Minute

func (p *process) wait(t *testing.T) result {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s has not ended after %s\n%s%s", p.cmd, patience, p.out.String(), p.err.String())
	}
	return result{p.cmd.ProcessState.ExitCode(), p.out.String(), p.err.String()}
}

// exec runs a command to its end.
func (l *lab) exec(t *testing.T, state, stdin string, args ...string) result {
	t.Helper()
	return l.start(t, state, stdin, args...).wait(t)
}

func (l *lab) start(t *testing.T, state, stdin string, args ...string) *process {
	t.Helper()
	return start(t, command{args: args, env: l.env(state), stdin: stdin})
}

// lockedBuffer may be read while a process writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for something that another process does.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
