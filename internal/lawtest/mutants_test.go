package lawtest

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// mutant is a planted bug, in the world in which it shows.
type mutant struct {
	law    Law      // that it breaks
	on     []Ground // where it is planted; nil: everywhere but OnAliases
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
			on:  []Ground{OnALB, OnNLB},
			law: LawWeights, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.HasSuffix(k, ".Weight") && f.Get(k) == "0" {
						f.Del(k)
					}
				}
			})},
		},
		"NextMarker is not followed (S11)": {
			on:  []Ground{OnALB},
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
			on:  []Ground{OnALB, OnAliases},
			law: LawVerdict, world: func(l *lab) {
				time.AfterFunc(8*time.Second, func() { l.fault(fault.Rule{Kind: fault.MetricMissing, Name: "RequestCount"}) })
			}, setup: Setup{Parts: believing(analysis.Inconclusive)},
		},
		"it advances before there is data (M7)": {
			on:  []Ground{OnALB, OnNLB, OnAliases},
			law: LawVerdict, setup: Setup{Parts: func(c *engine.Config) {
				c.Analyzer = analyzerMutant{c.Analyzer, func(r analysis.Report) analysis.Report {
					r.Verdict = analysis.Successful
					return r
				}}
			}},
		},
		"it advances after a failure": {
			on:  []Ground{OnALB, OnNLB, OnAliases},
			law: LawRollback, world: sick, setup: Setup{Parts: believing(analysis.Failed)},
		},
		"it waits after a failure": {
			law: LawRollback, world: sick, run: func(ts *v1alpha1.TrafficShift) { ts.Spec.Strategy.OnFailure = "hold" },
		},
		"stickiness is dropped (S9)": {
			on:  []Ground{OnALB},
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
			on:  []Ground{OnALB, OnNLB},
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
			on:  []Ground{OnALB, OnNLB},
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
			on:  []Ground{OnALB},
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
			on:  []Ground{OnALB, OnNLB},
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
			on:  []Ground{OnALB, OnNLB},
			law: LawSettled, setup: Setup{Client: onForm(func(f url.Values) {
				for k := range f {
					if strings.HasPrefix(f.Get(k), "100 arn:") {
						f.Set(k, "50 "+strings.TrimPrefix(f.Get(k), "100 "))
					}
				}
			})},
		},
		"a tag of somebody else is removed": {
			on:  []Ground{OnALB, OnNLB},
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
	seen := 0
	out := l.run(Setup{Manifest: l.quick(), Machine: "m0", Die: func(i Instant) bool {
		trace, err := l.Trace()
		if err != nil {
			l.t.Error(err)
		}
		for _, a := range acts(trace[seen:], l.declared(l.quick())) {
			if a != nil && a.marking != nil && a.marking.adds {
				return true
			}
		}
		seen = len(trace)
		return false
	}})
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
	if l.Ground == OnAliases {
		limit *= 6
	}
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
	all := mutants()
	maps.Copy(all, dnsMutants())
	for name, m := range all {
		planted := m.on
		if planted == nil {
			planted = []Ground{OnALB, OnNLB, OnDNS}
		}
		for _, g := range only(planted...) {
			t.Run(name+" on "+string(g), func(t *testing.T) {
				t.Parallel()
				inWorldOf(t, g, LabPace(), m.config, func(l *lab) {
					broken := m.play(l, true)
					if !slices.ContainsFunc(broken, func(v Violation) bool { return v.Law == m.law }) {
						l.t.Errorf("not caught by law %s; found %s", m.law, strconv.Quote(list(broken)))
					} else {
						l.t.Log(broken[0])
					}
				})
				inWorldOf(t, g, LabPace(), m.config, func(l *lab) {
					if broken := m.play(l, false); len(broken) > 0 {
						l.t.Errorf("without the bug: %s", list(broken))
					}
				})
			})
		}
	}
}

func list(vs []Violation) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.String())
	}
	return strings.Join(out, "\n")
}
