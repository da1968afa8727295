package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// lab is `norikae lab up` in a process of its own. These are the members of what it prints
// that are used here.
type lab struct {
	Endpoint, Region, URL, Host, ListenerARN, RuleARN string
	LoadBalancerARN, HostedZoneID, Name, DNS          string
	TargetGroups                                      []struct {
		Name, ARN string
		Targets   []string
	}
	Destinations []struct{ SetIdentifier, LoadBalancerARN, DNSName string }
	APIServers   []struct{ ClusterARN, Kubeconfig string }
	Env          []string

	api *elb.Client
}

// startLab runs a lab until the test ends.
func startLab(t *testing.T, args ...string) *lab {
	t.Helper()
	p := start(t, t.TempDir(), []string{"HOME=" + t.TempDir()}, program("norikae"), append([]string{"lab", "up", "--listen", "127.0.0.1:0", "-o", "json"}, args...)...)
	t.Cleanup(func() {
		p.signal(os.Interrupt)
		if r := p.wait(t); r.code != 0 {
			t.Errorf("the lab ended badly: %d\n%s", r.code, r.stderr)
		}
	})
	l := &lab{}
	until(t, "the lab is up", func() bool {
		select {
		case <-p.done:
			t.Fatalf("the lab ended: %s", p.err.String())
		default:
		}
		return json.Unmarshal([]byte(p.out.String()), l) == nil
	})
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

func (l *lab) name(arn string) string {
	for _, g := range l.TargetGroups {
		if g.ARN == arn {
			return g.Name
		}
	}
	return arn
}

// ask calls the control endpoint. It works in cleanups too.
func (l *lab) ask(t *testing.T, method, path, body string) io.ReadCloser {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, l.Endpoint+"/_lab/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, b)
	}
	return resp.Body
}

func (l *lab) fault(t *testing.T, rule string) { _ = l.ask(t, http.MethodPost, "faults", rule).Close() }

func (l *lab) clearFaults(t *testing.T) { _ = l.ask(t, http.MethodDelete, "faults", "").Close() }

// call is one API call, as the lab's log has it.
type call struct {
	Time               time.Time
	Service, Operation string
	Effect             bool
	Weights            map[string]int
}

// calls are all so far.
func (l *lab) calls(t *testing.T) (out []call) {
	t.Helper()
	body := l.ask(t, http.MethodGet, "calls", "")
	defer func() { _ = body.Close() }()
	for d := json.NewDecoder(body); ; {
		var c call
		switch err := d.Decode(&c); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("the log of calls: %v", err)
		}
		out = append(out, c)
	}
}

// mutating tells whether a call changes something.
func (c call) mutating() bool {
	for _, prefix := range []string{"Describe", "List", "Get", "Simulate", "AssumeRole", "TestDNS"} {
		if strings.HasPrefix(c.Operation, prefix) {
			return false
		}
	}
	return true
}

// mutations of these calls, by name.
func mutations(calls []call) (out []string) {
	for _, c := range calls {
		if c.mutating() {
			out = append(out, c.Operation)
		}
	}
	return out
}

// written are the weights that calls asked for, where they had an effect, as blue:green.
func (l *lab) written(calls []call) (out []string) {
	for _, c := range calls {
		if c.Weights != nil && c.Effect {
			out = append(out, fmt.Sprintf("%d:%d", c.Weights[l.arn("blue")], c.Weights[l.arn("green")]))
		}
	}
	return out
}

// rule as it is now.
func (l *lab) rule(t *testing.T, arn string) elbtypes.Rule {
	t.Helper()
	out, err := l.api.DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{arn}})
	if err != nil {
		t.Fatal(err)
	}
	return out.Rules[0]
}

// rules of the listener by priority.
func (l *lab) rules(t *testing.T) map[string]elbtypes.Rule {
	t.Helper()
	out, err := l.api.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: aws.String(l.ListenerARN)})
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]elbtypes.Rule{}
	for _, r := range out.Rules {
		rules[aws.ToString(r.Priority)] = r
	}
	return rules
}

