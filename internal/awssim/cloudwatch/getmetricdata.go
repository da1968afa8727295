package cloudwatch

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of GetMetricData.
const (
	maxQueries       = 500
	maxExpressionLen = 2048
	maxDatapoints    = 100_800
)

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// dataQuery is a MetricDataQuery: either a metric or an expression.
type dataQuery struct {
	id, label string
	hidden    bool // ReturnData=false
	period    int64

	key  metricKey
	stat statistic
	unit string

	expression string
	parsed     expr // nil for a metric
}

// dataRequest is a GetMetricData call.
type dataRequest struct {
	scope      string
	start, end time.Time
	asOf       time.Time
	queries    []dataQuery
	index      map[string]int // of queries by id
	ascending  bool
}

func (s *Service) getMetricData(r *wire.Request) (wire.Struct, error) {
	page, err := startPage(r)
	if err != nil {
		return nil, err
	}
	req, err := s.parseDataRequest(r, time.Unix(0, page.AsOf))
	if err != nil {
		return nil, err
	}
	limit, ok, err := r.Params.Int("MaxDatapoints")
	switch {
	case err != nil:
		return nil, err
	case !ok:
		limit = maxDatapoints
	case limit < 1 || limit > maxDatapoints:
		return nil, wire.Errorf(codeValidation, "The value %d for parameter MaxDatapoints is invalid: want 1 to %d.", limit, maxDatapoints)
	}
	results, err := s.evaluate(req)
	if err != nil {
		return nil, err
	}
	return dataPage(results, page, s.pageSize(limit)), nil
}

func (s *Service) parseDataRequest(r *wire.Request, asOf time.Time) (*dataRequest, error) {
	p := r.Params
	start, end, err := times(p, codeValidation)
	if err != nil {
		return nil, err
	}
	req := &dataRequest{scope: scope(r), start: start, end: end, asOf: asOf, index: map[string]int{}}
	switch scan := p.Str("ScanBy"); scan {
	case "", "TimestampDescending":
	case "TimestampAscending":
		req.ascending = true
	default:
		return nil, wire.Errorf(codeValidation, "The value %s for parameter ScanBy is invalid: want TimestampDescending or TimestampAscending.", scan)
	}
	items := p.List("MetricDataQueries")
	if len(items) == 0 {
		return nil, wire.Errorf(codeMissing, "The parameter MetricDataQueries is required.")
	}
	if len(items) > maxQueries {
		return nil, wire.Errorf(codeValidation, "The collection MetricDataQueries must not have a size greater than %d, got %d.", maxQueries, len(items))
	}
	for i, it := range items {
		q, err := s.parseQuery(it, fmt.Sprintf("MetricDataQueries.member.%d.", i+1), r.AccountID, req)
		if err != nil {
			return nil, err
		}
		if _, twice := req.index[q.id]; twice {
			return nil, wire.Errorf(codeValidation, "The values for parameter id in MetricDataQueries are not unique: %s.", q.id)
		}
		req.index[q.id] = i
		req.queries = append(req.queries, q)
	}
	return req, req.checkRefs()
}

func (s *Service) parseQuery(p wire.Params, at, account string, req *dataRequest) (q dataQuery, err error) {
	if q.id, err = required(p, at, "Id"); err != nil {
		return q, err
	}
	if !queryID.MatchString(q.id) {
		return q, wire.Errorf(codeValidation, "The value %s for parameter %sId is not matching the expected pattern %s.", q.id, at, queryID)
	}
	q.label = p.Str("Label")
	q.expression = p.Str("Expression")
	returned, given, err := p.Bool("ReturnData")
	if err != nil {
		return q, err
	}
	q.hidden = given && !returned
	if id := p.Str("AccountId"); id != "" && id != account {
		return q, notSimulated("reading the metrics of another account (%sAccountId %s)", at, id)
	}
	stat := p.Struct("MetricStat")
	if (stat == nil) == (q.expression == "") {
		return q, wire.Errorf(codeValidation, "Exactly one of the parameters MetricStat and Expression must be specified in %s (Id %s).", at[:len(at)-1], q.id)
	}
	if stat != nil {
		return q, s.parseMetricStat(&q, stat, at+"MetricStat.", req)
	}
	if q.period, _, err = s.periodParam(p, at, codeValidation, req.start, req.asOf); err != nil {
		return q, err
	}
	return q, q.parseExpression(at)
}

