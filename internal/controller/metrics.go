package controller

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Metrics of ClusterSets; docs/controller.md lists them. The zero value cannot be used.
type Metrics struct {
	clusters, stopped *prometheus.GaugeVec
	duration          *prometheus.HistogramVec
	passes, writes    *prometheus.CounterVec
}

// How a pass ended, for the metric.
const (
	resultOK      = "ok"
	resultPartial = "partial" // some accounts, regions or writes failed
	resultStopped = "stopped"
	resultError   = "error" // no result at all
)

// NewMetrics makes the metrics and registers them. The requests that were sent to AWS so far
// are by service:Operation, such as eks:ListClusters.
func NewMetrics(r prometheus.Registerer, awsCalls func() map[string]uint64) (*Metrics, error) {
	const prefix = "norikae_clusterset_"
	set := []string{"namespace", "name"}
	with := func(label string) []string { return []string{"namespace", "name", label} }
	opts := func(name, help string) prometheus.Opts { return prometheus.Opts{Name: prefix + name, Help: help} }
	m := &Metrics{
		clusters: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("clusters", "Clusters by state, after the last pass.")), with("state")),
		stopped:  prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("stopped", "1 while nothing is written until a person has looked, else 0.")), set),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "pass_duration_seconds", Help: "How long passes took.",
			Buckets: []float64{.1, .3, 1, 3, 10, 30, 100, 300, 900}, // up to the longest that a pass may take
		}, set),
		passes: prometheus.NewCounterVec(prometheus.CounterOpts(opts("pass_total", "Passes by how they ended: ok, partial, stopped, error.")), with("result")),
		writes: prometheus.NewCounterVec(prometheus.CounterOpts(opts("secret_writes_total", "Writes of cluster Secrets that the API server took.")), with("do")),
	}
	calls := counted{prometheus.NewDesc(prefix+"aws_calls_total", "Requests to AWS, retries included, but for those that assume roles.", []string{"service", "operation"}, nil), awsCalls}
	for _, c := range []prometheus.Collector{m.clusters, m.stopped, m.duration, m.passes, m.writes, calls} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

// counted collects what somebody else counts.
type counted struct {
	desc  *prometheus.Desc
	calls func() map[string]uint64
}

// Describe the metric.
func (c counted) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect it.
func (c counted) Collect(ch chan<- prometheus.Metric) {
	for name, n := range c.calls() {
		service, operation, _ := strings.Cut(name, ":")
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), service, operation)
	}
}

func (m *Metrics) pass(set types.NamespacedName, took time.Duration, res registrar.Result, err error) {
	m.duration.WithLabelValues(set.Namespace, set.Name).Observe(took.Seconds())
	m.passes.WithLabelValues(set.Namespace, set.Name, resultOf(res, err)).Inc()
	for _, o := range res.Outcomes {
		if o.Written {
			m.writes.WithLabelValues(set.Namespace, set.Name, string(o.Do)).Inc()
		}
	}
	if err != nil {
		return
	}
	counts := map[registry.State]float64{}
	for _, s := range states() {
		counts[s] = 0
	}
	for _, o := range res.Outcomes {
		if o.State == registry.Registered || problem(o) {
			counts[o.State]++
		}
	}
	for s, n := range counts {
		m.clusters.WithLabelValues(set.Namespace, set.Name, string(s)).Set(n)
	}
	stopped := 0.0
	if res.Stopped != "" {
		stopped = 1
	}
	m.stopped.WithLabelValues(set.Namespace, set.Name).Set(stopped)
}

// states are all there are, so that a series says 0 and does not end.
func states() []registry.State {
	return []registry.State{
		registry.Registered, registry.Waiting, registry.Unreachable, registry.Broken, registry.Invalid, registry.Conflict,
		registry.Held, registry.Draining, registry.Missing, registry.Unselected, registry.Uncertain, registry.Unwritten,
	}
}

func resultOf(res registrar.Result, err error) string {
	switch {
	case err != nil:
		return resultError
	case res.Stopped != "":
		return resultStopped
	case len(res.Failed()) > 0 || failedWrites(res) != nil:
		return resultPartial
	default:
		return resultOK
	}
}

// failedWrites joins what the writes that failed say; nil: none did.
func failedWrites(res registrar.Result) error {
	var errs []error
	for _, o := range res.Outcomes {
		if o.Err != nil {
			errs = append(errs, o.Err)
		}
	}
	return errors.Join(errs...)
}

// forget ends the series of a set.
func (m *Metrics) forget(set types.NamespacedName) {
	labels := prometheus.Labels{"namespace": set.Namespace, "name": set.Name}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{m.clusters, m.stopped, m.duration, m.passes, m.writes} {
		v.DeletePartialMatch(labels)
	}
}
