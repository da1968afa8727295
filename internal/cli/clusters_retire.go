package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/registry"
)

// retiredView is what retire prints with -o json and -o yaml.
type retiredView struct {
	DryRun  bool         `json:"dryRun,omitempty"`
	Secrets []retireView `json:"secrets"`
}

type retireView struct {
	ARN           string         `json:"arn"`
	Secret        string         `json:"secret"`
	State         registry.State `json:"state,omitempty"`
	Effect        string         `json:"effect,omitempty"`  // what ApplicationSets do because of it
	Refused       string         `json:"refused,omitempty"` // why it may not be retired
	RefusedReason string         `json:"refusedReason,omitempty"`
	Deleted       bool           `json:"deleted,omitempty"`
	Error         string         `json:"error,omitempty"`
}

func (c *clustersCommand) retireCommand() *cobra.Command {
	var how retiring
	cmd := &cobra.Command{
		Use:   "retire CLUSTER...",
		Short: "Remove the Secrets of clusters from Argo CD, after the same checks as a pass",
		Long: `Retire deletes the Secret by which Argo CD knows a cluster. It says first what
ApplicationSets will do because of it: which Applications go, and whether their workloads
go or stay. Then the name has to be typed, unless --yes is given.

It retires clusters that are gone, that EKS is deleting, and that are not selected any more;
one that is still there and selected would come back: exclude it first (selector.exclude).
It never retires a cluster that a route still sends traffic to: shift that away first. Where
AWS cannot be asked, or the traffic cannot be known (spec.template.targetGroups says how),
--force retires it all the same. CLUSTER is an ARN, EKS's name, Argo CD's name or the name
of the Secret.

With -o json or yaml: secrets[] has arn, secret, state, effect, refused, refusedReason,
deleted and error.`,
		Example: `  norikae clusters retire blue -f clusterset.yaml --dry-run
  norikae clusters retire blue -f clusterset.yaml
  norikae clusters retire arn:aws:eks:us-east-1:111122223333:cluster/blue --set production -n argocd --yes`,
		Args: needs("retire", "cluster", "norikae clusters retire blue -f clusterset.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			fleets, err := c.openToWrite(cmd)
			if err != nil {
				return err
			}
			return c.writing(cmd, func(ctx context.Context) error { return c.retire(ctx, fleets, args, how) })
		},
	}
	cmd.Flags().BoolVar(&how.dryRun, "dry-run", false, "delete nothing: the API server checks each deletion and forgets it")
	cmd.Flags().BoolVarP(&how.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&how.force, "force", false, "retire it although AWS cannot be asked, or its traffic cannot be known; never one that gets some")
	c.namedFlag(cmd)
	return cmd
}

// retiring is how retire was called.
type retiring struct{ dryRun, yes, force bool }

func (c *clustersCommand) retire(ctx context.Context, fleets []Fleet, names []string, how retiring) error {
	targets, err := c.targets(ctx, fleets, names)
	if err != nil {
		return err
	}
	out := retiredView{DryRun: how.dryRun}
	refused := 0
	for _, t := range targets {
		a, err := asking(ctx, c.session, "still asking the load balancers", func(ctx context.Context) (registry.Action, error) {
			return t.fleet.Retirement(ctx, *t.outcome.Entry, how.force)
		})
		v := retireView{ARN: t.outcome.Cluster.ARN(), Secret: t.outcome.Entry.Namespace + "/" + t.outcome.Entry.Name, State: a.State, Effect: clean(a.Effect)}
		if no, ok := errors.AsType[*registry.RefusedError](err); ok {
			v.Refused, v.RefusedReason = clean(no.Message), no.Reason
			refused++
		} else if err != nil {
			return err
		}
		out.Secrets = append(out.Secrets, v)
	}
	if !c.forPrograms() {
		if err := c.print([]byte(retireText(out))); err != nil {
			return err
		}
	}
	if refused > 0 {
		return c.refuse(out, targets, refused)
	}
	return c.retireThem(ctx, targets, out, how)
}

// refuse ends a retirement before anything was deleted.
func (c *clustersCommand) refuse(out retiredView, targets []found, refused int) error {
	if c.forPrograms() {
		if err := c.printData(out); err != nil {
			return err
		}
	}
	if len(targets) == 1 {
		return hinted(errors.New("it may not be retired: "+out.Secrets[0].Refused), "Nothing was deleted.")
	}
	return hinted(fmt.Errorf("%d of %d may not be retired", refused, len(targets)), "Nothing was deleted. Leave them out, or do what is said there.")
}

