package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxLine bounds a line of the calls, in bytes.
const maxLine = 4 * wire.MaxBody

// call is a line of the file calls.jsonl.
type call struct {
	At        time.Time       `json:"at"`
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Account   string          `json:"account"`
	Region    string          `json:"region"`
	Key       string          `json:"key,omitempty"` // the access key's ID
	Params    wire.Params     `json:"params,omitempty"`
	Error     string          `json:"error,omitempty"`  // code of the refusal
	Result    json.RawMessage `json:"result,omitempty"` // what must come out again
}

// Replay serves a call again, as wire.Mux.Replay does.
type Replay func(context.Context, *wire.Request) (wire.Struct, error)

// Restore serves all calls again, each at its own time, and lets the clock go. A last
// line that is torn was never answered, and is cut off.
func (d *Dir) Restore(ctx context.Context, replay Replay) error {
	if d == nil {
		return nil
	}
	whole, err := d.replay(ctx, replay)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.past, d.stands = false, time.Time{}
	if err := d.calls.Truncate(whole); err != nil {
		return fmt.Errorf("cutting off a torn call: %w", err)
	}
	if _, err := d.calls.Seek(whole, io.SeekStart); err != nil {
		return fmt.Errorf("going to the end of the calls: %w", err)
	}
	return nil
}

// replay returns how many bytes of whole lines there are.
func (d *Dir) replay(ctx context.Context, replay Replay) (whole int64, err error) {
	r := bufio.NewReader(d.calls)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil
		case err != nil:
			return whole, fmt.Errorf("reading the calls: %w", err)
		case len(line) > maxLine:
			return whole, fmt.Errorf("%s:%d: the line is longer than %d bytes", d.file("calls.jsonl"), n, maxLine)
		}
		if err := d.again(ctx, line, replay); err != nil {
			return whole, fmt.Errorf("%s:%d: %w; the directory was made by another version, or edited: begin with an empty one", d.file("calls.jsonl"), n, err)
		}
		whole += int64(len(line))
	}
}

// again serves one call, and wants what came out of it then.
func (d *Dir) again(ctx context.Context, line []byte, replay Replay) error {
	tree, err := wire.DecodeJSON(line) // numbers as a request's decoder makes them
	if err != nil {
		return err
	}
	var c call
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	d.stand(c.At)
	out, err := replay(ctx, &wire.Request{
		Service: c.Service, Operation: c.Operation, AccountID: c.Account, Region: c.Region, AccessKeyID: c.Key, Params: tree.Struct("params"),
	})
	if code := codeOf(err); code != c.Error {
		return fmt.Errorf("%s %s ends with %q now, and with %q before", c.Service, c.Operation, code, c.Error)
	}
	now, err := wire.EncodeJSON(out)
	if err != nil {
		return err
	}
	if c.Error == "" && !bytes.Equal(now, c.Result) {
		return fmt.Errorf("%s %s comes out as %s now, and as %s before", c.Service, c.Operation, now, c.Result)
	}
	return nil
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	return "InternalFailure"
}

// Services wraps the services of a lab: their calls go into the directory one by one, in
// the order in which they are served.
func (d *Dir) Services(isRead func(operation string) bool) func(wire.Service) wire.Service {
	if d == nil {
		return func(s wire.Service) wire.Service { return s }
	}
	order := &sync.Mutex{}
	return func(s wire.Service) wire.Service { return &recorded{s, d, order, isRead} }
}

type recorded struct {
	service wire.Service
	dir     *Dir
	order   *sync.Mutex
	isRead  func(string) bool
}

// Serve implements wire.Service.
func (s *recorded) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if s.isRead(r.Operation) || !s.dir.live() {
		return s.service.Serve(ctx, r)
	}
	s.order.Lock()
	defer s.order.Unlock()
	at := s.dir.Now().UTC().Round(0)
	s.dir.stand(at) // so that what a call says about times comes out again
	defer s.dir.stand(time.Time{})
	out, err := s.service.Serve(ctx, r)
	if werr := s.dir.record(at, r, out, err); werr != nil {
		return nil, werr
	}
	return out, err
}

// live tells whether calls are new, not served again.
func (d *Dir) live() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.past
}

// record appends a call. Refused calls are kept too: some of them use up identifiers.
func (d *Dir) record(at time.Time, r *wire.Request, out wire.Struct, err error) error {
	c := call{
		At: at.UTC(), Service: r.Service, Operation: r.Operation, Account: r.AccountID, Region: r.Region, Key: r.AccessKeyID,
		Params: r.Params, Error: codeOf(err),
	}
	if err == nil {
		result, err := wire.EncodeJSON(out)
		if err != nil {
			return fmt.Errorf("keeping a call: %w", err)
		}
		c.Result = result
	}
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("keeping a call: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.calls.Write(append(line, '\n')); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("keeping a call: %w", err)
	}
	return nil
}
