// Package wiretest is what tests of simulated services, and of their clients, share: ways
// to reach a service, and to look at its answers.
package wiretest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Serve services on a real listener until the test ends, and return its URL.
func Serve(t testing.TB, cfg wire.Config, services ...wire.Registration) string {
	t.Helper()
	mux := wire.NewMux(cfg)
	for _, s := range services {
		mux.Register(s)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// Direct is an HTTP client, as the SDK takes them, whose requests go to a handler without
// a network.
type Direct struct{ http.Handler }

// Do calls the handler. One that aborts is a connection that is cut.
func (d Direct) Do(r *http.Request) (resp *http.Response, err error) {
	w := &answer{header: http.Header{}, status: http.StatusOK}
	defer func() {
		if cut := recover(); cut == http.ErrAbortHandler { //nolint:errorlint // net/http compares so
			err = io.ErrUnexpectedEOF
		} else if cut != nil {
			panic(cut)
		}
	}()
	d.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())), Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(s int)           { w.status = s }
func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

// Must returns what a call did, unless it failed: Must(client.Call(ctx, in))(t).
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Code of an error, as a service makes it or as the SDK reads it; "" for any other.
func Code(err error) string {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// Refused wants an error with a code and a part of its message.
func Refused(t testing.TB, err error, code, message string) {
	t.Helper()
	if err == nil || Code(err) != code || !strings.Contains(err.Error(), message) {
		t.Errorf("got %v\nwant %s: …%s…", err, code, message)
	}
}

// Params as the decoders of the query protocol and of XML make them, where every value is
// text, from nested maps and lists.
func Params(members map[string]any) wire.Params {
	out := wire.Params{}
	for name, v := range members {
		out[name] = param(v)
	}
	return out
}

func param(v any) any {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case map[string]any:
		return Params(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = param(x)
		}
		return out
	}
	return v
}

// At follows a path such as "Rules.0.Priority" through an answer; nil: not there.
func At(v any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case wire.Struct:
			i := slices.IndexFunc(x, func(m wire.Member) bool { return m.Name == step })
			if i < 0 {
				return nil
			}
			v = x[i].Value
		case wire.List:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Text at a path of an answer.
func Text(t testing.TB, v any, path string) string {
	t.Helper()
	s, ok := At(v, path).(string)
	if !ok {
		t.Fatalf("no text at %s of %v", path, v)
	}
	return s
}

// Clock is a time that tests move.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock starts at a time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add lets time pass.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
