package metric

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
)

func TestEachWindowIsAskedForOnceAndNotBeforeItIsComplete(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}})
	for _, step := range []struct {
		now     float64
		asked   string
		verdict analysis.Verdict
		next    float64
	}{
		{0.1, "", analysis.Inconclusive, 4},
		{3.9, "", analysis.Inconclusive, 4},
		{4, "errors 1-2", analysis.Successful, 5},
		{4.5, "", analysis.Successful, 5},
		{5, "errors 2-3", analysis.Successful, 6},
		{8, "errors 3-4, errors 4-5, errors 5-6", analysis.Successful, 9},
	} {
		r := a.Analyze(t.Context(), request(step.now))
		if got := src.asked(); got != step.asked || r.Verdict != step.verdict || !r.Next.Equal(at(step.next)) {
			t.Errorf("at %v: asked %q, %s, next %s; want %q, %s, %s", step.now, got, r.Verdict, r.Next, step.asked, step.verdict, at(step.next))
		}
	}
	again := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}}) // another process
	r := again.Analyze(t.Context(), request(8))
	if got := src.asked(); got != "errors 1-2, errors 2-3, errors 3-4, errors 4-5, errors 5-6" || r.Metrics[0].Passed != 5 {
		t.Errorf("after a restart asked %q, %d passed", got, r.Metrics[0].Passed)
	}
}

func TestM07_AStepPassesOnlyByItsOwnWeights(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}})
	if r := a.Analyze(t.Context(), request(4)); r.Verdict != analysis.Successful {
		t.Fatalf("first step: %s", r.Verdict)
	}
	next := request(4.5)
	next.Since = at(4.5)
	if r := a.Analyze(t.Context(), next); r.Verdict != analysis.Inconclusive || len(r.Metrics) != 1 || r.Metrics[0].Passed != 0 {
		t.Errorf("the second step begins with %s, %+v", r.Verdict, r.Metrics)
	}
}

func TestM05_IntervalIsHonoured(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	m := errorsBelow(src)
	m.Interval, m.Query = 5*time.Minute, "over {{.Interval}}s of {{.Period}}s"
	a := mustNew(t, Config{Metrics: []Metric{m}})
	if r := a.Analyze(t.Context(), request(7.9)); r.Verdict != analysis.Inconclusive || !r.Next.Equal(at(8)) || src.asked() != "" {
		t.Errorf("before its window is complete: %s, next %s", r.Verdict, r.Next)
	}
	a.Analyze(t.Context(), request(8))
	if len(src.calls) != 1 || src.calls[0][0].Text != "over 300s of 60s" || minute(src.calls[0][0].End)-minute(src.calls[0][0].Start) != 5 {
		t.Errorf("asked %+v", src.calls)
	}
	if got := a.Timing(); got != (analysis.Timing{Settle: 10 * time.Second, Period: 5 * time.Minute, Delay: 2 * time.Minute}) {
		t.Errorf("timing %+v", got)
	}
}

func TestAnErrorIsNeitherAPassNorAFailureAndIsAskedAgain(t *testing.T) {
	src := &fakeSource{answer: func(Query) Result { return Result{Err: errors.New("connection refused")} }}
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}})
	r := a.Analyze(t.Context(), request(4))
	if r.Verdict != analysis.Error || !strings.Contains(r.Message, "errors: connection refused") || !r.Next.Equal(at(4).Add(5*time.Second)) {
		t.Errorf("%s %q, next %s", r.Verdict, r.Message, r.Next)
	}
	src.answer = value(0)
	src.asked()
	if r = a.Analyze(t.Context(), request(4.1)); r.Verdict != analysis.Successful || src.asked() != "errors 1-2" {
		t.Errorf("healed: %s %q", r.Verdict, r.Message)
	}
}

func TestASourceThatWantsToBeLeftAloneIsLeftAlone(t *testing.T) {
	limited := func(Query) Result {
		return Result{Err: errors.New("rate limit"), RetryAfter: 30 * time.Second}
	}
	src := &fakeSource{answer: limited}
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}})
	r := a.Analyze(t.Context(), request(4))
	if r.Verdict != analysis.Error || !r.Next.Equal(at(4.5)) || src.asked() != "errors 1-2" {
		t.Errorf("%s, next %s", r.Verdict, r.Next)
	}
	src.answer = value(0)
	if r = a.Analyze(t.Context(), request(4.4)); r.Verdict != analysis.Error || src.asked() != "" || !r.Next.Equal(at(4.5)) {
		t.Errorf("within the time: %s, next %s", r.Verdict, r.Next)
	}
	if r = a.Analyze(t.Context(), request(4.5)); r.Verdict != analysis.Successful {
		t.Errorf("after the time: %s %q", r.Verdict, r.Message)
	}
}

func TestLateDataIsReadWhenItComes(t *testing.T) {
	src := &fakeSource{answer: nothing}
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src)}})
	for _, now := range []float64{4, 5} {
		if r := a.Analyze(t.Context(), request(now)); r.Verdict != analysis.Inconclusive {
			t.Fatalf("no data: %s", r.Verdict)
		}
	}
	src.asked()
	src.answer = value(5)
	r := a.Analyze(t.Context(), request(6))
	if got := src.asked(); r.Verdict != analysis.Failed || r.Metrics[0].Failed != 3 || got != "errors 1-2, errors 2-3, errors 3-4" {
		t.Errorf("%s, %+v, asked %q", r.Verdict, r.Metrics, got)
	}
}

