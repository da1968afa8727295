// Package fault holds the faults that are injected into a lab: API calls that are
// throttled, refused, delayed, cut off before or after their effect, and settings of
// the data plane and its metrics. It decides which call is hit; what a data-plane
// fault does is up to the packages that ask for it.
package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Target is what is wrong with the targets of a target group.
type Target struct {
	FailRate float64 // share of requests answered 500, 0–1
	Latency  time.Duration
	SlowRate float64 // share of the answers that are Latency late, 0–1; 0: all
}

// Config of a Set.
type Config struct {
	Seed uint64 // of the probabilities
	// Check refuses rules that are well-formed but cannot be carried out; nil: none.
	Check func(Rule) error
	// Targets is called with all faults of targets, by target group name, after each
	// change of them. It must not call back into the Set. nil: nobody to tell.
	Targets func(map[string]Target)
	// Lose is called with the number of requests to lose from now on, 0 to stop, after
	// a fault of that kind came or went. nil: nobody to tell.
	Lose func(n int)
}

// Status is a rule and what it has done.
type Status struct {
	Rule Rule `json:"fault"`
	Seen int  `json:"seen"` // calls that matched
	Hit  int  `json:"hit"`  // of these, calls that were hit
}

// Set is the faults that are in force. Its methods may be called concurrently.
type Set struct {
	cfg Config

	mu         sync.Mutex
	next       int
	rules      []*active
	intercepts map[int]wire.Hook
}

type active struct {
	Status

	rand *rand.Rand
}

// NewSet returns an empty Set.
func NewSet(cfg Config) *Set {
	return &Set{cfg: cfg, intercepts: map[int]wire.Hook{}}
}

// Add puts a rule in force and returns its id.
func (s *Set) Add(r Rule) (id string, err error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	if s.cfg.Check != nil {
		if err := s.cfg.Check(r); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	r.ID = "fault-" + strconv.Itoa(s.next)
	//nolint:gosec // G404, G115: equal seeds must give equal faults; next is positive
	s.rules = append(s.rules, &active{Status: Status{Rule: r}, rand: rand.New(rand.NewPCG(s.cfg.Seed, uint64(s.next)))})
	s.tell(r)
	return r.ID, nil
}

// Remove ends one rule.
func (s *Set) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(a *active) bool { return a.Rule.ID == id })
	if i < 0 {
		return fmt.Errorf("fault %q is not there", id)
	}
	gone := s.rules[i].Rule
	s.rules = slices.Delete(s.rules, i, i+1)
	gone.Count = 0
	s.tell(gone)
	return nil
}

// Clear ends all rules. Intercepts stay.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.rules
	s.rules = nil
	for _, a := range gone {
		a.Rule.Count = 0
		s.tell(a.Rule)
	}
}

// tell hands on the settings that a change of r concerns. The caller holds s.mu.
func (s *Set) tell(r Rule) {
	switch {
	case r.Kind == TargetFailure && s.cfg.Targets != nil:
		all := map[string]Target{}
		for _, a := range s.rules {
			if a.Rule.Kind == TargetFailure {
				all[a.Rule.TargetGroup] = Target{FailRate: a.Rule.FailRate, Latency: a.Rule.Latency, SlowRate: a.Rule.SlowRate}
			}
		}
		s.cfg.Targets(all)
	case r.Kind == Lose && s.cfg.Lose != nil:
		s.cfg.Lose(r.Count)
	}
}

// List returns the rules in the order of their adding.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.rules))
	for _, a := range s.rules {
		out = append(out, a.Status)
	}
	return out
}

// Intercept calls h around every call until remove is called, before the rules are
// looked at. A test can stop the world in h, at a call of its choice: r.Seq numbers
// them.
func (s *Set) Intercept(h wire.Hook) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	n := s.next
	s.intercepts[n] = h
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.intercepts, n)
	}
}

// Hook is the wire.Hook that injects the faults of API calls.
func (s *Set) Hook(ctx context.Context, r *wire.Request, p wire.Phase) error {
	for _, h := range s.interceptors() {
		if err := h(ctx, r, p); err != nil {
			return err
		}
	}
	for _, rule := range s.hits(r, p) {
		if rule.Kind != Latency {
			return answer(rule, r)
		}
		if err := sleep(ctx, rule.Duration); err != nil {
			return wire.ErrDrop // the client gave up waiting; there is nobody to answer
		}
	}
	return nil
}

