package leader

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registry"
)

// The replicas, by what they are at first.
const (
	first  = "the leader"
	second = "the other replica"
)

// leaseDuration is how long a lease is respected after it was renewed last.
const leaseDuration = 15 * time.Second

// unaware is how long a leader that hung may go on: it looks at the lease every 2 s.
const unaware = 4 * time.Second

// kind of object that is written.
type kind string

const (
	secretKind kind = "secret"
	statusKind kind = "status"
	eventKind  kind = "event"
	leaseKind  kind = "lease"
)

// write is a write of a replica that reached the API server.
type write struct {
	by     string // replica
	kind   kind
	name   string    // "create stays", "update lease"
	at     time.Time // when it was sent on
	status int       // HTTP
	holder string    // of a lease that is written; "": it is given up

	// Of Secrets:
	fleettest.Write
	secret, cluster string           // names
	after           []registry.Entry // all that there are
}

func (w write) landed() bool { return w.status < 300 }

func (w write) String() string {
	return fmt.Sprintf("%s %s %s: %d", w.at.Format("15:04:05.000"), w.by, w.name, w.status)
}

// how the leader ends, and what becomes of the write that it ends at.
type how string

const (
	notLanded how = "not landed"   // killed, and the write never reaches the API server
	landed    how = "landed"       // killed: the write is done, and the leader never learns of it
	late      how = "late"         // killed, and the write reaches the API server after the other replica has done it
	hung      how = "hung"         // stopped, the write comes late, and then the leader goes on
	asked     how = "asked to end" // at no write
)

// plan is what a story writes of each cluster's Secret, in this order: nothing is missing,
// and nothing is done twice, whoever is killed whenever. A write that was killed before it
// landed is not among these; one that landed is not repeated.
func plan() map[string][]string {
	return map[string][]string{
		"stays":    {"create"},
		"adopted":  {"adopt"}, // made by hand
		"tagged":   {"create", "update"},
		"replaced": {"create", "delete", "create"},
		"vanishes": {"create", "mark", "delete"},
	}
}

// shape of a Secret: Argo CD's name of the cluster, a label that the set declares, and one
// that a person has put on it.
type shape struct{ name, cell, team string }

// declared is what is there in the end.
func declared() map[string]shape {
	return map[string]shape{
		"stays": {"stays", "one", ""}, "adopted": {"adopted", "one", ""}, "tagged": {"tagged", "two", "checkout"}, "replaced": {"renamed", "one", "checkout"},
	}
}

// evidence is everything that the judge looks at.
type evidence struct {
	set     *registry.Set
	writes  []write // in the order of time
	answers []fleettest.Answer
	events  []fleettest.Event
	killed  time.Time // when the leader was dead, or hung
	how     how
	// torn: it died when it had deleted a Secret to replace it, and the new one was not there.
	// What a person had put on it is lost then; nothing else may be.
	torn    bool
	secrets []registry.Entry
}

// judge lists what went wrong. It is told nothing but what reached the API server, what AWS
// said, and what is there in the end.
func judge(ev evidence) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	ev.sequences(say)
	ev.neverTwice(say)
	ev.inTheEnd(say)
	ev.sameObjects(say)
	ev.theDead(say)
	ev.takenOver(say)
	laws := fleettest.Evidence{Answers: ev.answers, Events: ev.events}
	for _, w := range ev.writes {
		if w.kind == secretKind && w.landed() {
			laws.Writes = append(laws.Writes, w.Write)
		}
	}
	return append(wrong, fleettest.Judge(ev.set, laws)...)
}

