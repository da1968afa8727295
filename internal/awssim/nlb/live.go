package nlb

import "sync"

// cutter is a connection or flow that the load balancer can end.
type cutter interface{ cut() }

// live are the connections and flows of a listener or a target. The zero value has none.
type live struct {
	mu     sync.Mutex
	of     map[cutter]struct{}
	closed bool
}

// add one; false, and it is not added, after close.
func (l *live) add(c cutter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.of == nil {
		l.of = map[cutter]struct{}{}
	}
	l.of[c] = struct{}{}
	return true
}

func (l *live) remove(c cutter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, c)
}

// cut all. It is not done under the lock: what is cut removes itself.
func (l *live) cut() {
	l.mu.Lock()
	all := make([]cutter, 0, len(l.of))
	for c := range l.of {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.cut()
	}
}

// close cuts all, and lets none come after them.
func (l *live) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cut()
}