// targets are the Secrets of the set that are called so, each once.
func (c *clustersCommand) targets(ctx context.Context, fleets []Fleet, names []string) ([]found, error) {
	seen, err := c.look(ctx, fleets)
	if err != nil {
		return nil, err
	}
	var out []found
	var errs []error
	for _, name := range names {
		f, err := one(seen, name)
		switch {
		case err != nil:
			if foreign := foreignSecret(seen, name); foreign != nil {
				err = hinted(fmt.Errorf("%w: it is not this one's to delete", foreign), "Nothing was deleted.")
			}
			errs = append(errs, err)
		case f.outcome.Entry == nil || f.outcome.Entry.Owner != f.fleet.Info().Set.Owner:
			errs = append(errs, fmt.Errorf("%s has no Secret of ClusterSet %s: there is nothing to retire", f.outcome.Cluster.ARN(), f.fleet.Info().Set.Owner))
		case !slices.ContainsFunc(out, func(o found) bool {
			return o.outcome.Entry.UID == f.outcome.Entry.UID && o.outcome.Entry.Name == f.outcome.Entry.Name
		}):
			out = append(out, f)
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	if err := errors.Join(errs...); err != nil {
		return nil, hinted(err, "Nothing was deleted.")
	}
	return out, nil
}

// foreignSecret tells that a Secret is there, and is not the set's.
func foreignSecret(seen []looked, name string) error {
	for _, l := range seen {
		for _, e := range l.pass.Entries {
			if e.Name != name && e.Namespace+"/"+e.Name != name || e.Owner == l.fleet.Info().Set.Owner {
				continue
			}
			whose := "has no mark of a ClusterSet"
			if e.Ours() {
				whose = "is of another ClusterSet, " + e.Owner.String()
			}
			return fmt.Errorf("secret %s/%s %s", e.Namespace, e.Name, whose)
		}
	}
	return nil
}

func (c *clustersCommand) retireThem(ctx context.Context, targets []found, out retiredView, how retiring) error {
	var failed error
	for i, t := range targets {
		e := t.outcome.Entry
		if !how.dryRun && !how.yes {
			if err := c.confirm("Retire Secret "+out.Secrets[i].Secret+" of "+out.Secrets[i].ARN+"?", t.outcome.Cluster.Name); err != nil {
				failed = errors.Join(failed, err)
				break
			}
		}
		if err := t.fleet.Retire(ctx, *e, how.dryRun); err != nil {
			out.Secrets[i].Error = errorText(err)
			failed = errors.Join(failed, kubernetesError(fmt.Errorf("deleting Secret %s: %w", out.Secrets[i].Secret, err), e.Namespace))
			continue
		}
		out.Secrets[i].Deleted = true
	}
	var err error
	if c.forPrograms() {
		err = c.printData(out)
	} else {
		err = c.print([]byte(retiredText(out)))
	}
	done := slices.ContainsFunc(out.Secrets, func(v retireView) bool { return v.Deleted })
	if failed = errors.Join(failed, err); failed != nil && done {
		if _, ok := errors.AsType[*exitError](failed); !ok {
			return &exitError{exitPartly, failed}
		}
	}
	return failed
}

// retireText tells what a retirement means, before anything is done.
func retireText(v retiredView) string {
	var b strings.Builder
	for _, s := range v.Secrets {
		fmt.Fprintf(&b, "Secret %s of %s\n", s.Secret, s.ARN)
		if s.Refused != "" {
			b.WriteString(indent(table([][]string{{"REFUSED", fmt.Sprintf("%s (%s)", s.Refused, s.RefusedReason)}})))
			continue
		}
		effect := cmp.Or(s.Effect, "no ApplicationSet selects it, so that no Application goes")
		b.WriteString(indent(table([][]string{{"state", string(s.State)}, {"effect", effect}})))
	}
	return b.String()
}

// retiredText tells what was done.
func retiredText(v retiredView) string {
	var rows [][]string
	for _, s := range v.Secrets {
		done := "kept"
		switch {
		case s.Error != "":
			done = "NOT deleted"
		case s.Deleted && v.DryRun:
			done = "would be deleted"
		case s.Deleted:
			done = "deleted"
		}
		rows = append(rows, []string{done, s.Secret, s.Error})
	}
	return "\n" + table(rows)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
