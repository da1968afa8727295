package controller

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/types"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// gathered are the values of a registry's series, by "name{label=value,…}"; of a histogram
// its count.
func gathered(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			values[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = value(f.GetType(), m)
		}
	}
	return values
}

func value(kind dto.MetricType, m *dto.Metric) float64 {
	switch kind {
	case dto.MetricType_COUNTER:
		return m.GetCounter().GetValue()
	case dto.MetricType_GAUGE:
		return m.GetGauge().GetValue()
	default:
		return float64(m.GetHistogram().GetSampleCount())
	}
}

func calls() map[string]uint64 { return map[string]uint64{"eks:ListClusters": 7} }

func TestMetricsOfPasses(t *testing.T) {
	registered := prometheus.NewRegistry()
	m, err := NewMetrics(registered, calls)
	if err != nil {
		t.Fatal(err)
	}
	set, other := types.NamespacedName{Namespace: "argocd", Name: "fleet"}, types.NamespacedName{Namespace: "argocd", Name: "other"}
	partial := answered(outcome("c", registry.Held))
	partial.Scopes = []registry.ScopeResult{scope("us-east-1", errors.New("no"))}
	stopped := answered(outcome("c", registry.Missing))
	stopped.Stopped = "too many"
	m.pass(set, time.Second, answered(created("a"), created("b"), outcome("c", registry.Held), did("d", registry.Delete, registry.Missing)), nil)
	m.pass(set, time.Second, partial, nil)
	m.pass(set, time.Second, registrar.Result{}, errors.New("no"))
	m.pass(set, time.Second, stopped, nil)
	m.pass(other, time.Second, answered(), nil)
	got := gathered(t, registered)
	for series, want := range map[string]float64{
		"norikae_clusterset_clusters{name=fleet,namespace=argocd,state=Held}":           0,
		"norikae_clusterset_clusters{name=fleet,namespace=argocd,state=Missing}":        1,
		"norikae_clusterset_pass_duration_seconds{name=fleet,namespace=argocd}":         4,
		"norikae_clusterset_pass_total{name=fleet,namespace=argocd,result=ok}":          1,
		"norikae_clusterset_pass_total{name=fleet,namespace=argocd,result=partial}":     1,
		"norikae_clusterset_pass_total{name=fleet,namespace=argocd,result=error}":       1,
		"norikae_clusterset_pass_total{name=fleet,namespace=argocd,result=stopped}":     1,
		"norikae_clusterset_secret_writes_total{do=create,name=fleet,namespace=argocd}": 2,
		"norikae_clusterset_secret_writes_total{do=delete,name=fleet,namespace=argocd}": 1,
		"norikae_clusterset_stopped{name=fleet,namespace=argocd}":                       1,
		"norikae_clusterset_stopped{name=other,namespace=argocd}":                       0,
		"norikae_clusterset_aws_calls_total{operation=ListClusters,service=eks}":        7,
		"norikae_clusterset_clusters{name=other,namespace=argocd,state=Registered}":     0,
		"norikae_clusterset_pass_total{name=other,namespace=argocd,result=ok}":          1,
		"norikae_clusterset_pass_duration_seconds{name=other,namespace=argocd}":         1,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s = %v (there: %v), want %v", series, v, ok, want)
		}
	}
	m.forget(set)
	for series := range gathered(t, registered) {
		if strings.Contains(series, "name=fleet") {
			t.Errorf("%s outlives its set", series)
		}
	}
	if _, err := NewMetrics(registered, calls); err == nil {
		t.Error("metrics were registered twice")
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "controller.md"))
	if err != nil {
		t.Fatal(err)
	}
	registered := prometheus.NewRegistry()
	m, err := NewMetrics(registered, calls)
	if err != nil {
		t.Fatal(err)
	}
	m.pass(types.NamespacedName{}, time.Second, answered(created("a")), nil)
	families, err := registered.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 6 {
		t.Errorf("%d metrics, want 6", len(families))
	}
	for _, f := range families {
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		if row := "| `" + f.GetName() + "` | " + strings.Join(labels, ", ") + " |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/controller.md has no row %q", row)
		}
	}
}
