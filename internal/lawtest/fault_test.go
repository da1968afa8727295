package lawtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/shift"
)

// callFaults are the faults of single API calls.
func callFaults() []fault.Kind {
	return []fault.Kind{
		fault.Throttle, fault.ErrorBefore, fault.ErrorAfter, fault.AccessDenied, fault.ExpiredToken,
		fault.Latency, fault.DropBefore, fault.DropAfter,
	}
}

func hit(kind fault.Kind, skip, times int) fault.Rule {
	r := fault.Rule{Kind: kind, Skip: skip, Times: times}
	if kind == fault.Latency {
		r.Duration = 3 * time.Second
	}
	return r
}

// weightWrites counts the shifts' attempts.
func weightWrites(trace []Exchange, d Declared) (n int) {
	for i, a := range acts(trace, d) {
		if a != nil && a.write != nil && trace[i].Caller != Operator {
			n++
		}
	}
	return n
}

// oneFault runs a quick shift with one fault at the call with an index, and again when
// the fault kept it from starting. It tells whether the fault came at all.
func oneFault(t *testing.T, g Ground, kind fault.Kind, index, times int, isSick bool) (came bool) {
	t.Helper()
	inWorldOf(t, g, LabPace(), nil, func(l *lab) {
		where := fmt.Sprintf("%s at calls %d–%d", kind, index, index+times-1)
		phase, goal := shift.Succeeded, blueGreen(0, 100)
		if isSick {
			sick(l)
			phase, goal = shift.RolledBack, blueGreen(100, 0)
		}
		id, err := l.Faults().Add(hit(kind, index, times))
		if err != nil {
			l.t.Fatal(err)
		}
		m := l.quick()
		if isSick && g == OnNLB { // half of a tenth is too little to be told from the level before
			m.Spec.Strategy.StepWeight = 30
		}
		out := l.run(Setup{Manifest: m})
		came = slices.ContainsFunc(l.Faults().List(), func(s fault.Status) bool { return s.Rule.ID == id && s.Hit > 0 })
		if out.Err != nil { // refused to start: nothing may have moved
			trace, err := l.Trace()
			if n := weightWrites(trace, l.declared(m)); n > 0 || err != nil {
				l.t.Errorf("%s: an error (%v) after %d weight writes, %v", where, out.Err, n, err)
			}
			if err := l.Faults().Remove(id); err != nil {
				l.t.Fatal(err)
			}
			id = ""
			out = l.run(Setup{Manifest: m, Machine: "m2"})
		}
		if id != "" {
			if err := l.Faults().Remove(id); err != nil {
				l.t.Fatal(err)
			}
		}
		if out.Err != nil || out.Phase != phase {
			l.t.Errorf("%s: %s %s (%s), %v", where, out.Phase, out.Reason, out.Message, out.Err)
		}
		if got := l.live(); !got.equal(l.split(goal...)) {
			l.t.Errorf("%s: ended at %s", where, got)
		}
		trace, err := l.Trace()
		if err != nil {
			l.t.Fatal(err)
		}
		for _, v := range Judge(trace, l.declared(m)) {
			l.t.Errorf("%s: %s", where, v)
		}
	})
	return came
}

// TestFaultSweep puts each fault on each call, strided: one that clears within the retry
// budget ends exactly at To, and with a sick green exactly at From.
func TestFaultSweep(t *testing.T) {
	for _, g := range grounds() {
		healthyStride, sickStride := stride(7, 77), stride(2, 22)
		switch {
		case g == OnAliases: // its calls are those of OnDNS and of the ALBs' metrics
			healthyStride, sickStride = 397, stride(13, 83)
		case g != OnALB:
			healthyStride, sickStride = stride(29, 401), stride(11, 97)
		}
		for i, kind := range callFaults() {
			for _, isSick := range []bool{false, true} {
				name, stride := fmt.Sprintf("%s, %s", g, kind), healthyStride
				if isSick {
					name, stride = name+", green is sick", sickStride
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					n, index := 0, i%stride
					for oneFault(t, g, kind, index, 1+n%3, isSick) {
						n++
						index += stride
					}
					t.Logf("%d of the calls 0–%d hit, every %d, once to three times in a row", n, index-stride, stride)
				})
			}
		}
	}
}

