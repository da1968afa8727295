package wiretest

import (
	"slices"
	"strings"
	"sync"

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