func (q *dataQuery) parseExpression(at string) (err error) {
	if n := len(q.expression); n > maxExpressionLen {
		return wire.Errorf(codeValidation, "The parameter %sExpression must be at most %d characters long, got %d.", at, maxExpressionLen, n)
	}
	if q.parsed, err = parseExpr(q.expression); err != nil {
		return q.exprError(err)
	}
	return nil
}

func (q *dataQuery) exprError(err error) error {
	return wire.Errorf(codeValidation, "Error in expression '%s': %s", q.id, err)
}

func (s *Service) parseMetricStat(q *dataQuery, p wire.Params, at string, req *dataRequest) (err error) {
	m := p.Struct("Metric")
	namespace, err := required(m, at+"Metric.", "Namespace")
	if err != nil {
		return err
	}
	name, err := required(m, at+"Metric.", "MetricName")
	if err != nil {
		return err
	}
	dims, err := dimensions(m, at+"Metric.")
	if err != nil {
		return err
	}
	q.key = newMetricKey(namespace, name, dims)
	if q.unit, err = unit(p, at); err != nil {
		return err
	}
	stat, err := required(p, at, "Stat")
	if err != nil {
		return err
	}
	var ok bool
	if q.stat, ok, err = parseStatistic(stat); err != nil {
		return err
	}
	if !ok {
		return wire.Errorf(codeValidation, "The value %s for parameter %sStat is not supported: want one of %v, pNN or tmNN.", stat, at, simpleStats)
	}
	if q.period, ok, err = s.periodParam(p, at, codeValidation, req.start, req.asOf); err == nil && !ok {
		err = wire.Errorf(codeMissing, "The parameter %sPeriod is required.", at)
	}
	return err
}

// checkRefs refuses unknown ids and circles among the expressions.
func (req *dataRequest) checkRefs() error {
	const visiting, done = 1, 2
	state := make([]int, len(req.queries))
	var visit func(i int) error
	visit = func(i int) (err error) {
		q := &req.queries[i]
		if state[i] == done || q.parsed == nil {
			return nil
		}
		if state[i] == visiting {
			return q.exprError(fmt.Errorf("%s depends on itself", q.id))
		}
		state[i] = visiting
		refs(q.parsed, func(id string) {
			if err != nil {
				return
			}
			next, ok := req.index[id]
			if !ok {
				err = q.exprError(fmt.Errorf("unknown id %s", id))
				return
			}
			err = visit(next)
		})
		state[i] = done
		return err
	}
	for i := range req.queries {
		if err := visit(i); err != nil {
			return err
		}
	}
	return nil
}

// evaluation of one request; every query is computed at most once.
type evaluation struct {
	s     *Service
	req   *dataRequest
	known map[string]value
	env   env
}

// evaluate computes the results in the order of the queries, without hidden ones.
func (s *Service) evaluate(req *dataRequest) ([]dataResult, error) {
	v := &evaluation{s: s, req: req, known: make(map[string]value, len(req.queries))}
	v.env = env{
		lookup:   v.lookup,
		metrics:  v.metrics,
		isMetric: func(id string) bool { return req.queries[req.index[id]].parsed == nil },
		grid:     v.grid,
		period:   v.shortestPeriod(),
		work:     new(int),
	}
	var out []dataResult
	for i := range req.queries {
		q := &req.queries[i]
		x, err := v.lookup(q.id)
		if err != nil {
			return nil, err
		}
		if x.kind == scalar {
			return nil, q.exprError(fmt.Errorf("the result is a %s, not a time series: use TIME_SERIES", x.kind))
		}
		if q.hidden {
			continue
		}
		for _, one := range x.series {
			if !req.ascending {
				one.points = slices.Clone(one.points)
				slices.Reverse(one.points)
			}
			out = append(out, dataResult{q.id, q.resultLabel(x.kind, one), one.points})
		}
	}
	return out, nil
}

