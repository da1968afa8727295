package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// inCluster is the address by which Argo CD knows its own cluster. Source: Argo CD,
// KubernetesInternalAPIServerAddr of common/common.go.
const inCluster = "https://kubernetes.default.svc"

func (c *clustersCommand) adoptCommand() *cobra.Command {
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "adopt SECRET...",
		Short: "Take over Secrets that somebody else made for clusters of the ClusterSet",
		Long: `Adopt puts the ClusterSet's mark on cluster Secrets that were made by hand or by another
tool, whose server is the API server of a cluster that the ClusterSet selects. It shows
first what changes in them, and asks. Name and server stay as they are; labels and
annotations that the ClusterSet does not declare stay, too. From then on sync and the
controller keep them.

It refuses Secrets of another ClusterSet, that of Argo CD's own cluster, and those that are
not clearly one cluster's. A label whose change would make Argo CD delete Applications stays
as it is, and the cluster is Held: see sync --allow-relabel.

With -o json or yaml it prints what sync prints, of these Secrets.`,
		Example: `  norikae clusters adopt blue green -f clusterset.yaml --dry-run
  norikae clusters adopt blue green -f clusterset.yaml
  norikae clusters adopt blue --set production -n argocd --yes`,
		Args: needs("adopt", "Secret", "norikae clusters adopt blue -f clusterset.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			fleets, err := c.openToWrite(cmd)
			if err != nil {
				return err
			}
			if len(fleets) != 1 {
				return hinted(fmt.Errorf("%d ClusterSets: it must be clear which one adopts", len(fleets)), "Name a file with one.")
			}
			return c.writing(cmd, func(ctx context.Context) error { return c.adopt(ctx, fleets[0], args, dryRun, yes) })
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "write nothing: the API server checks each write and forgets it")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.namedFlag(cmd)
	return cmd
}

// needs one argument at least.
func needs(verb, what, example string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return hinted(fmt.Errorf("%s needs a %s", verb, what), fmt.Sprintf("For example `%s`.", example))
		}
		return nil
	}
}

func (c *clustersCommand) adopt(ctx context.Context, f Fleet, secrets []string, dryRun, yes bool) error {
	names := map[string]bool{}
	for _, s := range secrets {
		names[strings.TrimPrefix(s, f.Info().ArgoCDNamespace+"/")] = true
	}
	list := sortedKeys(names)
	p, err := c.pass(ctx, f, PassOptions{Mode: Look, Adopt: list, Only: list})
	if err != nil {
		return err
	}
	var refused []error
	var diffs []string
	for _, name := range list {
		o, err := adoptable(f, p, name)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		diffs = append(diffs, changeText(changeOf(o, f.Info().ArgoCDNamespace)))
	}
	if p.Stopped != "" {
		return &exitError{exitStopped, hinted(errors.New("STOPPED, and nothing is adopted: "+clean(p.Stopped)), stoppedHint)}
	}
	if err := errors.Join(refused...); err != nil {
		return hinted(err, "Nothing was written.")
	}
	if !c.forPrograms() {
		if err := c.print([]byte(strings.Join(diffs, "\n"))); err != nil {
			return err
		}
	}
	if !dryRun && !yes {
		if err := c.confirm(fmt.Sprintf("ClusterSet %s adopts %s.", f.Info().Set.Owner, count(len(list), "Secret")), "yes"); err != nil {
			return err
		}
	}
	return c.adoptThem(ctx, f, list, dryRun)
}

func (c *clustersCommand) adoptThem(ctx context.Context, f Fleet, list []string, dryRun bool) error {
	mode := Write
	if dryRun {
		mode = DryRun
	}
	p, err := c.pass(ctx, f, PassOptions{Mode: mode, Adopt: list, Only: list})
	if err != nil {
		return err
	}
	p.Outcomes = slices.DeleteFunc(p.Outcomes, func(o registrar.Outcome) bool {
		return o.Entry == nil || !slices.Contains(list, o.Entry.Name)
	})
	v := viewOf(looked{f, p})
	v.DryRun = dryRun
	out := clustersView{ClusterSets: []setView{v}}
	if c.forPrograms() {
		err = c.printData(out)
	} else {
		err = c.print([]byte(adoptedText(v)))
	}
	if err != nil {
		return err
	}
	return c.verdict(out, nil)
}

