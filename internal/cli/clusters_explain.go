package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// explanation is what explain prints with -o json and -o yaml.
type explanation struct {
	ClusterSet string `json:"clusterSet"`
	clusterView
	Endpoint string       `json:"endpoint,omitempty"`
	Access   string       `json:"access,omitempty"` // how its API server can be reached
	VPC      string       `json:"vpc,omitempty"`
	Selected bool         `json:"selected"`
	Sources  []sourceView `json:"sources"`
	// Template is what its Secret has to say, by field.
	Template        map[string]string `json:"template,omitempty"`
	TemplateError   string            `json:"templateError,omitempty"`
	Changes         []fieldChange     `json:"changes,omitempty"` // that the next pass makes
	Held            []fieldChange     `json:"held,omitempty"`    // that it does not make, unless they are allowed
	ApplicationSets []appSetView      `json:"applicationSets"`
	AppSetsError    string            `json:"applicationSetsError,omitempty"`
	Traffic         trafficView       `json:"traffic"`
	Probe           string            `json:"probe,omitempty"` // why its API server does not answer
	Next            []string          `json:"next"`            // what a person may do
}

// sourceView is what one source of the ClusterSet says of the cluster.
type sourceView struct {
	Index    int     `json:"index"` // in spec.sources
	Selected bool    `json:"selected"`
	Checks   []check `json:"checks"`
}

// check is one requirement, and whether the cluster satisfies it.
type check struct {
	Requirement string `json:"requirement"`
	Satisfied   bool   `json:"satisfied"`
	Found       string `json:"found,omitempty"` // what the cluster has instead
}

type appSetView struct {
	Name    string `json:"name"`
	Selects bool   `json:"selects"`
	// IfDeleted and IfDeselected tell what it does when the Secret goes, or no longer
	// matches.
	IfDeleted    string `json:"ifDeleted,omitempty"`
	IfDeselected string `json:"ifDeselected,omitempty"`
}

type trafficView struct {
	Routes []string `json:"routes"` // that send it some
	Error  string   `json:"error,omitempty"`
}

