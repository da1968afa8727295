package prometheus

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// answer is the body of /api/v1/query.
type answer struct {
	Status    string
	ErrorType string
	Error     string
	Warnings  []string
	Data      struct {
		ResultType string
		Result     json.RawMessage
	}
}

// decode an answer into series of one point each, and what the server said besides.
// Samples are numbers in strings; NaN and infinities are no data (0/0 is NaN: no
// traffic, not no errors).
func decode(a metric.Answer, at time.Time) ([]metric.Series, []string, error) {
	var body answer
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return nil, nil, refused(a.Status, "", fmt.Sprintf("no answer of Prometheus: %s", a.Excerpt()))
	}
	if a.Status != http.StatusOK || body.Status != "success" {
		return nil, body.Warnings, refused(a.Status, body.ErrorType, fmt.Sprintf("%s: %s", body.ErrorType, body.Error))
	}
	series, notes, err := result(body, at)
	return series, append(slices.Clone(body.Warnings), notes...), err
}

// refused classifies an error answer (prometheus.io/docs/prometheus/latest/querying/api).
func refused(status int, kind, msg string) error {
	err := fmt.Errorf("HTTP %d: %s", status, msg)
	switch {
	case kind == "bad_data" || status == http.StatusBadRequest:
		return fault.Terminal("InvalidQuery", err)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("%w: %w", fault.ErrDenied, err)
	}
	return err
}

func result(body answer, at time.Time) ([]metric.Series, []string, error) {
	switch body.Data.ResultType {
	case "scalar":
		var v sample
		if err := json.Unmarshal(body.Data.Result, &v); err != nil {
			return nil, nil, fmt.Errorf("the scalar cannot be read: %w", err)
		}
		s, notes := one("scalar", v, at)
		return []metric.Series{s}, notes, nil
	case "vector":
		return vector(body.Data.Result, at)
	case "matrix", "string":
		return nil, nil, fault.Terminal("InvalidQuery", fmt.Errorf("the query gives a %s; it must give an instant vector or a scalar, for example by rate() or avg_over_time()", body.Data.ResultType))
	}
	return nil, nil, fmt.Errorf("the answer has the unknown result type %q", body.Data.ResultType)
}

func vector(raw json.RawMessage, at time.Time) ([]metric.Series, []string, error) {
	var v []struct {
		Metric    map[string]string
		Value     *sample
		Histogram json.RawMessage
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, nil, fmt.Errorf("the vector cannot be read: %w", err)
	}
	var out []metric.Series
	var notes []string
	for _, e := range v {
		if e.Value == nil {
			return nil, nil, fault.Terminal("InvalidQuery", errors.New("the query gives a native histogram; take a number of it, for example by histogram_quantile()"))
		}
		s, n := one(label(e.Metric), *e.Value, at)
		out, notes = append(out, s), append(notes, n...)
	}
	return out, notes, nil
}

// sample is [Unix seconds, "value"].
type sample float64

// UnmarshalJSON takes nothing but a pair of a number and a string with a number.
func (s *sample) UnmarshalJSON(b []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a sample has %d members, not 2", len(pair))
	}
	var at float64
	var text string
	if err := errors.Join(json.Unmarshal(pair[0], &at), json.Unmarshal(pair[1], &text)); err != nil {
		return err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("the sample %q is no number", text)
	}
	*s = sample(v)
	return nil
}

// one series of a sample; without a point when it is no number.
func one(name string, s sample, at time.Time) (metric.Series, []string) {
	v := float64(s)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return metric.Series{Label: name}, []string{fmt.Sprintf("the value is %v", v)}
	}
	return metric.Series{Label: name, Points: []metric.Point{{Time: at, Value: v}}}, nil
}

func label(m map[string]string) string {
	var pairs []string
	for k, v := range m {
		if k != "__name__" {
			pairs = append(pairs, fmt.Sprintf("%s=%q", k, v))
		}
	}
	slices.Sort(pairs)
	return m["__name__"] + "{" + strings.Join(pairs, ",") + "}"
}
