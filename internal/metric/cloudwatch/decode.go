package cloudwatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of GetMetricData (API reference, 2010-08-01).
const (
	maxQueries    = 500 // MetricDataQueries of a call
	maxDimensions = 30
	maxExpression = 2048 // characters
	maxID         = 255
)

// dataQuery is a MetricDataQuery as the AWS CLI and this project take it in JSON.
type dataQuery struct {
	ID         string `json:"Id"`
	MetricStat *metricStat
	Expression *string
	Label      *string
	ReturnData *bool // nil is true
	Period     *int32
	AccountID  *string `json:"AccountId"`
}

type metricStat struct {
	Metric struct {
		Namespace  string
		MetricName string
		Dimensions []struct{ Name, Value string }
	}
	Period int32
	Stat   string
	Unit   string
}

// decode reads a rendered query strictly and checks what GetMetricData would refuse,
// and what it would take but mean something else.
func decode(text string) ([]dataQuery, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var qs []dataQuery
	if err := d.Decode(&qs); err != nil {
		return nil, fmt.Errorf("is no JSON list of MetricDataQuery, [{\"Id\": …}], as aws cloudwatch get-metric-data --metric-data-queries takes it: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something after its JSON list of MetricDataQuery")
	}
	if len(qs) == 0 || len(qs) > maxQueries {
		return nil, fmt.Errorf("has %d MetricDataQuery; 1–%d are possible", len(qs), maxQueries)
	}
	seen, returned := map[string]bool{}, []string{}
	for i, q := range qs {
		if err := q.check(); err != nil {
			return nil, fmt.Errorf("[%d] (Id %q): %w", i, q.ID, err)
		}
		if seen[q.ID] {
			return nil, fmt.Errorf("[%d]: Id %q is used twice", i, q.ID)
		}
		seen[q.ID] = true
		if q.returns() {
			returned = append(returned, q.ID)
		}
	}
	switch len(returned) {
	case 0:
		return nil, errors.New("returns no data: ReturnData is false everywhere; leave it out of the one to judge")
	case 1:
		return qs, nil
	}
	return nil, fmt.Errorf("returns the data of %s: set ReturnData to false on all but the one to judge", strings.Join(returned, ", "))
}

func (q dataQuery) returns() bool { return q.ReturnData == nil || *q.ReturnData }

func (q dataQuery) check() error {
	switch {
	case len(q.ID) > maxID || !validID(q.ID):
		return fmt.Errorf("field Id: must begin with a lower-case letter, then letters, digits and _, at most %d", maxID)
	case (q.MetricStat == nil) == (q.Expression == nil):
		return errors.New("exactly one of MetricStat and Expression must be set")
	case q.Period != nil && !validPeriod(*q.Period):
		return fmt.Errorf("field Period: %d is not 1, 5, 10, 20, 30 or a multiple of 60 seconds", *q.Period)
	case q.Expression != nil && (*q.Expression == "" || len(*q.Expression) > maxExpression):
		return fmt.Errorf("field Expression: has %d characters; 1–%d are possible", len(*q.Expression), maxExpression)
	case q.MetricStat != nil && q.Period != nil:
		return errors.New("field Period: belongs into MetricStat")
	case q.MetricStat != nil:
		return q.MetricStat.check()
	}
	return nil
}

func (m *metricStat) check() error {
	switch {
	case m.Metric.Namespace == "":
		return errors.New("MetricStat.Metric.Namespace: is empty")
	case m.Metric.MetricName == "":
		return errors.New("MetricStat.Metric.MetricName: is empty")
	case len(m.Metric.Dimensions) > maxDimensions:
		return fmt.Errorf("MetricStat.Metric.Dimensions: has %d; at most %d are possible", len(m.Metric.Dimensions), maxDimensions)
	case !validPeriod(m.Period):
		return fmt.Errorf("MetricStat.Period: %d is not 1, 5, 10, 20, 30 or a multiple of 60 seconds", m.Period)
	case m.Stat == "":
		return errors.New("MetricStat.Stat: is empty; for example Sum, Average, p99")
	case isCount(m.Metric.Namespace, m.Metric.MetricName) && m.Stat != "Sum" && m.Stat != "SampleCount":
		return fmt.Errorf("MetricStat.Stat: %s of %s means nothing: each data point of this count is one event, so it is always 1; use Sum", m.Stat, m.Metric.MetricName)
	}
	for _, d := range m.Metric.Dimensions {
		if d.Name == "" || d.Value == "" {
			return fmt.Errorf("MetricStat.Metric.Dimensions: Name %q, Value %q: neither may be empty", d.Name, d.Value)
		}
	}
	return nil
}

