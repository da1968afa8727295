package registrar

import (
	"slices"

	"github.com/norikae/norikae/internal/registry"
)

// Options of one pass.
type Options struct {
	// DryRun writes nothing: what would be written is sent to the API server for validation
	// only.
	DryRun bool
}

// Outcome is an action and how it went.
type Outcome struct {
	registry.Action
	// Written: the API server took it. An Action that has nothing to do is not.
	Written bool
	Err     error // why it was not; its State is Unwritten then
}

// Result of one pass.
type Result struct {
	Scopes   []registry.ScopeResult
	Outcomes []Outcome // by ARN
	// Stopped says why nothing was written; "": nothing stood against it.
	Stopped, StoppedReason string
}

// Counts of a result, as a ClusterSet's status has them.
type Counts struct{ Discovered, Registered, NotInOrder int }

// Counts sums up.
func (res Result) Counts() (c Counts) {
	for _, o := range res.Outcomes {
		switch o.State {
		case registry.Missing, registry.Unselected, registry.Uncertain:
		default:
			c.Discovered++
		}
		removed := o.Do == registry.Delete && o.Written
		added := (o.Do == registry.Create || o.Do == registry.Adopt) && o.Written
		if added || o.Entry != nil && o.Entry.Ours() && !removed {
			c.Registered++
		}
		if o.State != registry.Registered && !removed {
			c.NotInOrder++
		}
	}
	return c
}

// Failed lists the scopes that could not be listed.
func (res Result) Failed() []registry.ScopeResult {
	return slices.DeleteFunc(slices.Clone(res.Scopes), func(s registry.ScopeResult) bool { return s.Err == nil })
}