// weights that a rule forwards by, as blue:green.
func (l *lab) weights(t *testing.T, arn string) string {
	t.Helper()
	r := l.rule(t, arn)
	w := map[string]int32{}
	for _, a := range r.Actions {
		if a.ForwardConfig == nil {
			continue
		}
		for _, g := range a.ForwardConfig.TargetGroups {
			w[l.name(aws.ToString(g.TargetGroupArn))] = aws.ToInt32(g.Weight)
		}
	}
	return fmt.Sprintf("%d:%d", w["blue"], w["green"])
}

// setWeights as somebody else would.
func (l *lab) setWeights(t *testing.T, arn string, blue, green int32) {
	t.Helper()
	_, err := l.api.ModifyRule(t.Context(), &elb.ModifyRuleInput{RuleArn: aws.String(arn), Actions: []elbtypes.Action{{
		Type: elbtypes.ActionTypeEnumForward,
		ForwardConfig: &elbtypes.ForwardActionConfig{TargetGroups: []elbtypes.TargetGroupTuple{
			{TargetGroupArn: aws.String(l.arn("blue")), Weight: aws.Int32(blue)},
			{TargetGroupArn: aws.String(l.arn("green")), Weight: aws.Int32(green)},
		}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
}

// tags of a rule: where a shift leaves its mark.
func (l *lab) tags(t *testing.T, arn string) map[string]string {
	t.Helper()
	out, err := l.api.DescribeTags(t.Context(), &elb.DescribeTagsInput{ResourceArns: []string{arn}})
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
func (l *lab) noMark(t *testing.T, arn string) {
	t.Helper()
	for k, v := range l.tags(t, arn) {
		if strings.HasPrefix(k, "norikae.dev/") && k != "norikae.dev/owner" {
			t.Errorf("the tag %s = %q is left on the rule", k, v)
		}
	}
}

// counts of the three who count requests and know nothing of each other. When nothing is
// under way, Sent = Received and Answered = Targets.
type counts struct {
	Sent, OK, ServerErrors, Lost uint64 // the client's
	Received, Answered           uint64 // the load balancer's
	Targets                      uint64 // the targets'
	Why                          string // the first one was lost, when that is known
}

// load sends requests until stop, which returns what was counted.
func (l *lab) load(t *testing.T, rate int) (stop func() counts) {
	t.Helper()
	_ = l.ask(t, http.MethodPost, "reset-counters", "{}").Close()
	p := start(t, t.TempDir(), l.environment(t), program("norikae"), "lab", "load", "--endpoint", l.Endpoint, "--rate", fmt.Sprint(rate), "-o", "json")
	return func() (c counts) {
		t.Helper()
		p.signal(os.Interrupt)
		r := p.wait(t)
		if err := json.Unmarshal([]byte(r.stdout), &c); err != nil {
			t.Fatalf("what the load counted: %v\n%s", err, r)
		}
		l.counted(t, &c)
		return c
	}
}

// counted adds what the load balancer and the targets counted since the load began.
func (l *lab) counted(t *testing.T, c *counts) {
	t.Helper()
	body := l.ask(t, http.MethodGet, "counters", "")
	defer func() { _ = body.Close() }()
	var all struct {
		Listeners []struct{ Received, Answered uint64 }
		Clusters  []struct{ Requests uint64 }
	}
	if err := json.NewDecoder(body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all.Listeners {
		c.Received, c.Answered = c.Received+s.Received, c.Answered+s.Answered
	}
	for _, s := range all.Clusters {
		c.Targets += s.Requests
	}
}

// nothingLost fails unless client, load balancer and targets counted the same, and all was well.
func (c counts) nothingLost(t *testing.T) {
	t.Helper()
	if c.Sent == 0 || c.Lost != 0 || c.ServerErrors != 0 || c.OK != c.Sent || c.Received != c.Sent || c.Answered != c.Sent || c.Targets != c.Sent {
		t.Errorf("requests were lost, or counts differ: %+v", c)
	}
}

// environment of whom works near the lab.
func (l *lab) environment(t *testing.T) []string {
	return append([]string{"HOME=" + t.TempDir(), "XDG_STATE_HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, l.Env...)
}

// norikae runs the command line.
func (l *lab) norikae(t *testing.T, args ...string) result {
	t.Helper()
	return start(t, t.TempDir(), l.environment(t), program("norikae"), args...).wait(t)
}
