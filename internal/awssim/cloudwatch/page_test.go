package cloudwatch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestPagesMerge(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg   Config
		max   any
		pages int
	}{
		"with MaxDatapoints":              {Config{}, int64(4), 7},
		"with a page size of the lab":     {Config{PageSize: 7}, nil, 4},
		"the smaller of the two rules":    {Config{PageSize: 5}, int64(100), 5},
		"one page when everything fits":   {Config{}, int64(25), 1},
		"one point short of everything":   {Config{}, int64(24), 2},
		"a point at a time works as well": {Config{PageSize: 1}, nil, 25},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, origin := world(t, tc.cfg)
				p := dataParams(origin, origin.Add(10*time.Minute), // 10 + 5 + 10 points
					statQuery("a", "RequestCount", "blue", "Sum", 60), statQuery("b", "RequestCount", "green", "Sum", 60), exprQuery("c", "a+b"))
				want := []got{
					{"a", "RequestCount", "Complete", []string{"0=60", "1=60", "2=60", "3=60", "4=60", "5=60", "6=60", "7=60", "8=60", "9=60"}},
					{"b", "RequestCount", "Complete", []string{"5=10", "6=10", "7=10", "8=10", "9=10"}},
					{"c", "c", "Complete", []string{"0=60", "1=60", "2=60", "3=60", "4=60", "5=70", "6=70", "7=70", "8=70", "9=70"}},
				}
				if tc.max != nil {
					p["MaxDatapoints"] = tc.max
				}
				merged := make([]got, 3)
				pages := 0
				for {
					out := mustCall(t, s, "GetMetricData", p)
					for i, r := range results(t, out, origin) {
						merged[i] = got{r.ID, r.Label, r.Status, append(merged[i].Points, r.Points...)}
					}
					pages++
					// New data between the pages must not shift them.
					time.Sleep(time.Nanosecond)
					s.Put(testScope, []model.Datum{sumOf("RequestCount", "green", origin.Add(3*time.Minute), 1)})
					token, more := member(out, "NextToken").(string)
					if !more {
						break
					}
					p["NextToken"] = token
				}
				if d := cmp.Diff(want, merged); d != "" {
					t.Errorf("merged pages (-want +got):\n%s", d)
				}
				if pages != tc.pages {
					t.Errorf("%d pages, want %d", pages, tc.pages)
				}
			})
		})
	}
}

func TestATokenIsGoodForItsRequestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{PageSize: 3})
		p := dataParams(origin, origin.Add(10*time.Minute), statQuery("a", "RequestCount", "blue", "Sum", 60))
		token := member(mustCall(t, s, "GetMetricData", p), "NextToken")
		p["NextToken"] = token
		p["MaxDatapoints"] = int64(2) // may change from page to page
		if got := results(t, mustCall(t, s, "GetMetricData", p), origin)[0].Points; !cmp.Equal(got, []string{"3=60", "4=60"}) {
			t.Errorf("second page %v", got)
		}
		p["EndTime"] = origin.Add(9 * time.Minute)
		_, err := send(t, s, "GetMetricData", p)
		wantCode(t, err, "InvalidNextToken")
		_, err = send(t, s, "ListMetrics", wire.Params{"NextToken": token})
		wantCode(t, err, "InvalidNextToken")
	})
}

func TestPagesPartitionTheResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 20).Draw(t, "size")
		want := make([]dataResult, rapid.IntRange(0, 5).Draw(t, "results"))
		for i := range want {
			for j := range rapid.IntRange(0, 30).Draw(t, "points") {
				want[i].points = append(want[i].points, point{int64(j), float64(100*i + j)})
			}
		}
		got := make([][]float64, len(want))
		for page := (pageToken{}); ; {
			out := dataPage(want, page, size)
			list, _ := member(out, "MetricDataResults").(wire.List)
			n := 0
			for i, it := range list {
				r, _ := it.(wire.Struct)
				values, _ := member(r, "Values").(wire.List)
				n += len(values)
				for _, v := range values {
					f, _ := v.(float64)
					got[i] = append(got[i], f)
				}
				if complete := len(got[i]) == len(want[i].points); complete != (member(r, "StatusCode") == "Complete") {
					t.Fatalf("result %d has %d of %d points and is %v", i, len(got[i]), len(want[i].points), member(r, "StatusCode"))
				}
			}
			if n > size {
				t.Fatalf("%d points on a page of %d", n, size)
			}
			if member(out, "NextToken") == nil {
				break
			}
			page.Offset += size
		}
		for i, r := range want {
			for j, p := range r.points {
				if len(got[i]) <= j || got[i][j] != p.v {
					t.Fatalf("result %d is %v, want %v", i, got[i], r.points)
				}
			}
		}
	})
}
