package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Decide says what is to be done about every cluster that the set selects and every Secret
// that is the set's. It has to be called again with the answers to what it asks; it asks
// nothing twice.
func Decide(in Input) Plan {
	p := newPass(in)
	for _, e := range p.own {
		p.actions = append(p.actions, p.registered(e))
	}
	for _, arn := range slices.Sorted(maps.Keys(p.fresh)) {
		if a, ok := p.unregistered(p.fresh[arn]); ok {
			p.actions = append(p.actions, a)
		}
	}
	p.undescribed()
	p.remove()
	plan := p.limit()
	plan.Actions = inOrder(plan.Actions)
	return plan
}

// inOrder sorts actions by ARN, those of one by Secret, and bounds what they say.
func inOrder(actions []Action) []Action {
	type place struct{ arn, secret string }
	places, order := make([]place, len(actions)), make([]int, len(actions))
	for i, a := range actions {
		places[i].arn, order[i] = a.Cluster.ARN(), i
		if a.Entry != nil {
			places[i].secret = a.Entry.Name
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(places[a].arn, places[b].arn), strings.Compare(places[a].secret, places[b].secret))
	})
	out := make([]Action, len(actions))
	for i, from := range order {
		out[i] = actions[from]
		a := &out[i]
		a.Message, a.Effect = clip(a.Message), clip(a.Effect)
		if a.Do == "" || a.Do == Mark { // of ten thousand that are in order, the rest is megabytes
			a.Want = Registration{ClusterName: a.Want.ClusterName, Server: a.Want.Server}
		}
	}
	return out
}

// pass is one call of Decide.
type pass struct {
	Input
	own    []*Entry           // the set's
	copies map[string]int     // by ARN: how many of own
	fresh  map[string]Cluster // by ARN: selected, and none of own
	// Of the fresh ones, how many want a name and a server.
	wantName, wantServer map[string]int
	// Of those that are to be replaced, how many want a name.
	renames map[string]int
	// Every Secret by what must be unique of it.
	byServer, byName map[string][]*Entry
	bySecret         map[string]*Entry
	theirs           map[string][]*Entry // other sets', by ARN
	living           map[string]string   // ARNs of clusters that are there, by server; nil: not needed yet

	account string // of the caller's own credentials; "": not known

	actions []Action
	due     []due // Secrets of clusters that have been gone for the grace
	asked   []Asked
}

func newPass(in Input) *pass {
	p := &pass{
		Input:  in,
		copies: map[string]int{}, fresh: map[string]Cluster{},
		wantName: map[string]int{}, wantServer: map[string]int{}, renames: map[string]int{},
		byServer: map[string][]*Entry{}, byName: map[string][]*Entry{}, bySecret: map[string]*Entry{},
		theirs: map[string][]*Entry{},
	}
	for _, s := range in.Snapshot.Scopes {
		if s.RoleARN == "" && s.Scope.Account != "" {
			p.account = s.Scope.Account
		}
	}
	for i := range in.Entries {
		e := &in.Entries[i]
		p.byServer[canonical(e.Server)] = append(p.byServer[canonical(e.Server)], e)
		p.byName[e.ClusterName] = append(p.byName[e.ClusterName], e)
		p.bySecret[e.Name] = e
		switch {
		case e.Owner == in.Set.Owner:
			p.own = append(p.own, e)
			p.copies[e.Cluster.ARN()]++
		case e.Ours():
			p.theirs[e.Cluster.ARN()] = append(p.theirs[e.Cluster.ARN()], e)
		}
	}
	p.findFresh()
	for _, e := range p.own {
		if !p.allows(*e, AllowReplace) {
			continue
		}
		if name, err := in.Set.clusterName(in.Snapshot.Sightings[e.Cluster.ARN()].Cluster); err == nil {
			p.renames[name]++
		}
	}
	return p
}

