package wire

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	Served   bool   // the service was asked
	Effect   bool   // and it did not refuse
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

	// VerifySignatures refuses calls that are not signed with the secret that Secret has
	// for their access key, or not now, save those for which Unsigned is true: AWS takes
	// a few of them without a signature, e.g. AssumeRoleWithWebIdentity.
	VerifySignatures bool
	Secret           func(accessKeyID string) (secret string, ok bool)
	Unsigned         func(r *Request) bool // asked with Service and Operation; nil: never

	// Authorize refuses what a caller may not do, by an *Error. It is asked after Check
	// and before the hooks. nil: everybody may do everything.
	Authorize func(ctx context.Context, r *Request) error
}

// Registration tells how calls for a service are recognised.
type Registration struct {
	Name         string            // SigV4 signing name, e.g. monitoring
	Version      string            // API version of the query protocol, e.g. 2010-08-01
	EC2          bool              // the query protocol is EC2's flavour
	Namespace    string            // xmlns of XML answers
	TargetPrefix string            // of X-Amz-Target and the CBOR path; "" for query only
	Shapes       map[string]string // error code → shape name for JSON and CBOR, where they differ
	Routes       []Route           // operations of a REST service
	RESTJSON     bool              // Routes speak JSON rather than XML
	// ListNames are the elements of lists in XML, by the list's name, e.g. Changes:
	// Change. Any other list of an answer has "member", EC2's have "item"; any other
	// element of a REST XML body is no list.
	ListNames map[string]string
	Service   Service
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
	if cfg.Authorize == nil {
		cfg.Authorize = func(context.Context, *Request) error { return nil }
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
		err = m.call(hr.Context(), &c, reg)
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

// call runs the hooks and the service, and notes in c what they did.
func (m *Mux) call(ctx context.Context, c *Call, reg *Registration) error {
	if err := m.cfg.Authorize(ctx, c.Request); err != nil {
		return err
	}
	for _, hook := range m.cfg.Hooks {
		if err := hook(ctx, c.Request, Before); err != nil {
			return err
		}
	}
	var err error
	c.Result, err = reg.Service.Serve(ctx, c.Request)
	c.Served, c.Effect = true, err == nil
	for _, hook := range m.cfg.Hooks {
		if herr := hook(ctx, c.Request, After); herr != nil {
			return herr
		}
	}
	return err
}

// Replay asks the service that r.Service names, as if r had come in again: no check, no
// hook and no observer sees it, and r.HTTP may be nil.
func (m *Mux) Replay(ctx context.Context, r *Request) (Struct, error) {
	reg := m.find(func(reg *Registration) bool { return reg.Name == r.Service })
	if reg == nil {
		return nil, fmt.Errorf("replaying %s: service %q is not registered", r.Operation, r.Service)
	}
	res, err := reg.Service.Serve(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("replaying %s %s: %w", r.Service, r.Operation, err)
	}
	return res, nil
}

// answer encodes a result or an error. Status 0 means: close the connection.
func (m *Mux) answer(h http.Header, req *Request, reg *Registration, res Struct, err error) (int, string, []byte) {
	if err == nil {
		body, encErr := encodeResult(h, req, reg, res)
		if encErr == nil {
			return status(req), "", body
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
	refused := e.Status
	if refused == 0 {
		refused = http.StatusBadRequest
	}
	return refused, e.Code, encodeError(h, req, reg, e)
}

// status of a call that succeeded.
func status(req *Request) int {
	if req.route != nil && req.route.Status != 0 {
		return req.route.Status
	}
	return http.StatusOK
}

func requestID(n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[8:], n)
	b[6], b[8] = 0x40, b[8]&0x3f|0x80 // reads as a version 4 UUID
	s := hex.EncodeToString(b[:])
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}
