// Package prometheus asks a Prometheus server (or what speaks its HTTP API) by instant
// queries at the end of each window.
package prometheus

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// DefaultTiming suits targets that are scraped every 15 s.
func DefaultTiming() analysis.Timing {
	return analysis.Timing{Settle: 10 * time.Second, Period: 15 * time.Second, Delay: 15 * time.Second}
}

// Source is one Prometheus server.
type Source struct {
	base   *url.URL
	client *http.Client
}

// New makes a Source of an address such as http://prometheus:9090 or, below a prefix,
// https://host/select/0/prometheus. client nil is one on Go's default transport.
func New(address string, client *http.Client) (*Source, error) {
	u, err := metric.Address("prometheus.address", address)
	if err != nil {
		return nil, fault.Terminal("InvalidPrometheus", err)
	}
	return &Source{u, metric.Client(client)}, nil
}

// Validate takes any query: its grammar is known to Prometheus alone, which Preflight asks.
func (s *Source) Validate(string) (time.Duration, error) { return 0, nil }

// Query asks for the value at the end of each window. How far a value looks back is
// said by the query itself: rate(…[{{.Interval}}s]).
func (s *Source) Query(ctx context.Context, queries []metric.Query) []metric.Result {
	out := make([]metric.Result, len(queries))
	for i, q := range queries {
		out[i] = s.query(ctx, q)
	}
	return out
}

func (s *Source) query(ctx context.Context, q metric.Query) metric.Result {
	u := s.base.JoinPath("api/v1/query")
	u.RawQuery = url.Values{
		"query": {q.Text},
		"time":  {strconv.FormatFloat(float64(q.End.UnixMilli())/1000, 'f', -1, 64)},
	}.Encode()
	a, err := metric.Get(ctx, s.client, u.String(), nil)
	if err != nil {
		return metric.Result{Err: fmt.Errorf("prometheus: %w", err)}
	}
	series, notes, err := decode(a, q.End)
	if err != nil {
		return metric.Result{Err: fmt.Errorf("prometheus: %w", err), Notes: notes}
	}
	return metric.Result{Series: series, Complete: true, Notes: notes}
}