// isCount tells the metrics of load balancers that count events: of those, only Sum is
// a number of events (docs: "The most useful statistic is Sum").
func isCount(namespace, name string) bool {
	switch namespace {
	case "AWS/ApplicationELB":
		return strings.HasPrefix(name, "HTTPCode_") || slices.Contains([]string{
			"RequestCount", "TargetConnectionErrorCount", "RejectedConnectionCount", "NewConnectionCount",
			"ClientTLSNegotiationErrorCount", "TargetTLSNegotiationErrorCount",
		}, name)
	case "AWS/NetworkELB":
		return strings.HasPrefix(name, "NewFlowCount") || strings.HasPrefix(name, "TCP_") && strings.HasSuffix(name, "_Reset_Count")
	}
	return false
}

func validPeriod(s int32) bool {
	return slices.Contains([]int32{1, 5, 10, 20, 30}, s) || s > 0 && s%60 == 0
}

func validID(id string) bool {
	return id != "" && id[0] >= 'a' && id[0] <= 'z' && word(id) == len(id)
}

// period is the coarsest one of the queries.
func period(qs []dataQuery) time.Duration {
	var p int32
	for _, q := range qs {
		if q.Period != nil {
			p = max(p, *q.Period)
		}
		if q.MetricStat != nil {
			p = max(p, q.MetricStat.Period)
		}
	}
	return time.Duration(p) * time.Second
}

// alone tells whether the queries need a call of their own: METRICS() stands for all
// metrics of a call.
func alone(qs []dataQuery) bool {
	return slices.ContainsFunc(qs, func(q dataQuery) bool {
		return q.Expression != nil && strings.Contains(strings.ToUpper(*q.Expression), "METRICS")
	})
}

// insights tells a Metrics Insights query, which names columns, not Ids.
func insights(expr string) bool {
	expr = strings.TrimSpace(expr)
	return strings.EqualFold(expr[:word(expr)], "SELECT")
}

// prefixed gives the queries Ids that no other metric of the call has, also where
// expressions name them.
func prefixed(qs []dataQuery, prefix string) []dataQuery {
	ids := map[string]bool{}
	for _, q := range qs {
		ids[q.ID] = true
	}
	out := slices.Clone(qs)
	for i := range out {
		out[i].ID = prefix + out[i].ID
		if e := out[i].Expression; e != nil && !insights(*e) {
			out[i].Expression = new(rename(*e, ids, prefix))
		}
	}
	return out
}

// rename puts prefix before every word of expr that is one of ids. What stands in
// quotes is text, not a name.
func rename(expr string, ids map[string]bool, prefix string) string {
	var out strings.Builder
	for i := 0; i < len(expr); {
		switch c := expr[i]; {
		case c == '\'' || c == '"':
			n := quoted(expr[i:])
			out.WriteString(expr[i : i+n])
			i += n
		case word(expr[i:]) > 0:
			w := expr[i : i+word(expr[i:])]
			if ids[w] {
				out.WriteString(prefix)
			}
			out.WriteString(w)
			i += len(w)
		default:
			out.WriteByte(c)
			i++
		}
	}
	return out.String()
}

// quoted is the length of the quoted text that s begins with, quotes included.
func quoted(s string) int {
	if n := strings.IndexByte(s[1:], s[0]); n >= 0 {
		return n + 2
	}
	return len(s)
}

// word is the length of the letters, digits and _ that s begins with. Numbers are words
// too, so that "1m1" is not taken for a use of m1.
func word(s string) int {
	n := 0
	for n < len(s) && (s[n] == '_' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	return n
}
