package fault_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// run sends calls through a set as a wire.Mux would, and tells what became of each:
// an error code, "dropped", or "ok", with a "+" where the effect took place.
func run(t *testing.T, s *fault.Set, calls ...string) string {
	t.Helper()
	var out []string
	for i, c := range calls {
		service, op, _ := strings.Cut(c, ".")
		r := &wire.Request{Service: service, Operation: op, AccountID: "000000000000", Seq: uint64(i + 1)}
		err := s.Hook(t.Context(), r, wire.Before)
		effect := ""
		if err == nil {
			effect, err = "+", s.Hook(t.Context(), r, wire.After)
		}
		var e *wire.Error
		switch {
		case err == nil:
			out = append(out, "ok"+effect)
		case errors.Is(err, wire.ErrDrop):
			out = append(out, "dropped"+effect)
		case errors.As(err, &e):
			out = append(out, e.Code+effect)
		}
	}
	return strings.Join(out, " ")
}

const (
	modify   = "elasticloadbalancing.ModifyRule"
	describe = "elasticloadbalancing.DescribeRules"
	metric   = "monitoring.GetMetricData"
)

func TestCallsAreHit(t *testing.T) {
	for name, tc := range map[string]struct {
		rules []fault.Rule
		calls []string
		want  string
	}{
		"all of them by default":                      {[]fault.Rule{{Kind: fault.Throttle}}, []string{modify, "sts.AssumeRole", metric}, "Throttling Throttling ThrottlingException"},
		"by operation glob":                           {[]fault.Rule{{Kind: fault.AccessDenied, Operation: "Modify*"}}, []string{modify, describe}, "AccessDenied ok+"},
		"by a service's usual name":                   {[]fault.Rule{{Kind: fault.ExpiredToken, Service: "cloudwatch"}}, []string{modify, metric}, "ok+ ExpiredToken"},
		"by service glob":                             {[]fault.Rule{{Kind: fault.ErrorBefore, Service: "elastic*"}}, []string{modify, metric}, "InternalFailure ok+"},
		"after some were skipped, some times":         {[]fault.Rule{{Kind: fault.DropBefore, Operation: "ModifyRule", Skip: 1, Times: 2}}, []string{modify, describe, modify, modify, modify}, "ok+ ok+ dropped dropped ok+"},
		"after the effect took place":                 {[]fault.Rule{{Kind: fault.ErrorAfter, Times: 1}}, []string{modify, modify}, "InternalFailure+ ok+"},
		"by a cut after the effect":                   {[]fault.Rule{{Kind: fault.DropAfter, Skip: 1}}, []string{modify, modify}, "ok+ dropped+"},
		"never with probability 0":                    {[]fault.Rule{{Kind: fault.Throttle, Probability: new(0.0)}}, []string{modify, modify}, "ok+ ok+"},
		"by the first rule only":                      {[]fault.Rule{{Kind: fault.Throttle, Times: 1}, {Kind: fault.DropBefore, Times: 1}}, []string{modify, modify, modify}, "Throttling dropped ok+"},
		"by nothing, from faults of the data plane":   {[]fault.Rule{{Kind: fault.Lose, Count: 1}, {Kind: fault.WeightsDelay, Duration: 1}}, []string{modify}, "ok+"},
		"by a rule of each phase, on different calls": {[]fault.Rule{{Kind: fault.Throttle, Times: 1}, {Kind: fault.DropAfter}}, []string{modify, modify}, "Throttling dropped+"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fault.NewSet(fault.Config{})
			for _, r := range tc.rules {
				if _, err := s.Add(r); err != nil {
					t.Fatal(err)
				}
			}
			if got := run(t, s, tc.calls...); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestProbabilityFollowsTheSeed(t *testing.T) {
	hits := func(seed uint64) string {
		s := fault.NewSet(fault.Config{Seed: seed})
		if _, err := s.Add(fault.Rule{Kind: fault.Throttle, Probability: new(0.5)}); err != nil {
			t.Fatal(err)
		}
		calls := make([]string, 200)
		for i := range calls {
			calls[i] = modify
		}
		return run(t, s, calls...)
	}
	if a, b := hits(1), hits(1); a != b {
		t.Error("equal seeds differ")
	}
	if hits(1) == hits(2) {
		t.Error("other seeds do not differ")
	}
	if n := strings.Count(hits(1), "Throttling"); n < 70 || n > 130 {
		t.Errorf("%d of 200 calls were hit, want about half", n)
	}
}

func TestLatencyPassesInVirtualTimeAndEndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fault.NewSet(fault.Config{})
		if _, err := s.Add(fault.Rule{Kind: fault.Latency, Duration: time.Hour, Times: 2}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := run(t, s, modify); got != "ok+" || time.Since(start) != time.Hour {
			t.Errorf("%s after %v", got, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Hook(ctx, &wire.Request{}, wire.Before); !errors.Is(err, wire.ErrDrop) {
			t.Errorf("client that gave up: %v", err)
		}
	})
}

func TestInterceptSeesEveryCallByNumberUntilRemoved(t *testing.T) {
	s := fault.NewSet(fault.Config{})
	remove := s.Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
		if r.Seq == 2 && p == wire.After {
			return wire.ErrDrop
		}
		return nil
	})
	if got := run(t, s, modify, modify, modify); got != "ok+ dropped+ ok+" {
		t.Error(got)
	}
	s.Clear()
	if got := run(t, s, modify, modify); got != "ok+ dropped+" {
		t.Error("after Clear:", got)
	}
	remove()
	if got := run(t, s, modify, modify); got != "ok+ ok+" {
		t.Error("after remove:", got)
	}
}

func TestDataPlaneSettingsFollowTheRules(t *testing.T) {
	var targets map[string]fault.Target
	var lose []int
	s := fault.NewSet(fault.Config{
		Targets: func(m map[string]fault.Target) { targets = m },
		Lose:    func(n int) { lose = append(lose, n) },
	})
	ids := map[fault.Kind]string{}
	for _, r := range []fault.Rule{
		{Kind: fault.WeightsDelay, Duration: time.Second},
		{Kind: fault.MetricDelay, Duration: time.Minute},
		{Kind: fault.MetricMissing, Name: "HTTPCode_*"},
		{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.05},
		{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.5, Latency: time.Second},
		{Kind: fault.Lose, Count: 3},
	} {
		id, err := s.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		ids[r.Kind] = id
	}
	if s.WeightsDelay() != time.Second || s.MetricDelay() != time.Minute {
		t.Errorf("delays %v %v", s.WeightsDelay(), s.MetricDelay())
	}
	if !s.MetricMissing("HTTPCode_Target_5XX_Count") || s.MetricMissing("RequestCount") {
		t.Error("metric-missing does not follow its glob")
	}
	if diff := cmp.Diff(map[string]fault.Target{"green": {FailRate: 0.5, Latency: time.Second}}, targets); diff != "" {
		t.Error("the latest fault of a group should win:", diff)
	}
	if err := s.Remove(ids[fault.TargetFailure]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fault.Target{"green": {FailRate: 0.05}}, targets); diff != "" {
		t.Error(diff)
	}
	if err := s.Remove("fault-99"); err == nil {
		t.Error("removing what is not there should fail")
	}
	s.Clear()
	if len(targets) != 0 || s.WeightsDelay() != 0 || s.MetricMissing("HTTPCode_ELB_5XX_Count") || len(s.List()) != 0 {
		t.Error("settings stay after Clear")
	}
	if diff := cmp.Diff([]int{3, 0}, lose); diff != "" {
		t.Error(diff)
	}
}

func TestListTellsWhatARuleHasDone(t *testing.T) {
	s := fault.NewSet(fault.Config{})
	if _, err := s.Add(fault.Rule{Kind: fault.Throttle, Operation: "ModifyRule", Skip: 1, Probability: new(1.0)}); err != nil {
		t.Fatal(err)
	}
	run(t, s, modify, describe, modify)
	b, err := json.Marshal(s.List())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"fault":{"id":"fault-1","kind":"throttle","operation":"ModifyRule","skip":1,"probability":1},"seen":2,"hit":1}]`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error(diff)
	}
}

func TestParseReadsWhatMarshalWrites(t *testing.T) {
	for _, r := range []fault.Rule{
		{Kind: fault.Latency, Service: "elbv2", Operation: "Describe*", Skip: 1, Times: 2, Probability: new(0.25), Duration: 1500 * time.Millisecond},
		{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.05, Latency: time.Second},
		{Kind: fault.MetricMissing, Name: "H*"},
		{Kind: fault.Lose, Count: 1},
	} {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fault.Parse(strings.NewReader(string(b)))
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"kind":"latency","duration":"1s","probability":0.5}`)
	f.Add(`{"kind":"target","targetGroup":"g","failRate":1e-400}`)
	f.Add(`{"kind":"lose","count":1e3}`)
	f.Fuzz(func(t *testing.T, in string) {
		r, err := fault.Parse(strings.NewReader(in))
		if err != nil {
			return
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := fault.Parse(strings.NewReader(string(b)))
		if err != nil {
			t.Fatalf("%q was read, its own text %s is not: %v", in, b, err)
		}
		if diff := cmp.Diff(r, again); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParseNamesTheWrongField(t *testing.T) {
	for in, want := range map[string]string{
		`{"kind":"trottle"}`:                                                `kind: "trottle" is not one of [access-denied cluster-delay`,
		`{}`:                                                                `kind: "" is not one of`,
		`{"kind":"throttle","foo":1}`:                                       `unknown field "foo"; fields are kind, service,`,
		`{"kind":"throttle","skip":"1"}`:                                    `skip: a JSON string is not of type int`,
		`{"kind":"throttle","skip":-1}`:                                     `skip: -1 is negative`,
		`{"kind":"throttle","times":-1}`:                                    `times: -1 is negative`,
		`{"kind":"throttle","probability":1.5}`:                             `probability: 1.5 is not in 0–1`,
		`{"kind":"throttle","service":"s3"}`:                                `service: "s3" is not one of elasticloadbalancing (elbv2)`,
		`{"kind":"throttle","service":"e["}`:                                `service: "e[" is not a glob`,
		`{"kind":"throttle","operation":"["}`:                               `operation: "[" is not a glob`,
		`{"kind":"throttle","duration":"1s"}`:                               `duration: the kind throttle does not have it; it has service, operation, skip, times, probability`,
		`{"kind":"latency"}`:                                                `duration: 0s is not in (0s, 24h0m0s], which the kind latency needs`,
		`{"kind":"latency","duration":"soon"}`:                              `"soon" is not a duration such as 250ms`,
		`{"kind":"latency","duration":"25h"}`:                               `duration: 25h0m0s is not in`,
		`{"kind":"weights-delay","duration":"1s","service":""}`:             ``,
		`{"kind":"weights-delay","operation":"ModifyRule"}`:                 `operation: the kind weights-delay does not have it; it has duration`,
		`{"kind":"metric-missing"}`:                                         `name: the kind metric-missing needs the name of a metric`,
		`{"kind":"metric-missing","name":"["}`:                              `name: "[" is not a glob`,
		`{"kind":"target","failRate":0.5}`:                                  `targetGroup: the kind target needs the name`,
		`{"kind":"target","targetGroup":"g","latency":"1s","slowRate":1.5}`: `slowRate: 1.5 is not in 0–1`,
		`{"kind":"target","targetGroup":"g","slowRate":0.5}`:                `slowRate: it says which share of the answers is late; give latency, too`,
		`{"kind":"target","targetGroup":"g"}`:                               `failRate: the kind target needs failRate or latency`,
		`{"kind":"target","targetGroup":"g","failRate":2}`:                  `failRate: 2 is not in 0–1`,
		`{"kind":"target","targetGroup":"g","latency":"-1s"}`:               `latency: -1s is not in [0s, 24h0m0s]`,
		`{"kind":"lose"}`:                                                   `count: 0 is not in 1–1000000`,
		`{"kind":"lose","count":1} {}`:                                      `the body goes on after it`,
		`{"kind":"lose","count":1,"id":"x"}`:                                `id: it is given by the lab`,
		`[]`:                                                                `the fault is not a JSON object`,
		``:                                                                  `the fault is not a JSON object`,
	} {
		_, err := fault.Parse(strings.NewReader(in))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", in, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s:\ngot  %v\nwant %s", in, err, want)
		}
	}
}
