package lawtest

import (
	"fmt"
	"slices"
	"time"
)

// Law that a trace can break.
type Law string

// The laws, as far as the wire shows them.
const (
	LawSettled  Law = "1: a settled route is never written, and From is the live split at the start"
	LawDeclared Law = "2: it ends exactly at the declared weights"
	LawSteps    Law = "3: one write per step, monotonic, none skipped, none overshot"
	LawWeights  Law = "4: every weight is explicit and their sum is above 0"
	LawReadBack Law = "5: every write is read back before anything else"
	LawRollback Law = "6: a failure goes back to From with one write, at once, and nothing follows"
	LawVerdict  Law = "7: no advance without passing data of this step's weights"
	LawResume   Law = "8: From is never forgotten"
	LawDrift    Law = "9: somebody else's weights are not fought"
	LawKept     Law = "10: everything else on the rule is kept"
	LawLease    Law = "lease: only the owner writes weights"
	LawPaging   Law = "paging: every page is read before a decision"
	LawForce    Law = "in force: no weights are judged, and none pass, before their change is INSYNC and the TTL has passed after that"
)

// Violation of a law, and where in the trace.
type Violation struct {
	Law    Law
	At     time.Time
	Caller string
	Text   string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s %s broke law %s: %s", v.At.UTC().Format(time.TimeOnly), v.Caller, v.Law, v.Text)
}

// Policy for somebody else's weights, as a manifest spells it.
const (
	HoldDrift     = "hold"
	AdoptDrift    = "adopt"
	OverruleDrift = "overrule"
)

// Declared is what the judge knows besides the trace: the manifest, in its own words.
type Declared struct {
	Route    Route
	From     Split // what the route forwards to before the trace; nil: its first reading says
	To       Split
	Percents []int // of the steps; the last is 100
	OnDrift  string
	// Hold: after a failure it holds where it is (onFailure: hold).
	Hold bool
	// Unjudged: no metrics are declared, target health is the verdict.
	Unjudged bool
	// Replace: a run may begin a new shift while another is unfinished.
	Replace bool
	Pace    Pace
	// Foreign are the callers that are no shift's processes; Operator always is.
	Foreign []string
	// Balancers are the load balancers whose metrics tell of a name's destinations, by
	// set identifier.
	Balancers map[string]string
}

// Judge reads a trace and lists the laws that it breaks.
func Judge(trace []Exchange, d Declared) []Violation {
	j := &judge{d: d, step: -1, callers: map[string]*caller{}, idle: map[string]bool{}}
	if d.From != nil {
		j.from = d.From
	}
	r := newReader(d)
	for _, x := range inOrder(trace) {
		j.x = x
		a, ok := r.read(x)
		if x.Caller == Operator || slices.Contains(d.Foreign, x.Caller) {
			j.foreign(&a)
			continue
		}
		j.c = j.callers[x.Caller]
		if j.c == nil {
			j.c = &caller{}
			j.callers[x.Caller] = j.c
		}
		j.deadline()
		switch {
		case ok:
			j.ours(&a)
		case x.Service == CloudWatch:
			j.metrics()
		}
		j.c.slow += x.Done.Sub(x.Begun)
	}
	j.end()
	return j.broken
}

// inOrder is a trace in the order of answers, but that writes of weights by ELB stand where
// they began: another process may be told of their effect before their own answer comes,
// and what their writer knew it knew before.
func inOrder(trace []Exchange) []*Exchange {
	out := make([]*Exchange, len(trace))
	for i := range trace {
		out[i] = &trace[i]
	}
	at := func(x *Exchange) time.Time {
		if x.OK() && slices.Contains([]string{"ModifyRule", "ModifyListener", "CreateRule"}, x.Operation) {
			return x.Begun
		}
		return x.Done
	}
	slices.SortStableFunc(out, func(a, b *Exchange) int { return at(a).Compare(at(b)) })
	return out
}

// judge is what the trace has shown so far.
type judge struct {
	d       Declared
	x       *Exchange // under judgement
	c       *caller   // its caller's
	callers map[string]*caller
	broken  []Violation

	from    Split    // of the shift under way; nil: not known yet
	settled bool     // From and To were the same when the trace began
	live    *reading // as far as known; nil: the outcome of the last write is not known
	before  *reading // what was live before that write
	since   time.Time
	alien   bool // the live weights are somebody else's
	step    int  // index of the step whose weights were written last; -1: From's
	forward int  // weight writes that moved traffic, so far

	shift    string // ID of the mark that stands; "": none
	owner    string // of the lease that stands; "": none
	expires  time.Time
	tagged   time.Time // when the last write of the mark was answered
	leaseOdd bool      // nobody knows whose mark stands: an outcome was lost, or two writes overlapped
	back     bool      // From was written after a failure, and the mark still stands
	backBy   string

	idle  map[string]bool // destinations whose traffic before the shift is known to be none; "": the load balancer
	level level           // of a Network Load Balancer before the shift
	zone  changes         // of a route whose changes come into force late
}

// caller is what one process knows.
type caller struct {
	owner      string   // how it signs its leases
	read       *reading // the route as it was told last
	fresh      bool     // that was after its last weight write
	unread     *Exchange
	owns       bool              // it read its own lease since its last weight write
	ownsAt     time.Time         // when it asked for that
	markFailed bool              // reading the mark failed since then
	marker     string            // of the route's listing, to be followed
	markers    map[string]string // the same of other operations
	last       *write            // its last attempt
	passed     bool              // it was given good data of the live weights
	healthy    bool              // it was told that the gaining targets are healthy, since its last weight write
	failure    string            // it was given bad news of the live weights
	failedAt   time.Time
	slow       time.Duration // spent since then in waiting for answers
	inForce    time.Time     // when it was told that the live weights are in force; zero: it was not
	wasInForce time.Time     // the same before the newest write
	lost       time.Time     // when the answer to a change of its own was lost last
	answered   bool          // it tried to go back after that, or something kept it from doing so
	knows      Split         // the live split as it was told, and since when
	since      time.Time
}

