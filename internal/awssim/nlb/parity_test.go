package nlb

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/synth"
)

// The synthetic data plane says what this one measures: same metrics, dimensions, units
// and sums for the same number of connections and the same fault.
func TestTheSyntheticDataPlaneAgrees(t *testing.T) {
	const connections = 120
	for name, tc := range map[string]struct {
		fault     func(t *testing.T, l *lab)
		each      func(t *testing.T, l *lab, n int)
		behaviour synth.Behaviour
	}{
		"all is well": {nil, func(t *testing.T, l *lab, _ int) { _ = l.connect(t).Close() }, synth.Behaviour{}},
		"the target resets one in twenty": {nil, func(t *testing.T, l *lab, n int) {
			c := l.connect(t)
			if n%20 == 0 {
				if _, err := io.WriteString(c, "reset\n"); err != nil {
					t.Fatal(err)
				}
				c.mustBeReset(t)
			}
			_ = c.Close()
		}, synth.Behaviour{ErrorRate: 0.05}},
		"the target is down": {func(t *testing.T, l *lab) {
			l.blue.stop()
			l.await(t, "blue is unhealthy", func() bool {
				return l.Health(groupARN("blue"), l.world.groups[0].Targets[0]).State == "unhealthy"
			})
		}, func(t *testing.T, l *lab, _ int) {
			if _, err := l.dial(t, ""); err == nil {
				t.Error("a connection came about")
			}
		}, synth.Behaviour{ConnectionErrorRate: 1, Unhealthy: true}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, "TCP")
			l.forward(t, split("blue", 100, "green", 0))
			if tc.fault != nil {
				tc.fault(t, l)
			}
			l.period(t)
			for n := range connections {
				tc.each(t, l, n)
			}
			l.await(t, "all have ended", func() bool { return l.counts().Active == 0 })
			l.emit(time.Time{})
			measured := alike(l.sink.data)
			l.sink.data = nil
			var said map[string]string
			synctest.Test(t, func(t *testing.T) {
				made := &sink{}
				s := synth.New(synth.Config{Sink: made, RequestsPerSecond: func(time.Time) float64 { return connections / 60 }})
				defer s.Close()
				if err := s.Set("blue", tc.behaviour); err != nil {
					t.Fatal(err)
				}
				s.Apply(l.world.config())
				time.Sleep(time.Minute)
				synctest.Wait()
				said = alike(made.data)
			})
			if d := cmp.Diff(measured, said); d != "" {
				t.Errorf("(-measured +synthetic):\n%s", d)
			}
		})
	}
}

// alike leaves out what depends on how long connections last and what they carry, and
// how often hosts were counted.
func alike(data []model.Datum) map[string]string {
	out := map[string]string{}
	for _, d := range data {
		switch {
		case strings.HasPrefix(d.Name, "ProcessedBytes"), strings.HasPrefix(d.Name, "ActiveFlowCount"):
			continue
		case strings.HasSuffix(d.Name, "HostCount"):
			d.Sum, d.Count = d.Max, 1
		}
		out[fmt.Sprint(d.Namespace, " ", d.Name, d.Dimensions)] = fmt.Sprint(d.Unit, d.Sum, d.Min, d.Max, d.Count)
	}
	return out
}
