package route53

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/analysis"
	simfault "github.com/norikae/norikae/internal/awssim/fault"
	sim "github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/store/memory"
	"github.com/norikae/norikae/internal/traffic"
)

// judge passes every step, until it fails the steps that have bad or more of green's share.
type judge struct{ bad float64 }

func (j judge) Preflight(context.Context, analysis.Request) error { return nil }

func (j judge) Analyze(_ context.Context, req analysis.Request) analysis.Report {
	m := analysis.MetricReport{Passed: 1}
	m.Name = "errors"
	rep := analysis.Report{Verdict: analysis.Successful, First: req.Since, Next: req.Now.Add(10 * time.Second)}
	if j.bad > 0 && req.Live.Share("green") >= j.bad {
		m.Passed, m.Failed = 0, 1
		rep.Verdict, rep.Message = analysis.Failed, "errors"
	}
	rep.Metrics = []analysis.MetricReport{m}
	return rep
}

// steps of ten percent each, and blue's traffic to green.
func declared(n *Name, steps int) shift.Spec {
	s := shift.Spec{
		Name: "web", Route: n.String(), Destinations: []shift.Destination{{Name: "blue", ID: "blue", Weight: 0}, {Name: "green", ID: "green", Weight: 100}},
		Bake: time.Minute, OnFailure: shift.Rollback, OnDrift: shift.Hold, OnInterrupt: shift.Hold, MaxHold: 10 * time.Minute, RollbackTimeout: 15 * time.Minute,
		Limits: Limits(), KeepUndeclared: true,
	}
	for i := range steps {
		s.Steps = append(s.Steps, shift.Step{Percent: 100 * (i + 1) / steps, Hold: 2 * time.Minute})
	}
	return s
}

func (w *world) engine(n *Name, owner string, steps int, change ...func(*engine.Config)) *engine.Engine {
	w.t.Helper()
	cfg := engine.Config{Spec: declared(n, steps), Router: n, Analyzer: judge{}, Store: &memory.Store{}, Owner: owner}
	for _, f := range change {
		f(&cfg)
	}
	e, err := engine.New(cfg)
	w.ok(err)
	return e
}

// watch checks, on each change of the zone, what must hold whatever happens.
type watch struct {
	API
	w       *world
	calm    bool // no faults: steps must be in force before the next
	pending string
	steps   []string
}

func (a *watch) ChangeResourceRecordSets(ctx context.Context, in *r53.ChangeResourceRecordSetsInput, o ...func(*r53.Options)) (*r53.ChangeResourceRecordSetsOutput, error) {
	before := a.w.weights()
	out, err := a.API.ChangeResourceRecordSets(ctx, in, o...)
	after := a.w.weights()
	if before == after {
		return out, err
	}
	a.steps = append(a.steps, after)
	byType := map[types.RRType]traffic.Split{}
	for _, s := range a.w.weighted() {
		typ := types.RRType(s.Type)
		byType[typ] = append(byType[typ], traffic.Weighted{ID: s.SetIdentifier, Weight: s.Weight})
	}
	for typ, s := range byType {
		if s.Sum() == 0 || !sameWeights(s, byType[types.RRTypeA]) {
			a.w.t.Errorf("%s has %v, A %v", typ, s, byType[types.RRTypeA])
		}
	}
	if a.calm && a.pending != "" {
		got, getErr := a.w.sdk.GetChange(ctx, &r53.GetChangeInput{Id: &a.pending})
		if getErr != nil || got.ChangeInfo.Status != types.ChangeStatusInsync {
			a.w.t.Errorf("%s was written before the step before it was in force: %v", after, getErr)
		}
	}
	if err == nil {
		a.pending = *out.ChangeInfo.Id
	}
	return out, err
}

