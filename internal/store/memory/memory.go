// Package memory keeps a shift's state in memory: for drivers that run it elsewhere, and
// for tests.
package memory

import (
	"context"
	"sync"

	"github.com/norikae/norikae/internal/shift"
)

// Store is an engine.Store. The zero value is empty and ready; it is safe for
// concurrent use.
type Store struct {
	mu     sync.Mutex
	states []shift.State
}

// Load gives the newest state.
func (s *Store) Load(context.Context) (shift.State, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.states) == 0 {
		return shift.State{}, false, nil
	}
	return s.states[len(s.states)-1], true, nil
}

// Save appends a state.
func (s *Store) Save(_ context.Context, st shift.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, st)
	return nil
}

// States are all that were saved, oldest first.
func (s *Store) States() []shift.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]shift.State(nil), s.states...)
}
