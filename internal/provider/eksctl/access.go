package eksctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

const (
	masters = "system:masters"
	// onlyEntries is the authentication mode of a cluster that does not read aws-auth.
	onlyEntries = "API"
)

// entry is a mapping as an access entry; ok is false where EKS has none for it: groups
// and names of its own are for nodes.
// Source: https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
func (m mapping) entry() (e AccessEntry, ok bool) {
	e = AccessEntry{Principal: m.ARN, Username: m.Username}
	for _, g := range m.Groups {
		switch {
		case g == masters:
			e.Admin = true
		case strings.HasPrefix(g, "system:"):
			return e, false
		default:
			e.Groups = append(e.Groups, g)
		}
	}
	for _, prefix := range []string{"system:", "eks:", "aws:", "amazon:", "iam:"} {
		if strings.HasPrefix(m.Username, prefix) {
			return e, false
		}
	}
	return e, true
}

// noEntry says why a mapping cannot be in a cluster that has access entries only.
func (m mapping) noEntry(mode string) error {
	return fmt.Errorf("the cluster's authentication mode is %s, whose access entries have no groups %q for the user %q: "+
		"of the groups, only %s may begin with system:, and a user name does not begin with system:, eks:, aws:, amazon: or iam:; "+
		"give other ones, or set accessConfig.authenticationMode: API_AND_CONFIG_MAP in spec", mode, m.Groups, m.Username, masters)
}

// mapping of an access entry.
func (e AccessEntry) mapping() mapping {
	m := mapping{ARN: e.Principal, Username: e.Username, Groups: slices.Clone(e.Groups)}
	if e.Admin {
		m.Groups = append(m.Groups, masters)
	}
	if m.Groups == nil {
		m.Groups = []string{}
	}
	return m
}

// putMappings makes the mappings of m what they should be, and takes away those that only
// state had.
func (r *clusterResource) putMappings(ctx context.Context, s *session, m, state *clusterModel, c Cluster, diags *diag.Diagnostics) error {
	var was []mapping
	if state != nil {
		was = state.mappings(ctx, diags)
	}
	want := m.mappings(ctx, diags)
	for _, x := range want {
		if slices.ContainsFunc(was, x.same) {
			continue
		}
		var old *mapping
		if i := slices.IndexFunc(was, func(o mapping) bool { return o.ARN == x.ARN }); i >= 0 {
			old = &was[i]
		}
		if err := s.putMapping(ctx, c, x, old); err != nil {
			return fmt.Errorf("giving %s access (iam_identity_mapping): %w", x.ARN, err)
		}
	}
	for _, x := range was {
		if slices.ContainsFunc(want, func(o mapping) bool { return o.ARN == x.ARN }) {
			continue
		}
		if err := s.deleteMapping(ctx, c, x); err != nil {
			return fmt.Errorf("taking access from %s (iam_identity_mapping): %w", x.ARN, err)
		}
	}
	return nil
}

// putMapping in place of the one that the state has; nil: it has none.
func (s *session) putMapping(ctx context.Context, c Cluster, m mapping, old *mapping) error {
	e, ok := m.entry()
	switch {
	case ok && c.hasEntries():
		if old == nil {
			if err := s.mayTake(ctx, c, e); err != nil {
				return err
			}
		}
		err := s.config.Clusters.PutAccessEntry(ctx, s.conn, c.Name, e)
		if err == nil || s.halfGiven(ctx, c, m.ARN) {
			s.given = append(s.given, m)
		}
		return err
	case !c.hasConfigMap():
		return m.noEntry(c.AuthMode)
	case old != nil:
		if err := s.deleteConfigMapping(ctx, c, m.ARN); err != nil {
			return err
		}
	default:
		done, err := s.mayShadow(ctx, c, m)
		if err != nil {
			return err
		}
		if done {
			s.given = append(s.given, m)
			return nil
		}
	}
	args := []string{"create", "iamidentitymapping", "--cluster", c.Name, "--region", s.conn.Region, "--arn", m.ARN, "--username", m.Username}
	for _, g := range m.Groups {
		args = append(args, "--group", g)
	}
	if err := s.run(ctx, "", append(args, "--color=false")...); err != nil {
		return err
	}
	s.given = append(s.given, m)
	if old == nil || !c.hasEntries() {
		return nil
	}
	if _, ok := old.entry(); !ok {
		return nil
	}
	return s.config.Clusters.DeleteAccessEntry(ctx, s.conn, c.Name, m.ARN) // an entry goes before aws-auth
}

