package route53

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// Look makes a Name that is not to be shifted: to read it, to leave a word on it, or to
// take off what a shift left there. Of cfg neither Destinations nor Owner is used. It makes
// no call.
func Look(cfg Config) (*Name, error) {
	cfg.Destinations, cfg.Owner = nil, ""
	n, err := locate(cfg)
	if err != nil {
		return nil, err
	}
	n.looks = true
	return n, nil
}

// Reading is all that there is to know about a route without its declaration.
type Reading struct {
	Live  shift.Live
	Owner string      // of the mark: who runs, or ran, the shift that is under way; "": no mark
	Mark  *shift.Mark // of a shift that is under way; nil: none
}

// Read tells what the weighted records are now, in two calls. fault.ErrNotFound: there are
// none at the name, or no such zone.
func (n *Name) Read(ctx context.Context) (Reading, error) {
	rd, err := n.read(ctx)
	if err != nil {
		return Reading{}, err
	}
	out := Reading{Live: n.live(rd)}
	if !out.Live.Exists {
		return Reading{}, fmt.Errorf("there are no weighted records at %s: %w", n, fault.ErrNotFound)
	}
	m, ok, err := n.Mark(ctx)
	if err != nil {
		return Reading{}, err
	}
	if ok {
		out.Mark, out.Owner = &m, n.known().mark.owner
	}
	return out, nil
}

// Forget takes off the mark of a shift that nobody runs any more; the records, which are
// not ours, stay as they are. It is no error when there is no mark, or no zone.
func (n *Name) Forget(ctx context.Context) error {
	m, ok, err := n.Mark(ctx)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil
	case err != nil || !ok:
		return err
	case time.Now().Before(m.Lease.Expires):
		return fault.Terminal("ShiftUnderWay", fmt.Errorf(
			"%s: the shift %q is being run on it by %s (its lease ends at %s unless it is renewed): wait until it is done, or abort it, then try again",
			n, m.Name, m.Lease.Owner, m.Lease.Expires.UTC().Format(time.RFC3339)))
	}
	return n.ClearMark(ctx)
}
