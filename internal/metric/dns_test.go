package metric

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/traffic"
)

func balancerARN(region, name string) string {
	return "arn:aws:elasticloadbalancing:" + region + ":000000000000:loadbalancer/app/" + name + "/0123456789abcdef"
}

// named is a shift of a name from blue to green, which are load balancers in two regions,
// once its first window is complete.
func named() analysis.Request {
	req := request(4)
	req.Gaining, req.Losing = []string{"green"}, []string{"blue"}
	req.Live = traffic.Split{{ID: "blue", Weight: 90}, {ID: "green", Weight: 10}}
	return req
}

func dns(blue, green Source) *DNS {
	return &DNS{Timing: errorsBelow(blue).Timing, LoadBalancers: map[string]LoadBalancer{
		"blue":  {ARN: balancerARN("us-east-1", "blue"), Source: blue},
		"green": {ARN: balancerARN("eu-west-1", "green"), Source: green},
	}}
}

// countsOf answers by the metric's name; what is not there has no data.
func countsOf(counts map[string]float64) func(Query) Result {
	return func(q Query) Result {
		r := Result{Complete: true, Series: []Series{{}}}
		for name, v := range counts {
			if !strings.Contains(q.Text, `"`+name+`"`) {
				continue
			}
			for t := q.Start; t.Before(q.End); t = t.Add(time.Minute) {
				r.Series[0].Points = append(r.Series[0].Points, Point{t, v})
			}
		}
		return r
	}
}

func TestEachLoadBalancerBehindANameIsAskedWhereItIs(t *testing.T) {
	blue := &fakeSource{answer: countsOf(map[string]float64{requestCount: 600})}
	green := &fakeSource{answer: countsOf(map[string]float64{requestCount: 60})}
	a := mustNew(t, Config{Builtin: true, DNS: dns(blue, green)})
	notes, err := a.Probe(t.Context(), named())
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "requests of the load balancers: green 300, blue 3000 in") {
		t.Errorf("%v, %v", notes, err)
	}
	blue.calls, green.calls = nil, nil
	r := a.Analyze(t.Context(), named())
	if r.Verdict != analysis.Successful || r.Rates["blue"] != 10 || r.Rates["green"] != 1 || len(r.Metrics) != 2 {
		t.Errorf("%s %q, rates %v", r.Verdict, r.Message, r.Rates)
	}
	for name, src := range map[string]*fakeSource{"blue": blue, "green": green} {
		if len(src.calls) != 1 || len(src.calls[0]) != 2*7 {
			t.Fatalf("%s: %d calls", name, len(src.calls))
		}
		for _, q := range src.calls[0] {
			if !strings.Contains(q.Text, "app/"+name+"/0123456789abcdef") || strings.Contains(q.Text, "TargetGroup") {
				t.Errorf("%s is asked %s", name, q.Text)
			}
		}
	}
}

func TestANamesGainingSideIsComparedWithItsLosingOne(t *testing.T) {
	for name, tc := range map[string]struct {
		blue, green map[string]float64
		verdict     analysis.Verdict
		message     string
	}{
		"targets that fail":           {nil, map[string]float64{target5XX: 12}, analysis.Failed, TargetErrors + ": target 5XX"},
		"a load balancer that fails":  {nil, map[string]float64{elb504: 12}, analysis.Failed, LoadBalancerErrors + ": 502, 503 and 504 of the gaining side's load balancers: 20.00% (12 of 60)"},
		"both sides fail alike":       {map[string]float64{elb504: 120}, map[string]float64{elb504: 12}, analysis.Successful, ""},
		"only the losing side fails":  {map[string]float64{target5XX: 120}, nil, analysis.Successful, ""},
		"green has not been asked":    {nil, map[string]float64{requestCount: 0}, analysis.Inconclusive, "no requests of green"},
		"green counts what is no sum": {nil, map[string]float64{elb502: -1}, analysis.Inconclusive, "of green is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			of := func(base float64, more map[string]float64) func(Query) Result {
				all := map[string]float64{requestCount: base}
				maps.Copy(all, more)
				return countsOf(all)
			}
			a := mustNew(t, Config{Builtin: true, DNS: dns(&fakeSource{answer: of(600, tc.blue)}, &fakeSource{answer: of(60, tc.green)})})
			r := a.Analyze(t.Context(), named())
			if r.Verdict != tc.verdict || !strings.Contains(r.Message, tc.message) {
				t.Errorf("%s %q, want %s %q", r.Verdict, r.Message, tc.verdict, tc.message)
			}
		})
	}
}

func TestASourceBehindANameThatWantsToBeLeftAloneIs(t *testing.T) {
	blue := &fakeSource{answer: countsOf(map[string]float64{requestCount: 600})}
	green := &fakeSource{answer: func(Query) Result { return Result{Err: errors.New("throttled"), RetryAfter: 40 * time.Second} }}
	a := mustNew(t, Config{Builtin: true, DNS: dns(blue, green)})
	r := a.Analyze(t.Context(), named())
	if r.Verdict != analysis.Error || !strings.Contains(r.Message, "throttled") || !r.Next.Equal(at(4).Add(40*time.Second)) {
		t.Errorf("%s %q, next %s", r.Verdict, r.Message, r.Next)
	}
}

func TestWhatALoadBalancerBehindANameMustBe(t *testing.T) {
	src := &fakeSource{answer: nothing}
	for part, change := range map[string]func(*DNS){
		"no destination has a load balancer":                        func(d *DNS) { d.LoadBalancers = nil },
		`destination "green": "x" is no ARN of a load balancer`:     func(d *DNS) { d.LoadBalancers["green"] = LoadBalancer{"x", src} },
		`destination "green": the load balancer's metrics have no`:  func(d *DNS) { d.LoadBalancers["green"] = LoadBalancer{lbARN, nil} },
		`another type than "app"`:                                   func(d *DNS) { d.LoadBalancers["green"] = LoadBalancer{nlbARN, src} },
		`destinations "blue" and "green" have one load balancer, a`: func(d *DNS) { d.LoadBalancers["green"] = d.LoadBalancers["blue"] },
		"timing.period": func(d *DNS) { d.Timing.Period = 0 },
	} {
		d := dns(src, src)
		change(d)
		_, err := New(Config{Builtin: true, DNS: d})
		wantTerminal(t, err, part)
	}
	_, err := New(Config{DNS: dns(src, src), ALB: &ALB{ARN: lbARN, Source: src}})
	wantTerminal(t, err, "set one of them")
	// A gaining destination needs one; a losing one that nobody declared does not.
	a := mustNew(t, Config{Builtin: true, DNS: dns(src, src), Names: map[string]string{"teal": "the teal one"}})
	req := named()
	req.Losing = []string{"blue", "grey"}
	if err := a.Preflight(t.Context(), req); err != nil {
		t.Errorf("a losing destination without a load balancer: %v", err)
	}
	req.Gaining = []string{"green", "teal"}
	wantTerminal(t, a.Preflight(t.Context(), req), "no load balancer is known of the teal one", "loadBalancerARN")
}

func TestATemplateCanNameADestinationsOwnLoadBalancer(t *testing.T) {
	src := &fakeSource{answer: value(0)}
	m := errorsBelow(src)
	m.Query = "{{.New.LoadBalancer.Suffix}} of {{.New.ID}}, {{.Old.LoadBalancer.ARN}}{{.New.Suffix}}"
	mustNew(t, Config{DNS: dns(src, src), Metrics: []Metric{m}}).Analyze(t.Context(), named())
	if got, want := src.calls[0][0].Text, "app/green/0123456789abcdef of green, "+balancerARN("us-east-1", "blue"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
