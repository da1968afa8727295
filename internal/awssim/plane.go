package awssim

import (
	"time"

	"github.com/norikae/norikae/internal/awssim/alb"
	"github.com/norikae/norikae/internal/awssim/model"
)

// PlaneALB carries real traffic between loopback listeners and real targets.
const PlaneALB = "alb"

func planes() []string { return []string{PlaneALB} }

// plane is a data plane and what the lab does with it beyond model.DataPlane.
type plane struct {
	model.DataPlane

	lose     func(n int)
	counters func() alb.Counters
}

func newPlane(cfg Config, sink model.Sink) plane {
	p := alb.New(alb.Config{
		Listen: cfg.Listen, Dial: cfg.Dial, Sink: sink, MetricPeriod: cfg.MetricPeriod, Seed: cfg.Seed, Logger: cfg.Logger,
	})
	return plane{DataPlane: p, lose: func(n int) { p.SetLose(int64(n)) }, counters: p.Counters}
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
