package cloudwatch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of PutMetricData.
const (
	maxData    = 1000
	maxValues  = 150
	maxPastAge = 14 * day
)

// maxMagnitude of a value: ±2^360.
var maxMagnitude = math.Ldexp(1, 360)

func (s *Service) putMetricData(r *wire.Request) (wire.Struct, error) {
	p, now := r.Params, time.Now()
	namespace, err := required(p, "", "Namespace")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(namespace, "AWS/") || namespace[0] == ':' {
		return nil, wire.Errorf(codeValue, "The value %s for parameter Namespace is invalid: AWS/ and a leading colon are reserved.", namespace)
	}
	if p.Has("EntityMetricData") {
		return nil, notSimulated("EntityMetricData of PutMetricData")
	}
	items := p.List("MetricData")
	if len(items) == 0 {
		return nil, wire.Errorf(codeMissing, "The parameter MetricData is required.")
	}
	if len(items) > maxData {
		return nil, wire.Errorf(codeValue, "The collection MetricData must not have a size greater than %d, got %d.", maxData, len(items))
	}
	data := make([]model.Datum, 0, len(items))
	for i, it := range items {
		d, err := parseDatum(it, fmt.Sprintf("MetricData.member.%d.", i+1), now)
		if err != nil {
			return nil, err // nothing is stored of a call with a bad datum
		}
		d.Namespace = namespace
		data = append(data, d)
	}
	if !s.put(scope(r), data) {
		return nil, wire.Errorf(codeLimit, "The simulator keeps at most %d metrics; some of these data were dropped.", maxMetrics)
	}
	return wire.Struct{}, nil
}

func parseDatum(p wire.Params, at string, now time.Time) (d model.Datum, err error) {
	if d.Name, err = required(p, at, "MetricName"); err != nil {
		return d, err
	}
	if d.Dimensions, err = dimensions(p, at); err != nil {
		return d, err
	}
	if d.Unit, err = unit(p, at); err != nil {
		return d, err
	}
	if res, ok, err := p.Int("StorageResolution"); err != nil {
		return d, err
	} else if ok && res != 1 && res != 60 {
		return d, wire.Errorf(codeValue, "The value %d for parameter %sStorageResolution is invalid: want 1 or 60.", res, at)
	}
	t, ok, err := p.Time("Timestamp")
	switch {
	case err != nil:
		return d, err
	case !ok:
		t = now
	case t.Before(now.Add(-maxPastAge)) || t.After(now.Add(maxFuture)):
		return d, wire.Errorf(codeValue, "The value %s for parameter %sTimestamp is invalid: want at most two weeks before and two hours after now.",
			t.UTC().Format(time.RFC3339), at)
	}
	d.Timestamp = t
	return d, parseValues(&d, p, at)
}

// parseValues reads the one of Value, Values and StatisticValues that is there.
func parseValues(d *model.Datum, p wire.Params, at string) error {
	given := 0
	for _, name := range []string{"Value", "Values", "StatisticValues"} {
		if p.Has(name) {
			given++
		}
	}
	switch {
	case given == 0:
		return wire.Errorf(codeMissing, "At least one of the parameters %sValue, Values and StatisticValues must be specified.", at)
	case given > 1:
		return wire.Errorf(codeCombination, "The parameters %sValue, Values and StatisticValues are mutually exclusive.", at)
	case p.Has("Value"):
		v, err := bounded(p, at, "Value")
		d.Sum, d.Min, d.Max, d.Count, d.Values = v, v, v, 1, []float64{v}
		return err
	case p.Has("Values"):
		return parseValueList(d, p, at)
	default:
		return parseStatisticSet(d, p.Struct("StatisticValues"), at+"StatisticValues.")
	}
}

func parseStatisticSet(d *model.Datum, p wire.Params, at string) (err error) {
	for _, m := range []struct {
		name string
		to   *float64
	}{{"SampleCount", &d.Count}, {"Sum", &d.Sum}, {"Minimum", &d.Min}, {"Maximum", &d.Max}} {
		if *m.to, err = bounded(p, at, m.name); err != nil {
			return err
		}
	}
	if d.Count <= 0 || d.Min > d.Max {
		return wire.Errorf(codeValue, "%s is not a statistic set: SampleCount %g must be positive and Minimum %g at most Maximum %g.", at[:len(at)-1], d.Count, d.Min, d.Max)
	}
	return nil
}

// bounded is a required number of at most maxMagnitude.
func bounded(p wire.Params, at, name string) (float64, error) {
	v, ok, err := p.Float(name)
	switch {
	case err != nil:
		return 0, wire.Errorf(codeValue, "The value %v for parameter %s%s is invalid: want a number.", p[name], at, name)
	case !ok:
		return 0, wire.Errorf(codeMissing, "The parameter %s%s is required.", at, name)
	case math.Abs(v) > maxMagnitude:
		return 0, wire.Errorf(codeValue, "The value %g for parameter %s%s is invalid: want -2^360 to 2^360.", v, at, name)
	}
	return v, nil
}

func parseValueList(d *model.Datum, p wire.Params, at string) error {
	values, err := numbers(p, at, "Values")
	if err != nil {
		return err
	}
	counts, err := numbers(p, at, "Counts")
	if err != nil {
		return err
	}
	if len(values) == 0 || len(values) > maxValues || p.Has("Counts") && len(counts) != len(values) {
		return wire.Errorf(codeValue, "%sValues must have 1 to %d numbers and Counts as many, got %d and %d.", at, maxValues, len(values), len(counts))
	}
	d.Min, d.Max = math.Inf(1), math.Inf(-1)
	weights := make([]float64, len(values))
	for i, v := range values {
		weights[i] = 1
		if len(counts) > 0 {
			weights[i] = counts[i]
		}
		if weights[i] <= 0 {
			return wire.Errorf(codeValue, "The value %g for parameter %sCounts.member.%d is invalid: want a positive number.", weights[i], at, i+1)
		}
		d.Sum, d.Count = d.Sum+v*weights[i], d.Count+weights[i]
		d.Min, d.Max = min(d.Min, v), max(d.Max, v)
	}
	d.Values = spread(values, weights, d.Count)
	return nil
}

// spread repeats values in proportion to their weights. model.Datum carries plain
// samples: large counts are scaled down to about maxSpread of them.
func spread(values, weights []float64, total float64) []float64 {
	const maxSpread = 2000
	scale := 1.0
	if total > maxSpread {
		scale = maxSpread / total
	}
	var out []float64
	for i, v := range values {
		for range max(1, int(math.Round(weights[i]*scale))) {
			out = append(out, v)
		}
	}
	return out
}

// numbers reads a list of numbers.
func numbers(p wire.Params, at, name string) ([]float64, error) {
	items := p.Strings(name)
	out := make([]float64, 0, len(items))
	for i, s := range items {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > maxMagnitude {
			return nil, wire.Errorf(codeValue, "The value %s for parameter %s%s.member.%d is invalid: want a number from -2^360 to 2^360.", s, at, name, i+1)
		}
		out = append(out, v)
	}
	return out, nil
}
