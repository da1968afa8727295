package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Deps are what the composition root gives the command line. Open is required.
type Deps struct {
	// Open connects a valid manifest to where its traffic is decided. The Run is
	// closed by the command line if it is an io.Closer.
	Open func(ctx context.Context, ts *v1alpha1.TrafficShift, o OpenOptions) (Run, error)
	// Look finds a route that no manifest declares.
	Look func(ctx context.Context, w Where) (Place, error)
	// Fleets connects ClusterSets to their AWS and Argo CD.
	Fleets func(ctx context.Context, o FleetOptions) ([]Fleet, error)
	// Commands are added as they are (lab, demo).
	Commands []*cobra.Command
	Version  string                      // default: that of the build
	Getenv   func(string) string         // default: an empty environment
	Signals  <-chan os.Signal            // SIGINT, SIGTERM and SIGHUP; default: Main listens for them
	Terminal func(io.Writer) (int, bool) // width of a terminal; default: asks the system
}

// OpenOptions go to Deps.Open.
type OpenOptions struct {
	Log *slog.Logger // as --log-level says, to stderr
	// RouteOnly: only Status and Signal will be called, so that what the metrics need
	// (keys, addresses) may be missing. Who aborts is seldom where the shift runs.
	RouteOnly bool
}

// Run is one declared shift, as the command line sees it.
type Run interface {
	// Preview tells what Run would do, without writing anything.
	Preview(ctx context.Context) (engine.Preview, error)
	// Run drives the shift to its end, or to a hold.
	Run(ctx context.Context, o RunOptions) (engine.Result, error)
	// Status reads where the traffic is and whether a shift is unfinished.
	Status(ctx context.Context) (Status, error)
	// Signal leaves a person's word for whoever drives the shift.
	Signal(ctx context.Context, s shift.Signal) error
}

// RunOptions go to Run.Run.
type RunOptions struct {
	Replace  bool            // give an unfinished shift of another declaration up
	Recorder engine.Recorder // is told what happens; never nil
	// Interrupted is closed when a person or the system wants the run to end:
	// onInterrupt says how it does.
	Interrupted <-chan struct{}
}

// Status is where a route stands.
type Status struct {
	Route   string        `json:"route"`
	Live    shift.Live    `json:"live"`
	To      traffic.Split `json:"to"`
	Settled bool          `json:"settled"` // the declared weights are live and no shift is unfinished
	// Mark of the unfinished shift; nil: there is none.
	Mark *shift.Mark `json:"mark,omitempty"`
	// State is what this machine's journal remembers of it, if it does.
	State  *shift.State            `json:"state,omitempty"`
	Health map[string]shift.Health `json:"health,omitempty"`
}

const long = `norikae shifts live traffic between target groups in small steps, each judged by
metrics, and takes it back at once when anything looks worse than before. It also
registers clusters with Argo CD (norikae clusters, norikae controller).

Exit codes of a shift; norikae clusters has some of its own:
  0    done: the declared weights are live, or there was nothing to do
  1    nothing was started: wrong usage, or something is not in order
  2    rolled back: the weights are those from before
  3    held: given up where it stands; norikae resume goes on
  4    the rollback could not be confirmed: look at the load balancer
  130  interrupted at once by a second signal: the weights stay as they are`

// session is one call of the program.
type session struct {
	deps       Deps
	in         io.Reader
	out, err   io.Writer
	interrupts *interrupts

	output   string // -o
	logLevel string
	file     string // -f
	where    Where  // in place of -f
}

// New makes the root command. Its RunE functions return errors that Main turns into
// messages and exit codes.
func New(deps Deps) *cobra.Command {
	return newSession(deps, strings.NewReader(""), os.Stdout, os.Stderr).root()
}

func newSession(deps Deps, in io.Reader, out, errw io.Writer) *session {
	if deps.Getenv == nil {
		deps.Getenv = func(string) string { return "" }
	}
	if deps.Version == "" {
		deps.Version = buildVersion()
	}
	if deps.Terminal == nil {
		deps.Terminal = terminalWidth
	}
	return &session{deps: deps, in: in, out: out, err: errw, interrupts: newInterrupts()}
}

func (s *session) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "norikae",
		Short: "Shift live traffic between clusters in judged steps",
		Long:  long,
		Example: `  norikae plan -f shift.yaml
  norikae shift -f shift.yaml
  norikae status -f shift.yaml`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return s.checkFlags() },
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.PersistentFlags().StringVarP(&s.output, "output", "o", outputText, "print text or json")
	// A failed call is an event, too, which a run prints in any case: once is enough.
	root.PersistentFlags().StringVar(&s.logLevel, "log-level", "error", "log to stderr from this level on: debug, info, warn or error")
	root.SetFlagErrorFunc(flagError)
	for _, c := range []*cobra.Command{
		s.planCommand(), s.shiftCommand(), s.statusCommand(), s.approveCommand(), s.promoteCommand(),
		s.abortCommand(), s.resumeCommand(), s.clustersCommand(), s.migrateCommand(), s.versionCommand(), completionCommand(),
	} {
		root.AddCommand(c)
	}
	root.AddCommand(s.deps.Commands...)
	return root
}

const (
	outputText = "text"
	outputJSON = "json"
)

func (s *session) checkFlags() error {
	if s.output != outputText && s.output != outputJSON {
		return usage("--output %q: want %s or %s", s.output, outputText, outputJSON)
	}
	if _, err := s.level(); err != nil {
		return err
	}
	return nil
}

func (s *session) level() (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(s.logLevel, l.String()) {
			return l, nil
		}
	}
	return 0, usage("--log-level %q: want debug, info, warn or error", s.logLevel)
}

// logger to w, at the level that the flag asks for.
func (s *session) logger(w io.Writer) *slog.Logger {
	level, err := s.level()
	if err != nil {
		level = slog.LevelError // checkFlags has refused it before
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

func (s *session) json() bool { return s.output == outputJSON }