// interceptors returns the intercepts in the order of their adding.
func (s *Set) interceptors() []wire.Hook {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int
	for n := range s.intercepts {
		ids = append(ids, n)
	}
	slices.Sort(ids)
	var out []wire.Hook
	for _, n := range ids {
		out = append(out, s.intercepts[n])
	}
	return out
}

// hits counts a call on all rules for its phase, and returns those that hit it: all
// latencies first, then at most one that ends the call. Rules after the one that ends
// the call do not see it.
func (s *Set) hits(r *wire.Request, p wire.Phase) []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Rule
	for _, a := range s.rules {
		if phaseOf(a.Rule.Kind) != int(p) || !a.Rule.matches(r) || !a.hit() {
			continue
		}
		out = append(out, a.Rule)
		if a.Rule.Kind != Latency {
			break
		}
	}
	return out
}

// phaseOf is the phase in which a kind ends or delays a call, -1 for the other kinds.
func phaseOf(k Kind) int {
	switch k {
	case Throttle, ErrorBefore, AccessDenied, ExpiredToken, Refusal, Latency, DropBefore:
		return int(wire.Before)
	case ErrorAfter, DropAfter:
		return int(wire.After)
	default:
		return -1
	}
}

// hit counts a matching call and tells whether it is hit.
func (a *active) hit() bool {
	a.Seen++
	switch {
	case a.Seen <= a.Rule.Skip, a.Rule.Times > 0 && a.Hit >= a.Rule.Times:
		return false
	case a.Rule.Probability != nil && a.rand.Float64() >= *a.Rule.Probability:
		return false
	}
	a.Hit++
	return true
}

func (r Rule) matches(req *wire.Request) bool {
	return (match(r.Service, req.Service) || match(r.Service, alias(req.Service))) && match(r.Operation, req.Operation)
}

// match takes an empty glob for any. The glob is known to be well-formed.
func match(glob, s string) bool {
	ok, _ := path.Match(glob, s)
	return glob == "" || ok
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WeightsDelay is by how much changes reach the data plane late.
func (s *Set) WeightsDelay() time.Duration { return s.longest(WeightsDelay) }

// MetricDelay is by how much later than otherwise metric data can be read.
func (s *Set) MetricDelay() time.Duration { return s.longest(MetricDelay) }

func (s *Set) longest(k Kind) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var d time.Duration
	for _, a := range s.rules {
		if a.Rule.Kind == k {
			d = max(d, a.Rule.Duration)
		}
	}
	return d
}

// PropagationDelay is how much longer than otherwise Route 53 changes are PENDING.
func (s *Set) PropagationDelay() time.Duration { return s.longest(PropagationDelay) }

// IndexLag is by how much later than otherwise the tagging service sees changes.
func (s *Set) IndexLag() time.Duration { return s.longest(IndexLag) }

// ClusterDelay is how much longer than otherwise EKS clusters take to change.
func (s *Set) ClusterDelay() time.Duration { return s.longest(ClusterDelay) }

// MetricMissing tells whether a metric loses its data.
func (s *Set) MetricMissing(name string) bool { return s.named(MetricMissing, name) }

// Unhealthy tells whether a Route 53 health check fails.
func (s *Set) Unhealthy(id string) bool { return s.named(HealthCheck, id) }

// ClusterFails tells whether an EKS cluster of that name ends FAILED.
func (s *Set) ClusterFails(name string) bool { return s.named(ClusterFailure, name) }

func (s *Set) named(k Kind, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.rules, func(a *active) bool { return a.Rule.Kind == k && match(a.Rule.Name, name) })
}

// first counts a call on the rules of a kind, and returns the first that hits it.
func (s *Set) first(k Kind, r *wire.Request) (Rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.rules {
		if a.Rule.Kind == k && a.Rule.matches(r) && a.hit() {
			return a.Rule, true
		}
	}
	return Rule{}, false
}