// resultLabel of a series. An array's series carry their own label after the
// expression's, as in AWS's graphs.
func (q *dataQuery) resultLabel(k kind, s series) string {
	switch {
	case k == seriesArray && q.label == "":
		return s.label
	case k == seriesArray:
		return q.label + " " + s.label
	case q.label != "":
		return q.label
	case q.parsed != nil:
		return q.id
	default:
		return q.key.name
	}
}

func (v *evaluation) lookup(id string) (value, error) {
	if x, ok := v.known[id]; ok {
		return x, nil
	}
	q := &v.req.queries[v.req.index[id]]
	var x value
	if q.parsed == nil {
		w := newWindow(v.req.start, v.req.end, q.period, v.req.asOf)
		points := v.s.read(v.req.scope, q.key, q.unit, w, q.stat)
		x = seriesOf(series{label: q.resultLabel(timeSeries, series{}), period: q.period, points: points})
	} else {
		e := v.env
		if q.period > 0 {
			e.period = q.period
		}
		var err error
		if x, err = e.eval(q.parsed); err != nil {
			if _, named := errors.AsType[*wire.Error](err); named {
				return value{}, err // of a query that this one depends on
			}
			return value{}, q.exprError(err)
		}
	}
	v.known[id] = x
	return x, nil
}

func (v *evaluation) metrics() (ids []string, all []series, err error) {
	for i := range v.req.queries {
		q := &v.req.queries[i]
		if q.parsed != nil {
			continue
		}
		x, err := v.lookup(q.id)
		if err != nil {
			return nil, nil, err
		}
		ids, all = append(ids, q.id), append(all, x.series[0])
	}
	return ids, all, nil
}

// grid is the window with full periods only as far as the clock and the retention go.
func (v *evaluation) grid(period int64) (start, end int64) {
	w := newWindow(v.req.start, v.req.end, period, v.req.asOf)
	oldest := v.req.asOf.Add(-v.s.cfg.Retention).Unix()
	if w.start < oldest {
		w.start += floor(oldest-w.start, period)
	}
	return w.start, min(w.end, v.req.asOf.Unix()+1)
}

// shortestPeriod of the metrics asked for; 60 s without any.
func (v *evaluation) shortestPeriod() int64 {
	shortest := int64(0)
	for _, q := range v.req.queries {
		if q.parsed == nil && (shortest == 0 || q.period < shortest) {
			shortest = q.period
		}
	}
	if shortest == 0 {
		return 60
	}
	return shortest
}

// dataResult is a MetricDataResult, complete and in the order asked for.
type dataResult struct {
	id, label string
	points    []point
}

// dataPage cuts a page of at most size points out of the results: all results are
// on every page, those whose points go on later as PartialData.
func dataPage(results []dataResult, page pageToken, size int) wire.Struct {
	from, to := page.Offset, page.Offset+size
	list := make(wire.List, 0, len(results))
	first := 0 // position of the result's first point among all points
	for _, r := range results {
		n := len(r.points)
		lo, hi := min(max(from-first, 0), n), min(max(to-first, 0), n)
		status := "Complete"
		if hi < n {
			status = "PartialData"
		}
		list = append(list, r.member(lo, hi, status))
		first += n
	}
	var next any
	if to < first {
		page.Offset = to
		next = page.String()
	}
	return wire.Struct{
		{Name: "MetricDataResults", Value: list},
		{Name: "NextToken", Value: next},
		{Name: "Messages", Value: wire.List{}},
	}
}

func (r dataResult) member(lo, hi int, status string) wire.Struct {
	timestamps, values := make(wire.List, 0, hi-lo), make(wire.List, 0, hi-lo)
	for _, p := range r.points[lo:hi] {
		timestamps = append(timestamps, time.Unix(p.t, 0).UTC())
		values = append(values, p.v)
	}
	return wire.Struct{
		{Name: "Id", Value: r.id},
		{Name: "Label", Value: r.label},
		{Name: "Timestamps", Value: timestamps},
		{Name: "Values", Value: values},
		{Name: "StatusCode", Value: status},
	}
}