func TestAShiftOfTenStepsWaitsForEachToBeInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(45*time.Second))
		w.twins("blue", 100, "green", 0, "old", 0)
		time.Sleep(time.Minute)
		a := &watch{API: w.sdk, w: w, calm: true}
		n := w.open(func(c *Config) { c.API = a })
		start := time.Now()
		res, err := w.engine(n, owner, 10).Run(t.Context())
		w.ok(err)
		if res.Phase != shift.Succeeded || w.weights() != "A blue=0 A green=100 A old=0 AAAA blue=0 AAAA green=100 AAAA old=0" {
			t.Fatalf("%s: %s; %s", res.Phase, res.Message, w.weights())
		}
		if len(a.steps) != 10 || res.Writes != 10 || w.txt() != nil {
			t.Errorf("%d steps, %d writes, mark %v", len(a.steps), res.Writes, w.txt())
		}
		if least := 10 * (2*time.Minute + 45*time.Second); time.Since(start) < least {
			t.Errorf("took %s, want at least %s", time.Since(start), least)
		}
		w.forget()
		res, err = w.engine(w.open(), owner, 10).Run(t.Context())
		if err != nil || res.Reason != "Settled" || w.changed() {
			t.Errorf("again: %s, %v after %s", res.Reason, err, w.made())
		}
	})
}

func TestAShiftThatFailsGoesBackInOneWriteOfAllTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(45*time.Second))
		w.twins("blue", 9, "green", 1)
		time.Sleep(time.Minute)
		a := &watch{API: w.sdk, w: w}
		n := w.open(func(c *Config) { c.API = a })
		res, err := w.engine(n, owner, 10, func(c *engine.Config) { c.Analyzer = judge{bad: 0.5} }).Run(t.Context())
		w.ok(err)
		last := "A blue=9 A green=1 AAAA blue=9 AAAA green=1"
		if res.Phase != shift.RolledBack || w.weights() != last || a.steps[len(a.steps)-1] != last || w.txt() != nil {
			t.Fatalf("%s: %s; %v", res.Phase, res.Message, a.steps)
		}
	})
}

func TestOfSeveralEnginesOneShifts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.twins("blue", 100, "green", 0)
		errs := make([]error, 3)
		phases := make([]shift.Phase, len(errs))
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				res, err := w.engine(w.open(func(c *Config) { c.API = w.sdk }), fmt.Sprintf("m%d/1/x", i), 4).Run(t.Context())
				errs[i], phases[i] = err, res.Phase
			})
		}
		all.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil && phases[i] == shift.Succeeded:
				won++
			case !errors.Is(err, fault.ErrConflict):
				t.Errorf("run %d: %s, %v", i, phases[i], err)
			}
		}
		if won != 1 || w.weights() != "A blue=0 A green=100 AAAA blue=0 AAAA green=100" || w.txt() != nil {
			t.Errorf("%d won; %s; %v", won, w.weights(), w.txt())
		}
	})
}

func TestDriftOfOneTypeIsNoticedAndHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.twins("blue", 100, "green", 0)
		n := w.open()
		e := w.engine(n, owner, 4)
		go func() {
			time.Sleep(5 * time.Minute)
			w.put(record(types.RRTypeAaaa, "blue", 1))
		}()
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		res, err := e.Run(ctx)
		w.ok(err)
		if res.Phase != shift.Held || !strings.Contains(w.weights(), "AAAA blue=1 ") {
			t.Errorf("%s: %s; %s", res.Phase, res.Message, w.weights())
		}
	})
}

func TestAKilledShiftIsResumedByAnotherMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, slow(45*time.Second))
		w.twins("blue", 100, "green", 0)
		time.Sleep(time.Minute)
		for i := range 12 { // dies at another point each time, and nothing of it is left but the zone
			run := func() { // panics like a process dies: nothing is cleaned up
				defer func() { _ = recover() }()
				n := w.open(func(c *Config) { c.API = &mortal{API: w.sdk, left: 15 + 7*i} })
				_, _ = w.engine(n, fmt.Sprintf("m%d/1/x", i), 4).Run(t.Context())
			}
			run()
		}
		a := &watch{API: w.sdk, w: w}
		res, err := w.engine(w.open(func(c *Config) { c.API = a }), owner, 4).Run(t.Context())
		w.ok(err)
		if res.Phase != shift.Succeeded || w.weights() != "A blue=0 A green=100 AAAA blue=0 AAAA green=100" || w.txt() != nil {
			t.Errorf("%s: %s; %s", res.Phase, res.Message, w.weights())
		}
		if !res.From.Equal(split("blue", 100, "green", 0)) && res.Reason != "Settled" {
			t.Errorf("it forgot that it started from blue=100: %v", res.From)
		}
	})
}

