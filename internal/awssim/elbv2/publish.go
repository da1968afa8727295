package elbv2

import (
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// publisher holds the snapshots that the data plane has not been given yet. It is
// guarded by the Service's lock, which also keeps Apply calls in order.
type publisher struct {
	queue []pending // the first one holds back the others, even when they are due
}

type pending struct {
	due    time.Time
	config model.Config
}

// publish hands the present state to the data plane, at once or after WeightsDelay.
// The caller holds s.mu.
func (s *Service) publish() {
	if s.cfg.DataPlane == nil || s.timers.isClosed() {
		return
	}
	now := time.Now()
	due := now
	if s.cfg.WeightsDelay != nil {
		due = now.Add(max(0, s.cfg.WeightsDelay()))
	}
	s.out.queue = append(s.out.queue, pending{due, s.snapshot()})
	if due.After(now) {
		s.timers.after(due.Sub(now), s.flush)
		return
	}
	s.flushLocked(now)
}

func (s *Service) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushLocked(time.Now())
}

func (s *Service) flushLocked(now time.Time) {
	for len(s.out.queue) > 0 && !s.out.queue[0].due.After(now) {
		s.cfg.DataPlane.Apply(s.out.queue[0].config)
		s.out.queue = s.out.queue[1:]
	}
}

// snapshot of all worlds. Rules' conditions and actions are shared with the control
// plane, which replaces them as a whole and never writes into them.
func (s *Service) snapshot() model.Config {
	cfg := model.Config{TargetGroups: map[string]model.TargetGroup{}}
	for _, w := range s.sortedWorlds() {
		for _, lb := range w.loadBalancers {
			cfg.LoadBalancers = append(cfg.LoadBalancers, lb.model(w.region))
		}
		for _, l := range w.listeners {
			cfg.Listeners = append(cfg.Listeners, l.model())
		}
		used := w.associations()
		for _, tg := range w.targetGroups {
			cfg.TargetGroups[tg.arn] = tg.model(len(used[tg.arn]) > 0)
		}
	}
	return cfg
}

// timers runs functions later, until it is closed.
type timers struct {
	mu      sync.Mutex
	closed  bool
	pending map[*time.Timer]struct{}
	running sync.WaitGroup
}

func (t *timers) isClosed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// after calls f in its own goroutine once d has passed, unless t is closed before.
func (t *timers) after(d time.Duration, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.pending == nil {
		t.pending = map[*time.Timer]struct{}{}
	}
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		t.mu.Lock() // also waits until timer is assigned
		if t.closed {
			t.mu.Unlock()
			return
		}
		delete(t.pending, timer)
		t.running.Add(1)
		t.mu.Unlock()
		defer t.running.Done()
		f()
	})
	t.pending[timer] = struct{}{}
}

func (t *timers) close() {
	t.mu.Lock()
	t.closed = true
	for timer := range t.pending {
		timer.Stop()
	}
	t.pending = nil
	t.mu.Unlock()
	t.running.Wait()
}
