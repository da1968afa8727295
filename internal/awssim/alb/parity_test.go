package alb

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/synth"
)

// The synthetic data plane says what this one measures: same metrics, dimensions,
// units and sums for the same minute of traffic and the same fault.
func TestTheSyntheticDataPlaneAgrees(t *testing.T) {
	const requests = 600 // in a minute
	for name, tc := range map[string]struct {
		fault     func(t *testing.T, l *lab)
		behaviour synth.Behaviour
	}{
		"all is well": {func(*testing.T, *lab) {}, synth.Behaviour{}},
		"some requests fail": {func(t *testing.T, l *lab) {
			if err := l.toys["blue"].SetFailRate(0.05); err != nil {
				t.Fatal(err)
			}
		}, synth.Behaviour{ErrorRate: 0.05}},
		"targets are down": {func(t *testing.T, l *lab) {
			if err := l.toys["blue"].SetDown(true); err != nil {
				t.Fatal(err)
			}
			sleep(20 * time.Second)
		}, synth.Behaviour{ConnectionErrorRate: 1, Unhealthy: true}},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
				l.toys["blue"].SetLatency(10 * time.Millisecond)
				tc.fault(t, l)
				said := &sink{}
				s := synth.New(synth.Config{Sink: said, RequestsPerSecond: func(time.Time) float64 { return requests / 60 }})
				defer s.Close()
				s.Apply(l.world.config())
				if err := s.Set("blue", tc.behaviour); err != nil {
					t.Fatal(err)
				}
				sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
				l.sink.take(t)
				said.take(t)
				for range requests {
					l.client.get(t, "/")
				}
				sleep(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
				if d := cmp.Diff(alike(l.sink.take(t)), alike(said.take(t))); d != "" {
					t.Errorf("(-measured +synthetic):\n%s", d)
				}
			})
		})
	}
}

// alike leaves out what needs sockets, and how often hosts were counted.
func alike(data map[string]model.Datum) map[string]model.Datum {
	out := map[string]model.Datum{}
	for key, d := range data {
		switch {
		case d.Name == "ProcessedBytes" || strings.HasSuffix(d.Name, "ConnectionCount") || d.Name == "UnhealthyRoutingRequestCount":
			continue
		case strings.HasSuffix(d.Name, "HostCount"):
			d.Sum, d.Count = d.Max, 1
		case d.Name == "TargetResponseTime":
			d.Values = nil
			d.Sum = float64(int(d.Sum*1000+0.5)) / 1000 // the order of additions differs
		}
		out[key] = d
	}
	return out
}