// TestPassingFaultsOfTheWorld puts faults of the data plane, of its metrics and of DNS in
// force for five seconds, at each second of a shift.
func TestPassingFaultsOfTheWorld(t *testing.T) {
	for name, tc := range map[string]struct {
		on   []Ground
		rule fault.Rule
	}{
		"weights reach the data plane late": {[]Ground{OnALB, OnNLB}, fault.Rule{Kind: fault.WeightsDelay, Duration: time.Second}},
		"metrics come late":                 {[]Ground{OnALB, OnNLB}, fault.Rule{Kind: fault.MetricDelay, Duration: 4 * time.Second}},
		"requests are not counted":          {[]Ground{OnALB}, fault.Rule{Kind: fault.MetricMissing, Name: "RequestCount"}},
		"connections are not counted":       {[]Ground{OnNLB}, fault.Rule{Kind: fault.MetricMissing, Name: "NewFlowCount"}},
		"no metric at all":                  {[]Ground{OnALB, OnNLB}, fault.Rule{Kind: fault.MetricMissing, Name: "*"}},
		"changes take 20 s":                 {[]Ground{OnDNS}, fault.Rule{Kind: fault.PropagationDelay, Duration: 20 * time.Second}},
		"the zone is busy":                  {[]Ground{OnDNS}, fault.Rule{Kind: fault.Refusal, Code: "PriorRequestNotComplete", Operation: "ChangeResourceRecordSets"}},
	} {
		for _, g := range only(tc.on...) {
			t.Run(name+" on "+string(g), func(t *testing.T) {
				t.Parallel()
				step := stride(2, 23)
				if g != OnALB {
					step = stride(5, 29)
				}
				for at := 1; at < 32; at += step {
					inWorldOf(t, g, LabPace(), nil, func(l *lab) {
						time.AfterFunc(time.Duration(at)*time.Second, func() { l.fault(tc.rule) })
						time.AfterFunc(time.Duration(at+5)*time.Second, l.Faults().Clear)
						m := l.quick()
						l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
						l.lawful(l.declared(m))
						if got := l.live(); !got.equal(l.split(blueGreen(0, 100)...)) {
							l.t.Errorf("from second %d: ended at %s", at, got)
						}
					})
				}
				t.Logf("at every %d seconds of 32", step)
			})
		}
	}
}

