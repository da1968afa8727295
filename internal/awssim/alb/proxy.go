package alb

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/health"
)

type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// connectError says that no connection to a target came about: it never saw the request.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// exchange is one request on its way to a target and back.
type exchange struct {
	table    *table
	member   *member
	target   *target
	failOpen bool
	sticky   time.Duration // 0: set no cookie
	traceID  [12]byte
	sent     time.Time
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	ex, _ := ctx.Value(exchangeKey{}).(*exchange)
	return ex
}

// proxy sends a load balancer's requests to targets.
type proxy struct {
	httputil.ReverseProxy
	transport *http.Transport
	cookies   *cookies
	xffMode   string // append | preserve | remove
}

// settings of a proxy; one with others needs a new proxy.
type proxySettings struct {
	idleTimeout time.Duration
	xffMode     string
}

func (p *DataPlane) newProxy(b *balancer, s proxySettings) *proxy {
	x := &proxy{cookies: p.cookies, xffMode: s.xffMode}
	x.transport = &http.Transport{
		DialContext:           p.targetDialer(b),
		MaxIdleConnsPerHost:   1024,
		IdleConnTimeout:       s.idleTimeout,
		ResponseHeaderTimeout: s.idleTimeout,
		DisableCompression:    true,
		WriteBufferSize:       8 << 10,
		ReadBufferSize:        8 << 10,
	}
	x.ReverseProxy = httputil.ReverseProxy{
		Rewrite:        x.rewrite,
		Transport:      x.transport,
		ModifyResponse: x.received,
		ErrorHandler:   x.failed,
		BufferPool:     &p.buffers,
		ErrorLog:       slog.NewLogLogger(p.cfg.Logger.Handler(), slog.LevelDebug),
	}
	return x
}

// connectTimeout of connections to targets, as AWS has it.
const connectTimeout = 10 * time.Second

// targetDialer limits the time to connect and marks failures as connectError.
func (p *DataPlane) targetDialer(b *balancer) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		c, err := p.cfg.Dial(ctx, network, addr)
		if err != nil {
			return nil, &connectError{err}
		}
		b.stats.newConnections.Add(1)
		return c, nil
	}
}

// rewrite makes the request that the target gets: the client's, with the headers that
// an ALB adds. ReverseProxy has removed the hop-by-hop headers.
func (x *proxy) rewrite(r *httputil.ProxyRequest) {
	ex := exchangeOf(r.In.Context())
	out := r.Out
	out.URL.Scheme = "http"
	out.URL.Host = ex.target.Addr()
	out.URL.RawQuery = r.In.URL.RawQuery // ReverseProxy drops what it cannot parse, an ALB does not
	for _, name := range []string{"Forwarded", "X-Forwarded-Host"} {
		if v, ok := r.In.Header[name]; ok {
			out.Header[name] = v
		}
	}
	prior := r.In.Header["X-Forwarded-For"]
	switch x.xffMode {
	case "remove":
	case "preserve":
		if len(prior) > 0 {
			out.Header["X-Forwarded-For"] = prior
		}
	default:
		client, _, err := net.SplitHostPort(r.In.RemoteAddr)
		if err != nil {
			client = r.In.RemoteAddr
		}
		if len(prior) > 0 {
			client = strings.Join(prior, ", ") + ", " + client
		}
		out.Header["X-Forwarded-For"] = []string{client}
	}
	out.Header["X-Forwarded-Proto"] = []string{ex.table.scheme}
	out.Header["X-Forwarded-Port"] = []string{ex.table.port}
	out.Header["X-Amzn-Trace-Id"] = []string{traceHeader(r.In.Header.Get("X-Amzn-Trace-Id"), ex)}
	sendOnce(out)
	ex.sent = time.Now()
}

// traceHeader is a new Root, or the given one with a Self field of this hop before it.
func traceHeader(given string, ex *exchange) string {
	id := make([]byte, 0, 36)
	id = append(id, "1-"...)
	id = strconv.AppendInt(id, time.Now().Unix(), 16) // 8 digits until 2106
	id = append(id, '-')
	id = hex.AppendEncode(id, ex.traceID[:])
	if given == "" {
		return "Root=" + string(id)
	}
	kept := []string{"Self=" + string(id)}
	for part := range strings.SplitSeq(given, ";") {
		if part = strings.TrimSpace(part); part != "" && !strings.HasPrefix(part, "Self=") {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ";")
}

// noBody is an empty body that net/http does not know to be one.
type noBody struct{}

func (noBody) Read([]byte) (int, error) { return 0, io.EOF }
func (noBody) Close() error             { return nil }

// sendOnce keeps http.Transport from sending a request a second time, which it does
// when a kept-alive connection ends before the answer and the request is "replayable":
// it has no body, and either an idempotent method (GET, HEAD, OPTIONS, TRACE) or an
// Idempotency-Key. A target that died over the first one would be hit twice, and the
// counters would not add up. So requests with an idempotent method get a body that
// cannot be replayed, which goes out as no body at all, and the keys a spelling that
// Transport does not look for (names of headers are case-insensitive). TRACE never
// gets here. What may be left is Transport's retry of an empty POST or DELETE of which
// not one byte was written.
func sendOnce(out *http.Request) {
	switch out.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if out.Body == nil || out.Body == http.NoBody {
			out.Body = noBody{}
		}
	}
	out.GetBody = nil
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if v, ok := out.Header[name]; ok {
			delete(out.Header, name)
			out.Header[strings.ToLower(name)] = v
		}
	}
}

// received is called with the head of a target's answer.
func (x *proxy) received(resp *http.Response) error {
	ex := exchangeOf(resp.Request.Context())
	now := time.Now()
	ex.member.stats.answered(resp.StatusCode, now.Sub(ex.sent), ex.failOpen)
	if ex.sticky > 0 && resp.StatusCode != http.StatusSwitchingProtocols {
		set := x.cookies.set(ex.member.group.ARN(), ex.sticky, ex.table.scheme == "https", now)
		resp.Header["Set-Cookie"] = append(resp.Header["Set-Cookie"], set[0], set[1])
	}
	return nil
}

// statusClientClosed is what ALB access logs say when the client closed the
// connection before the answer.
const statusClientClosed = 460

// failed is called when no answer came from the target.
func (x *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	ex := exchangeOf(r.Context())
	b := ex.table.balancer
	_, connection := errors.AsType[*connectError](err)
	ex.member.stats.failed(connection, ex.failOpen)
	if connection {
		ex.target.Data.connectionErrors.Add(1)
	}
	switch {
	case r.Context().Err() != nil:
		b.stats.generated(statusClientClosed)
		panic(http.ErrAbortHandler)
	case health.IsTimeout(err):
		fail(w, b, http.StatusGatewayTimeout)
	default:
		fail(w, b, http.StatusBadGateway)
	}
}

// buffers is the pool for bodies on their way through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if v, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return v[:]
	}
	return new([bufferSize]byte)[:]
}

func (b *buffers) Put(p []byte) {
	if len(p) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(p))
	}
}
