package wire

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// MaxBody bounds a request's body, both as sent and decompressed, in bytes. AWS's own
// largest limit among the simulated operations is PutMetricData's 1 MB.
const MaxBody = 4 << 20

// DefaultAccountID is the caller's account where nothing else is known.
const DefaultAccountID = "000000000000"

// ErrDrop is returned by a Hook to close the connection without an answer.
var ErrDrop = errors.New("connection dropped")

// Phase of a call, as a Hook sees it.
type Phase int

// Before and After the effect of a call. After comes before the answer is sent.
const (
	Before Phase = iota
	After
)

func (p Phase) String() string {
	if p == Before {
		return "before"
	}
	return "after"
}

// Hook is called around the effect of every decoded call. An *Error is answered
// instead of the result, ErrDrop closes the connection; Before, either of them keeps
// the effect from taking place. After is called even when the service refused.
type Hook func(ctx context.Context, r *Request, p Phase) error

// Call is what became of one API call.
type Call struct {
	Request  *Request
	Start    time.Time
	Duration time.Duration
	Status   int    // HTTP status; 0: the connection was dropped
	Error    string // the error code; "" for success, "Dropped" for no answer
	Effect   bool   // the service was called and did not refuse
	Result   Struct // the service's result, even when a Hook withheld it
}

// Config of a Mux. The zero value serves us-east-1.
type Config struct {
	Region  string                                // of unsigned requests; default us-east-1
	Resolve func(accessKeyID string) string       // account of a caller; default DefaultAccountID
	Check   func(accessKeyID, token string) error // refuses credentials, e.g. expired ones, by an *Error
	Hooks   []Hook                                // called in order; the first error wins
	Observe func(Call)                            // called once per decoded call, before its answer is sent
	Logger  *slog.Logger                          // default: discards
	Now     func() time.Time                      // default time.Now
}

// Registration tells how calls for a service are recognised.
type Registration struct {
	Name         string            // SigV4 signing name, e.g. monitoring
	Version      string            // API version of the query protocol, e.g. 2010-08-01
	Namespace    string            // xmlns of query answers
	TargetPrefix string            // of X-Amz-Target and the CBOR path; "" for query only
	Shapes       map[string]string // error code → shape name for JSON and CBOR, where they differ
	Service      Service
}

// Mux routes API calls to services. Register everything before serving.
type Mux struct {
	cfg      Config
	services []*Registration
	seq      atomic.Uint64 // numbers calls
}

// NewMux returns a Mux without services.
func NewMux(cfg Config) *Mux {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Resolve == nil {
		cfg.Resolve = func(string) string { return DefaultAccountID }
	}
	if cfg.Check == nil {
		cfg.Check = func(string, string) error { return nil }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Call) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Mux{cfg: cfg}
}

// Register adds a service.
func (m *Mux) Register(r Registration) { m.services = append(m.services, &r) }

// NotSimulated is the answer for what the simulator does not do. Its HTTP status is
// 400, which AWS SDKs do not retry.
func NotSimulated(service, operation string) *Error {
	return Errorf("NotSimulated", "%s %s is not simulated; docs/lab.md lists what is", service, operation)
}

// ServeHTTP answers one API call.
func (m *Mux) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	start := m.cfg.Now()
	seq := m.seq.Add(1)
	id := requestID(seq)
	h := w.Header()
	h.Set("X-Amzn-Requestid", id)
	h.Set("Date", start.UTC().Format(http.TimeFormat)) // SDKs correct their clocks by it

	req, reg, err := m.decode(hr)
	req.ID, req.Seq = id, seq
	c := Call{Request: req, Start: start}
	if err == nil {
		c.Result, c.Effect, err = m.call(hr.Context(), req, reg)
	}
	var body []byte
	c.Status, c.Error, body = m.answer(h, req, reg, c.Result, err)
	c.Duration = m.cfg.Now().Sub(start)
	m.cfg.Observe(c)
	if c.Status == 0 {
		panic(http.ErrAbortHandler) // net/http's way to close a connection unanswered
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(c.Status)
	_, _ = w.Write(body) // the client is gone: nobody to tell
}

// call runs the hooks and the service.
func (m *Mux) call(ctx context.Context, req *Request, reg *Registration) (Struct, bool, error) {
	for _, hook := range m.cfg.Hooks {
		if err := hook(ctx, req, Before); err != nil {
			return nil, false, err
		}
	}
	res, err := reg.Service.Serve(ctx, req)
	effect := err == nil
	for _, hook := range m.cfg.Hooks {
		if herr := hook(ctx, req, After); herr != nil {
			return res, effect, herr
		}
	}
	return res, effect, err
}