func (p *pass) findFresh() {
	for arn, s := range p.Snapshot.Sightings {
		c := s.Cluster
		if s.Presence != Present || c.ARN() != arn || p.copies[arn] > 0 {
			continue
		}
		if sel, _ := p.selects(c); sel != selected {
			continue
		}
		p.fresh[arn] = c
		if c.Status == Deleting || c.Status == Failed {
			continue
		}
		// Counted while it is created, too: else which of two gets the name is chance.
		if name, err := p.Set.clusterName(c); err == nil {
			p.wantName[name]++
		}
		if c.Endpoint != "" {
			p.wantServer[canonical(c.Endpoint)]++
		}
	}
}

// registered decides about a Secret of the set.
func (p *pass) registered(e *Entry) Action {
	a := Action{Cluster: e.Cluster, Entry: e, Created: e.Created, Notes: e.Notes}
	arn := e.Cluster.ARN()
	s := p.Snapshot.Sightings[arn]
	if _, err := ParseARN(arn); err != nil {
		a.is(Uncertain, "MarkUnreadable", "Secret %s carries this set's mark, which does not say which cluster it is of; it is left alone: put the mark right, or remove it", e.Name)
		return a
	}
	if s.Presence == Present && s.Cluster.ARN() != arn {
		s = Sighting{}
	}
	switch {
	case inCluster(e.Registration):
		a.is(Conflict, "InCluster", "Secret %s is of Argo CD's own cluster, which is never touched; take this set's mark off it", e.Name)
		return a
	case p.copies[arn] > 1:
		a.is(Conflict, "Duplicate", "%d Secrets carry this set's mark of this cluster, one of them %s; none is touched: delete all but one", p.copies[arn], e.Name)
		if s.Presence == Present && !madeAnew(*e, s.Cluster) {
			a.found()
		}
	case s.Presence == Gone:
		a.is(Missing, "Gone", "")
		p.vanish(&a, Cluster{ID: e.Cluster, Created: e.Created})
	case s.Presence == Present:
		p.present(&a, s.Cluster)
	default:
		a.is(Uncertain, "Unknown", "AWS could not be asked about it%s; its Secret stays as it is", because(s.Err))
	}
	a.note()
	return a
}

// found takes back that its cluster is missing.
func (a *Action) found() { a.MissingSince, a.YieldedAt = time.Time{}, time.Time{} }

// note has the notes of an action written, if they changed and nothing else is written.
func (a *Action) note() {
	if a.Do == "" && !a.Notes.Equal(a.Entry.Notes) {
		a.Do = Mark
	}
}

// present decides about a Secret whose cluster is there.
func (p *pass) present(a *Action, c Cluster) {
	anew := madeAnew(*a.Entry, c)
	if !anew {
		a.found()
		if !c.Created.IsZero() {
			a.Created = c.Created
		}
	}
	sel, reason := p.selects(c)
	switch {
	case c.Status == Deleting:
		p.drain(a, c)
	case sel == undecided:
		a.is(Uncertain, reason, "whether it is still selected cannot be known: the account of the own credentials could not be learnt; its Secret stays as it is")
	case sel == unselected:
		p.unselect(a, reason)
	default:
		a.UnselectedSince = time.Time{}
		p.keep(a, c, anew)
	}
}

// keep a Secret as declared whose cluster is there and selected.
func (p *pass) keep(a *Action, c Cluster, anew bool) {
	if !p.ready(a, c) {
		return
	}
	want, ok := p.render(a, c)
	switch {
	case !ok:
	case anew:
		p.renew(a, c, want)
	default:
		p.repair(a, c, want)
	}
}

// drain says which routes still send traffic to a cluster that EKS is deleting.
func (p *pass) drain(a *Action, c Cluster) {
	a.is(Draining, "Deleting", "EKS is deleting it; its Secret stays until it is gone")
	routes, ok := p.traffic(c)
	switch {
	case !ok:
	case routes.Err != nil:
		a.is(Draining, "TrafficUnknown", "EKS is deleting it; its Secret stays until it is gone. Whether it still gets traffic cannot be known%s", because(routes.Err))
	case len(routes.Routes) > 0:
		a.is(Draining, "CarriesTraffic", "EKS is deleting it, and it still gets traffic from %s: move that away now", some(routes.Routes))
	}
}

