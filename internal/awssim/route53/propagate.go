package route53

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxChanges is how many changes GetChange remembers; the oldest that are in sync are
// forgotten first.
const maxChanges = 100_000

// change is what a request did, on its way to the name servers.
type change struct {
	id, account, comment string
	submitted, due       time.Time
	delta                delta
}

// delta is what a change makes of a zone.
type delta struct {
	zone   string             // its id
	begins *view              // a new zone
	gone   bool               // the zone was deleted
	sets   map[key]*RecordSet // nil: the set was deleted
}

// propagation brings changes to the name servers. It has a lock of its own, under which
// nothing of the configuration is called: who answers questions must not wait for API
// calls, which look at load balancers, which in turn may look at answers.
type propagation struct {
	live atomic.Pointer[namespace] // what the name servers know
	due  atomic.Int64              // of the earliest pending change, ns since 1970; 0: none

	mu      sync.Mutex
	byID    map[string]*change
	order   []*change // of submission
	pending []*change // likewise
}

// record files a change of z. It is in sync after the propagation delay, but not before
// the changes of the zone that came first. The caller holds s.mu.
func (s *Service) record(c *call, z *zone, comment string, d delta) *change {
	due := c.now.Add(max(0, s.cfg.ChangeTime))
	z.busyUntil, c.wait = due, s.cfg.ChangeTime
	if s.cfg.PropagationDelay != nil {
		due = due.Add(max(0, s.cfg.PropagationDelay()))
	}
	ch := &change{id: "C" + s.id(20), account: c.id, comment: comment, submitted: c.now, due: due, delta: d}
	s.changes.add(ch, c.now)
	return ch
}

func (p *propagation) add(ch *change, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.pending {
		if o.delta.zone == ch.delta.zone && o.due.After(ch.due) {
			ch.due = o.due
		}
	}
	p.byID[ch.id] = ch
	p.order, p.pending = append(p.order, ch), append(p.pending, ch)
	for len(p.order) > maxChanges && !p.order[0].due.After(now) {
		delete(p.byID, p.order[0].id)
		p.order = p.order[1:]
	}
	p.advance(now)
}

func (p *propagation) find(id string) *change {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id]
}

func (ch *change) describe(now time.Time) wire.Struct {
	status := "INSYNC"
	if ch.due.After(now) {
		status = "PENDING"
	}
	return wire.Struct{
		kv("Id", "/change/"+ch.id), kv("Status", status), kv("SubmittedAt", ch.submitted.UTC().Truncate(time.Millisecond)),
		kv("Comment", wire.Opt(ch.comment)),
	}
}

func (c *call) getChange() (wire.Struct, error) {
	id := strings.TrimPrefix(strings.TrimPrefix(c.p.Str("Id"), "/"), "change/")
	ch := c.s.changes.find(id)
	if ch == nil || ch.account != c.id {
		return nil, &wire.Error{Code: "NoSuchChange", Message: "Could not find resource with ID: " + id, Status: http.StatusNotFound}
	}
	return wire.Struct{kv("ChangeInfo", ch.describe(c.now))}, nil
}

// namespace is all that the name servers know. It is never written to once it is live.
type namespace struct {
	zones  map[string]*view   // by id
	byName map[string][]*view // public zones first, then in the order of creation
}

// view is a zone as the name servers know it.
type view struct {
	id, name, account string
	private           bool
	created           int
	sets              map[string]map[string][]*RecordSet // by name and type, sorted by set identifier
	below             map[string]int                     // record sets at a name and below it, up to the zone's
}

// zoneDelta is the beginning of a zone with the record sets that it has.
func zoneDelta(z *zone) delta {
	return delta{
		zone: z.id, sets: maps.Clone(z.sets),
		begins: &view{id: z.id, name: z.name, account: z.account, private: z.private, created: z.created},
	}
}

// at is what the name servers know at a time.
func (p *propagation) at(now time.Time) *namespace {
	if due := p.due.Load(); due != 0 && now.UnixNano() >= due {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.advance(now)
	}
	return p.live.Load()
}

// current is what the name servers know now.
func (s *Service) current() *namespace { return s.changes.at(s.cfg.Now()) }

// advance tells the name servers of the changes that are due. The caller holds p.mu.
func (p *propagation) advance(now time.Time) {
	var later []*change
	old := p.live.Load()
	ns := &namespace{zones: maps.Clone(old.zones)}
	for _, ch := range p.pending {
		if ch.due.After(now) {
			later = append(later, ch)
			continue
		}
		ns.apply(ch.delta)
	}
	if len(later) < len(p.pending) {
		ns.index()
		p.live.Store(ns)
	}
	p.pending = later
	var due int64
	for _, ch := range later {
		if at := ch.due.UnixNano(); due == 0 || at < due {
			due = at
		}
	}
	p.due.Store(due)
}

func (ns *namespace) apply(d delta) {
	if d.gone {
		delete(ns.zones, d.zone)
		return
	}
	old := ns.zones[d.zone]
	if d.begins != nil {
		old = d.begins
	}
	if old == nil {
		return // deleted since
	}
	v := *old
	v.sets, v.below = maps.Clone(old.sets), maps.Clone(old.below)
	if v.sets == nil {
		v.sets, v.below = map[string]map[string][]*RecordSet{}, map[string]int{}
	}
	for k, r := range d.sets {
		v.put(k, r)
	}
	ns.zones[d.zone] = &v
}

// put makes r the record set of a key. The maps of v are its own, what they hold is not.
func (v *view) put(k key, r *RecordSet) {
	types := maps.Clone(v.sets[k.name])
	if types == nil {
		types = map[string][]*RecordSet{}
	}
	sets := slices.DeleteFunc(slices.Clone(types[k.typ]), func(o *RecordSet) bool { return o.SetIdentifier == k.id })
	if r != nil {
		sets = append(sets, r)
		slices.SortFunc(sets, func(a, b *RecordSet) int { return strings.Compare(a.SetIdentifier, b.SetIdentifier) })
	}
	grown := len(sets) - len(types[k.typ])
	for n := k.name; ; n = parent(n) {
		v.below[n] += grown
		if v.below[n] == 0 {
			delete(v.below, n)
		}
		if n == v.name || n == "." {
			break
		}
	}
	types[k.typ] = sets
	if len(sets) == 0 {
		delete(types, k.typ)
	}
	v.sets[k.name] = types
	if len(types) == 0 {
		delete(v.sets, k.name)
	}
}

func (ns *namespace) index() {
	ns.byName = map[string][]*view{}
	for _, v := range ns.zones {
		ns.byName[v.name] = append(ns.byName[v.name], v)
	}
	for _, list := range ns.byName {
		slices.SortFunc(list, func(a, b *view) int {
			if a.private != b.private {
				if a.private {
					return 1
				}
				return -1
			}
			return a.created - b.created
		})
	}
}
