package bench

import (
	"testing"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

func limits() traffic.Limits { return traffic.Limits{MaxWeight: 999, MaxDestinations: 5} }

func percents() []int { return []int{10, 20, 30, 40, 50, 60, 70, 80, 90, 100} }

// BenchmarkDecide decides in the middle of a step that goes well.
func BenchmarkDecide(b *testing.B) {
	spec := shift.Spec{
		Name: "web", Route: "r", Bake: 5 * time.Minute, MaxHold: 10 * time.Minute, OnDrift: shift.Hold,
		Destinations: []shift.Destination{{Name: "blue", ID: "blue"}, {Name: "green", ID: "green", Weight: 100}},
		Timing:       analysis.Timing{Settle: settle, Period: period, Delay: delay}, Limits: limits(),
	}
	for _, p := range percents() {
		spec.Steps = append(spec.Steps, shift.Step{Percent: p, Hold: 5 * time.Minute})
	}
	began := time.Unix(0, 0).UTC()
	plan, err := shift.NewPlan(spec, traffic.Split{{ID: "blue", Weight: 100}, {ID: "green"}}, "id", began, began)
	if err != nil {
		b.Fatal(err)
	}
	at := began.Add(23 * time.Minute)
	state := shift.State{Phase: shift.Shifting, Step: 4, WrittenAt: began.Add(20 * time.Minute), At: at}
	o := shift.Observation{
		Now: at, Live: &shift.Live{Exists: true, Conforms: true, Split: plan.Splits[4]},
		Health: map[string]shift.Health{"green": {Healthy: 2, Total: 2}},
		Report: &analysis.Report{Verdict: analysis.Successful, Next: at.Add(time.Minute), Metrics: []analysis.MetricReport{{Name: "errors", Passed: 1}}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if d := shift.Decide(plan, state, o); d.Next.Reason != "Holding" || d.Wait == 0 {
			b.Fatalf("%+v", d)
		}
	}
}

// BenchmarkPath plans ten steps between five destinations.
func BenchmarkPath(b *testing.B) {
	from := traffic.Split{{ID: "a", Weight: 34}, {ID: "b", Weight: 33}, {ID: "c", Weight: 33}, {ID: "d"}, {ID: "e"}}
	to := traffic.Split{{ID: "a"}, {ID: "b", Weight: 10}, {ID: "c", Weight: 20}, {ID: "d", Weight: 30}, {ID: "e", Weight: 40}}
	b.ReportAllocs()
	for b.Loop() {
		if path := traffic.Path(from, to, percents(), limits()); !path[9].Equal(to) {
			b.Fatal(path)
		}
	}
}
