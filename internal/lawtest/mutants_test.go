package lawtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// httpMutant changes requests before they reach the recorder, and answers after they
// have left it: what it does to answers is a client that does not see them.
type httpMutant struct {
	aws.HTTPClient

	form   func(url.Values)
	answer func(string) string
}

func (m httpMutant) Do(r *http.Request) (*http.Response, error) {
	if m.form != nil && r.Body != nil && strings.Contains(r.Header.Get("Content-Type"), "form") {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, err
		}
		m.form(form)
		body := form.Encode()
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
	}
	resp, err := m.HTTPClient.Do(r)
	if err != nil || m.answer == nil {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	body := m.answer(string(b))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader([]byte(body))), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, err
}

func onForm(change func(url.Values)) func(aws.HTTPClient) aws.HTTPClient {
	return func(c aws.HTTPClient) aws.HTTPClient { return httpMutant{HTTPClient: c, form: change} }
}

// routerMutant changes what the engine hears of its route, or does to it.
type routerMutant struct {
	engine.Router

	write   func(context.Context, engine.Router, traffic.Split) error
	observe func(shift.Live) shift.Live
	mark    func(shift.Mark, bool) (shift.Mark, bool)

	wrote traffic.Split // last; for the mutant that believes what it wrote
	blind bool
}

func (m *routerMutant) Write(ctx context.Context, s traffic.Split) error {
	m.wrote = s
	if m.write != nil {
		return m.write(ctx, m.Router, s)
	}
	return m.Router.Write(ctx, s)
}

func (m *routerMutant) Observe(ctx context.Context) (shift.Live, error) {
	if m.blind && m.wrote != nil {
		return shift.Live{Exists: true, Conforms: true, Split: m.wrote}, nil
	}
	live, err := m.Router.Observe(ctx)
	if m.observe != nil {
		live = m.observe(live)
	}
	return live, err
}

func (m *routerMutant) Mark(ctx context.Context) (shift.Mark, bool, error) {
	mark, ok, err := m.Router.Mark(ctx)
	if m.mark != nil {
		mark, ok = m.mark(mark, ok)
	}
	return mark, ok, err
}

func onRouter(m routerMutant) func(*engine.Config) {
	return func(c *engine.Config) {
		m.Router = c.Router
		c.Router = &m
	}
}

func onWrite(f func(context.Context, engine.Router, traffic.Split) error) func(*engine.Config) {
	return onRouter(routerMutant{write: f})
}

// analyzerMutant changes verdicts.
type analyzerMutant struct {
	engine.Analyzer

	verdict func(analysis.Report) analysis.Report
}

func (m analyzerMutant) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	return m.verdict(m.Analyzer.Analyze(ctx, req))
}

// believing takes one verdict for success.
func believing(v analysis.Verdict) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Analyzer = analyzerMutant{c.Analyzer, func(r analysis.Report) analysis.Report {
			if r.Verdict == v && len(r.Metrics) > 0 && r.Metrics[0].Last.Verdict == v {
				r.Verdict = analysis.Successful
				for i := range r.Metrics {
					r.Metrics[i].Failed = 0
				}
			}
			return r
		}}
	}
}

func weightOf(s traffic.Split, w traffic.Weighted, n int) traffic.Split {
	out := slices.Clone(s)
	out[slices.Index(out, w)].Weight = n
	return out
}

// sick makes green fail once it has traffic: 5 % of its requests, half of its connections,
// or its health checks.
func sick(l *lab) {
	switch l.Ground {
	case OnALB, OnAliases:
		l.sicken(0.05)
	case OnNLB:
		l.sicken(0.1)
	case OnDNS:
		l.onGreen(1, func() { l.sicken(1) })
	}
}

