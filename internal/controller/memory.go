package controller

import (
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/norikae/norikae/api/v1alpha1"
)

// memory is what the controller knows of a set between two looks at it. It may be lost at
// any point: then there is one pass more.
type memory struct {
	about       *v1alpha1.ClusterSet // as seen last
	generation  int64
	annotations map[string]string
	said        v1alpha1.ClusterSetStatus // the status that was written last
	told        told

	ended  time.Time // the last pass; zero: there was none
	next   time.Time // when one is due if nothing happens before
	failed int       // passes in a row that failed in part or in whole
	awake  bool      // somebody asked for a pass
	// touched are versions of Secrets that came up since the last pass began. Those that
	// we wrote are no reason for another.
	touched map[version]bool
}

// memories of all sets. Workers look at different sets, watches at all of them.
type memories struct {
	mu   sync.Mutex
	sets map[types.NamespacedName]*memory
}

// of a set, made when it is seen for the first time. The worker of the set may use it
// without the lock, but for awake and touched.
func (m *memories) of(set types.NamespacedName, cs *v1alpha1.ClusterSet) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.sets[set]
	if mem == nil || mem.about.UID != cs.UID {
		mem = &memory{touched: map[version]bool{}, said: cs.Status, told: toldBy(cs.Status)}
		m.sets[set] = mem
	}
	mem.about = cs
	return mem
}

// drop a set and return what was known of it; nil: nothing.
func (m *memories) drop(set types.NamespacedName) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.sets[set]
	delete(m.sets, set)
	return mem
}

// wake a set: what AWS says of its clusters has changed.
func (m *memories) wake(set types.NamespacedName) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.sets[set]; mem != nil {
		mem.awake = true
	}
}

// touch a set: a Secret that matters to it has another version.
func (m *memories) touch(set types.NamespacedName, v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.sets[set]; mem != nil {
		mem.touched[v] = true
	}
}

// due tells how long to wait for the next pass; 0: it is due now, and what asked for it
// has been taken note of. Passes are at least spacing apart, so that a person who edits
// Secrets, or a storm of events, does not drive the number of calls to AWS.
func (m *memories) due(mem *memory, cs *v1alpha1.ClusterSet, ours func(version) bool, now time.Time, spacing time.Duration) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	for v := range mem.touched {
		if ours(v) {
			delete(mem.touched, v)
		}
	}
	asked := mem.awake || len(mem.touched) > 0 || mem.generation != cs.Generation || !maps.Equal(mem.annotations, cs.Annotations)
	at := mem.next
	if earliest := mem.ended.Add(spacing); asked && earliest.Before(at) {
		at = earliest
	}
	if wait := at.Sub(now); !mem.ended.IsZero() && wait > 0 {
		return wait
	}
	mem.awake, mem.generation, mem.annotations = false, cs.Generation, cs.Annotations
	clear(mem.touched)
	return 0
}

// plan when the next pass is due: after the interval, or sooner when this one failed, in
// part or in whole.
func (m *memory) plan(interval time.Duration, began time.Time, well bool) time.Time {
	regular := began.Add(time.Duration(float64(interval) * (1 + jitter*(2*rand.Float64()-1)))) //nolint:gosec // no secret
	if well {
		m.failed = 0
		return regular
	}
	again := m.ended.Add(spacing << min(m.failed, 10))
	m.failed++
	if again.Before(regular) {
		return again
	}
	return regular
}
