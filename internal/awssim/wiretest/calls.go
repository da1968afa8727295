package wiretest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Calls are those that a wire.Mux has served, where its Config.Observe is Observe.
type Calls struct {
	mu  sync.Mutex
	all []wire.Call
}

// Observe a call.
func (c *Calls) Observe(call wire.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call)
}

// Forget the calls so far.
func (c *Calls) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}

// All since Forget, in order.
func (c *Calls) All() []wire.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// Operations since Forget, in order, with spaces between.
func (c *Calls) Operations() string {
	var names []string
	for _, call := range c.All() {
		names = append(names, call.Request.Operation)
	}
	return strings.Join(names, " ")
}

// WantAll wants that of a service's operations all that are answered have succeeded since
// Forget, but for some.
func (c *Calls) WantAll(t testing.TB, service string, operations []wire.Operation, but ...string) {
	t.Helper()
	for _, call := range c.All() {
		if r := call.Request; call.Error == "" && r.Service == service {
			but = append(but, r.Operation)
		}
	}
	for _, op := range operations {
		if op.Fidelity != wire.Absent && !slices.Contains(but, op.Name) {
			t.Errorf("%s was not driven", op.Name)
		}
	}
}