// sicken makes green fail from now on: a part of its requests, of its connections five
// times as many, or its health checks.
func (l *lab) sicken(part float64) {
	switch l.Ground {
	case OnALB, OnAliases:
		l.fault(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: part})
	case OnNLB:
		l.fault(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: min(5*part, 1)})
	case OnDNS:
		l.fault(fault.Rule{Kind: fault.HealthCheck, Name: l.checks["green"]})
	}
}

// fault puts a fault in force.
func (l *lab) fault(r fault.Rule) {
	l.t.Helper()
	if _, err := l.Faults().Add(r); err != nil {
		l.t.Error(err)
	}
}

// meddleAt writes weights as somebody else after a while.
func meddleAt(after time.Duration, blue, green int) func(*lab) {
	return func(l *lab) {
		time.AfterFunc(after, func() {
			if err := l.Meddle(context.Background(), blueGreen(blue, green)...); err != nil {
				l.t.Error(err)
			}
		})
	}
}

func sticky(l *lab) {
	a := l.Forward(blueGreen(100, 0)...)
	a.ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true), DurationSeconds: aws.Int32(3600)}
	l.modify(&elb.ModifyRuleInput{Actions: []types.Action{a}})
}

// modify the rule as the Operator.
func (l *lab) modify(in *elb.ModifyRuleInput) {
	l.t.Helper()
	in.RuleArn = &l.Rule
	if _, err := l.ELBClient().ModifyRule(l.t.Context(), in); err != nil {
		l.t.Fatal(err)
	}
}

// otherHost gives the rule another condition than the manifest has, and owns it.
func otherHost(l *lab) {
	l.modify(&elb.ModifyRuleInput{Conditions: []types.RuleCondition{{
		Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"old.example.com"}},
	}}})
}

// mutant is a planted bug, in the world in which it shows.
type mutant struct {
	law    Law // that it breaks
	world  func(*lab)
	config func(*awssim.Config)
	// manifest is what is declared; run is what the buggy process runs.
	manifest, run func(*v1alpha1.TrafficShift)
	setup         Setup
	second        *Setup // another process, a while later
}

