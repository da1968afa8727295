package lawtest

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
)

// TestMain keeps the machine's own AWS configuration out.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			set(name, "")
		}
	}
	flag.Parse()
	checks := "20" // each is two whole shifts
	if raceEnabled {
		checks = "4"
	}
	if err := errors.Join(flag.Set("rapid.checks", checks), flag.Set("rapid.nofailfile", "true")); err != nil {
		panic(err)
	}
	set("AWS_CONFIG_FILE", os.DevNull)
	set("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

// lab is a World in a test.
type lab struct {
	*World

	t *testing.T
}

// onEach runs f in parallel on every ground.
func onEach(t *testing.T, f func(t *testing.T, g Ground)) {
	t.Helper()
	for _, g := range grounds() {
		t.Run(string(g), func(t *testing.T) {
			t.Parallel()
			f(t, g)
		})
	}
}

// inWorld runs f in virtual time, on an ALB. change may be nil.
func inWorld(t *testing.T, pace Pace, change func(*awssim.Config), f func(l *lab)) {
	t.Helper()
	inWorldOf(t, OnALB, pace, change, f)
}

// inWorldOf runs f in virtual time, on any ground.
func inWorldOf(t *testing.T, g Ground, pace Pace, change func(*awssim.Config), f func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWorld(g, pace, change)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(&lab{w, t})
	})
}

// run a process to its end.
func (l *lab) run(s Setup) Outcome {
	l.t.Helper()
	return l.Run(l.t.Context(), s)
}

// ended checks how a process ended.
func (l *lab) ended(out Outcome, phase shift.Phase, reason string) {
	l.t.Helper()
	if out.Err != nil || out.Phase != phase || out.Reason != reason {
		l.t.Errorf("ended %s %s (%s), %v; want %s %s", out.Phase, out.Reason, out.Message, out.Err, phase, reason)
	}
}

// quick is the manifest blue → green in ten steps of a second.
func (l *lab) quick() *v1alpha1.TrafficShift {
	m := l.Manifest(Weight{"blue", 0}, Weight{"green", 100})
	m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: time.Second}
	m.Spec.Strategy.Bake = &v1alpha1.Duration{Duration: time.Second}
	return m
}

// declared is what the judge needs of a manifest.
func (l *lab) declared(ts *v1alpha1.TrafficShift) Declared {
	d := Declared{
		To: Split{}, OnDrift: ts.Spec.Strategy.OnDrift, Hold: ts.Spec.Strategy.OnFailure == "hold", Pace: l.Pace,
		Balancers: map[string]string{},
	}
	if d.OnDrift == "" {
		d.OnDrift = HoldDrift
	}
	switch r := ts.Spec.Route; {
	case r.Route53 != nil:
		d.Route = Route{Zone: r.Route53.HostedZoneID, Name: r.Route53.Name, Types: r.Route53.Types}
	case r.NLB != nil:
		d.Route = Route{Listener: r.NLB.ListenerARN, Default: true}
	default:
		d.Route = Route{Listener: l.Listener, Default: r.ALB.Default, Rule: r.ALB.RuleARN}
		if r.ALB.Rule != nil {
			d.Route.Priority = r.ALB.Rule.Priority
		}
	}
	for _, g := range ts.Spec.Destinations {
		d.To[manifest.DestinationID(g)] = *g.Weight
		if g.LoadBalancerARN != "" {
			d.Balancers[g.SetIdentifier] = g.LoadBalancerARN
		}
	}
	percent := 0
	for _, s := range ts.Spec.Strategy.Steps {
		switch {
		case s.SetWeight != nil:
			percent = *s.SetWeight
		case s.StepWeight != nil:
			percent += *s.StepWeight
		default:
			continue
		}
		d.Percents = append(d.Percents, percent)
	}
	if percent == 0 {
		by := max(ts.Spec.Strategy.StepWeight, 0)
		if by == 0 {
			by = 10
		}
		for p := by; p < 100; p += by {
			d.Percents = append(d.Percents, p)
		}
	}
	if n := len(d.Percents); n == 0 || d.Percents[n-1] < 100 {
		d.Percents = append(d.Percents, 100)
	}
	d.Unjudged = !manifest.Builtin(ts.Spec) && len(ts.Spec.Analysis.Metrics) == 0
	return d
}

// split by names.
func (l *lab) split(weights ...Weight) Split {
	s := Split{}
	for _, w := range weights {
		s[l.Groups[w.Name]] = w.Weight
	}
	return s
}

// live is what the control plane has behind the wire. Faults of calls must have ended
// where the route is a name.
func (l *lab) live() Split {
	l.t.Helper()
	if l.Ground.DNS() {
		all, err := l.sets(context.WithoutCancel(l.t.Context()))
		if err != nil {
			l.t.Error(err)
		}
		s, twin := weightsOf(all, types.RRTypeA), weightsOf(all, types.RRTypeAaaa)
		if !s.equal(twin) {
			l.t.Errorf("the A records have %s, the AAAA records %s (R4)", s, twin)
		}
		return s
	}
	s := Split{}
	for _, ln := range l.Snapshot().Listeners {
		for _, r := range ln.Rules {
			if r.ARN != l.Rule && (l.Ground != OnNLB || ln.ARN != l.Listener || !r.IsDefault) {
				continue
			}
			for _, a := range r.Actions {
				if a.Forward != nil {
					for _, g := range a.Forward.TargetGroups {
						s[g.ARN] = g.Weight
					}
				}
			}
		}
	}
	return s
}

// lawful judges the trace and fails the test for each law that was broken.
func (l *lab) lawful(d Declared) []Exchange {
	l.t.Helper()
	trace, err := l.Trace()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, v := range Judge(trace, d) {
		l.t.Error(v)
	}
	return trace
}

func blueGreen(blue, green int) []Weight { return []Weight{{"blue", blue}, {"green", green}} }

func TestAWholeShiftIsLawful(t *testing.T) {
	for name, pace := range map[string]Pace{"CloudWatch's pace": RealPace(), "the lab's pace": LabPace()} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				inWorldOf(t, g, pace, nil, func(l *lab) {
					m := l.quick()
					out := l.run(Setup{Manifest: m})
					l.ended(out, shift.Succeeded, "Succeeded")
					trace := l.lawful(l.declared(m))
					if got := l.live(); !got.equal(l.split(blueGreen(0, 100)...)) {
						l.t.Errorf("live is %s", got)
					}
					l.t.Logf("%d exchanges, %d instants, %s", len(trace), out.Instants, out.Finished.Sub(out.Started))

					l.Forget()
					l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Settled")
					if n := l.changes(l.declared(m)); n > 0 {
						l.t.Errorf("%d changes of a settled route", n)
					}
				})
			})
		})
	}
}

// changes counts what a lawful trace changes: weights and marks.
func (l *lab) changes(d Declared) (n int) {
	l.t.Helper()
	for _, a := range acts(l.lawful(d), d) {
		if a != nil && (a.write != nil || a.marking != nil || len(a.strays) > 0) {
			n++
		}
	}
	return n
}
