package registry

// RefusedError says why a Secret is not retired.
type RefusedError struct {
	Reason  string // one word, stable
	Message string // with what to do
}

func (e *RefusedError) Error() string { return e.Message }

// AskRetire says what must be known before Retire can answer; false: nothing more.
func AskRetire(in Input, e Entry) (Asked, bool) {
	way := in.Set.TargetGroups
	_, known := in.Traffic[e.Cluster.ARN()]
	if e.Owner != in.Set.Owner || way == nil || way.None || known {
		return Asked{}, false
	}
	return Asked{AskTraffic, subject(in, e)}, true
}

// subject is the cluster of a Secret as far as it is known.
func subject(in Input, e Entry) Cluster {
	if s := in.Snapshot.Sightings[e.Cluster.ARN()]; s.Presence == Present && s.Cluster.ID == e.Cluster {
		return s.Cluster
	}
	return Cluster{ID: e.Cluster, Created: e.Created}
}

// Retire says how a person may have a Secret of the set deleted that no pass deletes: that
// of a cluster that is gone, that is being deleted, or that is not selected any more. It
// returns a *RefusedError when it may not be. Force takes it that something is not known
// (whether the cluster is there, and whether it gets traffic), but nothing that is known
// to stand against it.
func Retire(in Input, e Entry, force bool) (Action, error) {
	p := newPass(in)
	a := Action{Cluster: e.Cluster, Entry: &e, Created: e.Created, Notes: e.Notes}
	switch {
	case e.Owner != in.Set.Owner:
		return a, refuse("NotOurs", "Secret %s does not carry the mark of ClusterSet %s, which deletes only its own", e.Name, in.Set.Owner)
	case inCluster(e.Registration):
		return a, refuse("InCluster", "Secret %s is of Argo CD's own cluster, which is never touched", e.Name)
	}
	if living, ok := p.lives(e); ok {
		return a, refuse("ServerLives", "Secret %s has the server of %s, which is there, and the mark of %s: put its annotation norikae.dev/cluster-arn right", e.Name, living, e.Cluster.Name)
	}
	if err := p.mayGo(&a, e, force); err != nil {
		return a, err
	}
	if err := p.noTraffic(e, force); err != nil {
		return a, err
	}
	a.Do = Delete
	a.Effect = clip(p.loses(e.Labels, nil, false))
	return a, nil
}

// mayGo finds out whether the Secret would not come back.
func (p *pass) mayGo(a *Action, e Entry, force bool) error {
	s := p.Snapshot.Sightings[e.Cluster.ARN()]
	switch {
	case s.Presence == Gone:
		a.State, a.Reason = Missing, "Gone"
		return nil
	case s.Presence != Present || s.Cluster.ID != e.Cluster:
		a.State, a.Reason = Uncertain, "Unknown"
		if force {
			return nil
		}
		return refuse("Uncertain", "AWS could not be asked whether %s is there%s; --force retires it all the same", e.Cluster.Name, because(s.Err))
	case s.Cluster.Status == Deleting:
		a.State, a.Reason = Draining, "Deleting"
		return nil
	}
	sel, reason := p.selects(s.Cluster)
	switch {
	case sel == undecided && !force:
		return refuse("Uncertain", "whether %s is still selected cannot be known: the account of the own credentials could not be learnt; --force retires it all the same", e.Cluster.Name)
	case sel == selected:
		return refuse("StillSelected", "%s is there and selected, so that its Secret would come back; exclude it first: add %s to spec.sources[].eks.selector.exclude.arns", e.Cluster.Name, e.Cluster.ARN())
	}
	a.State, a.Reason = Unselected, reason
	if a.UnselectedSince.IsZero() {
		a.UnselectedSince = p.Now
	}
	return nil
}

// noTraffic finds out whether nothing sends traffic to the cluster.
func (p *pass) noTraffic(e Entry, force bool) error {
	t, ok := p.traffic(subject(p.Input, e))
	switch {
	case len(t.Routes) > 0:
		return refuse("CarriesTraffic", "%s gets traffic from %s; move that away first", e.Cluster.Name, some(t.Routes))
	case ok && t.Err == nil, force:
		return nil
	case !ok:
		return refuse("TrafficUnknown", "nobody has asked whether %s gets traffic; --force retires it all the same", e.Cluster.Name)
	default:
		return refuse("TrafficUnknown", "whether %s gets traffic cannot be known%s; --force retires it all the same", e.Cluster.Name, because(t.Err))
	}
}

func refuse(reason, format string, args ...any) error {
	var a Action
	a.is("", reason, format, args...)
	return &RefusedError{Reason: reason, Message: clip(a.Message)}
}
