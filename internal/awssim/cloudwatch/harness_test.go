package cloudwatch

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	testAccount = "000000000000"
	testRegion  = "us-east-1"
	testScope   = testAccount + "/" + testRegion
	elbSpace    = "AWS/ApplicationELB"
)

// call sends one operation to the service, without any wire.
func send(t *testing.T, s *Service, op string, p wire.Params) (wire.Struct, error) {
	t.Helper()
	return s.Serve(t.Context(), &wire.Request{
		Service: "monitoring", Operation: op, Protocol: wire.JSON, Params: p,
		AccountID: testAccount, Region: testRegion,
	})
}

func mustCall(t *testing.T, s *Service, op string, p wire.Params) wire.Struct {
	t.Helper()
	out, err := send(t, s, op, p)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return out
}

// wantCode fails unless err is an API error with the code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Code != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

// member is a member of an answer; nil when it is not there.
func member(s wire.Struct, name string) any {
	for _, m := range s {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

func list1(t *testing.T, s wire.Struct, name string) wire.List {
	t.Helper()
	l, ok := member(s, name).(wire.List)
	if !ok {
		t.Fatalf("%s is %T, not a list", name, member(s, name))
	}
	return l
}

func struct1(t *testing.T, v any) wire.Struct {
	t.Helper()
	s, ok := v.(wire.Struct)
	if !ok {
		t.Fatalf("%v is %T, not a structure", v, v)
	}
	return s
}

// got is a result of GetMetricData: "minute=value" in the order of the answer.
type got struct {
	ID, Label, Status string
	Points            []string
}

// results reads an answer of GetMetricData, minutes counted from origin.
func results(t *testing.T, out wire.Struct, origin time.Time) []got {
	t.Helper()
	var all []got
	for _, it := range list1(t, out, "MetricDataResults") {
		r := struct1(t, it)
		g := got{ID: fmt.Sprint(member(r, "Id")), Label: fmt.Sprint(member(r, "Label")), Status: fmt.Sprint(member(r, "StatusCode"))}
		values := list1(t, r, "Values")
		for i, ts := range list1(t, r, "Timestamps") {
			at, ok := ts.(time.Time)
			if !ok {
				t.Fatalf("timestamp %v is a %T", ts, ts)
			}
			g.Points = append(g.Points, fmt.Sprintf("%g=%g", at.Sub(origin).Minutes(), values[i]))
		}
		all = append(all, g)
	}
	return all
}

// lbDims are the dimensions of a metric of one target group.
func lbDims(tg string) []model.Dimension {
	return []model.Dimension{{Name: "LoadBalancer", Value: "app/web/1"}, {Name: "TargetGroup", Value: "targetgroup/" + tg + "/1"}}
}

// sumOf is a datum as the data plane reports a counter: Sum v over v single events.
func sumOf(name, tg string, at time.Time, v float64) model.Datum {
	return model.Datum{Namespace: elbSpace, Name: name, Dimensions: lbDims(tg), Unit: "Count", Timestamp: at, Sum: v, Min: 1, Max: 1, Count: v}
}

// statQuery is a MetricDataQuery for a metric of a target group.
func statQuery(id, name, tg, stat string, period int) map[string]any {
	dims := []any{}
	for _, d := range lbDims(tg) {
		dims = append(dims, map[string]any{"Name": d.Name, "Value": d.Value})
	}
	return map[string]any{"Id": id, "MetricStat": map[string]any{
		"Metric": map[string]any{"Namespace": elbSpace, "MetricName": name, "Dimensions": dims},
		"Period": int64(period), "Stat": stat,
	}}
}

func exprQuery(id, expression string) map[string]any {
	return map[string]any{"Id": id, "Expression": expression}
}

// hide sets ReturnData=false.
func hide(q map[string]any) map[string]any {
	q["ReturnData"] = false
	return q
}

func dataParams(start, end time.Time, queries ...map[string]any) wire.Params {
	list := make([]any, len(queries))
	for i, q := range queries {
		list[i] = q
	}
	return wire.Params{"StartTime": start, "EndTime": end, "MetricDataQueries": list, "ScanBy": "TimestampAscending"}
}

// metricOf is the metric that a statQuery names.
func metricOf(t *testing.T, q map[string]any) map[string]any {
	t.Helper()
	stat, _ := q["MetricStat"].(map[string]any)
	m, ok := stat["Metric"].(map[string]any)
	if !ok {
		t.Fatalf("%v has no metric", q)
	}
	return m
}
