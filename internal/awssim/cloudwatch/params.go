package cloudwatch

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Error codes as clients see them, without "Exception" (the query-compatible code).
const (
	codeValidation   = "ValidationError"
	codeMissing      = "MissingParameter"
	codeValue        = "InvalidParameterValue"
	codeCombination  = "InvalidParameterCombination"
	codeLimit        = "LimitExceeded"
	codeInvalidToken = "InvalidNextToken"
)

const (
	maxDimensions    = 30
	maxNameLen       = 255  // namespaces, metric names, dimension names, query ids
	maxDimensionsLen = 1024 // dimension values
	// maxPeriod in seconds: the 455 days that AWS keeps data at all.
	maxPeriod = 455 * 24 * 3600
)

// required is a non-empty string member of at most maxNameLen characters.
func required(p wire.Params, prefix, name string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return "", wire.Errorf(codeMissing, "The parameter %s%s is required.", prefix, name)
	}
	if len(v) > maxNameLen {
		return "", wire.Errorf(codeValue, "The parameter %s%s must be at most %d characters long, got %d.", prefix, name, maxNameLen, len(v))
	}
	return v, nil
}

// dimensions reads Dimensions. prefix is where in the request p is.
func dimensions(p wire.Params, prefix string) ([]model.Dimension, error) {
	items := p.List("Dimensions")
	if len(items) > maxDimensions {
		return nil, wire.Errorf(codeValue, "The collection %sDimensions must not have a size greater than %d, got %d.", prefix, maxDimensions, len(items))
	}
	out := make([]model.Dimension, 0, len(items))
	for i, it := range items {
		at := fmt.Sprintf("%sDimensions.member.%d.", prefix, i+1)
		name, err := required(it, at, "Name")
		if err != nil {
			return nil, err
		}
		value := it.Str("Value")
		if value == "" {
			return nil, wire.Errorf(codeMissing, "The parameter %sValue is required.", at)
		}
		if len(value) > maxDimensionsLen || name[0] == ':' {
			return nil, wire.Errorf(codeValue, "The dimension %s%.80s is not valid: a name does not begin with a colon, a value has at most %d characters.",
				at, name, maxDimensionsLen)
		}
		if slices.ContainsFunc(out, func(d model.Dimension) bool { return d.Name == name }) {
			return nil, wire.Errorf(codeValue, "The dimension %s is given twice in %sDimensions.", name, prefix)
		}
		out = append(out, model.Dimension{Name: name, Value: value})
	}
	return out, nil
}

// unit reads an optional Unit.
func unit(p wire.Params, prefix string) (string, error) {
	u := p.Str("Unit")
	if u != "" && !slices.Contains(units, u) {
		return "", wire.Errorf(codeValue, "The value %s for parameter %sUnit is invalid: want one of %v.", u, prefix, units)
	}
	return u, nil
}

// times reads StartTime and EndTime.
func times(p wire.Params, code string) (start, end time.Time, err error) {
	read := func(name string) (time.Time, error) {
		t, ok, err := p.Time(name)
		if err == nil && !ok {
			err = wire.Errorf(codeMissing, "The parameter %s is required.", name)
		}
		return t, err
	}
	if start, err = read("StartTime"); err != nil {
		return start, end, err
	}
	if end, err = read("EndTime"); err != nil {
		return start, end, err
	}
	if !start.Before(end) {
		return start, end, wire.Errorf(code, "The parameter StartTime must be less than the parameter EndTime, got %s and %s.",
			start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	}
	return start, end, nil
}

// periodParam reads a period in seconds and checks it against the age of the data: AWS
// keeps short periods for a while only. ok is false when it is absent.
func (s *Service) periodParam(p wire.Params, prefix, code string, start, now time.Time) (period int64, ok bool, err error) {
	n, ok, err := p.Int("Period")
	if err != nil || !ok {
		return 0, false, err
	}
	period = int64(n)
	short := slices.Contains([]int64{1, 5, 10, 20, 30}, period)
	// In a lab any multiple of the storage period will do.
	lab := s.period < 60 && period > 0 && period%s.period == 0
	if n <= 0 || period > maxPeriod || period%60 != 0 && !short && !lab {
		return 0, false, wire.Errorf(code, "The value %d for parameter %sPeriod is invalid: want 1, 5, 10, 20, 30 or a multiple of 60 up to %d.", n, prefix, maxPeriod)
	}
	if multiple := ageUnit(start, now); multiple > 60 && period%multiple != 0 {
		return 0, false, wire.Errorf(code, "The value %d for parameter %sPeriod is invalid: data as old as StartTime are kept with a period of %d.", n, prefix, multiple)
	}
	return period, true, nil
}

// ageUnit is the period, in seconds, with which AWS keeps data as old as start.
func ageUnit(start, now time.Time) int64 {
	switch age := now.Sub(start); {
	case age > 63*day:
		return 3600
	case age > 15*day:
		return 300
	default:
		return 60
	}
}

// newWindow rounds the start as AWS does: down to the minute (5 minutes after 15
// days, 1 hour after 63), or to the period when that is shorter than a minute.
func newWindow(start, end time.Time, period int64, asOf time.Time) window {
	round := ageUnit(start, asOf)
	if period < 60 {
		round = period
	}
	last := end.Unix()
	if end.Nanosecond() > 0 {
		last++ // the end is exclusive: a point in the second of the end is before it
	}
	return window{start: floor(start.Unix(), round), end: last, period: period, asOf: asOf}
}

// pageToken says where the next page begins. It is bound to its request.
type pageToken struct {
	Request uint64 `json:"r"` // fingerprint
	Offset  int    `json:"o"`
	// AsOf, in Unix nanoseconds, freezes what can be read, so that pages fit together
	// while new data come in.
	AsOf int64 `json:"t"`
}

func (t pageToken) String() string {
	b, _ := json.Marshal(t) // three numbers: cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// fingerprint of a request without what may change from page to page.
func fingerprint(r *wire.Request) uint64 {
	p := maps.Clone(r.Params)
	delete(p, "NextToken")
	delete(p, "MaxDatapoints")
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %s %v", scope(r), r.Operation, map[string]any(p)) // fmt sorts maps
	return h.Sum64() & math.MaxInt64
}

// startPage reads NextToken, or makes the token of a first page.
func startPage(r *wire.Request) (pageToken, error) {
	want := fingerprint(r)
	in := r.Params.Str("NextToken")
	if in == "" {
		return pageToken{Request: want, AsOf: time.Now().UnixNano()}, nil
	}
	var t pageToken
	b, err := base64.RawURLEncoding.DecodeString(in)
	if err == nil {
		err = json.Unmarshal(b, &t)
	}
	if err != nil || t.Request != want || t.Offset <= 0 {
		return t, wire.Errorf(codeInvalidToken, "The NextToken %.40q is not one that was returned for this request.", in)
	}
	return t, nil
}
