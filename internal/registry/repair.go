package registry

import (
	"maps"
	"slices"
	"time"
)

// madeAnew tells whether AWS has another cluster under the ARN than the one that the Secret
// was made for: that one is gone then. EKS gives each another endpoint; with the same
// server there is nothing to take back, and Argo CD may go on.
func madeAnew(e Entry, c Cluster) bool {
	return !e.Created.IsZero() && !c.Created.IsZero() && !sameTime(e.Created, c.Created) &&
		c.Endpoint != "" && !sameServer(e.Server, c.Endpoint) && e.Server != c.ARN()
}

// sameTime of two that may have been cut to seconds.
func sameTime(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }

// renew decides about the Secret of a cluster that was made anew under the same ARN.
func (p *pass) renew(a *Action, c Cluster, want Registration) {
	a.is(Held, "Recreated", "EKS has made it anew (%s), and Argo CD's Applications are still bound to the server of the old one, %s; ", moment(c.Created), a.Entry.Server)
	if p.allows(*a.Entry, AllowReplace) {
		p.replace(a, c, want)
		return
	}
	if p.Set.Deletion.Delete {
		p.vanish(a, c)
		return
	}
	a.Message += allowReplace
}

const (
	allowReplace = "to have the Secret deleted and made anew, with the Applications that ApplicationSets made of it, annotate it " + AllowKey + "=" + AllowReplace
	allowRelabel = "to have them changed all the same, annotate the Secret " + AllowKey + "=" + AllowRelabel
)

// allows tells whether a person allowed something to be done to a Secret of the set, or to
// one that the set is asked to adopt.
func (p *pass) allows(e Entry, what string) bool {
	return slices.Contains(e.Allow, what) && (e.Owner == p.Set.Owner || what == AllowRelabel)
}

// repair has what is declared written where it is not so. Name and server stay as they
// are, and so do labels whose change would make Argo CD delete Applications.
func (p *pass) repair(a *Action, c Cluster, want Registration) {
	e := a.Entry
	a.is(Registered, "Registered", "")
	if !sameServer(e.Server, want.Server) {
		p.otherServer(a, c, want)
		return
	}
	want.Server = e.Server // as it is spelt there
	if e.ClusterName != want.ClusterName {
		if p.allows(*e, AllowReplace) {
			p.replace(a, c, want)
			return
		}
		a.hold("NameChange", "its name in Argo CD stays %q, though %q is declared: ApplicationSets make other Applications of another name, and delete those they made; %s", e.ClusterName, want.ClusterName, allowReplace)
		want.ClusterName = e.ClusterName
	}
	p.relabel(a, &want)
	a.Want = want
	if p.differs(a) {
		a.Do = Update
	} else {
		a.Uses, a.Effect = "", ""
	}
	p.shared(a)
}

// shared says that another Secret stands beside one that is in order: Argo CD then takes
// either.
func (p *pass) shared(a *Action) {
	if a.State != Registered {
		return
	}
	for _, e := range p.byServer[canonical(a.Entry.Server)] {
		if e != a.Entry {
			a.is(Conflict, "ServerTaken", "Secret %s%s has its server %s too; delete that one", e.Name, owned(e), a.Entry.Server)
			return
		}
	}
	for _, e := range p.byName[a.Entry.ClusterName] {
		if e != a.Entry {
			a.is(Conflict, "NameTaken", "Secret %s%s has its name %q too; rename that one", e.Name, owned(e), a.Entry.ClusterName)
			return
		}
	}
}

// otherServer decides about a Secret whose server is not the cluster's.
func (p *pass) otherServer(a *Action, c Cluster, want Registration) {
	if p.allows(*a.Entry, AllowReplace) {
		p.replace(a, c, want)
		return
	}
	reason, why := "ServerChange", "another is declared"
	if !c.Created.IsZero() && sameTime(a.Entry.Created, c.Created) && !p.Set.Auth.EKSARN && a.Entry.Server != c.ARN() {
		reason, why = "ServerDrift", "somebody changed it"
	}
	a.hold(reason, "the server in its Secret is %q and would be %s: %s. Argo CD's Applications are bound to it, and a server that changes in place leaves their workloads behind; nothing of the Secret is changed: put the server back, or, %s", a.Entry.Server, want.Server, why, allowReplace)
}

// replace has a Secret deleted and made anew, which a person allowed.
func (p *pass) replace(a *Action, c Cluster, want Registration) {
	if p.replaceConflicts(a, c, want) {
		return
	}
	if p.Set.TargetGroups != nil { // else the permission stands for itself
		t, ok := p.traffic(c)
		switch {
		case !ok:
			a.is(Held, "Replacing", "whether it gets traffic is being asked")
			return
		case t.Err != nil:
			a.is(Held, "TrafficUnknown", "it may be replaced, but not while it cannot be known whether it gets traffic%s", because(t.Err))
			return
		case len(t.Routes) > 0:
			a.is(Held, "CarriesTraffic", "it may be replaced, but not while it gets traffic from %s", some(t.Routes))
			return
		}
	}
	a.is(Registered, "Replaced", "")
	a.Do, a.Want, a.Uses, a.Created = Replace, want, AllowReplace, c.Created
	a.Notes = Notes{}
	a.Effect = join(p.loses(a.Entry.Labels, nil, false), p.gains(nil, p.marked(want.Labels)))
}

