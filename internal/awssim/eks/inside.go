package eks

import "slices"

// Authentication modes, as AWS names them.
const (
	ModeConfigMap       = configMap
	ModeAPIAndConfigMap = apiAndConfigMap
	ModeAPI             = api
)

// Access is who may enter a cluster's API server, as far as EKS knows: in the modes with
// CONFIG_MAP the cluster's own ConfigMap aws-auth has a say as well.
type Access struct {
	Mode string
	// Creator is the ARN of the role or user who is the administrator without being named
	// anywhere, in the mode CONFIG_MAP; "": nobody is.
	Creator string
	Entries []AccessEntry // in the order of principals; none in the mode CONFIG_MAP
}

// AccessEntry is what a principal is inside of a cluster.
type AccessEntry struct {
	Principal string // ARN of a role, with its path, or of a user
	Type      string // STANDARD, or one of nodes
	Username  string // with {{AccountID}}, {{SessionName}} and the like
	Groups    []string
	Policies  []AccessPolicy
}

// AccessPolicy is an access policy that is associated with an entry.
type AccessPolicy struct {
	Name       string   // e.g. AmazonEKSViewPolicy
	Namespaces []string // where it holds, * standing for any characters; nil: everywhere
}

// AccessPolicies are the names of those that can be associated.
func AccessPolicies() []string { return accessPolicies() }

// Access of a cluster, as it is now; ok is false when there is no such cluster.
func (s *Service) Access(arn string) (a Access, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byARN(arn)
	if x == nil {
		return Access{}, false
	}
	a.Mode = x.settings.authMode
	if a.Mode == configMap {
		if x.settings.bootstrapAdmin {
			a.Creator = x.creator
		}
		return a, true
	}
	for _, e := range sortedValues(x.entries) {
		a.Entries = append(a.Entries, e.inside())
	}
	return a, true
}

func (e *accessEntry) inside() AccessEntry {
	out := AccessEntry{Principal: e.principal, Type: e.kind, Username: e.username, Groups: slices.Clone(e.groups)}
	for _, name := range accessPolicies() {
		if p := e.policies[e.cluster.world.policyARN(name)]; p != nil {
			out.Policies = append(out.Policies, AccessPolicy{Name: name, Namespaces: slices.Clone(p.namespaces)})
		}
	}
	return out
}
