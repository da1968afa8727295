package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// diffView is what diff prints with -o json and -o yaml.
type diffView struct {
	ClusterSets []setDiff `json:"clusterSets"`
}

type setDiff struct {
	Namespace     string      `json:"namespace"`
	Name          string      `json:"name"`
	Stopped       string      `json:"stopped,omitempty"`
	StoppedReason string      `json:"stoppedReason,omitempty"`
	Scopes        []scopeView `json:"scopes"`
	Changes       []change    `json:"changes"`
	// NotInOrder are clusters that a sync leaves as they are, and why.
	NotInOrder []leftView `json:"notInOrder"`

	discovered int // selected clusters
}

// leftView is a cluster that a sync leaves as it is.
type leftView struct {
	clusterView
	// Held is what would change in its Secret if it were allowed.
	Held []fieldChange `json:"held,omitempty"`
}

// change of one Secret.
type change struct {
	ARN     string        `json:"arn"`
	Action  registry.Do   `json:"action"`
	Secret  string        `json:"secret"`
	State   string        `json:"state"`
	Reason  string        `json:"reason,omitempty"`
	Message string        `json:"message,omitempty"`
	Effect  string        `json:"effect,omitempty"` // what ApplicationSets do because of it
	Fields  []fieldChange `json:"fields"`
	Held    []fieldChange `json:"held,omitempty"` // of the same Secret, and not changed
}

func (c *clustersCommand) diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff [NAME]",
		Short: "Show what a sync would change, Secret by Secret",
		Long: `Diff makes the same decision as sync and shows what would be written: the fields of each
Secret, its labels and its annotations. It writes nothing. Certificates are shown by their
fingerprint; passwords, keys and tokens never.

It exits with 0 when there is nothing to do, 1 when there are differences, 2 when that
cannot be told, or when a sync would leave clusters that need somebody, and 3 when a sync
would be stopped.

With -o json or yaml: clusterSets[].changes[] has arn, action, secret, state, reason,
message, effect, fields[] (field, from, to: null where there is none) and held[], the fields
that are held back; notInOrder[] has the clusters that a sync leaves as they are.`,
		Example: `  norikae clusters diff -f clusterset.yaml
  norikae clusters diff production -n argocd -o json | jq '.clusterSets[].changes[].action'`,
		// Only differences are 1, as of kubectl diff.
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return cannotTell(errors.Join(c.checkFlags(), c.checkOutput()))
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := c.differences(cmd)
			if err != nil {
				return cannotTell(err)
			}
			return c.printDiff(found)
		},
	}
	c.oneName(cmd)
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, words []string) error { return cannotTell(args(cmd, words)) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return cannotTell(flagError(cmd, err)) })
	return cmd
}

// cannotTell gives an error the exit code of a diff that failed.
func cannotTell(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	return &exitError{exitPartly, err}
}

func (c *clustersCommand) differences(cmd *cobra.Command) (diffView, error) {
	out := diffView{ClusterSets: []setDiff{}}
	fleets, err := c.open(cmd)
	if err != nil {
		return out, err
	}
	seen, err := c.look(cmd.Context(), fleets)
	if err != nil {
		return out, err
	}
	for _, l := range seen {
		out.ClusterSets = append(out.ClusterSets, diffOf(l))
	}
	return out, nil
}

func diffOf(l looked) setDiff {
	v := viewOf(l)
	d := setDiff{
		Namespace: v.Namespace, Name: v.Name, Stopped: v.Stopped, StoppedReason: v.StoppedReason,
		Scopes: v.Scopes, Changes: []change{}, NotInOrder: []leftView{}, discovered: v.Counts.Discovered,
	}
	for i, o := range l.pass.Outcomes {
		switch {
		case o.Do != "":
			ch := changeOf(o, l.fleet.Info().ArgoCDNamespace)
			ch.Held = heldBack(l, o)
			d.Changes = append(d.Changes, ch)
		case o.State != registry.Registered:
			d.NotInOrder = append(d.NotInOrder, leftView{v.Clusters[i], heldBack(l, o)})
		}
	}
	return d
}

func changeOf(o registrar.Outcome, namespace string) change {
	ch := change{
		ARN: o.Cluster.ARN(), Action: o.Do, Message: clean(o.Message), Effect: clean(o.Effect), Fields: changes(o.Action),
	}
	state, reason := shownState(o)
	ch.State, ch.Reason = string(state), reason
	if o.Do == registry.Create {
		ch.Secret = namespace + "/" + registry.SecretName(o.Cluster)
	}
	if o.Entry != nil {
		ch.Secret = o.Entry.Namespace + "/" + o.Entry.Name
	}
	return ch
}

