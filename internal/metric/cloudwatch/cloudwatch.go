// Package cloudwatch asks Amazon CloudWatch for metrics: all of a moment's queries in
// as few GetMetricData calls as possible, each kept apart from the others.
package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// maxPages bounds the pages of one answer; 100,800 data points fit on one.
const maxPages = 50

// DefaultTiming is that of AWS's own metrics: one point a minute, complete about two
// minutes after it ended.
func DefaultTiming() analysis.Timing {
	return analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: 2 * time.Minute}
}

// API is the part of the CloudWatch client that a Source needs.
type API interface {
	GetMetricData(context.Context, *cw.GetMetricDataInput, ...func(*cw.Options)) (*cw.GetMetricDataOutput, error)
}

// Source is CloudWatch in one region, with one set of credentials.
type Source struct{ api API }

// New makes a Source of a client. Its region, profile and role are the Source's.
func New(api API) *Source { return &Source{api} }

// Validate reads a rendered query: a JSON list of MetricDataQuery, one of which returns
// data.
func (s *Source) Validate(text string) (time.Duration, error) {
	qs, err := decode(text)
	if err != nil {
		return 0, err
	}
	return period(qs), nil
}

// Query answers all queries, in one call for each distinct window, more when there are
// more than 500 MetricDataQuery.
func (s *Source) Query(ctx context.Context, queries []metric.Query) []metric.Result {
	results := make([]metric.Result, len(queries))
	for _, c := range pack(queries, results) {
		s.call(ctx, c, results)
	}
	return results
}

// call is one GetMetricData.
type call struct {
	start, end time.Time
	queries    []dataQuery
	members    []member
	alone      bool
}

// member is one metric.Query of a call.
type member struct {
	index  int    // of the query
	id     string // of the result that is its answer
	period time.Duration
}

// pack spreads queries over calls. A query that cannot be read gets its error.
func pack(queries []metric.Query, results []metric.Result) []*call {
	var calls []*call
	for i, q := range queries {
		qs, err := decode(q.Text)
		if err != nil {
			results[i].Err = fault.Terminal("InvalidQuery", err)
			continue
		}
		m := member{index: i, period: period(qs)}
		own := alone(qs)
		if !own {
			qs = prefixed(qs, "q"+strconv.Itoa(i)+"_")
		}
		for _, d := range qs {
			if d.returns() {
				m.id = d.ID
			}
		}
		at := slices.IndexFunc(calls, func(c *call) bool {
			return !own && !c.alone && c.start.Equal(q.Start) && c.end.Equal(q.End) && len(c.queries)+len(qs) <= maxQueries
		})
		if at < 0 {
			calls = append(calls, &call{start: q.Start, end: q.End, alone: own})
			at = len(calls) - 1
		}
		calls[at].queries = append(calls[at].queries, qs...)
		calls[at].members = append(calls[at].members, m)
	}
	return calls
}

// call asks for all pages and hands out the answers.
func (s *Source) call(ctx context.Context, c *call, results []metric.Result) {
	in := &cw.GetMetricDataInput{
		StartTime: aws.Time(c.start), EndTime: aws.Time(c.end),
		ScanBy: types.ScanByTimestampAscending,
	}
	for _, q := range c.queries {
		in.MetricDataQueries = append(in.MetricDataQueries, q.sdk())
	}
	got, err := s.pages(ctx, in)
	for _, m := range c.members {
		r := metric.Result{Err: err}
		if err == nil {
			r = got.result(m, analysis.Window{Start: c.start, End: c.end})
		}
		if !c.alone {
			r = unprefixed(r)
		}
		results[m.index] = r
	}
}

// prefixes of Ids, as pack puts them.
var prefixes = regexp.MustCompile(`\bq\d+_`)

// unprefixed is a result whose texts name the Ids as the user wrote them.
func unprefixed(r metric.Result) metric.Result {
	for i, n := range r.Notes {
		r.Notes[i] = prefixes.ReplaceAllString(n, "")
	}
	for i, s := range r.Series {
		r.Series[i].Label = prefixes.ReplaceAllString(s.Label, "")
	}
	if r.Err != nil {
		r.Err = &userError{r.Err}
	}
	return r
}

// userError is an error whose text names Ids as the user wrote them.
type userError struct{ error }

func (e *userError) Error() string { return prefixes.ReplaceAllString(e.error.Error(), "") }
func (e *userError) Unwrap() error { return e.error }