// halfGiven tells whether a put that failed made an entry: its policy comes after it.
func (s *session) halfGiven(ctx context.Context, c Cluster, arn string) bool {
	look, cancel := afterwards(ctx)
	defer cancel()
	_, there, err := s.config.Clusters.AccessEntry(look, s.conn, c.Name, arn)
	return err == nil && there
}

// mayTake refuses an entry that somebody else made, and that the mapping would take something
// from: it may be how people get in. One that says the same is taken over, and so is one that
// only lacks the policy, which an apply that was killed leaves; and one of an admin who stays
// one, by another name, which EKS makes for the creator of a cluster.
func (s *session) mayTake(ctx context.Context, c Cluster, want AccessEntry) error {
	is, there, err := s.config.Clusters.AccessEntry(ctx, s.conn, c.Name, want.Principal)
	if err != nil || !there {
		return err
	}
	finished := is
	finished.Admin = is.Admin || want.Admin
	loses := slices.ContainsFunc(is.Groups, func(g string) bool { return !slices.Contains(want.Groups, g) })
	if finished.mapping().same(want.mapping()) || want.Admin && !loses {
		return nil
	}
	m := is.mapping()
	return fmt.Errorf("the cluster has an access entry of it already, with username = %q and groups = %q, which this resource did not make: nothing was done to it. "+
		"Declare exactly that, and it is taken over; or, if nobody needs it: aws eks delete-access-entry --cluster-name %s --region %s --principal-arn %s",
		m.Username, m.Groups, c.Name, s.conn.Region, want.Principal)
}

// mayShadow refuses a mapping of aws-auth that somebody else made, and that this one would take
// something from: of two with the same ARN the last counts, and when it goes, both go. done:
// there is one that says the same. One that says less makes room.
func (s *session) mayShadow(ctx context.Context, c Cluster, want mapping) (done bool, err error) {
	all, err := s.configMappings(ctx, c)
	if err != nil {
		return false, err
	}
	for _, is := range all {
		switch {
		case is.ARN != want.ARN:
			continue
		case is.same(want):
			return true, nil
		case is.Username == want.Username && !slices.ContainsFunc(is.Groups, func(g string) bool { return !slices.Contains(want.Groups, g) }):
			return false, s.deleteConfigMapping(ctx, c, want.ARN)
		}
		return false, fmt.Errorf("aws-auth has a mapping of it already, with username = %q and groups = %q, which this resource did not make: nothing was done to it. "+
			"Declare exactly that, and it is taken over; or, if nobody needs it: eksctl delete iamidentitymapping --cluster %s --region %s --arn %s",
			is.Username, is.Groups, c.Name, s.conn.Region, want.ARN)
	}
	return false, nil
}

// deleteMapping takes access away wherever it is given: where both ways count, a mapping
// may be in aws-auth from before. An entry that the mapping could not be is somebody
// else's: that of nodes, which EKS makes, has the ARN of their mapping.
func (s *session) deleteMapping(ctx context.Context, c Cluster, m mapping) error {
	if _, ok := m.entry(); ok && c.hasEntries() {
		if err := s.config.Clusters.DeleteAccessEntry(ctx, s.conn, c.Name, m.ARN); err != nil {
			return err
		}
	}
	if !c.hasConfigMap() {
		return nil
	}
	if c.hasEntries() {
		found, err := s.configMappings(ctx, c)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(found, func(o mapping) bool { return o.ARN == m.ARN }) {
			return nil
		}
	}
	return s.deleteConfigMapping(ctx, c, m.ARN)
}

