package cloudwatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	metricsPerPage = 500
	// Metrics without data for two weeks are not listed; with RecentlyActive=PT3H,
	// neither are those without data for three hours.
	listedFor   = 14 * day
	recentlyFor = 3 * time.Hour
)

// metricFilter of ListMetrics. A zero member passes everything.
type metricFilter struct {
	namespace, name string
	dimensions      []model.Dimension // an empty Value passes any value
	since           time.Time         // of the newest data
}

func (s *Service) listMetrics(r *wire.Request) (wire.Struct, error) {
	page, err := startPage(r)
	if err != nil {
		return nil, err
	}
	asOf := time.Unix(0, page.AsOf)
	filter, err := parseMetricFilter(r, asOf)
	if err != nil {
		return nil, err
	}
	found := s.find(scope(r), filter, asOf)
	from := min(page.Offset, len(found))
	to := min(from+s.pageSize(metricsPerPage), len(found))
	list := make(wire.List, 0, to-from)
	for _, m := range found[from:to] {
		dims := make(wire.List, 0, len(m.dimensions))
		for _, d := range m.dimensions {
			dims = append(dims, wire.Struct{{Name: "Name", Value: d.Name}, {Name: "Value", Value: d.Value}})
		}
		list = append(list, wire.Struct{
			{Name: "Namespace", Value: m.key.namespace},
			{Name: "MetricName", Value: m.key.name},
			{Name: "Dimensions", Value: dims},
		})
	}
	var next any
	if to < len(found) {
		page.Offset = to
		next = page.String()
	}
	return wire.Struct{{Name: "Metrics", Value: list}, {Name: "NextToken", Value: next}}, nil
}

func parseMetricFilter(r *wire.Request, asOf time.Time) (metricFilter, error) {
	p := r.Params
	f := metricFilter{namespace: p.Str("Namespace"), name: p.Str("MetricName"), since: asOf.Add(-listedFor)}
	if linked, _, err := p.Bool("IncludeLinkedAccounts"); err != nil {
		return f, err
	} else if id := p.Str("OwningAccount"); linked || id != "" && id != r.AccountID {
		return f, notSimulated("listing the metrics of linked accounts")
	}
	switch active := p.Str("RecentlyActive"); active {
	case "":
	case "PT3H":
		f.since = asOf.Add(-recentlyFor)
	default:
		return f, wire.Errorf(codeValue, "The value %s for parameter RecentlyActive is invalid: want PT3H.", active)
	}
	items := p.List("Dimensions")
	if len(items) > 10 {
		return f, wire.Errorf(codeValue, "The collection Dimensions must not have a size greater than 10, got %d.", len(items))
	}
	for _, it := range items {
		name, err := required(it, "Dimensions.member.", "Name")
		if err != nil {
			return f, err
		}
		f.dimensions = append(f.dimensions, model.Dimension{Name: name, Value: it.Str("Value")})
	}
	return f, nil
}

// listed is a metric that a filter found.
type listed struct {
	key        metricKey
	dimensions []model.Dimension
}

// find lists the metrics that pass a filter and have readable data, in order.
func (s *Service) find(scope string, f metricFilter, asOf time.Time) []listed {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []listed
	for key, m := range s.scopes[scope] {
		if f.passes(key, m.dimensions) && !s.missing(key.name) && s.activeSince(m, f.since, asOf) {
			out = append(out, listed{key, m.dimensions})
		}
	}
	slices.SortFunc(out, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.key.namespace, b.key.namespace), cmp.Compare(a.key.name, b.key.name), cmp.Compare(a.key.dimensions, b.key.dimensions))
	})
	return out
}

func (f metricFilter) passes(key metricKey, dims []model.Dimension) bool {
	if f.namespace != "" && f.namespace != key.namespace || f.name != "" && f.name != key.name {
		return false
	}
	for _, want := range f.dimensions {
		if !slices.ContainsFunc(dims, func(d model.Dimension) bool {
			return d.Name == want.Name && (want.Value == "" || d.Value == want.Value)
		}) {
			return false
		}
	}
	return true
}

// activeSince tells whether a metric has readable data of since or later.
func (s *Service) activeSince(m *metric, since, asOf time.Time) bool {
	delay := s.delay()
	for i := len(m.buckets) - 1; i >= 0 && m.buckets[i].start >= since.Unix(); i-- {
		if s.readable(&m.buckets[i], asOf, delay) {
			return true
		}
	}
	return false
}
