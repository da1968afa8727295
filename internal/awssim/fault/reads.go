package fault

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxRemembered bounds the answers that a Reads keeps. A read that is not among them is
// answered afresh.
const maxRemembered = 10_000

// Reads puts the faults of reads in front of a service: stale answers and short pages.
type Reads struct {
	service wire.Service
	set     *Set
	now     func() time.Time

	mu      sync.Mutex
	changed time.Time // when the service's newest change took effect
	// answers to reads since the newest change, and those from before it.
	fresh, before map[string]wire.Struct
}

// NewReads wraps a service.
func NewReads(service wire.Service, set *Set, now func() time.Time) *Reads {
	return &Reads{service: service, set: set, now: now, fresh: map[string]wire.Struct{}, before: map[string]wire.Struct{}}
}

// IsRead tells whether an operation of any service changes nothing that others can read.
func IsRead(operation string) bool {
	for _, prefix := range []string{"Describe", "List", "Get", "Test", "Simulate", "Decode", "AssumeRole"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return false
}

// Serve implements wire.Service.
func (s *Reads) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if !IsRead(r.Operation) {
		out, err := s.service.Serve(ctx, r)
		if err == nil {
			s.change()
		}
		return out, err
	}
	key := keyOf(r)
	if rule, ok := s.set.first(StaleRead, r); ok {
		if out, ok := s.stale(key, rule.Duration); ok {
			return out, nil
		}
	}
	asked := r
	if rule, ok := s.set.first(ShortPages, r); ok {
		asked = shortened(r, rule.Count)
	}
	out, err := s.service.Serve(ctx, asked)
	if err == nil {
		s.remember(key, out)
	}
	return out, err
}

// change makes what was answered until now the past. What was not read since the change
// before stays as old as it is.
func (s *Reads) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = s.now()
	maps.Copy(s.before, s.fresh)
	s.fresh = map[string]wire.Struct{}
	if len(s.before) > maxRemembered {
		s.before = map[string]wire.Struct{}
	}
}

func (s *Reads) remember(key string, out wire.Struct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fresh) < maxRemembered {
		s.fresh[key] = out
	}
}

// stale is the answer from before the newest change, within d after it.
func (s *Reads) stale(key string, d time.Duration) (wire.Struct, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, ok := s.before[key]
	return out, ok && s.now().Sub(s.changed) < d
}

func keyOf(r *wire.Request) string {
	params, err := json.Marshal(r.Params)
	if err != nil {
		return r.ID // nothing that a decoder makes fails to marshal; then it is like no other
	}
	return strings.Join([]string{r.AccountID, r.Region, r.Operation, string(params)}, " ")
}

// shortened asks for pages of at most n items, by the name that a service has for it. EC2
// refuses pages together with IDs, so its pages stay as they are.
func shortened(r *wire.Request, n int) *wire.Request {
	member := map[string]string{
		"elasticloadbalancing": "PageSize", "route53": "MaxItems", "eks": "maxResults",
		"tagging": "ResourcesPerPage", "iam": "MaxItems", "monitoring": "MaxDatapoints",
	}[r.Service]
	if member == "" {
		return r
	}
	if had, ok, err := r.Params.Int(member); err != nil || ok && had <= n {
		return r
	}
	out := *r
	out.Params = maps.Clone(r.Params)
	if out.Params == nil {
		out.Params = wire.Params{}
	}
	out.Params[member] = int64(n)
	return &out
}
