package registrar

import (
	"errors"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/registry"
)

// probing is how long a pass begins to reach for API servers. Many that never answer must
// not keep a pass from what is to be done about the others; those that it does not get to
// come first in the next.
const probing = 2 * time.Minute

var errNoTurn = errors.New("it was not reached for yet, because many others do not answer; it gets its turn in one of the next passes")

// probed is when a cluster that is not registered yet was reached for last, and what came out.
type probed struct {
	at  time.Time
	err error
}

// turns puts probes first, of them the clusters that had no turn for longest, and then what
// is asked about traffic. What is remembered of others is forgotten.
func (r *Registrar) turns(owner registry.Owner, asked []registry.Asked) []registry.Asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := map[string]probed{}
	for _, q := range asked {
		if p, ok := r.probes[owner][q.Cluster.ARN()]; ok && q.Question == registry.AskProbe {
			kept[q.Cluster.ARN()] = p
		}
	}
	r.probes[owner] = kept
	var probes, others []registry.Asked
	for _, q := range asked {
		if q.Question == registry.AskProbe {
			probes = append(probes, q)
		} else {
			others = append(others, q)
		}
	}
	slices.SortStableFunc(probes, func(a, b registry.Asked) int {
		return kept[a.Cluster.ARN()].at.Compare(kept[b.Cluster.ARN()].at)
	})
	return append(probes, others...)
}

// lastProbe is what came out last; an error, because who answered is asked no more.
func (r *Registrar) lastProbe(owner registry.Owner, arn string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.probes[owner][arn].err; err != nil {
		return err
	}
	return errNoTurn
}

func (r *Registrar) probed(owner registry.Owner, arn string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probes[owner] != nil { // of a set that is looked at
		r.probes[owner][arn] = probed{time.Now(), err}
	}
}