// answer encodes a result or an error. Status 0 means: close the connection.
func (m *Mux) answer(h http.Header, req *Request, reg *Registration, res Struct, err error) (int, string, []byte) {
	if err == nil {
		body, encErr := encodeResult(h, req, reg, res)
		if encErr == nil {
			return http.StatusOK, "", body
		}
		err = encErr
	}
	if errors.Is(err, ErrDrop) {
		return 0, "Dropped", nil
	}
	log := m.cfg.Logger.With("service", req.Service, "operation", req.Operation)
	var e *Error
	if !errors.As(err, &e) {
		log.Error("internal failure of the simulator", "error", err)
		e = &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError, Fault: "Receiver"}
	}
	if e.Code == "NotSimulated" {
		log.Error("NOT SIMULATED: a client asked for what the simulator does not have", "message", e.Message)
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	return status, e.Code, encodeError(h, req, reg, e)
}

func requestID(n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], n)
	b[6], b[8] = 0x40, b[8]&0x3f|0x80 // reads as a version 4 UUID
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// decode reads a call and finds its service. The Request is never nil, so that an
// error can be answered in the caller's protocol; the Registration may be.
func (m *Mux) decode(hr *http.Request) (*Request, *Registration, error) {
	req := &Request{HTTP: hr, Params: Params{}, Region: m.cfg.Region, AccountID: DefaultAccountID, Protocol: protocolOf(hr)}
	scope, err := scopeOf(hr)
	if err != nil {
		return req, nil, err
	}
	req.Service = scope.service
	if scope.accessKeyID != "" {
		req.Region, req.AccessKeyID = scope.region, scope.accessKeyID
	}
	body, err := readBody(hr)
	if err != nil {
		return req, nil, err
	}
	reg, err := m.route(hr, req, body)
	if err != nil {
		return req, reg, err
	}
	if err := m.cfg.Check(scope.accessKeyID, scope.token); err != nil {
		return req, reg, err
	}
	if account := m.cfg.Resolve(scope.accessKeyID); account != "" {
		req.AccountID = account
	}
	return req, reg, nil
}

// route fills in Service, Operation and Params.
func (m *Mux) route(hr *http.Request, req *Request, body []byte) (reg *Registration, err error) {
	switch {
	case req.Protocol == CBOR:
		prefix, op, _ := strings.Cut(strings.TrimPrefix(hr.URL.Path, cborPath), "/operation/")
		reg, req.Operation = m.byTarget(prefix), strings.TrimSuffix(op, "/")
		if reg == nil {
			return nil, NotSimulated(known(req.Service, prefix), req.Operation)
		}
		req.Service = reg.Name
		req.Params, err = DecodeCBOR(body)
	case req.Protocol == JSON:
		target := hr.Header.Get("X-Amz-Target")
		prefix, op, _ := strings.Cut(target, ".")
		reg, req.Operation = m.byTarget(prefix), op
		if reg == nil {
			return nil, NotSimulated(known(req.Service, prefix), known(op, target))
		}
		req.Service = reg.Name
		req.Params, err = DecodeJSON(body)
	case hr.URL.Path != "/" && hr.URL.Path != "":
		req.Operation = hr.Method + " " + hr.URL.Path
		return nil, NotSimulated(known(req.Service, "unknown service"), req.Operation)
	default:
		return m.routeQuery(hr, req, body)
	}
	return reg, err
}

func (m *Mux) routeQuery(hr *http.Request, req *Request, body []byte) (*Registration, error) {
	form, err := queryForm(hr, body)
	if err != nil {
		return nil, err
	}
	req.Operation = form.Get("Action")
	version := form.Get("Version")
	reg := m.byVersion(version, req.Service)
	switch {
	case req.Operation == "":
		return reg, Errorf("MissingAction", "the request has no Action parameter")
	case reg == nil && version != "":
		return nil, NotSimulated(known(req.Service, "unknown service")+" (API version "+version+")", req.Operation)
	case reg == nil:
		return nil, NotSimulated(known(req.Service, "unknown service"), req.Operation)
	}
	req.Service = reg.Name
	req.Params, err = ParseForm(form)
	return reg, err
}

func (m *Mux) byTarget(prefix string) *Registration {
	return m.find(func(r *Registration) bool { return prefix != "" && r.TargetPrefix == prefix })
}

// byVersion finds a service by its API version, or by the signing name in the
// credential scope when the request names no version.
func (m *Mux) byVersion(version, name string) *Registration {
	return m.find(func(r *Registration) bool {
		if version != "" {
			return r.Version == version && (name == "" || name == r.Name)
		}
		return r.Name == name
	})
}

func (m *Mux) find(ok func(*Registration) bool) *Registration {
	if i := slices.IndexFunc(m.services, ok); i >= 0 {
		return m.services[i]
	}
	return nil
}

// known is name, or else instead.
func known(name, instead string) string {
	if name == "" {
		return instead
	}
	return name
}
