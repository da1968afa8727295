package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/migrate"
	"github.com/norikae/norikae/internal/registry"
)

// The formats of norikae migrate -o.
var migrateOutputs = []string{outputYAML, outputJSON}

// migrateCommand is one older tool's.
type migrateCommand struct {
	clustersCommand

	tool       migrate.Tool
	flags      migrate.Flags
	regions    []string
	adopt, yes bool
}

func (s *session) migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Turn what an older tool declared into a ClusterSet, and take over its Secrets",
		Long: `Migrate reads the custom resources of an older tool, or the flags that its command line
was called with, and prints ClusterSets that select the same clusters and give their Secrets
the same names, labels and access. What does not carry over is said on stderr.

With --adopt it shows which of the tool's Secrets the ClusterSets would take over and what
would change in them, and with --adopt --yes it does it. Stop the older tool first.`,
		Example: `  norikae migrate argocd-clusterset -f old.yaml --region us-east-1 > clusterset.yaml
  norikae migrate okra -f old.yaml --region us-east-1 --adopt`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.migrateFrom(migrate.ArgoCDClusterSet), s.migrateFrom(migrate.Okra))
	return cmd
}

// Words about the tools.
var (
	migrateReads = map[migrate.Tool]string{
		migrate.ArgoCDClusterSet: "kind ClusterSet of clusterset.mumo.co/v1alpha1",
		migrate.Okra:             "kind ClusterSet of okra.mumo.co/v1alpha1",
	}
	migrateCalled = map[migrate.Tool]string{
		migrate.ArgoCDClusterSet: "argocd-clusterset sync",
		migrate.Okra:             "okra sync clusterset",
	}
)

func (s *session) migrateFrom(tool migrate.Tool) *cobra.Command {
	m := &migrateCommand{clustersCommand: clustersCommand{session: s}, tool: tool}
	cmd := &cobra.Command{
		Use:   string(tool),
		Short: fmt.Sprintf("Turn the ClusterSets of %s into those of norikae", tool),
		Long: fmt.Sprintf(`Reads %s: several documents, several files, or what
kubectl get -o yaml prints; or the flags of %s.

The tool looked in the one region of its environment, which it did not write down: name it
with --region, or let AWS_REGION name it. It deleted the Secrets of clusters that it did not
find; the ClusterSet does not (deletion.policy is Retain).

It exits with 0 when all is done, 1 when nothing was, and 2 when some Secrets were left.`, migrateReads[tool], migrateCalled[tool]),
		Example: fmt.Sprintf(`  norikae migrate %[1]s -f old.yaml --region us-east-1 > clusterset.yaml
  kubectl get clustersets.%[2]s -A -o yaml | norikae migrate %[1]s -f - --region us-east-1
  norikae migrate %[1]s --name production -n argocd --eks-tags env=prod --region us-east-1 --adopt`,
			tool, strings.TrimSuffix(strings.TrimPrefix(migrateReads[tool], "kind ClusterSet of "), "/v1alpha1")),
		Args: noArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if !slices.Contains(migrateOutputs, m.output) {
				return usage("--output %q: want %s", m.output, strings.Join(migrateOutputs, " or "))
			}
			return s.checkFlags()
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return m.run(cmd) },
	}
	m.migrateFlags(cmd)
	return cmd
}

