package cloudwatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of GetMetricStatistics.
const (
	maxStatisticsPoints = 1440
	maxStatistics       = 5
	maxExtended         = 10
)

func (s *Service) getMetricStatistics(r *wire.Request) (wire.Struct, error) {
	p, now := r.Params, time.Now()
	namespace, err := required(p, "", "Namespace")
	if err != nil {
		return nil, err
	}
	name, err := required(p, "", "MetricName")
	if err != nil {
		return nil, err
	}
	dims, err := dimensions(p, "")
	if err != nil {
		return nil, err
	}
	want, err := unit(p, "")
	if err != nil {
		return nil, err
	}
	w, err := s.statisticsWindow(p, now)
	if err != nil {
		return nil, err
	}
	stats, err := statisticsParam(p)
	if err != nil {
		return nil, err
	}
	key := newMetricKey(namespace, name, dims)
	points := map[int64]map[string]float64{}
	for _, st := range stats {
		for _, pt := range s.read(scope(r), key, want, w, st) {
			if points[pt.t] == nil {
				points[pt.t] = map[string]float64{}
			}
			points[pt.t][st.name] = pt.v
		}
	}
	return wire.Struct{
		{Name: "Label", Value: name},
		{Name: "Datapoints", Value: datapoints(points, stats, s.unitOf(scope(r), key), r.Protocol)},
	}, nil
}

// statisticsWindow reads the time range and the period, and checks their ratio.
func (s *Service) statisticsWindow(p wire.Params, now time.Time) (window, error) {
	start, end, err := times(p, codeCombination)
	if err != nil {
		return window{}, err
	}
	period, ok, err := s.periodParam(p, "", codeValue, start, now)
	if err != nil {
		return window{}, err
	}
	if !ok {
		return window{}, wire.Errorf(codeMissing, "The parameter Period is required.")
	}
	w := newWindow(start, end, period, now)
	if n := (w.end - w.start + period - 1) / period; n > maxStatisticsPoints {
		return w, wire.Errorf(codeCombination, "You have requested up to %d datapoints, which exceeds the limit of %d. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatisticsPoints)
	}
	return w, nil
}

// statisticsParam reads Statistics and ExtendedStatistics.
func statisticsParam(p wire.Params) ([]statistic, error) {
	simple, extended := p.Strings("Statistics"), p.Strings("ExtendedStatistics")
	if len(simple)+len(extended) == 0 {
		return nil, wire.Errorf(codeCombination, "At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	if len(simple) > maxStatistics || len(extended) > maxExtended {
		return nil, wire.Errorf(codeValue, "At most %d Statistics and %d ExtendedStatistics may be given, got %d and %d.",
			maxStatistics, maxExtended, len(simple), len(extended))
	}
	var out []statistic
	for _, name := range simple {
		if !slices.Contains(simpleStats, name) {
			return nil, wire.Errorf(codeValue, "The value %s for parameter Statistics is invalid: want some of %v.", name, simpleStats)
		}
		out = append(out, statistic{name: name, kind: 's'})
	}
	for _, name := range extended {
		st, ok, err := parseStatistic(name)
		if err != nil {
			return nil, err
		}
		if !ok || st.kind == 's' {
			return nil, wire.Errorf(codeValue, "The value %s for parameter ExtendedStatistics is invalid: want pNN or tmNN.", name)
		}
		out = append(out, st)
	}
	return out, nil
}

func (s *Service) unitOf(scope string, key metricKey) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.scopes[scope][key]; m != nil {
		return m.unit
	}
	return "None"
}

// datapoints makes the list in an order that no client may rely on, the same each
// time: AWS does not sort it either.
func datapoints(points map[int64]map[string]float64, stats []statistic, unit string, protocol wire.Protocol) wire.List {
	order := make([]int64, 0, len(points))
	for t := range points {
		order = append(order, t)
	}
	scatter := func(t int64) int64 { return t * 0x1E3779B97F4A7C15 } // wraps
	slices.SortFunc(order, func(a, b int64) int { return cmp.Compare(scatter(a), scatter(b)) })
	out := make(wire.List, 0, len(order))
	for _, t := range order {
		d := wire.Struct{{Name: "Timestamp", Value: time.Unix(t, 0).UTC()}}
		var extended wire.Struct
		for _, st := range stats {
			v, ok := points[t][st.name]
			switch {
			case !ok:
			case st.kind == 's':
				d = append(d, wire.Member{Name: st.name, Value: v})
			default:
				extended = append(extended, mapEntry(protocol, st.name, v))
			}
		}
		if extended != nil {
			d = append(d, wire.Member{Name: "ExtendedStatistics", Value: extended})
		}
		out = append(out, append(d, wire.Member{Name: "Unit", Value: unit}))
	}
	return out
}

// mapEntry is an entry of a map: in XML <entry><key/><value/></entry>, else a member.
func mapEntry(protocol wire.Protocol, key string, v float64) wire.Member {
	if protocol != wire.Query {
		return wire.Member{Name: key, Value: v}
	}
	return wire.Member{Name: "entry", Value: wire.Struct{{Name: "key", Value: key}, {Name: "value", Value: v}}}
}
