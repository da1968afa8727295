package awssim

import (
	"cmp"
	"errors"
	"time"

	"github.com/norikae/norikae/internal/awssim/alb"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/synth"
)

// The data planes of a lab.
const (
	// PlaneALB carries real traffic between loopback listeners and toy clusters.
	PlaneALB = "alb"
	// PlaneSynth makes up the metrics of steady traffic, without sockets and without
	// clusters: for sweeps in virtual time. See Lab.Synth.
	PlaneSynth = "synth"
)

func planes() []string { return []string{PlaneALB, PlaneSynth} }

// plane is a data plane, known also by what it is: exactly one of alb and synth is set.
type plane struct {
	model.DataPlane

	alb   *alb.DataPlane
	synth *synth.DataPlane
}

func newPlane(cfg Config, sink model.Sink) plane {
	if cfg.DataPlane == PlaneSynth {
		p := synth.New(synth.Config{
			Sink: sink, Period: cfg.MetricPeriod, RequestsPerSecond: cfg.RequestsPerSecond, InitialFor: cfg.InitialFor, Seed: cfg.Seed,
		})
		return plane{DataPlane: p, synth: p}
	}
	p := alb.New(alb.Config{
		Listen: cfg.Listen, Dial: cfg.Dial, Sink: sink, MetricPeriod: cfg.MetricPeriod, Seed: cfg.Seed, Logger: cfg.Logger,
	})
	return plane{DataPlane: p, alb: p}
}

// Synth is the made-up data plane, nil when the lab carries real traffic.
func (l *Lab) Synth() *synth.DataPlane { return l.plane.synth }

// setLose hands the fault of that kind to the data plane.
func (l *Lab) setLose(n int) {
	if l.plane.alb != nil {
		l.plane.alb.SetLose(int64(n))
	}
}

// setTargetFaults hands the faults of targets to those who play the targets. The
// fault.Set calls it for one change at a time.
func (l *Lab) setTargetFaults(faults map[string]fault.Target) {
	for name := range l.faulty {
		if _, still := faults[name]; !still {
			l.setTargetFault(name, fault.Target{})
		}
	}
	for name, f := range faults {
		l.setTargetFault(name, f)
	}
	l.faulty = faults
}

func (l *Lab) setTargetFault(name string, f fault.Target) {
	var err error
	if l.plane.synth != nil {
		err = l.plane.synth.Set(name, synth.Behaviour{ErrorRate: f.FailRate, Latency: f.Latency, SlowRate: f.SlowRate})
	} else if c := l.Cluster(name); c != nil {
		c.SetLatency(f.Latency)
		err = errors.Join(c.SetFailRate(f.FailRate), c.SetSlowRate(cmp.Or(f.SlowRate, 1)))
	}
	if err != nil {
		l.cfg.Logger.Error("setting a target's fault", "error", err)
	}
}

// hasty is a data plane whose health checks are at most interval apart.
type hasty struct {
	model.DataPlane

	interval time.Duration // 0: as the target groups say
}

// Apply hands on a copy of c: a model.Config must not be written to.
func (h hasty) Apply(c model.Config) {
	if h.interval > 0 {
		groups := make(map[string]model.TargetGroup, len(c.TargetGroups))
		for arn, g := range c.TargetGroups {
			g.HealthCheck.Interval = min(g.HealthCheck.Interval, h.interval)
			groups[arn] = g
		}
		c.TargetGroups = groups
	}
	h.DataPlane.Apply(c)
}
