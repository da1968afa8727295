package cli

import (
	"context"
	"os"
	"sync/atomic"
)

// interrupts turns signals into what a command can wait for. The first one cancels a
// command's context, unless the command has taken interrupts over.
type interrupts struct {
	first, second chan struct{}
	taken         atomic.Bool
}

func newInterrupts() *interrupts {
	return &interrupts{first: make(chan struct{}), second: make(chan struct{})}
}

// watch until two signals have come, or ctx ends and nobody waits for more.
func (i *interrupts) watch(ctx context.Context, signals <-chan os.Signal, cancel context.CancelFunc) {
	for _, told := range []chan struct{}{i.first, i.second} {
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
		close(told)
		if !i.taken.Load() {
			cancel()
		}
	}
}

// came tells whether there was an interrupt.
func (i *interrupts) came() bool {
	select {
	case <-i.first:
		return true
	default:
		return false
	}
}

// takeOver lets a command deal with interrupts itself.
func (i *interrupts) takeOver() { i.taken.Store(true) }
