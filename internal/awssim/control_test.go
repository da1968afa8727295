package awssim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestControlEndpointRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		asJSON := []string{"Content-Type", "application/json"}
		for name, tc := range map[string]struct {
			method, path, body string
			header             []string
			status             int
			want               string
		}{
			"a host that was rebound":       {"GET", "/_lab/world", "", []string{"Host", "evil.example:80"}, 403, `host \"evil.example:80\" is not a loopback address`},
			"an outside address":            {"GET", "/_lab/world", "", []string{"Host", "10.0.0.1"}, 403, "not a loopback address"},
			"a write from another site":     {"POST", "/_lab/reset-counters", "", []string{"Origin", "http://evil.example"}, 403, "cross-origin"},
			"a fault that is not JSON":      {"POST", "/_lab/faults", `{}`, []string{"Content-Type", "text/plain"}, 415, `\"text/plain\" is not application/json`},
			"a fault with an unknown field": {"POST", "/_lab/faults", `{"kind":"lose","cuont":1}`, asJSON, 400, `unknown field \"cuont\"`},
			"a fault of a wrong kind":       {"POST", "/_lab/faults", `{"kind":"x"}`, asJSON, 400, "kind: "},
			"a fault of an unknown target":  {"POST", "/_lab/faults", `{"kind":"target","targetGroup":"red","failRate":1}`, asJSON, 400, `\"red\" is not one of this lab's target groups [\"blue\" \"green\"]`},
			"the end of an unknown fault":   {"DELETE", "/_lab/faults/fault-9", "", nil, 404, `fault \"fault-9\" is not there`},
			"an unknown page":               {"GET", "/_lab/wrold", "", nil, 404, "there are GET world, calls"},
			"a strange follow":              {"GET", "/_lab/calls?follow=yes", "", nil, 400, `follow: \"yes\" is not 0 or 1`},
		} {
			if status, body := f.get(t, tc.method, tc.path, tc.body, tc.header...); status != tc.status || !strings.Contains(body, tc.want) {
				t.Errorf("%s: %d %s; want %d and %s", name, status, body, tc.status, tc.want)
			}
		}
		for _, host := range []string{"localhost", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]", "127.0.0.9:1"} {
			if status, body := f.get(t, "GET", "/_lab/healthz", "", "Host", host); status != 200 {
				t.Errorf("host %s: %d %s", host, status, body)
			}
		}
	})
}

func TestWorldTellsWhereEverythingIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		_, body := f.get(t, "GET", "/_lab/world", "")
		var w awssim.World
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&w); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(f.World(), w); diff != "" {
			t.Error(diff)
		}
		if w.Endpoint != f.Endpoint() || w.Region != "us-east-1" || w.Account != "000000000000" || w.RulePriority != 10 || w.Host != "example.com" {
			t.Errorf("%+v", w)
		}
		if len(w.TargetGroups) != 2 || w.TargetGroups[1].Name != "green" || len(w.TargetGroups[1].Targets) != 2 {
			t.Errorf("target groups %+v", w.TargetGroups)
		}
		if unset := strings.Join(w.EnvUnset, " "); !strings.Contains(unset, "AWS_PROFILE") {
			t.Errorf("unset %s", unset)
		}
		env := strings.Join(w.Env, "\n")
		for _, want := range []string{
			"AWS_ENDPOINT_URL=" + f.Endpoint(), "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
			"NORIKAE_CLOUDWATCH_PERIOD=1s", "NORIKAE_CLOUDWATCH_DELAY=1s", "NORIKAE_CLOUDWATCH_SETTLE=1s",
		} {
			if !strings.Contains(env, want) {
				t.Errorf("the environment lacks %s:\n%s", want, env)
			}
		}
	})
}

func TestEmptyLabHasNoWorld(t *testing.T) {
	f, end := start(t, awssim.Config{}, nil)
	defer end()
	if w := f.World(); w.RuleARN != "" || w.URL != "" || w.TargetGroups == nil {
		t.Errorf("%+v", w)
	}
	if _, body := f.get(t, "GET", "/_lab/counters", ""); strings.Contains(body, "null") {
		t.Errorf("null in %s", body)
	}
	if out, err := f.elb.DescribeLoadBalancers(t.Context(), nil); err != nil || len(out.LoadBalancers) != 0 {
		t.Errorf("%v %v", out, err)
	}
}

func TestCountersCountFromTheLastReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		count := func() (received, sent, served uint64) {
			var c awssim.Counters
			_, body := f.get(t, "GET", "/_lab/counters", "")
			if err := json.Unmarshal([]byte(body), &c); err != nil {
				t.Fatal(err)
			}
			for _, g := range c.TargetGroups {
				sent += g.Sent
			}
			for _, k := range c.Clusters {
				served += k.Requests
			}
			return c.Listeners[0].Received, sent, served
		}
		for range 4 {
			_, _ = f.get(t, "GET", f.World().URL, "", "Host", awssim.Host)
		}
		if r, s, k := count(); r != 4 || s != 4 || k != 4 {
			t.Errorf("counted %d, %d, %d; want 4", r, s, k)
		}
		if status, _ := f.get(t, "POST", "/_lab/reset-counters", ""); status != 204 {
			t.Errorf("reset: %d", status)
		}
		_, _ = f.get(t, "GET", f.World().URL, "", "Host", awssim.Host)
		if r, s, k := count(); r != 1 || s != 1 || k != 1 {
			t.Errorf("counted %d, %d, %d after the reset; want 1", r, s, k)
		}
	})
}

func TestCallLogHasEveryCallAndTheWeightsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		w := f.World()
		blue, green := w.TargetGroups[0].ARN, w.TargetGroups[1].ARN
		if err := f.setWeights(t.Context(), 90, 10); err != nil {
			t.Fatal(err)
		}
		_, _ = f.elb.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: &w.ListenerARN, DefaultActions: []elbtypes.Action{
			{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: &green},
		}})
		_, _ = f.elb.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: aws.String("arn:none")})
		remove := f.Faults().Intercept(func(_ context.Context, _ *wire.Request, p wire.Phase) error {
			if p == wire.After {
				return wire.ErrDrop
			}
			return nil
		})
		_, err := f.elb.AddTags(t.Context(), &elb.AddTagsInput{
			ResourceArns: []string{w.RuleARN}, Tags: []elbtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
		}, func(o *elb.Options) { o.RetryMaxAttempts = 1 })
		if err == nil {
			t.Error("a dropped call was answered")
		}
		remove()
		_, body := f.get(t, "GET", "/_lab/calls", "")
		type call struct {
			Op, Error string
			Status    int
			Effect    bool
			Weights   map[string]int
		}
		var got []call
		for line := range strings.Lines(body) {
			var e awssim.CallEntry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if e.Service != "elasticloadbalancing" || e.Region != "us-east-1" || e.Account != "000000000000" || e.Seq == 0 || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
			got = append(got, call{e.Operation, e.Error, e.Status, e.Effect, e.Weights})
		}
		want := []call{
			{"ModifyRule", "", 200, true, map[string]int{blue: 90, green: 10}},
			{"ModifyListener", "", 200, true, map[string]int{green: 1}},
			{"DescribeRules", got[2].Error, 400, false, nil},
			{"AddTags", "Dropped", 0, true, nil},
		}
		if diff := cmp.Diff(want, got); diff != "" || got[2].Error == "" {
			t.Error(diff)
		}
	})
}

func TestCallsCanBeFollowed(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, f fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.Endpoint()+"/_lab/calls?follow=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := f.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		lines := bufio.NewScanner(res.Body)
		for _, weight := range []int32{10, 20} {
			if err := f.setWeights(t.Context(), 100-weight, weight); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || !strings.Contains(lines.Text(), `"operation":"ModifyRule"`) {
				t.Fatalf("%q %v", lines.Text(), lines.Err())
			}
		}
		cancel()
		if lines.Scan() {
			t.Errorf("another line: %s", lines.Text())
		}
	})
}

func TestClosingTheLabEndsThoseWhoFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = f.get(t, "GET", "/_lab/healthz", "")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.Endpoint()+"/_lab/calls?follow=1", http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := f.http.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			for lines := bufio.NewScanner(res.Body); lines.Scan(); {
				t.Errorf("a line: %s", lines.Text())
			}
			_ = res.Body.Close()
		}()
		time.Sleep(time.Second)
		end()
		<-done
	})
}

func TestOperationsAreListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, op := range awssim.Operations() {
		name := op.Service + " " + op.Name
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
		if op.Fidelity == wire.Simplified && op.How == "" {
			t.Errorf("%s is simplified, but nothing says how", name)
		}
	}
	for _, name := range []string{"sts AssumeRole", "elbv2 ModifyRule", "cloudwatch GetMetricData"} {
		if !seen[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}

func TestATestCanStopTheWorldAtACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		ctx, kill := context.WithCancel(t.Context())
		calls := 0
		f.Faults().Intercept(func(_ context.Context, _ *wire.Request, p wire.Phase) error {
			if p == wire.Before {
				calls++
			}
			if calls == 2 && p == wire.After {
				kill() // the client dies when the second call has taken effect
				return wire.ErrDrop
			}
			return nil
		})
		if err := f.setWeights(ctx, 90, 10); err != nil {
			t.Fatal(err)
		}
		if err := f.setWeights(ctx, 80, 20); !errors.Is(err, context.Canceled) {
			t.Errorf("the second call: %v", err)
		}
		g := f.Snapshot().Listeners[0].Rules[0].Actions[0].Forward.TargetGroups
		if g[0].Weight != 80 || g[1].Weight != 20 || calls != 2 {
			t.Errorf("weights %v after %d calls", g, calls)
		}
	})
}