func (c *clustersCommand) printDiff(v diffView) error {
	var err error
	if c.forPrograms() {
		err = c.printData(v)
	} else {
		err = c.print([]byte(diffText(v)))
	}
	if err != nil {
		return cannotTell(err)
	}
	return v.verdict()
}

// verdict is the exit code of a diff.
func (v diffView) verdict() error {
	code := ExitDone
	var stopped []string
	unknown, left := 0, 0
	for _, s := range v.ClusterSets {
		if len(s.Changes) > 0 {
			code = exitDiffers
		}
		if s.Stopped != "" {
			stopped = append(stopped, fmt.Sprintf("%s/%s (%s)", s.Namespace, s.Name, s.StoppedReason))
		}
		unknown += len(unasked(s.Scopes))
		for _, k := range s.NotInOrder {
			if slices.Contains(needSomebody, k.State) {
				left++
			}
		}
	}
	switch {
	case len(stopped) > 0:
		return &exitError{exitStopped, hinted(errors.New("a sync would be stopped, and write nothing: "+strings.Join(stopped, ", ")), stoppedHint)}
	case unknown > 0:
		return &exitError{exitPartly, hinted(fmt.Errorf("%s could not be asked, so there may be more", count(unknown, "region")), "Their clusters and Secrets stay as they are.")}
	case code != ExitDone:
		return &exitError{code: code} // what differs has been said
	case left > 0:
		return &exitError{exitPartly, hinted(fmt.Errorf("a sync would write nothing, and leave %s not in order", count(left, "cluster")), explainHint)}
	}
	return nil
}

// diffText is a diff for people.
func diffText(v diffView) string {
	var parts []string
	for _, s := range v.ClusterSets {
		parts = append(parts, setDiffText(s))
	}
	return strings.Join(parts, "\n")
}

func setDiffText(s setDiff) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ClusterSet %s/%s: ", s.Namespace, s.Name)
	switch {
	case len(s.Changes) > 0:
		b.WriteString(count(len(s.Changes), "Secret") + " to write\n")
	case len(unasked(s.Scopes)) > 0:
		b.WriteString("no differences where somebody could be asked\n")
	default:
		b.WriteString("no differences\n" + noneSelected(s.discovered, len(s.NotInOrder), s.Scopes))
	}
	if s.Stopped != "" {
		fmt.Fprintf(&b, "STOPPED (%s): %s\n", s.StoppedReason, s.Stopped)
	}
	for _, ch := range s.Changes {
		b.WriteString("\n" + changeText(ch))
	}
	if len(s.NotInOrder) > 0 {
		b.WriteString("\nleft as they are\n")
	}
	few, more := fewAlike(s.NotInOrder, s.Scopes, func(k leftView) clusterView { return k.clusterView })
	for _, k := range few {
		b.WriteString("  - " + problem(k.clusterView) + "\n" + heldLines(k.Held))
	}
	for _, text := range more {
		b.WriteString("  - " + text + "\n")
	}
	b.WriteString(unaskedText(s.Scopes))
	return b.String()
}

// heldBack is what the template says that a held Secret does not say.
func heldBack(l looked, o registrar.Outcome) []fieldChange {
	s := l.pass.Sightings[o.Cluster.ARN()]
	if o.State != registry.Held || o.Entry == nil || s.Presence != registry.Present {
		return nil
	}
	want, err := l.fleet.Info().Set.Render(s.Cluster)
	if err != nil {
		return nil // then it is not what is held
	}
	held := between(o.Entry.Registration, want, o.Entry.Applied)
	for _, c := range changes(o.Action) {
		held = slices.DeleteFunc(held, func(h fieldChange) bool { return h.Field == c.Field })
	}
	return held
}

// problems are clusters that are not in order, one line each.
func problems(list []clusterView) []string {
	var out []string
	for _, k := range list {
		out = append(out, problem(k))
	}
	return out
}

func problem(k clusterView) string {
	text := fmt.Sprintf("%s: %s", k.ARN, k.State)
	if why := k.why(); why != "" {
		text += " (" + why + ")"
	}
	if more := cmp.Or(k.Message, k.Error); more != "" {
		text += ": " + more
	}
	return text
}

// changeText is one Secret's part of a diff.
func changeText(ch change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s Secret %s of %s\n%s", ch.Action, ch.Secret, ch.ARN, changeLines(ch.Fields))
	if ch.Effect != "" {
		fmt.Fprintf(&b, "    effect: %s\n", ch.Effect)
	}
	if ch.State != string(registry.Registered) && ch.Message != "" {
		fmt.Fprintf(&b, "    %s (%s): %s\n%s", ch.State, ch.Reason, ch.Message, heldLines(ch.Held))
	}
	return b.String()
}