// replaceConflicts tells whether somebody else's Secret, or another cluster's, is in the
// way of the new one.
func (p *pass) replaceConflicts(a *Action, c Cluster, want Registration) bool {
	if inCluster(want) {
		a.is(Conflict, "InCluster", "name %q, server %s is Argo CD's own cluster; give it another template.name", want.ClusterName, want.Server)
		return true
	}
	for _, server := range []string{want.Server, c.Endpoint, c.ARN()} {
		for _, e := range p.byServer[canonical(server)] {
			if e != a.Entry {
				a.is(Conflict, "ServerTaken", "Secret %s%s has its server %s already", e.Name, owned(e), server)
				return true
			}
		}
	}
	if e := p.bySecret[SecretName(c.ID)]; e != nil && e != a.Entry {
		a.is(Conflict, "SecretExists", "Secret %s%s is in the way of the new one; rename or delete that", e.Name, owned(e))
		return true
	}
	return p.nameTaken(a, want.ClusterName, a.Entry) || p.replaceCollides(a, want)
}

// replaceCollides tells whether another cluster is to get the name.
func (p *pass) replaceCollides(a *Action, want Registration) bool {
	if p.wantName[want.ClusterName] > 0 || p.renames[want.ClusterName] > 1 {
		a.is(Conflict, "NameCollision", "other clusters have the name %q as well; let template.name say more, such as account and region", want.ClusterName)
		return true
	}
	return false
}

// relabel lets labels change only if every ApplicationSet that made Applications of the
// Secret goes on selecting it, or a person allowed it. Where ApplicationSets are not known,
// annotations stay, too: names of Applications may be made of them.
func (p *pass) relabel(a *Action, want *Registration) {
	e := a.Entry
	before, after := e.Labels, merged(e.Labels, e.Applied.Labels, want.Labels)
	same := maps.Equal(before, after) && e.Owner == p.Set.Owner
	if same && p.ApplicationSetsErr == nil {
		return
	}
	if e.Owner == p.Set.Owner {
		before = p.marked(before)
	}
	after = p.marked(after)
	lost, allowed := p.losing(before, after), p.allows(*e, AllowRelabel)
	switch {
	case p.ApplicationSetsErr != nil && !allowed:
		if same && maps.Equal(e.Annotations, merged(e.Annotations, e.Applied.Annotations, want.Annotations)) {
			return
		}
		a.hold("ApplicationSetsUnknown", "its labels and annotations stay as they are, because what ApplicationSets make of them cannot be known%s; %s", because(p.ApplicationSetsErr), allowRelabel)
		want.Annotations = kept(e.Annotations, e.Applied.Annotations)
	case len(lost) > 0 && !allowed:
		a.hold("LabelWouldDelete", "its labels stay as they are: %s; %s", p.loses(before, after, true), allowRelabel)
	default:
		if len(lost) > 0 || p.ApplicationSetsErr != nil {
			a.Uses = AllowRelabel
		}
		a.Effect = join(p.loses(before, after, true), p.gains(before, after))
		return
	}
	want.Labels = kept(e.Labels, e.Applied.Labels)
}

// unmarkable tells whether the set's mark alone would make Argo CD delete Applications of
// a Secret that is to be adopted.
func (p *pass) unmarkable(a *Action, e *Entry) bool {
	before, after := nonNil(e.Labels), p.marked(e.Labels)
	switch {
	case p.allows(*e, AllowRelabel):
		return false
	case p.ApplicationSetsErr != nil:
		a.is(Held, "ApplicationSetsUnknown", "Secret %s is not adopted, because what ApplicationSets make of the mark's labels cannot be known%s; %s", e.Name, because(p.ApplicationSetsErr), allowRelabel)
	case len(p.losing(before, after)) > 0:
		a.is(Held, "LabelWouldDelete", "Secret %s is not adopted, because of the mark's labels: %s; %s", e.Name, p.loses(before, after, true), allowRelabel)
	default:
		return false
	}
	return true
}

// kept is a declaration of what was declared last time, as it is.
func kept(live map[string]string, applied []string) map[string]string {
	out := map[string]string{}
	for _, k := range applied {
		if v, ok := live[k]; ok {
			out[k] = v
		}
	}
	return out
}

// merged are the labels that a declaration makes of those that are there: of these, the
// ones that were declared last time and are not any more go, all others stay.
func merged(live map[string]string, applied []string, want map[string]string) map[string]string {
	out := maps.Clone(live)
	if out == nil {
		out = map[string]string{}
	}
	for _, k := range applied {
		if !reserved(k) {
			delete(out, k)
		}
	}
	maps.Copy(out, want)
	return out
}

// differs tells whether the Secret is not as wanted.
func (p *pass) differs(a *Action) bool {
	e, w := a.Entry, a.Want
	return e.Project != w.Project || e.Shard != w.Shard || e.Namespaces != w.Namespaces ||
		!SameConfig(e.Config, w.Config) ||
		!maps.Equal(e.Labels, merged(e.Labels, e.Applied.Labels, w.Labels)) ||
		!maps.Equal(e.Annotations, merged(e.Annotations, e.Applied.Annotations, w.Annotations)) ||
		!sameKeys(e.Applied.Labels, w.Labels) || !sameKeys(e.Applied.Annotations, w.Annotations) ||
		!sameTime(e.Created, a.Created)
}

func sameKeys(applied []string, want map[string]string) bool {
	return slices.Equal(slices.Compact(slices.Sorted(slices.Values(applied))), slices.Sorted(maps.Keys(want)))
}