func (m *migrateCommand) migrateFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&m.files, "file", "f", nil, "a file of the tool's custom resources; - reads it from stdin; may be given several times")
	f.StringSliceVar(&m.regions, "region", nil, "`region` in which the tool looked; may be given several times (default: AWS_REGION, AWS_DEFAULT_REGION)")
	f.StringVarP(&m.namespace, "namespace", "n", "", "`namespace` of what names none, and so of the Secrets (default: argocd)")
	f.StringVar(&m.flags.Name, "name", "", "`name` of the ClusterSet, without -f")
	f.StringSliceVar(&m.flags.EKSTags, "eks-tags", nil, "as of the tool, without -f: `KEY=VALUE` tags of clusters")
	f.StringSliceVar(&m.flags.Labels, "labels", nil, "as of the tool, without -f: `KEY=VALUE` labels of Secrets")
	if m.tool == migrate.ArgoCDClusterSet {
		f.StringVar(&m.flags.RoleARN, "role-arn", "", "as of the tool, without -f: `ARN` of the role to list clusters with")
		f.StringVar(&m.flags.AuthRoleARN, "aws-auth-config-role-arn", "", "as of the tool, without -f: `ARN` of the role that Argo CD assumes")
	}
	f.BoolVar(&m.adopt, "adopt", false, "show which Secrets of the tool would be adopted, and how; nothing is written without --yes")
	f.BoolVarP(&m.yes, "yes", "y", false, "adopt them")
	f.StringVar(&m.kubeconfig, "kubeconfig", "", "`file` that leads to Argo CD's cluster (default: KUBECONFIG, ~/.kube/config)")
	f.StringVar(&m.context, "context", "", "context `name` in the kubeconfig")
	f.StringVarP(&m.output, "output", "o", outputYAML, "print yaml or json")
	if err := cmd.MarkFlagFilename("file", "yaml", "yml", "json"); err != nil {
		panic(err) // the flag stands above
	}
}

func (m *migrateCommand) run(cmd *cobra.Command) error {
	if m.yes && !m.adopt {
		return hinted(errors.New("--yes without --adopt: printing asks nobody"), fmt.Sprintf("For example `%s -f old.yaml --adopt --yes`.", cmd.CommandPath()))
	}
	declared, err := m.declared(cmd)
	if err != nil {
		return err
	}
	o := migrate.Options{Regions: m.regions, Namespace: m.namespace}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if v := m.deps.Getenv(name); len(o.Regions) == 0 && v != "" {
			o.Regions = []string{v}
			fmt.Fprintf(m.err, "note: the region is %s, which %s names; --region names others\n", clean(v), name)
		}
	}
	if len(o.Regions) == 0 {
		return hinted(fmt.Errorf("--region is missing: %s looked in the one region of its environment, and did not write it down", m.tool), fmt.Sprintf("For example `%s -f old.yaml --region us-east-1`.", cmd.CommandPath()))
	}
	var sets []migrate.Converted
	for _, d := range declared {
		c, err := migrate.Convert(d, o)
		if err != nil {
			return err
		}
		for _, n := range c.Notes {
			fmt.Fprintf(m.err, "note: %s/%s: %s\n", c.Set.Namespace, c.Set.Name, clean(n))
		}
		sets = append(sets, c)
	}
	if m.adopt {
		return m.writing(cmd, func(ctx context.Context) error { return m.adoptAll(ctx, sets) })
	}
	return m.printSets(sets)
}

