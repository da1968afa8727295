package awssim

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxCalls is how many calls a CallLog remembers; about 30 MB at worst.
const maxCalls = 100_000

// CallEntry is one API call, as the log has it.
type CallEntry struct {
	Seq        uint64    `json:"seq"` // the order of arrival; the log itself is in the order of answering
	Time       time.Time `json:"time"`
	Service    string    `json:"service"`
	Operation  string    `json:"operation"`
	Region     string    `json:"region"`
	Account    string    `json:"account"`
	Status     int       `json:"status"`          // HTTP status; 0: the connection was closed unanswered
	Error      string    `json:"error,omitempty"` // error code; Dropped where nothing was answered
	Effect     bool      `json:"effect"`          // the call was carried out, whatever the client was told
	DurationMS float64   `json:"durationMs"`
	// Weights that a call asked for: in a forward action, by target group ARN, where a
	// group without a weight counts as 1, as AWS has it; in a change of Route 53, by name,
	// type and set identifier, such as "www.example.com A blue".
	Weights map[string]int `json:"weights,omitempty"`
}

// CallLog remembers the latest API calls.
type CallLog struct {
	mu      sync.Mutex
	entries []CallEntry
	dropped int           // entries forgotten so far
	changed chan struct{} // closed at the next entry
}

func newCallLog() *CallLog { return &CallLog{changed: make(chan struct{})} }

// observe is the wire.Mux's observer.
func (l *CallLog) observe(c wire.Call) {
	e := CallEntry{
		Seq: c.Request.Seq, Time: c.Start.UTC(), Service: c.Request.Service, Operation: c.Request.Operation,
		Region: c.Request.Region, Account: c.Request.AccountID, Status: c.Status, Error: c.Error, Effect: c.Effect,
		DurationMS: float64(c.Duration.Microseconds()) / 1e3, Weights: weightsOf(c.Request),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
	if n := len(l.entries) - maxCalls; n >= maxCalls/4 { // seldom, so that the copying does not show
		l.entries = append([]CallEntry(nil), l.entries[n:]...)
		l.dropped += n
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// Since returns the calls from position pos on, and the position after them. The first
// call is at 0. What is forgotten is left out.
func (l *CallLog) Since(pos int) (entries []CallEntry, next int) {
	entries, next, _ = l.since(pos)
	return entries, next
}

func (l *CallLog) since(pos int) ([]CallEntry, int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.dropped + len(l.entries)
	i := min(max(pos-l.dropped, len(l.entries)-maxCalls, 0), len(l.entries))
	return append([]CallEntry(nil), l.entries[i:]...), end, l.changed
}

// Wait is Since, but waits until there is at least one call, or ctx is done.
func (l *CallLog) Wait(ctx context.Context, pos int) (entries []CallEntry, next int, err error) {
	for {
		entries, next, changed := l.since(pos)
		if len(entries) > 0 {
			return entries, next, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, next, ctx.Err()
		}
	}
}

// weightsOf reads the weights that a call writes; nil when it writes none.
func weightsOf(r *wire.Request) map[string]int {
	switch r.Operation {
	case "CreateRule", "ModifyRule":
		return forwardWeights(r.Params.List("Actions"))
	case "CreateListener", "ModifyListener":
		return forwardWeights(r.Params.List("DefaultActions"))
	case "ChangeResourceRecordSets":
		return recordWeights(r.Params.Struct("ChangeBatch").List("Changes"))
	}
	return nil
}

func forwardWeights(actions []wire.Params) map[string]int {
	for _, a := range actions {
		if a.Str("Type") != "forward" {
			continue
		}
		w := map[string]int{}
		for _, g := range a.Struct("ForwardConfig").List("TargetGroups") {
			n, ok, err := g.Int("Weight")
			if !ok || err != nil {
				n = 1
			}
			w[g.Str("TargetGroupArn")] = n
		}
		if arn := a.Str("TargetGroupArn"); arn != "" && len(w) == 0 {
			w[arn] = 1
		}
		return w
	}
	return nil
}

// recordWeights leaves out what is deleted, and records without a weight.
func recordWeights(changes []wire.Params) map[string]int {
	var w map[string]int
	for _, c := range changes {
		record := c.Struct("ResourceRecordSet")
		n, ok, err := record.Int("Weight")
		if !ok || err != nil || c.Str("Action") == "DELETE" {
			continue
		}
		if w == nil {
			w = map[string]int{}
		}
		name := strings.ToLower(strings.TrimSuffix(record.Str("Name"), "."))
		w[name+" "+record.Str("Type")+" "+record.Str("SetIdentifier")] = n
	}
	return w
}