// sequences: each write once, in the plan's order, and none that the API server refuses.
func (ev evidence) sequences(say func(string, ...any)) {
	got := map[string][]string{}
	for _, w := range ev.writes {
		switch do, _, _ := strings.Cut(w.name, " "); {
		case w.kind != secretKind:
		case w.landed():
			got[w.cluster] = append(got[w.cluster], do)
		case ev.how != hung && (ev.how != late || w.by == second):
			say("refused: %s", w)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(plan())) {
		if want := plan()[c]; !slices.Equal(got[c], want) {
			say("duplicate or loss: the Secret of %s was written %v, want %v", c, got[c], want)
		}
		delete(got, c)
	}
	for c, dos := range got {
		say("a Secret of %q was written: %v", c, dos)
	}
}

// neverTwice: at no time there are two Secrets of a cluster.
func (ev evidence) neverTwice(say func(string, ...any)) {
	twice := func(when string, all []registry.Entry) {
		seen := map[string]string{}
		for _, e := range all {
			for _, key := range []string{e.Server, e.ClusterName} {
				if other, ok := seen[key]; ok {
					say("duplicate: %s, %s and %s are both of %s", when, other, e.Name, key)
				}
				seen[key] = e.Name
			}
		}
	}
	for _, w := range ev.writes {
		twice("after "+w.String(), w.after)
	}
	twice("in the end", ev.secrets)
}

// inTheEnd: every Secret as declared, and no other.
func (ev evidence) inTheEnd(say func(string, ...any)) {
	left := declared()
	for _, e := range ev.secrets {
		c := e.Cluster.Name
		want, ok := left[c]
		if c == "replaced" && ev.torn {
			want.team = ""
		}
		switch got := (shape{e.ClusterName, e.Labels["cell"], e.Labels["team"]}); {
		case !ok:
			say("in the end: the Secret %s of %s should not be there", e.Name, e.Cluster.ARN())
		case got != want || e.Owner != ev.set.Owner:
			say("in the end: the Secret %s of %q says %+v, want %+v", e.Name, e.Owner, got, want)
		}
		delete(left, c)
	}
	for _, c := range slices.Sorted(maps.Keys(left)) {
		say("lost: there is no Secret of %s", c)
	}
}

// sameObjects: a Secret is never deleted and made again, but where that was allowed.
func (ev evidence) sameObjects(say func(string, ...any)) {
	uids := map[string]map[string]bool{}
	see := func(all []registry.Entry) {
		for _, e := range all {
			if uids[e.Server] == nil {
				uids[e.Server] = map[string]bool{}
			}
			uids[e.Server][e.UID] = true
		}
	}
	names := map[string]string{} // of clusters, by server
	for _, w := range ev.writes {
		see(w.after)
		for _, e := range w.after {
			names[e.Server] = max(names[e.Server], e.Cluster.Name)
		}
	}
	see(ev.secrets)
	for _, server := range slices.Sorted(maps.Keys(uids)) {
		creates := 0
		for _, do := range plan()[names[server]] {
			if do == "create" || do == "adopt" {
				creates++
			}
		}
		if n := len(uids[server]); n != creates {
			say("there were %d Secrets of %s, one after the other, want %d", n, names[server], creates)
		}
	}
}

// theDead write nothing; what they had sent before and comes late is refused.
func (ev evidence) theDead(say func(string, ...any)) {
	var posthumous []write
	for _, w := range ev.writes {
		if w.by == first && w.at.After(ev.killed) {
			posthumous = append(posthumous, w)
		}
	}
	switch ev.how {
	case hung:
		ev.theHung(posthumous, say)
		return
	case late:
		if n := len(posthumous); n != 1 {
			say("%d writes of the dead leader came late, want 1", n)
		}
	default:
	}
	for _, w := range posthumous {
		if w.landed() || ev.how != late {
			say("a dead leader's write: %s, and it died at %s", w, ev.killed.Format("15:04:05.000"))
		}
	}
}

// theHung go on where they were, and do not know yet that another leads. Until they do,
// they may do what the other would do, as it is done only once; they may not touch the
// lease of the other, nor go on for long.
func (ev evidence) theHung(posthumous []write, say func(string, ...any)) {
	if len(posthumous) == 0 {
		say("the leader hung for good, its write never came")
	}
	for _, w := range posthumous {
		if since := w.at.Sub(posthumous[0].at); since > unaware {
			say("two leaders: %s, %s after it went on", w, since)
		}
		if w.kind == leaseKind && w.landed() {
			say("two leaders: the one that hung writes the lease of the other: %s", w)
		}
	}
}

// takenOver: the other replica writes nothing before it has the lease, and takes that only
// when the leader is dead, and has not renewed it for as long as it is respected.
func (ev evidence) takenOver(say func(string, ...any)) {
	var renewed, taken time.Time
	var leader, next string
	for _, w := range ev.writes {
		switch {
		case w.kind == leaseKind && w.landed() && w.by == first && w.holder != "":
			renewed, leader = w.at, w.holder
		case w.kind == leaseKind && w.landed() && w.by == second && taken.IsZero():
			taken, next = w.at, w.holder
		case w.by == second && w.kind != leaseKind && taken.IsZero():
			say("two leaders: %s, and it has no lease", w)
		}
	}
	switch {
	case taken.IsZero():
		say("the other replica has never taken the lease")
	case next == leader || next == "":
		say("the lease of the other replica is held by %q, as before by %q", next, leader)
	case ev.how == asked:
	case taken.Before(ev.killed):
		say("two leaders: the lease is taken at %s, and the leader died at %s", taken.Format("15:04:05.000"), ev.killed.Format("15:04:05.000"))
	case !renewed.IsZero() && taken.Sub(renewed) < leaseDuration:
		say("the lease is taken %s after it was renewed, it is respected for %s", taken.Sub(renewed), leaseDuration)
	}
}
