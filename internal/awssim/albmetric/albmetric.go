// Package albmetric writes a load balancer's metrics down as AWS/ApplicationELB has
// them, for the data planes that count the events. Its Sheet serves other namespaces too.
package albmetric

import (
	"cmp"
	"context"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

const namespace = "AWS/ApplicationELB"

// Statistics is a statistic set. The zero value is empty.
type Statistics struct{ Sum, Min, Max, Count float64 }

// Of is the statistic set of one sample.
func Of(v float64) Statistics { return Repeated(v, 1) }

// Repeated is the statistic set of n > 0 samples of the same value.
func Repeated(v float64, n int) Statistics { return Statistics{v * float64(n), v, v, float64(n)} }

// Merge takes in the samples of o.
func (s *Statistics) Merge(o Statistics) {
	switch {
	case o.Count == 0:
		return
	case s.Count == 0:
		*s = o
		return
	}
	s.Sum += o.Sum
	s.Count += o.Count
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
}

// Every calls emit at the end of each period, aligned to the clock, with the period's
// start, until ctx is done.
func Every(ctx context.Context, period time.Duration, emit func(start time.Time)) {
	var last time.Time
	for {
		end := time.Now().Truncate(period).Add(period)
		if !end.After(last) {
			end = last.Add(period) // woken early: one report a period
		}
		last = end
		timer := time.NewTimer(time.Until(end))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		emit(end.Add(-period))
	}
}

// Sheet collects the data of one set of dimensions for one period, as sparse as AWS
// is: what did not happen has no data point.
type Sheet struct {
	Namespace  string    // "": AWS/ApplicationELB
	Start      time.Time // of the period
	Dimensions []model.Dimension
	Data       []model.Datum
}

// Put a metric down. values are single samples for percentiles, and may be empty.
func (s *Sheet) Put(name, unit string, st Statistics, values []float64) {
	s.Data = append(s.Data, model.Datum{
		Namespace: cmp.Or(s.Namespace, namespace), Name: name, Dimensions: s.Dimensions, Unit: unit, Timestamp: s.Start,
		Sum: st.Sum, Min: st.Min, Max: st.Max, Count: st.Count, Values: values,
	})
}

// Count puts a metric of which each event is a sample of 1, as AWS does: its Average
// is 1 and only its Sum is of use.
func (s *Sheet) Count(name string, n int64) {
	if n > 0 {
		s.Put(name, "Count", Statistics{float64(n), 1, 1, float64(n)}, nil)
	}
}

// Single puts a metric of one sample, unless that is 0.
func (s *Sheet) Single(name, unit string, v float64) {
	if v > 0 {
		s.Put(name, unit, Of(v), nil)
	}
}

// Hosts puts the host counts, 0 included.
func (s *Sheet) Hosts(healthy, unhealthy Statistics) {
	s.Put("HealthyHostCount", "Count", healthy, nil)
	s.Put("UnHealthyHostCount", "Count", unhealthy, nil)
}