// declared is what the files say, or else the flags.
func (m *migrateCommand) declared(cmd *cobra.Command) ([]migrate.Declared, error) {
	own := []string{"name", "eks-tags", "labels", "role-arn", "aws-auth-config-role-arn"}
	i := slices.IndexFunc(own, func(name string) bool { return cmd.Flags().Changed(name) })
	switch {
	case len(m.files) > 0 && i >= 0:
		return nil, hinted(fmt.Errorf("both -f and --%s: a ClusterSet comes from a file or from the flags of the tool", own[i]), "Leave one of them out.")
	case len(m.files) == 0 && i < 0:
		return nil, hinted(errors.New("-f is missing: name the file of "+migrateReads[m.tool]), fmt.Sprintf("For example `%s -f old.yaml --region us-east-1`, or -f - to read it from stdin.", cmd.CommandPath()))
	case len(m.files) == 0 && m.flags.Name == "":
		return nil, hinted(errors.New("--name is missing: the ClusterSet needs one, and the tool's command line had none"), fmt.Sprintf("For example `%s --name production --eks-tags env=prod --region us-east-1`.", cmd.CommandPath()))
	case len(m.files) == 0:
		m.flags.Namespace = m.namespace
		d, err := migrate.FromFlags(m.tool, m.flags)
		return []migrate.Declared{d}, err
	}
	var out []migrate.Declared
	for _, name := range m.files {
		file, err := m.readSet(name)
		if err != nil {
			return nil, err
		}
		found, err := migrate.Read(m.tool, file.Name, file.Data)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (m *migrateCommand) printSets(sets []migrate.Converted) error {
	var docs []string
	for _, s := range sets {
		data, err := yaml.Marshal(s.Set)
		if err != nil {
			return fmt.Errorf("printing YAML: %w", err)
		}
		docs = append(docs, string(data))
	}
	if m.output == outputYAML {
		return m.print([]byte(strings.Join(docs, "---\n")))
	}
	for _, s := range sets {
		if err := m.printJSON(s.Set); err != nil {
			return err
		}
	}
	return nil
}

// adoptAll takes over the Secrets that the tool made, set by set.
func (m *migrateCommand) adoptAll(ctx context.Context, sets []migrate.Converted) error {
	m.output = outputTable // it is about Secrets, for people
	o := FleetOptions{Kubeconfig: m.kubeconfig, Context: m.context, Log: m.logger(m.err)}
	for _, s := range sets {
		o.Sets = append(o.Sets, s.Set)
	}
	fleets, err := m.connect(ctx, o)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range fleets {
		err := m.adoptMade(ctx, f, sets[slices.IndexFunc(sets, func(s migrate.Converted) bool { return isSet(s.Set, f.Info().Set.Owner) })])
		if code, ok := errors.AsType[*exitError](err); ok && code.code == ExitInterrupted {
			return err
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

func isSet(cs *v1alpha1.ClusterSet, owner registry.Owner) bool {
	return cs.Namespace == owner.Namespace && cs.Name == owner.Name
}

// adoptMade shows what would be adopted, and does it if it was told to.
func (m *migrateCommand) adoptMade(ctx context.Context, f Fleet, s migrate.Converted) error {
	p, err := m.pass(ctx, f, PassOptions{Mode: Look})
	if err != nil {
		return err
	}
	var made []string
	for _, e := range p.Entries {
		if s.Made(e) {
			made = append(made, e.Name)
		}
	}
	if len(made) == 0 {
		return m.print(fmt.Appendf(nil, "ClusterSet %s: no Secret in namespace %s looks as if %s had made it\n", f.Info().Set.Owner, f.Info().ArgoCDNamespace, m.tool))
	}
	slices.Sort(made)
	if p, err = m.pass(ctx, f, PassOptions{Mode: Look, Adopt: made, Only: made}); err != nil {
		return err
	}
	if p.Stopped != "" {
		return &exitError{exitStopped, hinted(errors.New("STOPPED, and nothing is adopted: "+clean(p.Stopped)), stoppedHint)}
	}
	var takes, left []string
	var b strings.Builder
	fmt.Fprintf(&b, "ClusterSet %s: %s made by %s, by the look\n", f.Info().Set.Owner, count(len(made), "Secret"), m.tool)
	for _, name := range made {
		o, err := adoptable(f, p, name)
		if err != nil {
			left = append(left, err.Error())
			continue
		}
		takes = append(takes, name)
		b.WriteString("\n" + changeText(changeOf(o, f.Info().ArgoCDNamespace)))
	}
	if !m.yes && len(takes) > 0 {
		b.WriteString("\nnothing was written: --adopt --yes adopts them\n")
	}
	list(&b, "left as they are", left)
	if err := m.print([]byte(b.String())); err != nil {
		return err
	}
	if m.yes && len(takes) > 0 {
		if err := m.adoptThem(ctx, f, takes, false); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		return &exitError{exitPartly, fmt.Errorf("ClusterSet %s: %s left as it is", f.Info().Set.Owner, count(len(left), "Secret"))}
	}
	return nil
}
