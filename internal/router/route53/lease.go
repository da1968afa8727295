package route53

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// Every write of the mark replaces the one that was told last (Mark), or that was
// written last, and nothing else: one that somebody else changed meanwhile makes it fail,
// and is read again. So the mark is a lock by itself: of two runs that saw none, or the
// same one, only one writes its own.

// swapTries bounds how often a write of the mark is tried anew because a signal or a
// renewal came between. A run renews each few seconds.
const swapTries = 5

// seen is the mark as last told or written; a nil mark: there was none.
type seen struct {
	*mark
	at time.Time
	// writer is the lease's owner of the newest mark that this process wrote.
	writer string
}

// Mark reads the mark.
func (n *Name) Mark(ctx context.Context) (m shift.Mark, ok bool, err error) {
	at := time.Now()
	found, err := n.readMark(ctx)
	if err != nil {
		return shift.Mark{}, false, err
	}
	n.see(found, at)
	if found == nil {
		return shift.Mark{}, false, nil
	}
	return found.Mark, true, nil
}

// readMark asks for the TXT record set at the mark's name; nil: there is none.
func (n *Name) readMark(ctx context.Context) (*mark, error) {
	sets, err := n.list(ctx, n.markAt, 1)
	if err != nil {
		return nil, err
	}
	for _, s := range sets {
		if s.Type == types.RRTypeTxt || s.Type == types.RRTypeCname { // a CNAME leaves room for no TXT
			return n.decode(s)
		}
	}
	return nil, nil //nolint:nilnil // no mark is no error
}

func (n *Name) see(m *mark, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	writer := ""
	if n.seen != nil {
		writer = n.seen.writer
	}
	n.seen = &seen{mark: m, at: at, writer: writer}
}

// wrote remembers what this process wrote, or finds that it has written.
func (n *Name) wrote(m *mark, owner string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = &seen{mark: m, at: time.Now(), writer: owner}
}

// lastSeen is the mark as told last. told is false when it had to be read now.
func (n *Name) lastSeen(ctx context.Context) (last seen, told bool, err error) {
	if known := n.known(); known != nil {
		return *known, true, nil
	}
	if _, _, err = n.Mark(ctx); err != nil {
		return seen{}, false, err
	}
	return *n.known(), false, nil
}

// known is the mark as told last; nil: none was asked for yet.
func (n *Name) known() *seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen
}

// swap replaces one mark by another; nil: none. fault.ErrConflict means that the old one
// is not there any more.
func (n *Name) swap(ctx context.Context, op string, old, next *mark, follow bool) error {
	var batch []types.Change
	if old != nil {
		batch = append(batch, types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: &old.set})
	}
	if next != nil {
		batch = append(batch, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &next.set})
	}
	return n.submit(ctx, op+" "+n.markAt.String(), batch, follow)
}

// SetMark writes the mark in place of the one that was told last. The signal on it is
// left as it is. The first one of a process is followed until it is in force, and with
// it whatever another process had written before.
func (n *Name) SetMark(ctx context.Context, m shift.Mark) error {
	last, told, err := n.lastSeen(ctx)
	if err != nil {
		return err
	}
	old := last.mark
	if !told && old != nil && old.Lease.Owner != m.Lease.Owner && time.Now().Before(old.Lease.Expires) {
		return heldBy(old)
	}
	n.mu.Lock()
	follow := !n.changes.began
	n.mu.Unlock()
	for range swapTries {
		next := &mark{Mark: m, owner: n.cfg.Owner}
		if old != nil {
			next.signal = old.signal
		}
		if err := n.compose(next); err != nil {
			return err
		}
		err = n.swap(ctx, "writing the shift's mark", old, next, follow)
		if err == nil {
			n.wrote(next, m.Lease.Owner)
		}
		if !errors.Is(err, fault.ErrConflict) {
			return err
		}
		now, readErr := n.readMark(ctx)
		if readErr != nil {
			return readErr
		}
		if now != nil && now.sameButSignal(next) { // written by an attempt whose answer was lost
			n.wrote(now, m.Lease.Owner)
			return nil
		}
		if err := replaceable(now, old, next, err); err != nil {
			return err
		}
		old = now
	}
	return err
}