// mortal dies after some calls, in every second case after the last took effect.
type mortal struct {
	API
	left int
}

func (m *mortal) die() {
	if m.left--; m.left == 0 {
		panic("killed")
	}
}

func (m *mortal) ListResourceRecordSets(ctx context.Context, in *r53.ListResourceRecordSetsInput, o ...func(*r53.Options)) (*r53.ListResourceRecordSetsOutput, error) {
	m.die()
	return m.API.ListResourceRecordSets(ctx, in, o...)
}

func (m *mortal) ChangeResourceRecordSets(ctx context.Context, in *r53.ChangeResourceRecordSetsInput, o ...func(*r53.Options)) (*r53.ChangeResourceRecordSetsOutput, error) {
	if m.left%2 == 0 {
		m.die()
		return m.API.ChangeResourceRecordSets(ctx, in, o...)
	}
	out, err := m.API.ChangeResourceRecordSets(ctx, in, o...)
	m.die()
	return out, err
}

func TestFaultsOfAnyCallLeaveTheNameWhereItShallBe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delay := time.Duration(rapid.IntRange(0, 90).Draw(rt, "propagation")) * time.Second
		bad := rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(rt, "bad from")
		var faults []simfault.Rule
		for range rapid.IntRange(1, 6).Draw(rt, "faults") {
			f := simfault.Rule{
				Kind: rapid.SampledFrom([]simfault.Kind{
					simfault.ErrorBefore, simfault.ErrorAfter, simfault.DropBefore, simfault.DropAfter, simfault.Throttle, simfault.AccessDenied,
					simfault.Refusal, simfault.StaleRead, simfault.ShortPages,
				}).Draw(rt, "kind"),
				Operation: rapid.SampledFrom([]string{"ChangeResourceRecordSets", "ListResourceRecordSets", "GetChange"}).Draw(rt, "operation"),
				Skip:      rapid.IntRange(3, 40).Draw(rt, "skip"), Times: rapid.IntRange(1, 3).Draw(rt, "times"),
			}
			switch f.Kind {
			case simfault.Refusal:
				f.Code = "PriorRequestNotComplete"
			case simfault.StaleRead:
				f.Duration = 3 * time.Second
			case simfault.ShortPages:
				f.Count = 1
			default:
			}
			faults = append(faults, f)
		}
		retries := rapid.Bool().Draw(rt, "the SDK retries")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *sim.Config) { c.PropagationDelay = func() time.Duration { return delay } })
			w.twins("blue", 90, "green", 10)
			time.Sleep(2 * time.Minute)
			a := &watch{API: w.sdk, w: w}
			if retries {
				a.API = w.retrying()
			}
			for _, f := range faults {
				w.fail(f)
			}
			n := w.open(func(c *Config) { c.API = a })
			res, err := w.engine(n, owner, 3, func(c *engine.Config) { c.Analyzer = judge{bad: bad} }).Run(t.Context())
			w.faults.Clear()
			want := map[shift.Phase]string{shift.Succeeded: "A blue=0 A green=100 AAAA blue=0 AAAA green=100", shift.RolledBack: "A blue=90 A green=10 AAAA blue=90 AAAA green=10"}
			switch {
			case err != nil: // nothing was started
				if w.weights() != want[shift.RolledBack] {
					t.Errorf("%v, and %s", err, w.weights())
				}
			case want[res.Phase] == "" || w.weights() != want[res.Phase] || res.Phase == shift.Succeeded && bad > 0:
				t.Errorf("%s (%s: %s) at %s", res.Phase, res.Reason, res.Message, w.weights())
			}
		})
	})
}
