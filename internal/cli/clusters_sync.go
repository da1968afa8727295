package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

const (
	stoppedHint = "`norikae clusters list --not-in-order` shows what vanished."
	explainHint = "`norikae clusters explain NAME` tells what to do about one."
)

// needSomebody are the states that do not pass by themselves.
var needSomebody = []registry.State{
	registry.Unreachable, registry.Broken, registry.Invalid, registry.Conflict, registry.Held, registry.Uncertain, registry.Unwritten,
}

func (c *clustersCommand) syncCommand() *cobra.Command {
	var dryRun bool
	var relabel, replace []string
	cmd := &cobra.Command{
		Use:   "sync [NAME]",
		Short: "Register what is new, repair what has drifted, and remove what is gone, once",
		Long: `Sync makes one pass, as the controller makes one each interval, and ends. With --dry-run it
makes the same decision, and has the API server check every write and forget it.

A change that would make Argo CD delete Applications is held. It is allowed for one run and
for the clusters that are named: --allow-relabel for labels that an ApplicationSet selects
by, --allow-replace for another name or server, which deletes the Secret and makes a new
one. Look with --dry-run first. A controller is told by an annotation of the Secret,
norikae.dev/allow, with the value relabel or replace.

It exits with 2 when something could not be done, or needs somebody: an account or region
that did not answer, a write that failed, or a cluster that is Unreachable, Broken,
Invalid, Conflict, Held, Uncertain or Unwritten. All others were done. It exits with 3 when
it was stopped because too many clusters vanished at once.

A first Ctrl-C ends it after the write that is under way, a second one at once. Beside a
controller it does no harm: who writes second is refused, and looks again.`,
		Example: `  norikae clusters sync -f clusterset.yaml --dry-run
  norikae clusters sync -f clusterset.yaml
  norikae clusters sync -f clusterset.yaml --allow-relabel blue --dry-run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fleets, err := c.openToWrite(cmd)
			if err != nil {
				return err
			}
			how := syncing{dryRun: dryRun, allow: map[string][]string{registry.AllowRelabel: relabel, registry.AllowReplace: replace}}
			return c.writing(cmd, func(ctx context.Context) error { return c.sync(ctx, fleets, how) })
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "write nothing: the API server checks each write and forgets it")
	cmd.Flags().StringArrayVar(&relabel, "allow-relabel", nil, "`cluster` (ARN or name) whose labels may change although Argo CD will delete Applications; may be given several times")
	cmd.Flags().StringArrayVar(&replace, "allow-replace", nil, "`cluster` (ARN or name) whose Secret may be made anew although Argo CD will delete Applications; may be given several times")
	c.oneName(cmd)
	return cmd
}

// openToWrite opens fleets that may be written to.
func (c *clustersCommand) openToWrite(cmd *cobra.Command) ([]Fleet, error) {
	fleets, err := c.open(cmd)
	if err != nil {
		return nil, err
	}
	for _, f := range fleets {
		if err := c.writable(f); err != nil {
			return nil, err
		}
	}
	return fleets, nil
}

// writable refuses suspended sets, and says who else writes.
func (c *clustersCommand) writable(f Fleet) error {
	info := f.Info()
	if info.Suspended {
		return hinted(fmt.Errorf("ClusterSet %s is suspended: spec.suspend is true", info.Set.Owner), "Nothing was written. Set spec.suspend to false to write again; list, diff and explain work all the same.")
	}
	if info.Controlled != "" {
		fmt.Fprintf(c.err, "note: %s\n", clean(info.Controlled))
	}
	return nil
}

// syncing is how a sync was called.
type syncing struct {
	dryRun bool
	allow  map[string][]string // names of clusters, by what is allowed
}

func (c *clustersCommand) sync(ctx context.Context, fleets []Fleet, how syncing) error {
	mode := Write
	if how.dryRun {
		mode = DryRun
	}
	allow, err := c.allowed(ctx, fleets, how.allow)
	if err != nil {
		return err
	}
	out, failed := clustersView{ClusterSets: []setView{}}, error(nil)
	for _, f := range fleets {
		pass, err := c.pass(ctx, f, PassOptions{Mode: mode, Allow: allow})
		if err == nil {
			v := viewOf(looked{f, pass})
			v.DryRun = how.dryRun
			c.unusedAllowance(pass, allow)
			out.ClusterSets = append(out.ClusterSets, v)
		}
		failed = errors.Join(failed, err)
		if c.interrupts.came() {
			break
		} // else the other sets are done, whatever happened to this one
	}
	if len(out.ClusterSets) > 0 {
		if err := c.printWritten(out); err != nil {
			return err
		}
	}
	return c.verdict(out, failed)
}

// allowed finds the ARNs of what was allowed by name.
func (c *clustersCommand) allowed(ctx context.Context, fleets []Fleet, allow map[string][]string) (map[string][]string, error) {
	out := map[string][]string{}
	var seen []looked
	for _, what := range sortedKeys(allow) {
		for _, name := range allow[what] {
			if _, err := registry.ParseARN(name); err == nil {
				out[name] = append(out[name], what)
				continue
			}
			if seen == nil {
				var err error
				if seen, err = c.look(ctx, fleets); err != nil {
					return nil, err
				}
			}
			found, err := one(seen, name)
			if err != nil {
				return nil, err
			}
			arn := found.outcome.Cluster.ARN()
			out[arn] = append(out[arn], what)
		}
	}
	return out, nil
}

// unusedAllowance tells of ARNs that were allowed something and are no cluster of the set:
// mistyped, perhaps.
func (c *clustersCommand) unusedAllowance(p Pass, allow map[string][]string) {
	for _, arn := range sortedKeys(allow) {
		if !slices.ContainsFunc(p.Outcomes, func(o registrar.Outcome) bool { return o.Cluster.ARN() == arn }) {
			fmt.Fprintf(c.err, "note: %s is not a cluster here, so that nothing was allowed for it: is the ARN right?\n", clean(arn))
		}
	}
}

func (c *clustersCommand) printWritten(v clustersView) error {
	if c.forPrograms() {
		return c.printData(v)
	}
	var parts []string
	for _, s := range v.ClusterSets {
		parts = append(parts, writtenText(s))
	}
	return c.print([]byte(strings.Join(parts, "\n")))
}

// past of what can be done.
var past = map[registry.Do]string{
	registry.Create: "created", registry.Update: "updated", registry.Mark: "noted", registry.Adopt: "adopted",
	registry.Delete: "deleted", registry.Replace: "replaced",
}

// writtenText tells what a pass did.
func writtenText(v setView) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ClusterSet %s/%s: %s, %d registered, %d not in order", v.Namespace, v.Name, count(v.Counts.Discovered, "cluster"), v.Counts.Registered, v.Counts.NotInOrder)
	if v.DryRun {
		b.WriteString(" (dry run: nothing was written)")
	}
	b.WriteString("\n")
	if v.Stopped != "" {
		fmt.Fprintf(&b, "STOPPED (%s), nothing was written: %s\n", v.StoppedReason, v.Stopped)
	}
	var rows [][]string
	var waits []clusterView
	for _, k := range v.Clusters {
		if k.Action != "" && k.Written {
			done := past[k.Action]
			if v.DryRun {
				done = "would be " + done
			}
			row := []string{done, k.Secret, k.ARN, strings.Join(nonEmpty(k.why(), k.Effect), ": ")}
			rows = append(rows, row)
		}
		removed := k.Action == registry.Delete && k.Written // which is all that there is to say of it
		if !k.inOrder() && !removed && (k.Message != "" || !k.Written) {
			waits = append(waits, k)
		}
	}
	if len(rows) > 0 {
		b.WriteString("\n" + indent(table(rows)))
	} else if v.Stopped == "" && len(waits)+len(unasked(v.Scopes)) == 0 {
		b.WriteString("nothing to do\n" + noneSelected(v.Counts.Discovered, len(v.Clusters), v.Scopes))
	}
	few, more := fewAlike(waits, v.Scopes, func(k clusterView) clusterView { return k })
	list(&b, "not in order", append(problems(few), more...))
	b.WriteString(unaskedText(v.Scopes))
	return b.String()
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// leftText counts what a pass left.
func leftText(clusters, regions int) string {
	var parts []string
	if clusters > 0 {
		parts = append(parts, count(clusters, "cluster")+" not in order")
	}
	if regions > 0 {
		parts = append(parts, count(regions, "region")+" could not be asked")
	}
	return "not everything is done: " + strings.Join(parts, ", ")
}

// verdict is the exit code of a pass that wrote; failed is what kept sets from being
// looked at.
func (c *clustersCommand) verdict(v clustersView, failed error) error {
	if c.interrupts.came() {
		if len(v.ClusterSets) == 0 {
			failed = errors.New("interrupted: nothing was written")
		} else {
			failed = errors.New("interrupted: what was written is said above, and no more was")
		}
		return &exitError{ExitInterrupted, hinted(failed, "`norikae clusters diff` shows what is left to do.")}
	}
	if len(v.ClusterSets) == 0 {
		return failed
	}
	var stopped []string
	left, regions, hint := 0, 0, "Whatever else there was to do is done. "+explainHint
	for _, s := range v.ClusterSets {
		if s.Stopped != "" {
			stopped = append(stopped, fmt.Sprintf("%s/%s (%s)", s.Namespace, s.Name, s.StoppedReason))
		}
		regions += len(unasked(s.Scopes))
		for _, k := range s.Clusters {
			if k.Error != "" || slices.Contains(needSomebody, k.State) {
				left++
			}
			if k.noNamespace {
				hint = fmt.Sprintf("There is no namespace %s: is this Argo CD's cluster (--kubeconfig, --context), and is spec.argocdNamespace right?", s.ArgoCDNamespace)
			}
		}
	}
	switch {
	case len(stopped) > 0:
		return &exitError{exitStopped, hinted(errors.New("STOPPED, and nothing was written: "+strings.Join(stopped, ", ")), stoppedHint)}
	case failed != nil:
		return &exitError{exitPartly, failed}
	case left+regions > 0:
		return &exitError{exitPartly, hinted(errors.New(leftText(left, regions)), hint)}
	}
	return nil
}
