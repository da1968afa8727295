package lawtest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// httpMutant changes requests before they reach the recorder, and answers after they
// have left it: what it does to answers is a client that does not see them.
type httpMutant struct {
	aws.HTTPClient

	form   func(url.Values)
	batch  func(string) string // of a change of Route 53
	answer func(string) string
}

func (m httpMutant) Do(r *http.Request) (*http.Response, error) {
	if m.form != nil && r.Body != nil && strings.Contains(r.Header.Get("Content-Type"), "form") {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(b))
		if err != nil {
			return nil, err
		}
		m.form(form)
		body := form.Encode()
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
	}
	if m.batch != nil && r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/rrset") {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body := m.batch(string(b))
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
	}
	resp, err := m.HTTPClient.Do(r)
	if err != nil || m.answer == nil {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	body := m.answer(string(b))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader([]byte(body))), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, err
}

func onForm(change func(url.Values)) func(aws.HTTPClient) aws.HTTPClient {
	return func(c aws.HTTPClient) aws.HTTPClient { return httpMutant{HTTPClient: c, form: change} }
}

// onBatch changes the changes of Route 53, on load balancers nothing.
func onBatch(change func(string) string) func(aws.HTTPClient) aws.HTTPClient {
	return func(c aws.HTTPClient) aws.HTTPClient { return httpMutant{HTTPClient: c, batch: change} }
}

// routerMutant changes what the engine hears of its route, or does to it.
type routerMutant struct {
	engine.Router

	write   func(context.Context, engine.Router, traffic.Split) error
	observe func(shift.Live) shift.Live
	mark    func(shift.Mark, bool) (shift.Mark, bool)
	hale    bool // all targets are healthy
	hasty   bool // clients follow at once

	wrote traffic.Split // last; for the mutant that believes what it wrote
	blind bool
}

func (m *routerMutant) Write(ctx context.Context, s traffic.Split) error {
	m.wrote = s
	if m.write != nil {
		return m.write(ctx, m.Router, s)
	}
	return m.Router.Write(ctx, s)
}

func (m *routerMutant) Observe(ctx context.Context) (shift.Live, error) {
	if m.blind && m.wrote != nil {
		return shift.Live{Exists: true, Conforms: true, Split: m.wrote}, nil
	}
	live, err := m.Router.Observe(ctx)
	if m.observe != nil {
		live = m.observe(live)
	}
	return live, err
}

func (m *routerMutant) Mark(ctx context.Context) (shift.Mark, bool, error) {
	mark, ok, err := m.Router.Mark(ctx)
	if m.mark != nil {
		mark, ok = m.mark(mark, ok)
	}
	return mark, ok, err
}

func (m *routerMutant) Health(ctx context.Context, ids []string) (map[string]shift.Health, error) {
	out, err := m.Router.Health(ctx, ids)
	for id := range out {
		if m.hale {
			out[id] = shift.Health{Healthy: 1, Total: 1}
		}
	}
	return out, err
}

// Lag of a router that has one.
func (m *routerMutant) Lag(ctx context.Context) (time.Duration, error) {
	l, ok := m.Router.(engine.Lagging)
	if !ok || m.hasty {
		return 0, nil
	}
	return l.Lag(ctx)
}

func onRouter(m routerMutant) func(*engine.Config) {
	return func(c *engine.Config) {
		planted := m // each process has its own
		planted.Router = c.Router
		c.Router = &planted
	}
}

func onWrite(f func(context.Context, engine.Router, traffic.Split) error) func(*engine.Config) {
	return onRouter(routerMutant{write: f})
}

// analyzerMutant changes verdicts.
type analyzerMutant struct {
	engine.Analyzer

	verdict func(analysis.Report) analysis.Report
}

func (m analyzerMutant) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	return m.verdict(m.Analyzer.Analyze(ctx, req))
}

// believing takes one verdict for success.
func believing(v analysis.Verdict) func(*engine.Config) {
	return func(c *engine.Config) {
		c.Analyzer = analyzerMutant{c.Analyzer, func(r analysis.Report) analysis.Report {
			if r.Verdict == v && len(r.Metrics) > 0 && r.Metrics[0].Last.Verdict == v {
				r.Verdict = analysis.Successful
				for i := range r.Metrics {
					r.Metrics[i].Failed = 0
				}
			}
			return r
		}}
	}
}

func weightOf(s traffic.Split, w traffic.Weighted, n int) traffic.Split {
	out := slices.Clone(s)
	out[slices.Index(out, w)].Weight = n
	return out
}