func TestM04_SeveralSeriesAreAnErrorWithoutAReducer(t *testing.T) {
	two := func(q Query) Result {
		return Result{Complete: true, Series: []Series{{Points: []Point{{q.Start, 0}}}, {Points: []Point{{q.Start, 9}}}}}
	}
	m := errorsBelow(&fakeSource{answer: two})
	a := mustNew(t, Config{Metrics: []Metric{m}})
	wantTerminal(t, a.Preflight(t.Context(), request(0)), `metric "errors": query: the query gives 2 series`)
	if r := a.Analyze(t.Context(), request(4)); r.Verdict != analysis.Error || !strings.Contains(r.Message, "2 series") {
		t.Errorf("%s %q", r.Verdict, r.Message)
	}
	m.Reducer = analysis.ReduceMax
	a = mustNew(t, Config{Metrics: []Metric{m}})
	if r := a.Analyze(t.Context(), request(4)); r.Verdict != analysis.Failed || !strings.Contains(r.Message, "9 in 12:01:00–12:02:00Z is above max 1") {
		t.Errorf("%s %q", r.Verdict, r.Message)
	}
}

func TestM08_FewRequestsHold(t *testing.T) {
	metrics, balancer := &fakeSource{answer: value(0)}, &fakeSource{answer: value(3)}
	m := errorsBelow(metrics)
	m.MinRequests = 50
	cfg := Config{Metrics: []Metric{m}, ALB: &ALB{ARN: lbARN, Source: balancer, Timing: analysis.Timing{Period: time.Minute, Delay: 3 * time.Minute}}}
	a := mustNew(t, cfg)
	if r := a.Analyze(t.Context(), request(4)); len(r.Metrics[0].Last.Message) > 0 || len(balancer.calls) > 0 {
		t.Errorf("asked before the load balancer's counts are complete: %+v", r)
	}
	r := a.Analyze(t.Context(), request(5))
	if r.Verdict != analysis.Inconclusive || !strings.Contains(r.Message, "the gaining side had 3 requests in 12:01:00–12:02:00Z; 50 are needed") {
		t.Errorf("%s %q", r.Verdict, r.Message)
	}
	if q := balancer.calls[0][0].Text; !strings.Contains(q, "RequestCount") || !strings.Contains(q, "targetgroup/green/0123456789abcdef") || !strings.Contains(q, "app/web/0123456789abcdef") {
		t.Errorf("asked the load balancer for %s", q)
	}
	balancer.answer = value(50)
	if r = a.Analyze(t.Context(), request(6)); r.Verdict != analysis.Successful {
		t.Errorf("with enough requests: %s %q", r.Verdict, r.Message)
	}
	balancer.answer = func(Query) Result { return Result{Err: errors.New("throttled")} }
	if r = a.Analyze(t.Context(), request(7)); r.Verdict != analysis.Error {
		t.Errorf("without the counts: %s %q", r.Verdict, r.Message)
	}
}

func TestFailureLimitCountsWithinTheStep(t *testing.T) {
	src := &fakeSource{answer: value(5)}
	m := errorsBelow(src)
	m.FailureLimit = 1
	a := mustNew(t, Config{Metrics: []Metric{m}})
	if r := a.Analyze(t.Context(), request(4)); r.Verdict != analysis.Inconclusive || r.Metrics[0].Failed != 1 {
		t.Errorf("one tolerated failure: %s %+v", r.Verdict, r.Metrics)
	}
	if r := a.Analyze(t.Context(), request(5)); r.Verdict != analysis.Failed {
		t.Errorf("the second failure: %s", r.Verdict)
	}
}

func TestWithoutMetricsThereIsNothingToWaitFor(t *testing.T) {
	a := mustNew(t, Config{})
	r := a.Analyze(t.Context(), request(0.1))
	if r.Verdict != analysis.Successful || !r.Next.After(at(0.1)) || a.Timing() != (analysis.Timing{}) {
		t.Errorf("%+v, %+v", r, a.Timing())
	}
}

func TestWindowsAreAlignedToAQueryThatIsCoarserThanItsSource(t *testing.T) {
	src := &fakeSource{answer: value(0), period: 5 * time.Minute}
	m := errorsBelow(src)
	a := mustNew(t, Config{Metrics: []Metric{m}})
	wantTerminal(t, a.Preflight(t.Context(), request(0)), `metric "errors": interval: 1m0s is not a multiple of the query's period 5m0s`)
	m.Interval = 5 * time.Minute
	a = mustNew(t, Config{Metrics: []Metric{m}})
	a.Analyze(t.Context(), request(12))
	if got := src.asked(); got != "errors 5-10" {
		t.Errorf("asked %q", got)
	}
}

