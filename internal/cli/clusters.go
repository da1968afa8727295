package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// FleetOptions go to Deps.Fleets: ClusterSets from files, made ones, or one by its name.
type FleetOptions struct {
	Files []SetFile
	Sets  []*v1alpha1.ClusterSet // made by a migration
	Name  string                 // of one in the cluster; "": they come from files
	// Namespace of the ClusterSets; "": as they say, else that of the kubeconfig's context.
	Namespace           string
	Kubeconfig, Context string // "": as kubectl finds them
	Log                 *slog.Logger
}

// SetFile is a file of ClusterSets.
type SetFile struct {
	Name string
	Data []byte
}

// Fleet is one ClusterSet with the Argo CD and the AWS that it is about.
type Fleet interface {
	Info() FleetInfo
	// Pass decides what is to be done, and does what the options say of it. When ctx ends
	// while it writes, the Pass tells what was not written any more.
	Pass(ctx context.Context, o PassOptions) (Pass, error)
	// Find asks EKS for a cluster by ARN, or by name in every account and region of the
	// set: those that are there, with those that could not be asked.
	Find(ctx context.Context, nameOrARN string) ([]registry.Sighting, error)
	Traffic(ctx context.Context, c registry.Cluster) registry.Traffic
	Probe(ctx context.Context, c registry.Cluster) error
	// Retirement tells what retiring a Secret of the set means, by what the last pass saw,
	// and asks for its traffic now. A *registry.RefusedError says why it may not be.
	Retirement(ctx context.Context, e registry.Entry, force bool) (registry.Action, error)
	// Retire deletes the Secret, if it is the one that was read.
	Retire(ctx context.Context, e registry.Entry, dryRun bool) error
}

// FleetInfo is what is known of a fleet before anybody is asked.
type FleetInfo struct {
	Set             *registry.Set
	ArgoCDNamespace string
	Suspended       bool // spec.suspend
	// Controlled says that a controller keeps this ClusterSet, too; "": none is known to.
	Controlled string
}

// PassMode says what a pass does with what it decided.
type PassMode int

// The modes.
const (
	Look   PassMode = iota // nothing, not even ask the API server about it
	DryRun                 // send it to the API server for validation only
	Write                  // write it
)

// PassOptions of one pass.
type PassOptions struct {
	Mode  PassMode
	Adopt []string            // names of Secrets that a person wants adopted
	Allow map[string][]string // by ARN: what a person allows: registry.AllowRelabel, AllowReplace
	Only  []string            // names of Secrets; none: all
}

// Pass is one pass, and what it was decided on.
type Pass struct {
	registrar.Result
	Sightings          map[string]registry.Sighting // by ARN
	Entries            []registry.Entry             // every cluster Secret of that Argo CD
	ApplicationSets    []registry.ApplicationSet
	ApplicationSetsErr error
}

// The exit codes of norikae clusters and norikae migrate; see the help.
const (
	exitDiffers = 1 // of diff
	exitPartly  = 2
	exitStopped = 3
)

const clustersLong = `Which EKS clusters there are, and what Argo CD knows of them: a ClusterSet says which
clusters are to be registered, and how. It comes from a file (-f), for which neither a
controller nor the custom resource is needed, or from the cluster by its name (-n is its
namespace). Argo CD is found as kubectl finds a cluster: --kubeconfig, KUBECONFIG,
--context, or the service account of a pod. AWS is asked with the credentials that the AWS
CLI would use, and the roles of the ClusterSet.

Exit codes:
  0    done, or nothing to do
  1    nothing was done: wrong usage, or refused; of diff: there are differences
  2    a part was done: something failed, or needs somebody; of diff: see there
  3    stopped: too many clusters vanished at once, and nothing was written
  130  interrupted; what was written until then was said`

// clustersCommand is what its subcommands share.
type clustersCommand struct {
	*session

	output     string
	files      []string
	set        string // --set
	namespace  string
	kubeconfig string
	context    string
}

// The formats of -o.
const (
	outputTable = "table"
	outputWide  = "wide"
	outputYAML  = "yaml"
)

var clusterOutputs = []string{outputTable, outputWide, outputJSON, outputYAML}