func (s *session) deleteConfigMapping(ctx context.Context, c Cluster, arn string) error {
	return s.run(ctx, "", "delete", "iamidentitymapping", "--cluster", c.Name, "--region", s.conn.Region, "--arn", arn, "--all", "--color=false")
}

// readMappings puts the live form of the state's mappings into m, so that what somebody
// changed or took away shows as a difference. A creation that was not finished leaves a state
// with all mappings that are declared, also those that were refused or not tried: of these a
// live one that says something else is somebody else's, and none of the state's.
func (r *clusterResource) readMappings(ctx context.Context, s *session, m *clusterModel, c Cluster, diags *diag.Diagnostics) {
	mine := m.mappings(ctx, diags)
	live := s.liveMappings(ctx, c, mine, diags)
	if diags.HasError() || live == nil {
		return
	}
	m.Auth = mappingSet(ctx, live, diags)
	if len(mine) == 0 {
		return
	}
	kept := []mapping{}
	for _, x := range mine {
		i := slices.IndexFunc(live, func(o mapping) bool { return o.ARN == x.ARN })
		switch {
		case i < 0:
		case live[i].same(x):
			kept = append(kept, x) // in the user's order of groups
		case m.isUnfinished():
		default:
			kept = append(kept, live[i])
		}
	}
	m.Mappings = mappingSet(ctx, kept, diags)
}

// liveMappings are those of the access entries, and of aws-auth where it counts: in a
// cluster that has no entries, or where one of mine is not among them. nil: they could
// not be read, and the state's stay.
func (s *session) liveMappings(ctx context.Context, c Cluster, mine []mapping, diags *diag.Diagnostics) []mapping {
	live := []mapping{}
	if c.Endpoint == "" {
		return live
	}
	if c.hasEntries() {
		entries, err := s.config.Clusters.AccessEntries(ctx, s.conn, c.Name)
		if err != nil {
			diags.AddError("The access entries cannot be read", why(err, "create"))
			return nil
		}
		for _, e := range entries {
			live = append(live, e.mapping())
		}
	}
	all := !slices.ContainsFunc(mine, func(x mapping) bool {
		return !slices.ContainsFunc(live, func(o mapping) bool { return o.ARN == x.ARN })
	})
	if !c.hasConfigMap() || (len(mine) == 0 || all) {
		return live
	}
	more, err := s.configMappings(ctx, c)
	if err != nil {
		diags.AddAttributeWarning(path.Root("iam_identity_mapping"), "aws-auth cannot be read", why(err, "create")+"\n\nThe state keeps what it had.")
		return nil
	}
	for _, x := range more {
		if !slices.ContainsFunc(live, func(o mapping) bool { return o.ARN == x.ARN }) {
			live = append(live, x)
		}
	}
	return live
}

// configMappings asks eksctl for the mappings of aws-auth that count: of several with the same
// ARN it is the last.
func (s *session) configMappings(ctx context.Context, c Cluster) ([]mapping, error) {
	var found []struct {
		RoleARN  string   `json:"rolearn"`
		UserARN  string   `json:"userarn"`
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	}
	if err := s.get(ctx, &found, "iamidentitymapping", "--cluster="+c.Name, "--region="+s.conn.Region); err != nil {
		return nil, err
	}
	var all []mapping
	for _, f := range found {
		m := mapping{ARN: or(f.RoleARN, f.UserARN), Username: f.Username, Groups: f.Groups}
		if m.Groups == nil {
			m.Groups = []string{}
		}
		if m.ARN != "" {
			all = append(slices.DeleteFunc(all, func(o mapping) bool { return o.ARN == m.ARN }), m)
		}
	}
	return all, nil
}