func TestM10_MisconfigurationIsFoundBeforeTheShift(t *testing.T) {
	good := errorsBelow(&fakeSource{answer: value(0)})
	bad := func(change func(*Metric)) Metric {
		m := good
		m.Name = "bad"
		change(&m)
		return m
	}
	denied := &fakeSource{answer: func(Query) Result { return Result{Err: fault.ErrDenied} }}
	for name, tc := range map[string]struct {
		metric Metric
		want   string
	}{
		"a template that cannot be parsed": {bad(func(m *Metric) { m.Query = "{{.New" }), `metric "bad": query: template`},
		"a template with an unknown field": {bad(func(m *Metric) { m.Query = "{{.New.Cluster}}" }), `metric "bad": query: template: query:1:6: executing "query" at <.New.Cluster>: can't evaluate field Cluster`},
		"a query that is wrong":            {bad(func(m *Metric) { m.Query = "syntax error" }), `metric "bad": query: is wrong`},
		"no bounds":                        {bad(func(m *Metric) { m.Max = nil }), `metric "bad": min and max are both unset`},
		"a source that denies":             {bad(func(m *Metric) { m.Source = denied }), `metric "bad": query: access denied`},
		"no source":                        {bad(func(m *Metric) { m.Source = nil }), `metric "bad": no source is set`},
		"an unknown reducer":               {bad(func(m *Metric) { m.Reducer = "median" }), `metric "bad": reducer: "median"`},
		"requests of no load balancer":     {bad(func(m *Metric) { m.MinRequests = 5 }), `metric "bad": minRequests: 5 needs`},
		"a name used twice":                {good, `metrics[1]: name: "errors" is used twice`},
		"a period below a second":          {bad(func(m *Metric) { m.Timing.Period = time.Millisecond }), `metric "bad": timing.period: 1ms`},
		"a negative interval":              {bad(func(m *Metric) { m.Interval = -1 }), `metric "bad": interval: -1ns is not above 0`},
		"negative failureLimit":            {bad(func(m *Metric) { m.FailureLimit = -1 }), `metric "bad": failureLimit: -1`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := New(Config{Metrics: []Metric{good, tc.metric}})
			if err == nil {
				err = a.Preflight(t.Context(), request(0))
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), `metric "errors"`) {
				t.Errorf("got %v, want %q and nothing about the good one", err, tc.want)
			}
		})
	}
}

func TestPreflightAsksEveryQueryOnceOverTheTimeBefore(t *testing.T) {
	src, empty := &fakeSource{answer: value(0.25)}, &fakeSource{answer: nothing}
	quiet := errorsBelow(empty)
	quiet.Name = "quiet"
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(src), quiet}})
	notes, err := a.Probe(t.Context(), request(0.5))
	want := "errors: 0.25 in 11:57:00–11:58:00Z; quiet: no data in 11:57:00–11:58:00Z"
	if got := strings.Join(notes, "; "); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if len(src.calls) != 1 || len(empty.calls) != 1 {
		t.Errorf("asked %d and %d times", len(src.calls), len(empty.calls))
	}
}

func TestBuiltinNeedsALoadBalancerAndTargetGroups(t *testing.T) {
	_, err := New(Config{Builtin: true})
	wantTerminal(t, err, "set analysis.builtin to false")
	src := &fakeSource{answer: nothing}
	_, err = New(Config{Builtin: true, ALB: &ALB{ARN: "arn:aws:s3:::x", Source: src, Timing: errorsBelow(src).Timing}})
	wantTerminal(t, err, "arn:aws:s3:::x")
	a := mustNew(t, Config{Builtin: true, ALB: &ALB{ARN: lbARN, Source: src, Timing: errorsBelow(src).Timing}})
	req := request(0)
	req.Gaining = []string{"set-identifier"}
	wantTerminal(t, a.Preflight(t.Context(), req), `built-in analysis: destination "set-identifier"`)
}

// stuck answers with as many results as it likes.
type stuck struct{ fakeSource }

func (*stuck) Query(context.Context, []Query) []Result { return nil }

func TestASourceThatAnswersTooLittleIsAnError(t *testing.T) {
	a := mustNew(t, Config{Metrics: []Metric{errorsBelow(&stuck{})}})
	if r := a.Analyze(t.Context(), request(4)); r.Verdict != analysis.Error {
		t.Errorf("%s %q", r.Verdict, r.Message)
	}
}

func TestM06_EachSourceIsAskedOnlyForItsOwnMetrics(t *testing.T) {
	tokyo, home := &fakeSource{answer: value(0)}, &fakeSource{answer: value(9)}
	first, second, third := errorsBelow(tokyo), errorsBelow(home), errorsBelow(tokyo)
	first.Name, second.Name, third.Name = "a", "b", "c"
	r := mustNew(t, Config{Metrics: []Metric{first, second, third}}).Analyze(t.Context(), request(4))
	if got, other := tokyo.asked(), home.asked(); got != "a 1-2, c 1-2" || other != "b 1-2" {
		t.Errorf("asked %q and %q", got, other)
	}
	if r.Metrics[0].Passed != 1 || r.Metrics[1].Failed != 1 || r.Metrics[2].Passed != 1 {
		t.Errorf("%+v", r.Metrics)
	}
}