func (j *judge) violate(law Law, format string, args ...any) {
	j.broken = append(j.broken, Violation{law, j.x.Done, j.x.Caller, fmt.Sprintf(format, args...)})
}

// foreign follows what others do.
func (j *judge) foreign(a *act) {
	if !j.x.OK() {
		return
	}
	j.submitted(a)
	if w := a.write; w != nil && !w.off && len(w.split) > 0 {
		at, ok := 0, false
		if j.from != nil {
			at, ok = j.locate(w.split)
		}
		j.alien = j.shift != "" && (!ok || at != j.step || len(w.others) > 0)
		j.goLive(w)
	}
	if a.marking != nil {
		j.marked(a.marking)
	}
}

// ours judges a call of one of ours to the route's service.
func (j *judge) ours(a *act) {
	j.readBack(a)
	for _, s := range a.strays {
		j.violate(LawKept, "%s", s)
	}
	if a.readsIt {
		j.reads(a)
	} else if a.page != nil && j.x.OK() {
		j.pages(a.page)
	}
	if a.asksMark {
		j.readsMark(a.marks)
	}
	for _, h := range a.health {
		j.health(h)
	}
	switch {
	case a.write != nil:
		j.writes(a)
	case a.marking != nil:
		j.writesMark(a.marking)
	}
	j.submitted(a)
	j.asked(a)
	if !j.x.OK() && j.c.failure != "" {
		j.c.answered = true // its calls fail: the clock of the rollback is the retries' now
	}
}

// pages follows the pages of what is not the route itself.
func (j *judge) pages(p *page) {
	if j.c.markers == nil {
		j.c.markers = map[string]string{}
	}
	j.c.markers[j.x.Operation] = p.next
}

// readBack wants the first call after a write that went well to read the route, but for
// one that asks whether it is in force. When that call fails, only another write has to
// wait for a better one: see informed.
func (j *judge) readBack(a *act) {
	w := j.c.unread
	if w == nil || a.asksForce {
		return
	}
	j.c.unread = nil
	if !a.readsIt {
		j.violate(LawReadBack, "%s came before the write of %s was read back", j.x.Operation, w.Done.UTC().Format(time.TimeOnly))
	}
}

// reads follows what the caller is told about the route.
func (j *judge) reads(a *act) {
	x, c := j.x, j.c
	if a.page == nil {
		return // it was told nothing
	}
	if c.marker != "" && a.page.asked != c.marker {
		j.violate(LawPaging, "%s began anew, although the page at %s was to be read next", x.Operation, c.marker)
	}
	c.marker = a.page.next
	if a.route == nil {
		return
	}
	r := *a.route
	if !r.exists {
		r.split = j.from
	}
	c.read, c.fresh = &r, true
	if c.knows == nil || !c.knows.sameShares(r.split) {
		c.knows, c.since = r.split, x.Done
	}
	if j.live != nil && x.Begun.Before(j.live.at) {
		return // it overlapped with a write: which of both came first is not known
	}
	if j.from == nil {
		j.from = r.split
	}
	if j.forward == 0 && j.shift == "" {
		j.settled = r.exists && r.split.equal(j.d.To) && len(r.others) == 0
	}
	if j.live != nil && !r.exists {
		return
	}
	j.see(r)
}

// see makes what was read the live weights.
func (j *judge) see(r reading) {
	if j.live == nil && j.before != nil && j.before.split.sameShares(r.split) {
		j.live = j.before // the write whose outcome was not known had no effect
		j.undone()
	}
	if j.live == nil || !j.live.split.sameShares(r.split) {
		j.anew()
	}
	j.live, j.before = &r, nil
	at, ok := j.locate(r.split)
	switch {
	case j.alien:
		j.alien = !ok || at != j.step || len(r.others) > 0
	case ok:
		j.step = at
	}
}

// anew: other weights are live from now on, and what was measured before says nothing.
func (j *judge) anew() {
	j.since = j.x.Done
	for _, c := range j.callers {
		c.passed, c.healthy, c.failure, c.answered = false, false, "", false
	}
}

// locate is the step whose shares a split has; -1 is From.
func (j *judge) locate(s Split) (step int, ok bool) {
	if s.sameShares(j.from) {
		return -1, true
	}
	best, least := -1, 2.0
	for i, p := range j.d.Percents {
		if d, rounded := distance(s, j.from, j.d.To, p); rounded && d < least-1e-9 {
			best, least = i, d
		}
	}
	return best, best >= 0
}

// goLive makes a write the live weights.
func (j *judge) goLive(w *write) {
	r := w.reading
	r.at = j.x.Done
	if j.live == nil || !j.live.split.sameShares(r.split) {
		j.anew()
	}
	j.live = &r
}

// end judges what only the end of a trace shows.
func (j *judge) end() {
	if j.live == nil || j.x == nil || j.forward == 0 || j.alien || j.back {
		return
	}
	if j.shift == "" && j.live.split.sameShares(j.d.To) && !j.live.split.equal(j.d.To) {
		j.violate(LawDeclared, "it ended at %s, declared is %s", j.live.split, j.d.To)
	}
}