func (s *session) clustersCommand() *cobra.Command {
	c := &clustersCommand{session: s}
	cmd := &cobra.Command{
		Use:   "clusters",
		Short: "Show, compare and register the clusters of a ClusterSet with Argo CD",
		Long:  clustersLong,
		Example: `  norikae clusters list -f clusterset.yaml
  norikae clusters diff -f clusterset.yaml && echo everything is in order
  norikae clusters sync -f clusterset.yaml --dry-run
  norikae clusters explain blue -f clusterset.yaml`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return errors.Join(s.checkFlags(), c.checkOutput())
		},
	}
	c.setFlags(cmd)
	for _, sub := range []*cobra.Command{c.listCommand(), c.diffCommand(), c.syncCommand(), c.explainCommand(), c.adoptCommand(), c.retireCommand()} {
		sub.ValidArgsFunction = cobra.NoFileCompletions // they are clusters, not files
		cmd.AddCommand(sub)
	}
	return cmd
}

// setFlags are those of every command that looks at a ClusterSet.
func (c *clustersCommand) setFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringArrayVarP(&c.files, "file", "f", nil, "a file of ClusterSets; - reads it from stdin; may be given several times")
	f.StringVarP(&c.namespace, "namespace", "n", "", "`namespace` of the ClusterSet (default: as it says, else as kubectl would)")
	f.StringVar(&c.kubeconfig, "kubeconfig", "", "`file` that leads to Argo CD's cluster (default: KUBECONFIG, ~/.kube/config)")
	f.StringVar(&c.context, "context", "", "context `name` in the kubeconfig")
	f.StringVarP(&c.output, "output", "o", outputTable, "print table, wide, json or yaml")
	for name, ext := range map[string][]string{"file": {"yaml", "yml", "json"}, "kubeconfig": nil} {
		if err := cmd.MarkPersistentFlagFilename(name, ext...); err != nil {
			panic(err) // the flag stands above
		}
	}
	complete := cobra.FixedCompletions(clusterOutputs, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // the flag stands above
	}
}

// namedFlag is for the commands whose arguments are clusters or Secrets.
func (c *clustersCommand) namedFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.set, "set", "", "`name` of the ClusterSet in the cluster, instead of -f")
}

func (c *clustersCommand) checkOutput() error {
	if !slices.Contains(clusterOutputs, c.output) {
		return usage("--output %q: want %s", c.output, strings.Join(clusterOutputs, ", "))
	}
	return nil
}

// forPrograms tells whether the output is data.
func (c *clustersCommand) forPrograms() bool { return c.output == outputJSON || c.output == outputYAML }

// noSuchCommand names the subcommand that was probably meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	if near := manifest.Nearest(args[0], names); near != "" {
		return hinted(fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0]), fmt.Sprintf("Did you mean `%s %s`?", cmd.CommandPath(), near))
	}
	return hinted(fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0]), "The commands are "+strings.Join(names, ", ")+".")
}

// oneName lets a command take the name of a ClusterSet instead of a file.
func (c *clustersCommand) oneName(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return hinted(fmt.Errorf("%s takes the name of one ClusterSet, not %d", cmd.CommandPath(), len(args)), "Several are read from files: give -f several times, or a file with several documents.")
		}
		if len(args) == 1 {
			c.set = args[0]
		}
		return nil
	}
}

// open the fleets that the flags name.
func (c *clustersCommand) open(cmd *cobra.Command) ([]Fleet, error) {
	o := FleetOptions{Name: c.set, Namespace: c.namespace, Kubeconfig: c.kubeconfig, Context: c.context, Log: c.logger(c.err)}
	switch {
	case c.set != "" && len(c.files) > 0:
		return nil, hinted(fmt.Errorf("both -f %s and the name %q: a ClusterSet comes from a file or from the cluster", c.files[0], c.set), "Leave one of them out.")
	case c.set == "" && len(c.files) == 0:
		return nil, hinted(errors.New("no ClusterSet: -f is missing, and no name"), fmt.Sprintf("For example `%s`, or its name in the cluster.", c.exampleOf(cmd)))
	case c.set != "" && isFile(c.set):
		return nil, hinted(fmt.Errorf("%s is a file, and no name of a ClusterSet in the cluster", c.set), fmt.Sprintf("Did you mean `%s -f %s`?", cmd.CommandPath(), c.set))
	}
	for _, name := range c.files {
		file, err := c.readSet(name)
		if err != nil {
			return nil, err
		}
		o.Files = append(o.Files, file)
	}
	return c.connect(cmd.Context(), o)
}