func mutants() map[string]mutant {
	return map[string]mutant{
		"the rollback is inverted (S1)": {
			law: LawRollback, world: sick,
			setup: Setup{Parts: onRouter(routerMutant{write: func(ctx context.Context, r engine.Router, s traffic.Split) error {
				if s[0].Weight == 100 {
					s = weightOf(weightOf(s, s[0], 0), s[1], 100)
				}
				return r.Write(ctx, s)
			}, blind: true})},
		},
		"the weight 0 is dropped from the wire (S20)": {
			law: LawWeights, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.HasSuffix(k, ".Weight") && f.Get(k) == "0" {
						f.Del(k)
					}
				}
			})},
		},
		"NextMarker is not followed (S11)": {
			law: LawPaging, config: func(c *awssim.Config) { c.MaxPageSize = 1 },
			setup: Setup{Client: func(c aws.HTTPClient) aws.HTTPClient {
				return httpMutant{HTTPClient: c, answer: func(body string) string {
					before, rest, ok := strings.Cut(body, "<NextMarker>")
					_, after, _ := strings.Cut(rest, "</NextMarker>")
					if !ok {
						return body
					}
					return before + after
				}}
			}},
		},
		"it advances on empty data (M8)": {
			law: LawVerdict, world: func(l *lab) {
				time.AfterFunc(8*time.Second, func() { l.fault(fault.Rule{Kind: fault.MetricMissing, Name: "RequestCount"}) })
			}, setup: Setup{Parts: believing(analysis.Inconclusive)},
		},
		"it advances before there is data (M7)": {
			law: LawVerdict, setup: Setup{Parts: func(c *engine.Config) {
				c.Analyzer = analyzerMutant{c.Analyzer, func(r analysis.Report) analysis.Report {
					r.Verdict = analysis.Successful
					return r
				}}
			}},
		},
		"it advances after a failure": {
			law: LawRollback, world: sick, setup: Setup{Parts: believing(analysis.Failed)},
		},
		"it waits after a failure": {
			law: LawRollback, world: sick, run: func(ts *v1alpha1.TrafficShift) { ts.Spec.Strategy.OnFailure = "hold" },
		},
		"stickiness is dropped (S9)": {
			law: LawKept, world: sticky, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.Contains(k, "TargetGroupStickinessConfig") {
						f.Del(k)
					}
				}
			})},
		},
		"a write is not read back (S18)": {
			law: LawReadBack, setup: Setup{Parts: onRouter(routerMutant{blind: true})},
		},
		"a step is skipped": {
			law: LawSteps, setup: Setup{Parts: func(c *engine.Config) { c.Spec.Steps = slices.Delete(slices.Clone(c.Spec.Steps), 4, 5) }},
		},
		"a step is written twice (S3)": {
			law: LawSteps, setup: Setup{Parts: onWrite(func(ctx context.Context, r engine.Router, s traffic.Split) error {
				if err := r.Write(ctx, s); err != nil {
					return err
				}
				if _, err := r.Observe(ctx); err != nil {
					return err
				}
				return r.Write(ctx, s)
			})},
		},
		"the final integers are wrong (S4)": {
			law: LawDeclared, setup: Setup{Parts: func(c *engine.Config) {
				c.Spec.Destinations = slices.Clone(c.Spec.Destinations)
				c.Spec.Destinations[1].Weight = 50
			}},
		},
		"all weights are 0 (S23)": {
			law: LawWeights, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.HasSuffix(k, ".Weight") {
						f.Set(k, "0")
					}
				}
			})},
		},
		"a settled rule is written (S5)": {
			law: LawSettled, manifest: func(ts *v1alpha1.TrafficShift) {
				*ts.Spec.Destinations[0].Weight, *ts.Spec.Destinations[1].Weight = 100, 0
			}, setup: Setup{Parts: onRouter(routerMutant{observe: func(l shift.Live) shift.Live {
				l.Split = slices.Clone(l.Split)
				for i := range l.Split {
					l.Split[i].Weight *= 2
				}
				return l
			}})},
		},
		"the rollback takes two writes": {
			law: LawRollback, world: sick, setup: Setup{Parts: onWrite(func(ctx context.Context, r engine.Router, s traffic.Split) error {
				if s[0].Weight == 100 {
					if err := r.Write(ctx, weightOf(weightOf(s, s[0], 95), s[1], 5)); err != nil {
						return err
					}
					if _, err := r.Observe(ctx); err != nil {
						return err
					}
				}
				return r.Write(ctx, s)
			})},
		},
		"the rollback writes other integers": {
			law: LawRollback, world: sick, setup: Setup{Parts: onRouter(routerMutant{blind: true, write: func(ctx context.Context, r engine.Router, s traffic.Split) error {
				if s[0].Weight == 100 {
					s = weightOf(s, s[0], 1)
				}
				return r.Write(ctx, s)
			}})},
		},
		"the lease of another process is ignored": {
			law: LawLease, second: &Setup{Machine: "m2", Parts: onRouter(routerMutant{mark: func(m shift.Mark, ok bool) (shift.Mark, bool) {
				m.Lease = shift.Lease{Owner: "m2/1/AKIAm2", Expires: time.Now().Add(time.Hour)}
				return m, ok
			}})},
			setup: Setup{Parts: onRouter(routerMutant{mark: func(m shift.Mark, ok bool) (shift.Mark, bool) {
				m.Lease = shift.Lease{Owner: "m1/1/AKIAm1", Expires: time.Now().Add(time.Hour)}
				return m, ok
			}})},
		},
		"conditions and weights change in one write (S7)": {
			law: LawKept, world: otherHost, manifest: func(ts *v1alpha1.TrafficShift) { ts.Spec.Route.ALB.Adopt = true },
			setup: Setup{Parts: onRouter(routerMutant{observe: func(l shift.Live) shift.Live {
				l.Conforms = true
				return l
			}})},
		},
		"somebody else's weights are fought (S19)": {
			law: LawDrift, world: meddleAt(12*time.Second, 7, 93), run: func(ts *v1alpha1.TrafficShift) { ts.Spec.Strategy.OnDrift = "overrule" },
		},
		"From is forgotten on the way (S14)": {
			law: LawResume, setup: Setup{Client: onForm(func(f url.Values) {
				if f.Get("Action") != "AddTags" {
					return
				}
				for k := range f {
					if strings.HasPrefix(f.Get(k), "100 arn:") {
						f.Set(k, "90 "+strings.TrimPrefix(f.Get(k), "100 "))
					}
				}
			})},
			world: func(l *lab) { l.markBefore(l.split(blueGreen(100, 0)...)) },
		},
		"From is not the live split": {
			law: LawSettled, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.HasPrefix(f.Get(k), "100 arn:") {
						f.Set(k, "50 "+strings.TrimPrefix(f.Get(k), "100 "))
					}
				}
			})},
		},
		"a tag of somebody else is removed": {
			law: LawKept, setup: Setup{Client: onForm(func(f url.Values) {
				if f.Get("Action") == "RemoveTags" {
					f.Set("TagKeys.member.1", "team")
				}
			})},
		},
	}
}

