package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// clustersView is what list, sync and adopt print with -o json and -o yaml. Fields are
// added, never renamed or taken away.
type clustersView struct {
	ClusterSets []setView `json:"clusterSets"`
}

type setView struct {
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	ArgoCDNamespace string `json:"argocdNamespace"`
	Suspended       bool   `json:"suspended,omitempty"`
	DryRun          bool   `json:"dryRun,omitempty"` // of sync and adopt
	// Stopped says why nothing may be written.
	Stopped       string        `json:"stopped,omitempty"`
	StoppedReason string        `json:"stoppedReason,omitempty"`
	Counts        countsView    `json:"counts"`
	Scopes        []scopeView   `json:"scopes"`
	Clusters      []clusterView `json:"clusters"`
	// Others are cluster Secrets that are not this set's; with --all only.
	Others []otherView `json:"others,omitempty"`
}

type countsView struct {
	Discovered int `json:"discovered"`
	Registered int `json:"registered"`
	NotInOrder int `json:"notInOrder"`
}

// scopeView is one region of one account.
type scopeView struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	RoleARN string `json:"roleARN,omitempty"`
	Listed  int    `json:"listed"`
	Error   string `json:"error,omitempty"`
}

// stateNew is what list, diff and explain call a cluster that a sync would register. A pass
// that writes has made its Secret when it tells of it: then it is Registered.
const stateNew registry.State = "New"

type clusterView struct {
	ARN       string         `json:"arn"`
	Name      string         `json:"name"`
	Account   string         `json:"account"`
	Region    string         `json:"region"`
	Version   string         `json:"version,omitempty"`
	EKSStatus string         `json:"eksStatus,omitempty"`
	State     registry.State `json:"state"`
	Reason    string         `json:"reason,omitempty"`
	Message   string         `json:"message,omitempty"`
	// Secret is what there is, or will be.
	Secret          string     `json:"secret,omitempty"`
	ArgoCDName      string     `json:"argocdName,omitempty"`
	Server          string     `json:"server,omitempty"`
	MissingSince    *time.Time `json:"missingSince,omitempty"`
	UnselectedSince *time.Time `json:"unselectedSince,omitempty"`
	// Action is what is to be done, or was: create, update, mark, adopt, delete, replace.
	Action  registry.Do `json:"action,omitempty"`
	Written bool        `json:"written,omitempty"` // of sync and adopt
	Effect  string      `json:"effect,omitempty"`  // what ApplicationSets do because of it
	Error   string      `json:"error,omitempty"`

	noNamespace bool // its Secret cannot be made: Argo CD's namespace is not there
}

type otherView struct {
	Secret     string `json:"secret"`
	Owner      string `json:"owner,omitempty"` // the ClusterSet that it is of
	ArgoCDName string `json:"argocdName,omitempty"`
	Server     string `json:"server,omitempty"`
}

func viewOf(l looked) setView {
	info, owner := l.fleet.Info(), l.fleet.Info().Set.Owner
	c := l.pass.Counts()
	v := setView{
		Namespace: owner.Namespace, Name: owner.Name, ArgoCDNamespace: info.ArgoCDNamespace, Suspended: info.Suspended,
		Stopped: clean(l.pass.Stopped), StoppedReason: l.pass.StoppedReason,
		Counts: countsView{c.Discovered, c.Registered, c.NotInOrder},
		Scopes: []scopeView{}, Clusters: []clusterView{},
	}
	for _, s := range l.pass.Scopes {
		v.Scopes = append(v.Scopes, scopeView{s.Scope.Account, s.Scope.Region, s.RoleARN, s.Listed, errorText(s.Err)})
	}
	for _, o := range l.pass.Outcomes {
		v.Clusters = append(v.Clusters, clusterOf(o, l.pass.Sightings[o.Cluster.ARN()].Cluster, info.ArgoCDNamespace))
	}
	return v
}

