package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/registrar"
)

// found is a cluster that a person named.
type found struct {
	looked
	outcome registrar.Outcome
}

// called tells whether a cluster is called so: by its ARN, ACCOUNT/REGION/NAME, EKS's name,
// Argo CD's name, or its Secret's.
func called(o registrar.Outcome, name string) bool {
	id := o.Cluster
	if name == "" { // the Argo CD name of what could not be rendered
		return false
	}
	if id.ARN() == name || id.Account+"/"+id.Region+"/"+id.Name == name || o.Cluster.Name == name || o.Want.ClusterName == name {
		return true
	}
	if o.Entry == nil {
		return false
	}
	return o.Entry.Name == name || o.Entry.ClusterName == name || o.Entry.Namespace+"/"+o.Entry.Name == name
}

// named are the clusters that are called so. An exact ARN or Secret means one.
func named(seen []looked, name string) []found {
	var out []found
	for _, l := range seen {
		for _, o := range l.pass.Outcomes {
			if called(o, name) {
				out = append(out, found{l, o})
			}
		}
	}
	return out
}

// one is the cluster that is called so; an error lists the ARNs when there are several.
func one(seen []looked, name string) (found, error) {
	list := named(seen, name)
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return found{}, unknownCluster(seen, name, "`norikae clusters list` shows those that there are; `norikae clusters explain` why one is not selected.")
	}
	var arns []string
	for _, f := range list {
		arns = append(arns, f.outcome.Cluster.ARN())
	}
	return found{}, ambiguous(name, arns)
}

func ambiguous(name string, arns []string) error {
	slices.Sort(arns)
	return hinted(fmt.Errorf("%q is ambiguous: %d clusters are called so:\n  %s", name, len(arns), strings.Join(arns, "\n  ")), "Name the one by its ARN, or as ACCOUNT/REGION/NAME.")
}

func unknownCluster(seen []looked, name, hint string) error {
	var names []string
	for _, l := range seen {
		for _, o := range l.pass.Outcomes {
			names = append(names, o.Cluster.Name)
			if o.Entry != nil {
				names = append(names, o.Entry.Name)
			}
		}
	}
	slices.Sort(names)
	if near := manifest.Nearest(name, slices.Compact(names)); near != "" {
		hint = fmt.Sprintf("Did you mean %q? ", near) + hint
	}
	return hinted(fmt.Errorf("there is no cluster and no Secret %q in %s", name, setNames(seen)), hint)
}

func setNames(seen []looked) string {
	var out []string
	for _, l := range seen {
		out = append(out, l.fleet.Info().Set.Owner.String())
	}
	return "ClusterSet " + strings.Join(out, ", ")
}