// pages reads an answer to its end.
func (s *Source) pages(ctx context.Context, in *cw.GetMetricDataInput) (*answer, error) {
	got := &answer{series: map[seriesKey]*series{}}
	for range maxPages {
		out, err := s.api.GetMetricData(ctx, in)
		if err != nil {
			return nil, awsconf.Classify("GetMetricData", err)
		}
		got.add(out)
		next := aws.ToString(out.NextToken)
		if next == "" {
			return got, nil
		}
		if next == aws.ToString(in.NextToken) {
			return nil, errors.New("GetMetricData: the same NextToken twice")
		}
		in.NextToken = out.NextToken
	}
	return nil, fmt.Errorf("GetMetricData: more than %d pages", maxPages)
}

// answer merges the pages of a call.
type answer struct {
	order    []seriesKey
	series   map[seriesKey]*series
	messages []string
}

// seriesKey tells series apart: an expression such as SEARCH gives several under one
// Id, even under one label, but then within one page.
type seriesKey struct {
	id, label string
	nth       int
}

type series struct {
	points map[time.Time]float64
	status types.StatusCode
	notes  []string
}

func (a *answer) add(out *cw.GetMetricDataOutput) {
	for _, m := range out.Messages {
		a.messages = append(a.messages, note(m))
	}
	nth := map[seriesKey]int{}
	for _, r := range out.MetricDataResults {
		k := seriesKey{id: aws.ToString(r.Id), label: aws.ToString(r.Label)}
		nth[k]++
		k.nth = nth[seriesKey{id: k.id, label: k.label}]
		s := a.series[k]
		if s == nil {
			s = &series{points: map[time.Time]float64{}}
			a.series[k] = s
			a.order = append(a.order, k)
		}
		s.status = r.StatusCode
		for _, m := range r.Messages {
			s.notes = append(s.notes, note(m))
		}
		for i := range min(len(r.Timestamps), len(r.Values)) {
			s.points[r.Timestamps[i].UTC()] = r.Values[i]
		}
	}
}

// result of one member: its series, with the points that lie within the window.
func (a *answer) result(m member, w analysis.Window) metric.Result {
	res := metric.Result{Complete: len(a.messages) == 0, Notes: slices.Clone(a.messages)}
	found := false
	for _, k := range a.order {
		if k.id != m.id {
			continue
		}
		found = true
		s := a.series[k]
		res.Notes = append(res.Notes, s.notes...)
		switch s.status {
		case types.StatusCodeComplete:
		case types.StatusCodePartialData:
			res.Complete = false
		case types.StatusCodeForbidden:
			res.Err = fmt.Errorf("%w: GetMetricData answered Forbidden for %s%s", fault.ErrDenied, k.label, tail(s.notes))
			return res
		case types.StatusCodeInternalError:
			res.Err = fmt.Errorf("GetMetricData answered InternalError for %s%s", k.label, tail(s.notes))
			return res
		default:
			res.Err = fmt.Errorf("GetMetricData answered with status %q for %s%s", s.status, k.label, tail(s.notes))
			return res
		}
		res.Series = append(res.Series, metric.Series{Label: k.label, Points: s.sorted(w, m.period)})
	}
	if !found {
		res.Err = errors.New("GetMetricData left the query out of its answer" + tail(a.messages))
	}
	return res
}

func (s *series) sorted(w analysis.Window, period time.Duration) []metric.Point {
	var out []metric.Point
	for t, v := range s.points {
		if w.Contains(t, period) {
			out = append(out, metric.Point{Time: t, Value: v})
		}
	}
	slices.SortFunc(out, func(a, b metric.Point) int { return cmp.Compare(a.Time.UnixNano(), b.Time.UnixNano()) })
	return out
}

func note(m types.MessageData) string {
	if aws.ToString(m.Value) == "" {
		return aws.ToString(m.Code)
	}
	return aws.ToString(m.Code) + ": " + aws.ToString(m.Value)
}

func tail(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return ": " + notes[0]
}

func (q dataQuery) sdk() types.MetricDataQuery {
	out := types.MetricDataQuery{
		Id: aws.String(q.ID), Expression: q.Expression, Label: q.Label,
		ReturnData: aws.Bool(q.returns()), Period: q.Period, AccountId: q.AccountID,
	}
	if m := q.MetricStat; m != nil {
		stat := &types.MetricStat{
			Metric: &types.Metric{Namespace: aws.String(m.Metric.Namespace), MetricName: aws.String(m.Metric.MetricName)},
			Period: aws.Int32(m.Period), Stat: aws.String(m.Stat), Unit: types.StandardUnit(m.Unit),
		}
		for _, d := range m.Metric.Dimensions {
			stat.Metric.Dimensions = append(stat.Metric.Dimensions, types.Dimension{Name: aws.String(d.Name), Value: aws.String(d.Value)})
		}
		out.MetricStat = stat
	}
	return out
}
