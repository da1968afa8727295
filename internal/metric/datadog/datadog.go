// Package datadog asks Datadog's metrics API, version 1 (GET /api/v1/query).
package datadog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/metric"
)

// maxRetryAfter bounds how long a 429 answer can silence a source.
const maxRetryAfter = 15 * time.Minute

// DefaultTiming suits metrics that an agent sends every 15 s. Metrics that Datadog
// fetches from a cloud come minutes later: give those a longer delay.
func DefaultTiming() analysis.Timing {
	return analysis.Timing{Settle: 10 * time.Second, Period: time.Minute, Delay: time.Minute}
}

// Sites of Datadog (docs.datadoghq.com/getting_started/site).
func Sites() []string {
	return []string{
		"datadoghq.com", "us3.datadoghq.com", "us5.datadoghq.com", "ap1.datadoghq.com", "ap2.datadoghq.com",
		"uk1.datadoghq.com", "datadoghq.eu", "ddog-gov.com", "us2.ddog-gov.com",
	}
}

// Config of a Source.
type Config struct {
	Site    string // one of Sites; "": datadoghq.com
	Address string // overrides https://api.SITE
	APIKey  string
	AppKey  string
	HTTP    *http.Client // nil: Go's default transport
}

// Keys from the environment: DD_API_KEY and DD_APP_KEY, else DATADOG_API_KEY and
// DATADOG_APP_KEY or DATADOG_APPLICATION_KEY, which the old Terraform provider read.
func Keys(getenv func(string) string) (apiKey, appKey string) {
	return cmp.Or(getenv("DD_API_KEY"), getenv("DATADOG_API_KEY")),
		cmp.Or(getenv("DD_APP_KEY"), getenv("DATADOG_APP_KEY"), getenv("DATADOG_APPLICATION_KEY"))
}

// Source is one Datadog site, with one pair of keys. It prints without them.
type Source struct {
	base   *url.URL
	client *http.Client
	header http.Header
	hide   *strings.Replacer
}

// New makes a Source. Its errors are terminal and say what to set.
func New(cfg Config) (*Source, error) {
	base, err := address(cfg)
	if err != nil {
		return nil, fault.Terminal("InvalidDatadog", err)
	}
	if cfg.APIKey == "" || cfg.AppKey == "" {
		return nil, fault.Terminal("InvalidDatadog", errors.New("datadog: set the environment variables DD_API_KEY and DD_APP_KEY"))
	}
	header := http.Header{}
	header.Set("DD-API-KEY", cfg.APIKey)
	header.Set("DD-APPLICATION-KEY", cfg.AppKey)
	return &Source{
		base: base, client: metric.Client(cfg.HTTP), header: header,
		hide: strings.NewReplacer(cfg.APIKey, "[DD_API_KEY]", cfg.AppKey, "[DD_APP_KEY]"),
	}, nil
}

// String names the site and hides everything else, whatever the verb.
func (s *Source) String() string { return "datadog at " + s.base.Host }

// GoString is String, so that %#v shows no keys either.
func (s *Source) GoString() string { return s.String() }

func address(cfg Config) (*url.URL, error) {
	if cfg.Address == "" {
		site := cmp.Or(cfg.Site, Sites()[0])
		if !slices.Contains(Sites(), site) {
			return nil, fmt.Errorf("datadog.site: %q is not one of %s", site, strings.Join(Sites(), ", "))
		}
		return &url.URL{Scheme: "https", Host: "api." + site}, nil
	}
	u, err := metric.Address("datadog.address", cfg.Address)
	switch {
	case err != nil:
		return nil, err
	case u.User != nil:
		return nil, fmt.Errorf("datadog.address: %q holds a user, which Datadog does not want: use https://HOST[:PORT]", u.Redacted())
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("datadog.address: %q would send the keys in clear: use https (http is possible on this machine only)", cfg.Address)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Validate takes any query: its grammar is known to Datadog alone, which Preflight asks.
func (s *Source) Validate(string) (time.Duration, error) { return 0, nil }

// Query asks for each window. Once Datadog wants to be left alone, the rest is not asked.
func (s *Source) Query(ctx context.Context, queries []metric.Query) []metric.Result {
	out := make([]metric.Result, len(queries))
	for i, q := range queries {
		out[i] = s.query(ctx, q)
		if out[i].RetryAfter > 0 {
			for j := i + 1; j < len(queries); j++ {
				out[j] = out[i]
			}
			break
		}
	}
	return out
}

func (s *Source) query(ctx context.Context, q metric.Query) metric.Result {
	u := s.base.JoinPath("api/v1/query")
	u.RawQuery = url.Values{
		"from":  {strconv.FormatInt(q.Start.Unix(), 10)},
		"to":    {strconv.FormatInt(q.End.Unix(), 10)},
		"query": {q.Text},
	}.Encode()
	a, err := metric.Get(ctx, s.client, u.String(), s.header)
	if err != nil {
		return metric.Result{Err: s.scrub(fmt.Errorf("datadog: %w", err))}
	}
	if a.Status != http.StatusOK {
		return s.refusal(a)
	}
	series, err := decode(a.Body, analysis.Window{Start: q.Start, End: q.End})
	if err != nil {
		return metric.Result{Err: s.scrub(fmt.Errorf("datadog: %w", err))}
	}
	return metric.Result{Series: series, Complete: true}
}

// refusal is an answer that is not 200.
func (s *Source) refusal(a metric.Answer) metric.Result {
	msg := fmt.Errorf("datadog: HTTP %d: %s", a.Status, apiErrors(a))
	switch {
	case a.Status == http.StatusTooManyRequests:
		return metric.Result{Err: s.scrub(fmt.Errorf("%w (rate limit)", msg)), RetryAfter: retryAfter(a.Header)}
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		return metric.Result{Err: fmt.Errorf("%w: %w; check DD_API_KEY, DD_APP_KEY and that they are of the site %s", fault.ErrDenied, s.scrub(msg), s.base.Host)}
	case a.Status == http.StatusBadRequest:
		return metric.Result{Err: fault.Terminal("InvalidQuery", s.scrub(msg))}
	case a.Status >= 300 && a.Status < 400:
		return metric.Result{Err: s.scrub(fmt.Errorf("datadog: HTTP %d: it redirects, which is not followed because of the keys; correct site or address", a.Status))}
	}
	return metric.Result{Err: s.scrub(msg)}
}

// retryAfter is X-RateLimit-Reset, the seconds until requests are possible again.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseFloat(h.Get("X-RateLimit-Reset"), 64)
	if err != nil || n != n {
		n = 0
	}
	return time.Duration(max(1, min(n, maxRetryAfter.Seconds())) * float64(time.Second))
}

// scrub makes sure that no key is in an error, whoever put it there.
func (s *Source) scrub(err error) error {
	if text := err.Error(); s.hide.Replace(text) != text {
		return errors.New(s.hide.Replace(text)) // breaks the chain, which holds the key
	}
	return err
}
