package registry

import "strings"

// inCluster tells whether it is Argo CD's own cluster, which Argo CD also knows without any
// Secret.
func inCluster(r Registration) bool {
	return r.ClusterName == "in-cluster" || strings.HasPrefix(canonical(r.Server), "https://kubernetes.default")
}

// canonical form of a server, by which two that are one cluster are found. Names of DNS
// have no case, those of EKS have one.
func canonical(server string) string {
	s := strings.TrimRight(server, "/")
	if strings.HasPrefix(s, "arn:") {
		return s
	}
	s = strings.ToLower(s)
	if strings.HasPrefix(s, "https://") {
		s = strings.TrimSuffix(s, ":443")
	}
	return s
}

// sameServer tells whether Argo CD may go on with the one instead of the other.
func sameServer(a, b string) bool { return canonical(a) == canonical(b) }

// adoptable are the Secrets of others with the cluster's server that a person asked this
// set to adopt.
func (p *pass) adoptable(c Cluster, want Registration) []*Entry {
	var found []*Entry
	for _, e := range p.byServer[canonical(want.Server)] {
		if e.Adopt == p.Set.Owner && !inCluster(e.Registration) && (!e.Ours() || e.Cluster == c.ID) {
			found = append(found, e)
		}
	}
	return found
}

// adopt puts the set's mark on a Secret. Its name stays, as do its labels but for those that
// are declared.
func (p *pass) adopt(a *Action, c Cluster, e *Entry, want Registration) {
	for _, other := range p.theirs[c.ARN()] {
		if other != e {
			a.is(Conflict, "OwnedByOther", "Secret %s is to be adopted, but Secret %s of ClusterSet %s is of this cluster already; let only one of the two select it", e.Name, other.Name, other.Owner)
			return
		}
	}
	if p.unmarkable(a, e) {
		return
	}
	a.Entry = e
	p.repair(a, c, want)
	if a.State == Conflict {
		a.Do, a.Want, a.Uses, a.Effect = "", Registration{}, "", ""
		return
	}
	a.Do = Adopt
}

// conflicts tells whether a cluster without a Secret can have none because of somebody
// else's, or of another cluster.
func (p *pass) conflicts(a *Action, c Cluster, want Registration) bool {
	const adopt = "; `norikae clusters adopt` it if it is to be this set's, or exclude the cluster"
	secret := SecretName(c.ID)
	if inCluster(want) {
		a.is(Conflict, "InCluster", "name %q, server %s is Argo CD's own cluster; give it another template.name", want.ClusterName, want.Server)
		return true
	}
	if other := p.theirs[c.ARN()]; len(other) > 0 {
		a.is(Conflict, "OwnedByOther", "Secret %s of ClusterSet %s has it already; let only one of the two select it", other[0].Name, other[0].Owner)
		return true
	}
	for _, server := range []string{want.Server, c.Endpoint, c.ARN()} {
		if other := p.byServer[canonical(server)]; len(other) > 0 {
			a.is(Conflict, "ServerTaken", "Secret %s%s has its server %s already%s", other[0].Name, owned(other[0]), server, adopt)
			return true
		}
	}
	if other := p.bySecret[secret]; other != nil {
		a.is(Conflict, "SecretExists", "Secret %s%s is of another server, %s; rename or delete that", secret, owned(other), other.Server)
		return true
	}
	return p.nameTaken(a, want.ClusterName, nil) || p.collides(a, c, want)
}

// nameTaken tells whether a Secret other than except has the name.
func (p *pass) nameTaken(a *Action, name string, except *Entry) bool {
	for _, e := range p.byName[name] {
		switch {
		case e == except:
		case e.Owner == p.Set.Owner:
			a.is(Conflict, "NameCollision", "%s has the name %q already; let template.name say more, such as account and region", e.Cluster.ARN(), name)
			return true
		default:
			a.is(Conflict, "NameTaken", "Secret %s%s has the name %q already; `norikae clusters adopt` it if it is this cluster's, or change template.name", e.Name, owned(e), name)
			return true
		}
	}
	return false
}

// collides tells whether another cluster that is to be registered has the same name or
// server.
func (p *pass) collides(a *Action, c Cluster, want Registration) bool {
	switch {
	case p.wantName[want.ClusterName] > 1:
		a.is(Conflict, "NameCollision", "%d new clusters have the name %q, so that none is registered; let template.name say more, such as account and region", p.wantName[want.ClusterName], want.ClusterName)
	case p.wantServer[canonical(c.Endpoint)] > 1:
		a.is(Conflict, "ServerTaken", "%d new clusters have the endpoint %s, so that none is registered", p.wantServer[canonical(c.Endpoint)], c.Endpoint)
	default:
		return false
	}
	return true
}

// owned says whose a Secret is.
func owned(e *Entry) string {
	if e.Ours() {
		return " of ClusterSet " + e.Owner.String()
	}
	return ", which is no ClusterSet's,"
}