// markBefore leaves the mark of an unfinished shift of the quick manifest, as a process
// that died right after it began would.
func (l *lab) markBefore(Split) {
	l.t.Helper()
	out := l.run(Setup{Manifest: l.quick(), Machine: "m0", Die: func(i Instant) bool { return i.N == 18 }})
	if !out.Killed {
		l.t.Fatal("the process before was to die right after it had written its mark")
	}
}

func (m mutant) play(l *lab, mutated bool) []Violation {
	if m.world != nil {
		m.world(l)
	}
	l.settle()
	declared := l.quick()
	if m.manifest != nil {
		m.manifest(declared)
	}
	setup, running := m.setup, *declared
	if m.run != nil && mutated {
		m.run(&running)
	}
	setup.Manifest = &running
	if !mutated {
		setup.Parts, setup.Client = nil, nil
	}
	limit := 75 * time.Second
	if m.second != nil {
		limit = 25 * time.Second
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), limit)
	defer cancel()
	ended := make(chan struct{})
	if m.second != nil {
		go func() {
			defer close(ended)
			time.Sleep(5 * time.Second)
			second := *m.second
			second.Manifest = &running
			if !mutated {
				second.Parts, second.Client = nil, nil
			}
			l.Run(ctx, second)
		}()
	} else {
		close(ended)
	}
	l.Run(ctx, setup)
	<-ended
	trace, err := l.Trace()
	if err != nil {
		l.t.Fatal(err)
	}
	return Judge(trace, l.declared(declared))
}

// settle lets what a world was given take effect before the trace begins, unless a
// process has already left something behind.
func (l *lab) settle() {
	trace, err := l.Trace()
	if err != nil {
		l.t.Fatal(err)
	}
	if !slices.ContainsFunc(trace, func(x Exchange) bool { return x.Caller != Operator }) {
		l.Forget()
	}
}

// The judge catches each planted bug by the law that it breaks, and finds nothing in
// the same world without it.
func TestMutantsAreCaught(t *testing.T) {
	for name, m := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), m.config, func(l *lab) {
				broken := m.play(l, true)
				if !slices.ContainsFunc(broken, func(v Violation) bool { return v.Law == m.law }) {
					l.t.Errorf("not caught by law %s; found %s", m.law, strconv.Quote(list(broken)))
				} else {
					l.t.Log(broken[0])
				}
			})
			inWorld(t, LabPace(), m.config, func(l *lab) {
				if broken := m.play(l, false); len(broken) > 0 {
					l.t.Errorf("without the bug: %s", list(broken))
				}
			})
		})
	}
}

func list(vs []Violation) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.String())
	}
	return strings.Join(out, "\n")
}