func adoptedText(v setView) string {
	var rows [][]string
	for _, k := range v.Clusters {
		done := "adopted"
		switch {
		case !k.Written:
			done = "NOT adopted"
		case v.DryRun:
			done = "would be adopted"
		}
		rows = append(rows, []string{done, k.Secret, k.ARN, cmp.Or(k.Message, k.Error)})
	}
	return "\n" + table(rows)
}

// adoptable is what a pass would do with the Secret, if that is to adopt it.
func adoptable(f Fleet, p Pass, name string) (registrar.Outcome, error) {
	ns, owner := f.Info().ArgoCDNamespace, f.Info().Set.Owner
	i := slices.IndexFunc(p.Entries, func(e registry.Entry) bool { return e.Name == name })
	if i < 0 {
		return registrar.Outcome{}, fmt.Errorf("there is no cluster Secret %s/%s: it needs the label argocd.argoproj.io/secret-type: cluster; %s", ns, name, foreignNames(p.Entries))
	}
	e := p.Entries[i]
	switch {
	case e.Owner == owner:
		return registrar.Outcome{}, fmt.Errorf("secret %s/%s is of ClusterSet %s already", ns, name, owner)
	case e.Ours():
		return registrar.Outcome{}, fmt.Errorf("secret %s/%s is of another ClusterSet, %s: two must not keep one Secret", ns, name, e.Owner)
	case strings.TrimRight(e.Server, "/") == inCluster:
		return registrar.Outcome{}, fmt.Errorf("secret %s/%s is Argo CD's own cluster (%s), which no ClusterSet keeps", ns, name, inCluster)
	}
	for _, other := range p.Entries {
		if other.Name != name && sameServer(other.Server, e.Server) {
			return registrar.Outcome{}, fmt.Errorf("secret %s/%s cannot be adopted: %s has the same server, %s, and Argo CD takes either; delete one of them", ns, name, other.Name, shownURL(e.Server))
		}
	}
	for _, o := range p.Outcomes {
		if o.Entry != nil && o.Entry.Name == name && o.Do == registry.Adopt {
			return o, nil
		}
	}
	for _, o := range p.Outcomes {
		if o.Entry != nil && o.Entry.Name == name || sameServer(o.Want.Server, e.Server) {
			return o, fmt.Errorf("secret %s/%s cannot be adopted: %s is %s (%s): %s", ns, name, o.Cluster.ARN(), o.State, o.Reason, clean(o.Message))
		}
	}
	return registrar.Outcome{}, fmt.Errorf("secret %s/%s has the server %s, which is that of no cluster that ClusterSet %s selects", ns, name, shownURL(e.Server), owner)
}

// sameServer tells whether Argo CD takes both for one cluster.
func sameServer(a, b string) bool {
	return a != "" && strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// foreignNames lists Secrets that could be meant.
func foreignNames(entries []registry.Entry) string {
	var names []string
	for _, e := range entries {
		if !e.Ours() {
			names = append(names, e.Name)
		}
	}
	if len(names) == 0 {
		return "there is none without a ClusterSet"
	}
	const most = 10
	slices.Sort(names)
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	return "those without a ClusterSet are " + strings.Join(names, ", ") + more
}

// confirm asks a person to type a word.
func (c *clustersCommand) confirm(what, word string) error {
	if slices.Contains(c.files, "-") {
		return hinted(errors.New("stdin holds the ClusterSet, so nobody can be asked"), "Nothing was written. Give --yes, or name the file with -f.")
	}
	fmt.Fprintf(c.err, "%s\nType %s to go on: ", what, word)
	lines := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(c.in, 4096)).ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(c.err)
		}
		lines <- strings.TrimSpace(line)
	}()
	select {
	case line := <-lines:
		if line == word {
			return nil
		}
		if line == "" {
			return hinted(errors.New("nobody said yes"), "Nothing was written. --yes does not ask.")
		}
		return hinted(fmt.Errorf("%q is not %q", line, word), "Nothing was written.")
	case <-c.interrupts.first:
		return &exitError{ExitInterrupted, errors.New("interrupted: nothing was written")}
	}
}
