package lawtest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"
)

// Recorder is the proxy between the clients and the simulator. It passes everything on
// as it is and keeps a decoded copy, in the order of the answers.
type Recorder struct {
	next http.Handler

	mu    sync.Mutex
	trace []Exchange
	err   error // of the first exchange that could not be decoded
}

// NewRecorder records what goes to next.
func NewRecorder(next http.Handler) *Recorder { return &Recorder{next: next} }

// Trace is everything since the last Forget.
func (r *Recorder) Trace() ([]Exchange, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Exchange(nil), r.trace...), r.err
}

// Forget begins a new trace.
func (r *Recorder) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace = nil
}

// ServeHTTP passes one call on. The exchange is kept before the client hears of it, so
// that a caller's exchanges are in the order in which it knew of them.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away before it had said everything
	}
	x, err := decodeRequest(req, body)
	x.Begun = time.Now()
	req.Body = io.NopCloser(bytes.NewReader(body))
	out := &answer{header: http.Header{}, status: http.StatusOK}
	defer func() {
		gone := recover()
		x.Done = time.Now()
		if gone == nil && err == nil {
			err = x.decodeAnswer(out.status, out.header.Get("Content-Type"), out.body.Bytes())
		}
		r.keep(x, err)
		if gone != nil {
			panic(gone) // http.ErrAbortHandler: the connection is closed unanswered
		}
		out.send(w)
	}()
	r.next.ServeHTTP(out, req)
}

func (r *Recorder) keep(x Exchange, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trace = append(r.trace, x)
	if r.err == nil {
		r.err = err
	}
}

// answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) response(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client is gone: nobody to tell
}