// isFile tells whether a person left -f out.
func isFile(name string) bool {
	if !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
		return false
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (c *clustersCommand) exampleOf(cmd *cobra.Command) string {
	words := strings.Fields(cmd.Use)
	args := ""
	if len(words) > 1 && !strings.HasPrefix(words[1], "[") {
		args = " " + strings.TrimSuffix(words[1], "...")
	}
	return cmd.CommandPath() + args + " -f clusterset.yaml"
}

func (c *clustersCommand) connect(ctx context.Context, o FleetOptions) ([]Fleet, error) {
	if c.deps.Fleets == nil {
		return nil, errors.New("this build cannot look at clusters")
	}
	fleets, err := asking(ctx, c.session, "still preparing", func(ctx context.Context) ([]Fleet, error) { return c.deps.Fleets(ctx, o) })
	if _, ok := errors.AsType[*manifest.Error](err); ok {
		return nil, hinted(err, "Nothing was sent to AWS. The fields are explained in docs/clusterset-fields.md.")
	}
	return fleets, kubernetesError(err, cmp.Or(o.Namespace, "NAMESPACE"))
}

func (c *clustersCommand) readSet(name string) (SetFile, error) {
	var from io.Reader = c.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return SetFile{}, hinted(fmt.Errorf("reading the ClusterSet: %w", err), "Name the file with -f, or use -f - to read it from stdin.")
		}
		defer f.Close()
		from = f
	} else {
		name = "stdin"
	}
	// One byte more than is allowed, so that who decodes it sees that it is too much.
	data, err := io.ReadAll(io.LimitReader(from, manifest.MaxSize+1))
	if err != nil {
		return SetFile{}, fmt.Errorf("reading the ClusterSet %s: %w", name, err)
	}
	return SetFile{Name: name, Data: data}, nil
}

// writing runs a command that writes. A first interrupt ends its context, so that it stops
// after the write that is under way; a second one does not wait for that.
func (c *clustersCommand) writing(cmd *cobra.Command, run func(context.Context) error) error {
	c.interrupts.takeOver()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ends := make(chan error, 1)
	go func() { ends <- run(ctx) }()
	for first := c.interrupts.first; ; {
		select {
		case err := <-ends:
			return err
		case <-first:
			first = nil
			cancel()
		case <-c.interrupts.second:
			return &exitError{ExitInterrupted, hinted(
				errors.New("interrupted again: a write may be under way, and its end is not known"), "`norikae clusters diff` shows what is left to do.")}
		}
	}
}

// pass runs a pass.
func (c *clustersCommand) pass(ctx context.Context, f Fleet, o PassOptions) (Pass, error) {
	p, err := asking(ctx, c.session, "still asking AWS and Argo CD", func(ctx context.Context) (Pass, error) { return f.Pass(ctx, o) })
	if err != nil {
		return p, kubernetesError(fmt.Errorf("ClusterSet %s: %w", f.Info().Set.Owner, err), f.Info().ArgoCDNamespace)
	}
	return p, nil
}

// kubernetesError says what to do about an error of the API server. What goes wrong with
// AWS is in a pass, each at its place.
func kubernetesError(err error, namespace string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return hinted(err, "It was interrupted; nothing was written.")
	case errors.Is(err, fault.ErrDenied):
		return hinted(err, fmt.Sprintf("norikae needs list on secrets and on applicationsets.argoproj.io, and to write create, patch and delete on secrets; `kubectl auth can-i --list -n %s` shows what you may.", namespace))
	case unreachable(err):
		return hinted(err, "Nobody answers there: check the kubeconfig, its context (--context) and the network.")
	}
	return err
}

// look at the fleets, without writing anything.
func (c *clustersCommand) look(ctx context.Context, fleets []Fleet) ([]looked, error) {
	var out []looked
	for _, f := range fleets {
		p, err := c.pass(ctx, f, PassOptions{Mode: Look})
		if err != nil {
			return nil, err
		}
		out = append(out, looked{f, p})
	}
	return out, nil
}

// looked is a fleet and what was seen of it.
type looked struct {
	fleet Fleet
	pass  Pass
}

// age is how long ago something was, in the two largest units: 3d4h, 5m, 12s.
func age(since, now time.Time) string {
	d := now.Sub(since).Truncate(time.Second)
	if days := d / (24 * time.Hour); days > 0 {
		hours := (d % (24 * time.Hour)) / time.Hour
		if hours == 0 {
			return fmt.Sprintf("%dd", days)
		}
		return fmt.Sprintf("%dd%dh", days, hours)
	}
	if d >= time.Hour {
		d = d.Truncate(time.Minute)
	}
	return short(max(d, 0))
}