func clusterOf(o registrar.Outcome, c registry.Cluster, namespace string) clusterView {
	v := clusterView{
		ARN: o.Cluster.ARN(), Name: o.Cluster.Name, Account: o.Cluster.Account, Region: o.Cluster.Region,
		Version: c.Version, EKSStatus: string(c.Status),
		State: o.State, Reason: o.Reason, Message: clean(o.Message), ArgoCDName: o.Want.ClusterName, Server: shownURL(o.Want.Server),
		MissingSince: moment(o.MissingSince), UnselectedSince: moment(o.UnselectedSince),
		Action: o.Do, Written: o.Written, Effect: clean(o.Effect), Error: errorText(o.Err),
	}
	if o.Do == registry.Create {
		v.Secret = namespace + "/" + registry.SecretName(o.Cluster)
	}
	v.State, v.Reason = shownState(o)
	v.noNamespace = o.Do == registry.Create && errors.Is(o.Err, fault.ErrNotFound)
	if e := o.Entry; e != nil {
		v.Secret = e.Namespace + "/" + e.Name
		v.ArgoCDName = cmp.Or(e.ClusterName, v.ArgoCDName)
		v.Server = cmp.Or(shownURL(e.Server), v.Server)
		if o.Do == "" || o.Do == registry.Delete { // the Action says it for every other Do
			v.MissingSince = cmp.Or(v.MissingSince, moment(e.MissingSince))
			v.UnselectedSince = cmp.Or(v.UnselectedSince, moment(e.UnselectedSince))
		}
	}
	return v
}

// shownState is the state of a cluster as it is before anything is written.
func shownState(o registrar.Outcome) (state registry.State, reason string) {
	if o.State == registry.Registered && o.Do == registry.Create && !o.Written {
		return stateNew, string(stateNew)
	}
	return o.State, o.Reason
}

// inOrder tells whether a cluster is as it should be, or will be by the next sync.
func (v clusterView) inOrder() bool { return v.State == registry.Registered || v.State == stateNew }

// why it is in its state, where that is not said by the state itself.
func (v clusterView) why() string {
	if v.Reason == string(v.State) {
		return ""
	}
	return v.Reason
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return clean(err.Error())
}

// others are the cluster Secrets that are not the set's, by name.
func others(l looked) []otherView {
	var out []otherView
	for _, e := range l.pass.Entries {
		if e.Owner == l.fleet.Info().Set.Owner {
			continue
		}
		v := otherView{Secret: e.Namespace + "/" + e.Name, ArgoCDName: clean(e.ClusterName), Server: shownURL(e.Server)}
		if e.Ours() {
			v.Owner = e.Owner.String()
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b otherView) int { return cmp.Compare(a.Secret, b.Secret) })
	return out
}

// printData prints v as -o says.
func (c *clustersCommand) printData(v any) error {
	if c.output != outputYAML {
		return c.printJSON(v)
	}
	data, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("printing YAML: %w", err)
	}
	return c.print(data)
}

// setText is one ClusterSet for people.
func setText(v setView, wide bool, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ClusterSet %s/%s: %s, %d registered, %d not in order\n", v.Namespace, v.Name, count(v.Counts.Discovered, "cluster"), v.Counts.Registered, v.Counts.NotInOrder)
	if v.Suspended {
		b.WriteString("suspended: spec.suspend is true, so nothing is written\n")
	}
	if v.Stopped != "" {
		fmt.Fprintf(&b, "STOPPED (%s): %s\n", v.StoppedReason, v.Stopped)
	}
	b.WriteString(noneSelected(v.Counts.Discovered, len(v.Clusters), v.Scopes))
	if len(v.Clusters) > 0 {
		head := []string{"NAME", "ACCOUNT", "REGION", "VERSION", "STATE", "REASON", "SINCE", "TO DO", "SECRET"}
		if wide {
			head = append(head, "ARGO CD NAME", "SERVER", "MESSAGE")
		}
		rows := [][]string{head}
		for _, k := range v.Clusters {
			rows = append(rows, clusterRow(k, wide, now))
		}
		b.WriteString("\n" + table(rows))
	}
	if len(v.Others) > 0 {
		rows := [][]string{{"SECRET", "OWNER", "ARGO CD NAME", "SERVER"}}
		for _, o := range v.Others {
			rows = append(rows, []string{o.Secret, cmp.Or(o.Owner, "–"), cmp.Or(o.ArgoCDName, "–"), cmp.Or(o.Server, "–")})
		}
		b.WriteString("\ncluster Secrets that are not of this ClusterSet\n" + indent(table(rows)))
	}
	b.WriteString(unaskedText(v.Scopes))
	return b.String()
}

func clusterRow(k clusterView, wide bool, now time.Time) []string {
	since := "–"
	for _, t := range []*time.Time{k.MissingSince, k.UnselectedSince} {
		if t != nil {
			since = age(*t, now)
		}
	}
	row := []string{k.Name, k.Account, k.Region, cmp.Or(k.Version, "–"), string(k.State), cmp.Or(k.why(), "–"), since, cmp.Or(string(k.Action), "–"), cmp.Or(k.Secret, "–")}
	if wide {
		row = append(row, cmp.Or(clean(k.ArgoCDName), "–"), cmp.Or(k.Server, "–"), cmp.Or(k.Message, "–"))
	}
	return row
}