// TestFaultsThatOutlastMaxHold begin at 15 s, when half the traffic has moved, and stay.
func TestFaultsThatOutlastMaxHold(t *testing.T) {
	measured := []Ground{OnALB, OnNLB}
	all := []Ground{OnALB, OnNLB, OnDNS}
	for name, tc := range map[string]struct {
		on        []Ground
		rule      func(l *lab) fault.Rule
		onFailure string
		phase     shift.Phase
		reason    string
		message   string
		goal      []Weight // nil: where it was
	}{
		"metrics that stay away go back": {
			measured, rule(fault.Rule{Kind: fault.MetricMissing, Name: "*"}), "rollback", shift.RolledBack, "Inconclusive", "held for", blueGreen(100, 0),
		},
		"metrics that stay away hold, by policy": {
			measured, rule(fault.Rule{Kind: fault.MetricMissing, Name: "*"}), "hold", shift.Held, "MaxDuration", "not finished within", nil,
		},
		"CloudWatch that refuses goes back": {
			measured, rule(fault.Rule{Kind: fault.AccessDenied, Service: "monitoring"}), "rollback", shift.RolledBack, "Error", "AccessDenied", blueGreen(100, 0),
		},
		"writes that are refused go nowhere": {
			all, func(l *lab) fault.Rule { return fault.Rule{Kind: fault.AccessDenied, Operation: l.writeCall()} }, "rollback", shift.Unconfirmed, "WriteFailed", "AccessDenied", nil,
		},
		"writes that are refused hold, by policy": {
			measured, func(l *lab) fault.Rule { return fault.Rule{Kind: fault.AccessDenied, Operation: l.writeCall()} }, "hold", shift.Held, "MaxDuration", "AccessDenied", nil,
		},
		"a route that cannot be read is not written": {
			all, func(l *lab) fault.Rule {
				return fault.Rule{Kind: fault.Throttle, Operation: map[Ground]string{
					OnALB: "DescribeRules", OnNLB: "DescribeListeners", OnDNS: "ListResourceRecordSets",
				}[l.Ground]}
			}, "rollback", shift.Unconfirmed, "Unreadable", "Throttling", nil,
		},
		"tags that cannot be read forbid to go on, not to go back": {
			measured, rule(fault.Rule{Kind: fault.ErrorBefore, Operation: "DescribeTags"}), "rollback", shift.RolledBack, "Unreadable", "InternalFailure", blueGreen(100, 0),
		},
		"changes that never come into force go back": {
			[]Ground{OnDNS}, rule(fault.Rule{Kind: fault.PropagationDelay, Duration: 90 * time.Second}), "rollback", shift.RolledBack, "Propagating", "not in force everywhere", blueGreen(100, 0),
		},
		"health that cannot be read goes back": {
			[]Ground{OnDNS}, rule(fault.Rule{Kind: fault.AccessDenied, Operation: "GetHealthCheck*"}), "rollback", shift.RolledBack, "HealthUnknown", "AccessDenied", blueGreen(100, 0),
		},
		"all of AWS is gone": {
			all, rule(fault.Rule{Kind: fault.DropBefore}), "rollback", shift.Unconfirmed, "Unreadable", "cannot read the route", nil,
		},
	} {
		for _, g := range only(tc.on...) {
			t.Run(name+" on "+string(g), func(t *testing.T) {
				t.Parallel()
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					m := l.quick()
					m.Spec.Analysis.MaxHold = v1alpha1.Duration{Duration: 30 * time.Second}
					m.Spec.Strategy.OnFailure = tc.onFailure
					m.Spec.Strategy.RollbackTimeout = v1alpha1.Duration{Duration: 2 * time.Minute}
					m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 4 * time.Minute}
					const begins = 15 * time.Second
					from := time.Now().Add(begins)
					time.AfterFunc(begins, func() { l.fault(tc.rule(l)) })
					out := l.run(Setup{Manifest: m})
					l.ended(out, tc.phase, tc.reason)
					if !strings.Contains(out.Message, tc.message) {
						l.t.Errorf("message %q does not say %q", out.Message, tc.message)
					}
					l.Faults().Clear()
					goal := l.lastBefore(from.Add(inHand), l.declared(m))
					if tc.goal != nil {
						goal = l.split(tc.goal...)
					}
					if got := l.live(); !got.equal(goal) {
						l.t.Errorf("ended at %s, want %s", got, goal)
					}
					l.lawful(l.declared(m))
				})
			})
		}
	}
}

func rule(r fault.Rule) func(*lab) fault.Rule { return func(*lab) fault.Rule { return r } }

// A rollback goes on while its write is refused, and lands when it is not any more.
func TestS13ExpiredCredentialsDelayARollbackAndDoNotEndIt(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			m := l.quick()
			l.onGreen(30, func() { // what is written next is the way back
				l.fault(fault.Rule{Kind: fault.ExpiredToken, Operation: l.writeCall()})
				l.sicken(1)
			})
			time.AfterFunc(5*time.Minute+30*time.Second, func() {
				l.Faults().Clear()
				l.sicken(1)
			})
			out := l.run(Setup{Manifest: m})
			if out.Err != nil || out.Phase != shift.RolledBack || out.Finished.Sub(out.Started) < 4*time.Minute {
				l.t.Errorf("%s %s (%s), %v after %s", out.Phase, out.Reason, out.Message, out.Err, out.Finished.Sub(out.Started))
			}
			l.lawful(l.declared(m))
			l.endsAt(blueGreen(100, 0)...)
		})
	})
}