// replaceable tells whether next may be written in place of what is there now, after a
// conflict: old was not there any more.
func replaceable(now, old, next *mark, conflict error) error {
	switch {
	case now == nil && old == nil:
		return conflict // it was there, and is gone again
	case now == nil && old.Lease.Owner != next.Lease.Owner:
		return fmt.Errorf("the mark that was to be replaced is gone: %w", conflict)
	case now == nil, // it was ours, and somebody removed it
		now.ID == next.ID && now.Lease.Owner == next.Lease.Owner, // ours, written before
		old != nil && now.sameButSignal(old):                     // only a signal came or went
		return nil
	}
	return heldBy(now)
}

func heldBy(m *mark) error {
	return fmt.Errorf("another run holds the mark: %s, until %s: %w", m.Lease.Owner, m.Lease.Expires.UTC().Format(time.RFC3339), fault.ErrConflict)
}

// Renew writes the lease alone, and keeps a signal that came meanwhile.
func (n *Name) Renew(ctx context.Context, l shift.Lease) error {
	return n.amend(ctx, "renewing the lease on", false, func(m *mark) (bool, error) {
		switch {
		case m.Lease.Owner != l.Owner:
			return false, heldBy(m)
		case m.Lease.Expires.Equal(l.Expires) && m.Lease.Course == l.Course:
			return false, nil // done, by an attempt whose answer was lost
		}
		m.Lease = l
		return true, nil
	})
}

// SetSignal leaves a word for the shift that is under way, and for no later one.
// NoSignal takes back what was left: the one that was told last, not one that came since.
func (n *Name) SetSignal(ctx context.Context, s shift.Signal) error {
	if s.Kind == shift.NoSignal {
		return n.removeSignal(ctx)
	}
	id := ""
	return n.amend(ctx, "leaving a signal on", true, func(m *mark) (bool, error) {
		if id == "" {
			id = m.ID
		}
		value, err := markText().EncodeSignal(s, m.ID)
		switch {
		case err != nil:
			return false, fault.Terminal("InvalidSignal", err)
		case m.ID != id:
			return false, fmt.Errorf("the shift %s ended, another one began: %w", id, fault.ErrConflict)
		}
		m.signal, m.Signal = value, s
		return true, nil
	})
}

func (n *Name) removeSignal(ctx context.Context) error {
	heard, first := "", true
	err := n.amend(ctx, "removing the signal from", false, func(m *mark) (bool, error) {
		if first {
			heard, first = m.signal, false
		}
		if m.signal == "" || m.signal != heard {
			return false, nil
		}
		m.signal, m.Signal = "", shift.Signal{}
		return true, nil
	})
	if errors.Is(err, fault.ErrNotFound) && !fault.IsTerminal(err) {
		return nil
	}
	return err
}

// amend changes the mark that was told last, or, if fresh, the one that is there now. It
// reads it again, and changes that, where something came between. change tells whether
// there is anything to write.
func (n *Name) amend(ctx context.Context, op string, fresh bool, change func(*mark) (bool, error)) error {
	last, told, err := n.lastSeen(ctx)
	if err != nil {
		return err
	}
	old := last.mark
	again := told && (fresh || old == nil)
	for range swapTries {
		if again {
			if old, err = n.readMark(ctx); err != nil {
				return err
			}
		}
		if old == nil {
			return fmt.Errorf("no shift is under way on %s: %w", n, fault.ErrNotFound)
		}
		next := *old
		do, stop := change(&next)
		if stop != nil || !do {
			return stop
		}
		if err := n.compose(&next); err != nil {
			return err
		}
		if err = n.swap(ctx, op, old, &next, false); err == nil {
			n.wrote(&next, last.writer)
		}
		if !errors.Is(err, fault.ErrConflict) {
			return err
		}
		again = true
	}
	return err
}

// ClearMark removes the mark that was told last with its signal, and no other run's.
func (n *Name) ClearMark(ctx context.Context) error {
	last, told, err := n.lastSeen(ctx)
	if err != nil {
		return err
	}
	old := last.mark
	if old == nil && told {
		if old, err = n.readMark(ctx); err != nil {
			return err
		}
		if old != nil && old.Lease.Owner != last.writer {
			return heldBy(old)
		}
	}
	for range swapTries {
		if old == nil {
			n.see(nil, time.Now())
			return nil
		}
		err = n.swap(ctx, "removing the shift's mark", old, nil, false)
		if err == nil {
			n.see(nil, time.Now())
		}
		if !errors.Is(err, fault.ErrConflict) {
			return err
		}
		now, readErr := n.readMark(ctx)
		switch {
		case readErr != nil:
			return readErr
		case now == nil, now.sameButSignal(old), now.Lease.Owner == last.writer:
			old = now
		default:
			return heldBy(now)
		}
	}
	return err
}
