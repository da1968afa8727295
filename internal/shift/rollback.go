package shift

import (
	"fmt"
	"time"
)

func startRollback(p Plan, s State, o Observation, reason, message string) Decision {
	s.Phase, s.RollbackSince, s.Reason, s.Message = RollingBack, o.Now, reason, message
	s.HoldSince, s.Drifted = time.Time{}, false
	if o.Live == nil {
		return Decision{Next: s}
	}
	return rollBack(p, s, o)
}

// rollBack writes From until it is live. Reason and Message stay those of the failure.
func rollBack(p Plan, s State, o Observation) Decision {
	live := o.Live
	switch {
	case live.Exists && p.exactly(*live, p.From), !live.Exists && live.Split.SameShares(p.From):
		s.Drifted = false
		if live.Pending {
			return retryRollback(p, s, o, "the change is not in force everywhere yet")
		}
		return end(s, RolledBack, s.Reason, s.Message)
	case p.From.Sum() == 0: // nothing forwarded before: there is no split to go back to
		return end(s, Held, s.Reason, s.Message+"; nothing was forwarded before, so there is nothing to go back to")
	case p.ours(*live) && live.Exists:
		return retryRollback(p, s, o, "")
	}
	s.Drifted = true
	switch {
	case p.OnDrift == Overrule && live.Exists:
		return retryRollback(p, s, o, "")
	case p.OnDrift == Adopt:
		return end(s, Held, s.Reason, fmt.Sprintf("%s; not rolled back: somebody else's weights %s were adopted", s.Message, p.DescribeLive(*live)))
	case o.Now.Sub(s.RollbackSince) > p.RollbackTimeout:
		return end(s, Held, s.Reason, fmt.Sprintf("%s; not rolled back: somebody else wrote %s", s.Message, p.DescribeLive(*live)))
	}
	return Decision{Next: s, Wait: maxRetry}
}

// retryRollback writes From, or waits, until RollbackTimeout. waiting says what for: a
// route that can be read, a change that is in force; "": for nothing, it writes.
func retryRollback(p Plan, s State, o Observation, waiting string) Decision {
	since := o.Now.Sub(s.RollbackSince)
	if since > p.RollbackTimeout {
		why := waiting
		if why == "" {
			why = o.Fault
		}
		return end(s, Unconfirmed, s.Reason, fmt.Sprintf("%s; the rollback could not be confirmed within %s: %s", s.Message, p.RollbackTimeout, why))
	}
	if waiting != "" {
		return Decision{Next: s, Wait: retryIn(since / 4)}
	}
	return Decision{Next: s, Write: p.From}
}