func (c *clustersCommand) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain CLUSTER",
		Short: "Tell everything about one cluster: why it is selected or not, and what blocks it",
		Long: `Explain names which source of the ClusterSet selects the cluster, or which requirement it
fails; what the template makes of it; its Secret, its state and what stands in the way;
which ApplicationSets select it and what they would do if it went; which routes send it
traffic; whether its API server answers from here; and what to do next. It writes nothing.
CLUSTER is an ARN, EKS's name, Argo CD's name or the name of its Secret.

With -o json or yaml: what list has of one cluster, and clusterSet, endpoint, access, vpc,
selected, sources[] (index, selected, checks[]: requirement, satisfied, found), template (by
field) or templateError, changes[] and held[] (field, from, to), applicationSets[] (name,
selects, ifDeleted, ifDeselected), traffic (routes, error), probe (why its API server does
not answer) and next[].`,
		Example: `  norikae clusters explain blue -f clusterset.yaml
  norikae clusters explain arn:aws:eks:us-east-1:111122223333:cluster/blue --set production -n argocd
  norikae clusters explain blue -f clusterset.yaml -o json | jq '.sources[].checks[] | select(.satisfied | not)'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return hinted(fmt.Errorf("explain needs one cluster, not %d", len(args)), "For example `norikae clusters explain blue -f clusterset.yaml`.")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			fleets, err := c.open(cmd)
			if err != nil {
				return err
			}
			f, err := c.findCluster(cmd.Context(), fleets, args[0])
			if err != nil {
				return err
			}
			e, err := c.explain(cmd.Context(), f)
			if err != nil {
				return err
			}
			if c.forPrograms() {
				return c.printData(e)
			}
			return c.print([]byte(explainText(e, time.Now())))
		},
	}
	c.namedFlag(cmd)
	return cmd
}

// findCluster looks among what the sets know, then asks EKS.
func (c *clustersCommand) findCluster(ctx context.Context, fleets []Fleet, name string) (found, error) {
	seen, err := c.look(ctx, fleets)
	if err != nil {
		return found{}, err
	}
	if len(named(seen, name)) > 0 {
		return one(seen, name)
	}
	var list []found
	var unasked []error
	for _, l := range seen {
		sightings, err := asking(ctx, c.session, "still looking for the cluster", func(ctx context.Context) ([]registry.Sighting, error) { return l.fleet.Find(ctx, name) })
		if err != nil {
			return found{}, err
		}
		for _, s := range sightings {
			if s.Presence != registry.Present {
				unasked = append(unasked, s.Err)
				continue
			}
			l.pass.Sightings = maps.Clone(l.pass.Sightings)
			if l.pass.Sightings == nil {
				l.pass.Sightings = map[string]registry.Sighting{}
			}
			l.pass.Sightings[s.Cluster.ARN()] = s
			list = append(list, found{l, registrar.Outcome{Action: registry.Action{Cluster: s.Cluster.ID}}})
		}
	}
	switch {
	case len(list) == 1, len(list) > 1 && sameCluster(list):
		return list[0], nil
	case len(list) == 0:
		err := unknownCluster(seen, name, "`norikae clusters list` shows those that are selected. Whether another exists was asked in the accounts and regions of the sources only.")
		if foreign := foreignSecret(seen, name); foreign != nil {
			err = hinted(foreign, "`norikae clusters adopt` takes it over, if its server is that of a cluster that is selected; `norikae clusters list --all` shows its server.")
		}
		if more := errors.Join(unasked...); more != nil {
			err = hinted(fmt.Errorf("%w; and not everybody could be asked: %w", err, more), hintFor(err))
		}
		return found{}, err
	}
	var arns []string
	for _, f := range list {
		arns = append(arns, f.outcome.Cluster.ARN())
	}
	return found{}, ambiguous(name, arns)
}

func sameCluster(list []found) bool {
	return !slices.ContainsFunc(list, func(f found) bool { return f.outcome.Cluster != list[0].outcome.Cluster })
}

func (c *clustersCommand) explain(ctx context.Context, f found) (explanation, error) {
	set, o := f.fleet.Info().Set, f.outcome
	s, known := f.pass.Sightings[o.Cluster.ARN()]
	k := s.Cluster
	if !known || s.Presence != registry.Present {
		k = registry.Cluster{ID: o.Cluster, Created: o.Created}
	}
	e := explanation{
		ClusterSet: set.Owner.String(), clusterView: clusterOf(o, k, f.fleet.Info().ArgoCDNamespace),
		Endpoint: shownURL(k.Endpoint), Access: accessText(k), VPC: k.VPC,
		Sources: sourcesOf(set, k, f.pass.Scopes), Changes: changes(o.Action), Held: heldBack(f.looked, o), AppSetsError: errorText(f.pass.ApplicationSetsErr),
		ApplicationSets: []appSetView{}, Traffic: trafficView{Routes: []string{}}, Next: []string{},
	}
	e.Selected = slices.ContainsFunc(e.Sources, func(s sourceView) bool { return s.Selected })
	labels := map[string]string{}
	if k.Status != "" {
		want, err := set.Render(k)
		if e.TemplateError = errorText(err); err == nil {
			e.Template, _ = fields(want)
			labels = want.Labels
		}
	}
	if o.Entry != nil {
		labels = o.Entry.Labels
	}
	if labels == nil {
		labels = map[string]string{}
	}
	for _, a := range f.pass.ApplicationSets {
		e.ApplicationSets = append(e.ApplicationSets, appSetOf(a, labels))
	}
	if err := c.askAbout(ctx, f.fleet, k, &e); err != nil {
		return e, err
	}
	e.Next = next(e)
	return e, nil
}

// askAbout asks what only others know: the traffic and the API server.
func (c *clustersCommand) askAbout(ctx context.Context, f Fleet, k registry.Cluster, e *explanation) error {
	t, err := asking(ctx, c.session, "still asking the load balancers", func(ctx context.Context) (registry.Traffic, error) {
		return f.Traffic(ctx, k), ctx.Err()
	})
	if err != nil {
		return err
	}
	e.Traffic.Error = errorText(t.Err)
	for _, r := range t.Routes {
		e.Traffic.Routes = append(e.Traffic.Routes, clean(r))
	}
	if k.Status == "" {
		return nil // there is nothing to reach for
	}
	if k.Endpoint == "" {
		e.Probe = "EKS has not given it an endpoint yet"
		return nil
	}
	_, err = asking(ctx, c.session, "still reaching for its API server", func(ctx context.Context) (struct{}, error) {
		e.Probe = errorText(f.Probe(ctx, k))
		return struct{}{}, ctx.Err()
	})
	return err
}

func accessText(k registry.Cluster) string {
	var parts []string
	if k.PublicAccess {
		parts = append(parts, "public, from "+cmp.Or(strings.Join(k.PublicCIDRs, ", "), "anywhere"))
	}
	if k.PrivateAccess {
		parts = append(parts, "private, in its VPC")
	}
	return strings.Join(parts, "; ")
}

// sourcesOf says what each source makes of the cluster.
func sourcesOf(set *registry.Set, k registry.Cluster, scopes []registry.ScopeResult) []sourceView {
	out := []sourceView{}
	for i, s := range set.Sources {
		v := sourceView{Index: i, Checks: placeChecks(i, s, k, scopes)}
		if k.Status != "" {
			v.Checks = append(v.Checks, selectorChecks(s.Selector, k)...)
		}
		v.Selected = k.Status != "" && !slices.ContainsFunc(v.Checks, func(c check) bool { return !c.Satisfied })
		out = append(out, v)
	}
	return out
}

// placeChecks tell whether a source looks where the cluster is.
func placeChecks(i int, s registry.Source, k registry.Cluster, scopes []registry.ScopeResult) []check {
	var accounts []string
	for _, r := range scopes {
		if r.Source == i && r.Scope.Account != "" {
			accounts = append(accounts, r.Scope.Account)
		}
	}
	slices.Sort(accounts)
	accounts = slices.Compact(accounts)
	return []check{
		checked("region: "+strings.Join(s.Regions, ", "), slices.Contains(s.Regions, k.Region), k.Region),
		checked("account: "+cmp.Or(strings.Join(accounts, ", "), "unknown, nobody answered"), slices.Contains(accounts, k.Account), k.Account),
	}
}

// checked is a check; what was found is of interest if it fails.
func checked(requirement string, ok bool, found string) check {
	c := check{Requirement: requirement, Satisfied: ok}
	if !ok {
		c.Found = clean(found)
	}
	return c
}

// selectorChecks asks the selector, requirement by requirement.
func selectorChecks(s registry.Selector, k registry.Cluster) []check {
	var out []check
	tag := func(key string) string {
		if v, ok := k.Tags[key]; ok {
			return fmt.Sprintf("%q", v)
		}
		return "no such tag"
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		part := registry.Selector{Tags: map[string]string{key: s.Tags[key]}}
		out = append(out, checked(fmt.Sprintf("tag %s = %q", key, s.Tags[key]), part.Match(k), tag(key)))
	}
	for _, r := range s.Requirements {
		text := fmt.Sprintf("tag %s %s", r.Key, r.Operator)
		if len(r.Values) > 0 {
			text += " " + strings.Join(r.Values, ", ")
		}
		out = append(out, checked(text, registry.Selector{Requirements: []registry.Requirement{r}}.Match(k), tag(r.Key)))
	}
	if len(s.Names) > 0 {
		out = append(out, checked("name: "+strings.Join(s.Names, ", "), registry.Selector{Names: s.Names}.Match(k), k.Name))
	}
	for _, p := range s.Exclude.Names {
		out = append(out, checked("not excluded by name "+p, registry.Selector{Exclude: registry.Exclude{Names: []string{p}}}.Match(k), k.Name))
	}
	for _, a := range s.Exclude.ARNs {
		out = append(out, checked("not excluded by ARN "+a, registry.Selector{Exclude: registry.Exclude{ARNs: []string{a}}}.Match(k), a))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Exclude.Tags)) {
		part := registry.Exclude{Tags: map[string]string{key: s.Exclude.Tags[key]}}
		out = append(out, checked(fmt.Sprintf("not excluded by tag %s = %q", key, s.Exclude.Tags[key]), registry.Selector{Exclude: part}.Match(k), tag(key)))
	}
	return out
}

// typeLabel is the label that makes a Secret a cluster's.
const typeLabel = "argocd.argoproj.io/secret-type"

// appSetOf tells what an ApplicationSet has to do with a Secret of these labels. What it
// does is Argo CD's: docs/operator-manual/applicationset/Application-Deletion.md.
func appSetOf(a registry.ApplicationSet, labels map[string]string) appSetView {
	v := appSetView{Name: a.String()}
	labels = maps.Clone(labels)
	labels[typeLabel] = "cluster"
	v.Selects = slices.ContainsFunc(a.Selectors, func(s registry.LabelSelector) bool { return s.Match(labels) })
	switch {
	case !v.Selects:
	case a.Keeps:
		v.IfDeleted = "its Application stays (its policy deletes none)"
		v.IfDeselected = v.IfDeleted
	case a.Preserves:
		v.IfDeleted = "its Application is deleted; the workloads stay (preserveResourcesOnDeletion)"
		v.IfDeselected = v.IfDeleted
	default:
		v.IfDeleted = "its Application is deleted; the workloads stay or go, by which Argo CD does first"
		v.IfDeselected = "its Application is deleted, and its workloads with it"
	}
	return v
}

// next steps by what was found.
func next(e explanation) []string {
	out := []string{}
	switch e.State {
	case registry.Missing:
		out = append(out, "if it is really gone: norikae clusters retire "+e.ARN)
	case registry.Unselected:
		out = append(out, "to keep it: let the selector select it again; to let it go: norikae clusters retire "+e.ARN)
	case registry.Held:
		out = append(out, "to allow the change once: norikae clusters sync --allow-relabel "+e.ARN+" --dry-run (labels), or --allow-replace (name or server)")
	case registry.Conflict:
		out = append(out, "if the other Secret is this cluster's: norikae clusters adopt SECRET --dry-run; else give template.name another form")
	case registry.Invalid:
		out = append(out, "give the cluster the tag that the template asks for, or change the template")
	case registry.Unreachable:
		out = append(out, "open the way from here to its API server, or set spec.probe.enabled to false when the controller is elsewhere than Argo CD")
	case registry.Broken:
		out = append(out, "look at it in EKS, and delete it there if it cannot be mended")
	case registry.Uncertain:
		out = append(out, "look at why its account or region does not answer: norikae clusters list shows the error")
	case registry.Unwritten:
		out = append(out, "look at the error: norikae needs create, update and delete of Secrets in Argo CD's namespace")
	case registry.Draining:
		if len(e.Traffic.Routes) > 0 {
			out = append(out, "move its traffic away before EKS has deleted it")
		}
	case registry.Registered, registry.Waiting, stateNew:
	case "":
		if !e.Selected {
			out = append(out, "no source selects it: change its tags, or the selector")
		}
	}
	if e.Action != "" {
		out = append(out, "the next pass will "+string(e.Action)+" its Secret: norikae clusters diff shows how")
	}
	return out
}