func (p *pass) unselect(a *Action, reason string) {
	if a.UnselectedSince.IsZero() || a.UnselectedSince.After(p.Now) { // another's clock may be ahead
		a.UnselectedSince = p.Now
	}
	why := map[string]string{
		"NoSource":    "no source of the set covers its account and region any more",
		"Excluded":    "the selector excludes it",
		"NameDiffers": "its name matches no pattern of the selector",
		"TagsDiffer":  "its tags do not match the selector any more",
	}[reason]
	a.is(Unselected, reason, "it is there, but %s; its Secret stays: select it again, or `norikae clusters retire` it", why)
}

// unregistered decides about a selected cluster without a Secret of the set; false: there
// is nothing to say of it.
func (p *pass) unregistered(c Cluster) (Action, bool) {
	a := Action{Cluster: c.ID, Created: c.Created}
	if c.Status == Deleting {
		return a, false
	}
	if !p.ready(&a, c) {
		return a, true
	}
	want, ok := p.render(&a, c)
	if !ok {
		return a, true
	}
	switch adopt := p.adoptable(c, want); {
	case len(adopt) > 1:
		a.is(Conflict, "Duplicate", "%s are all to be adopted, and have the server of this cluster: leave one", secrets(adopt))
	case len(adopt) == 1:
		p.adopt(&a, c, adopt[0], want)
	case p.conflicts(&a, c, want):
	default:
		p.create(&a, c, want)
	}
	return a, true
}

// undescribed tells of clusters that were listed, and of which nothing else could be
// learnt: without a Secret, nothing else would tell of them.
func (p *pass) undescribed() {
	for arn, s := range p.Snapshot.Sightings {
		id, err := ParseARN(arn)
		if s.Presence != Unknown || s.Err == nil || err != nil || p.copies[arn] > 0 || len(p.theirs[arn]) > 0 || !p.maySelect(id) {
			continue
		}
		a := Action{Cluster: id}
		a.is(Uncertain, "Unknown", "AWS lists it, and could not be asked about it%s; it is not registered yet", because(s.Err))
		p.actions = append(p.actions, a)
	}
}

// create once the API server answers.
func (p *pass) create(a *Action, c Cluster, want Registration) {
	if p.Set.Probe.Enabled {
		err, ok := p.Probes[c.ARN()]
		switch {
		case !ok:
			p.asked = append(p.asked, Asked{AskProbe, c})
			a.is(Waiting, "Probing", "whether its API server answers is being asked")
			return
		case err != nil:
			a.is(Unreachable, "ProbeFailed", "%v", err)
			return
		}
	}
	a.is(Registered, "Registered", "")
	a.Do, a.Want = Create, want
	a.Effect = p.gains(nil, p.marked(want.Labels))
}

// ready tells whether EKS has a cluster that can be registered.
func (p *pass) ready(a *Action, c Cluster) bool {
	switch c.Status {
	case Active, Updating:
		return true
	case Failed:
		a.is(Broken, "Failed", "EKS says that its creation failed; delete it, or exclude it")
	case Creating, Pending:
		a.is(Waiting, "Creating", "EKS says that it is %s", c.Status)
	case Deleting:
		a.is(Draining, "Deleting", "EKS is deleting it")
	default:
		a.is(Waiting, "StatusUnknown", "EKS says that its status is %q, which norikae does not know", c.Status)
	}
	return false
}

// render what its Secret has to say; false: it cannot be said.
func (p *pass) render(a *Action, c Cluster) (Registration, bool) {
	want, err := p.Set.Render(c)
	switch {
	case err == nil:
		return want, true
	case err == errNotReady: //nolint:errorlint // ours, and never wrapped
		a.is(Waiting, "NoEndpoint", "%v", err)
	default:
		a.is(Invalid, "TemplateError", "%v", err)
	}
	return want, false
}

// traffic of a cluster, if that is known already; else it is asked for.
func (p *pass) traffic(c Cluster) (Traffic, bool) {
	switch t, ok := p.Traffic[c.ARN()]; {
	case p.Set.TargetGroups == nil:
		return Traffic{Err: errNoTargetGroups}, true
	case p.Set.TargetGroups.None:
		return Traffic{}, true
	case ok:
		return t, true
	default:
		p.asked = append(p.asked, Asked{AskTraffic, c})
		return Traffic{}, false
	}
}
