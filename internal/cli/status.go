package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/shift"
)

func (s *session) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the live weights, and the unfinished shift if there is one",
		Example: `  norikae status -f shift.yaml
  norikae status -f shift.yaml -o json | jq .live.split
  norikae status --rule "$RULE_ARN"          # of a shift that Terraform runs
  norikae status --hosted-zone Z0123456789ABCDEFGHIJ --name api.example.com`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if placed, err := s.placed(cmd); err != nil {
				return err
			} else if placed {
				return s.statusAt(cmd.Context())
			}
			d, run, err := s.open(cmd, s.err, true)
			if err != nil {
				return err
			}
			defer closeRun(run, &err)
			st, err := asking(cmd.Context(), s, "still reading the route", run.Status)
			if err != nil {
				return fmt.Errorf("reading the status of %q: %w", d.spec.Name, err)
			}
			if s.json() {
				return s.printJSON(st)
			}
			return s.print([]byte(statusText(d.spec, d.names, st, time.Now())))
		},
	}
	cmd.Long = cmd.Short + "."
	s.fileFlag(cmd)
	s.placeFlags(cmd)
	return cmd
}

func statusText(spec shift.Spec, names namer, st Status, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "shift %q on %s\n\n", spec.Name, clean(st.Route))
	rows := [][]string{{"live", liveText(spec, names, st.Live)}, {"to", names.split(st.To)}}
	switch m := st.Mark; {
	case st.Settled:
		rows = append(rows, []string{"state", "settled: the declared weights are live and no shift is unfinished"})
	case m == nil:
		rows = append(rows, []string{"state", "not settled, and no shift is unfinished: `norikae shift` starts one"})
	default:
		rows = append(rows, markRows(names, *m, now)...)
		rows = append(rows, stateRows(st.State, len(spec.Steps))...)
	}
	b.WriteString(table(rows))
	if len(st.Health) > 0 {
		b.WriteString("\nhealth\n" + indent(healthTable(names, st.To, st.Health)))
	}
	list(&b, "notes", st.Live.Notes)
	return b.String()
}

// liveText is what the route does now.
func liveText(spec shift.Spec, names namer, l shift.Live) string {
	if !l.Exists && spec.KeepUndeclared { // records, which nobody here creates
		return "no weighted records there"
	}
	if !l.Exists {
		return "no such rule yet; " + serves(names, l.Split)
	}
	parts := []string{names.split(l.Split)}
	for _, o := range l.Others {
		parts = append(parts, "another record type has "+names.split(o))
	}
	text := strings.Join(parts, "; ")
	if l.Pending {
		text += " (written, and not in force everywhere yet)"
	}
	return text
}

func markRows(names namer, m shift.Mark, now time.Time) [][]string {
	driver := fmt.Sprintf("%s, lease until %s", clean(m.Lease.Owner), stamp(m.Lease.Expires))
	if !m.Lease.Expires.After(now) {
		driver = fmt.Sprintf("nobody: the lease of %s ended %s; `norikae resume` goes on", clean(m.Lease.Owner), stamp(m.Lease.Expires))
	}
	rows := [][]string{
		{"unfinished", fmt.Sprintf("shift %q, started %s", clean(m.Name), stamp(m.Started))},
		{"from", names.split(m.From)},
		{"driver", driver},
	}
	if m.Signal.Kind != shift.NoSignal {
		rows = append(rows, []string{"signal", word(m.Signal)})
	}
	return rows
}

// stateRows is what the journal adds, when it is this machine that drives.
func stateRows(st *shift.State, steps int) [][]string {
	if st == nil {
		return nil
	}
	rows := [][]string{{"phase", fmt.Sprintf("%s, step %d of %d, at %s", st.Phase, st.Step+1, steps, stamp(st.At))}}
	if st.Message != "" {
		rows = append(rows, []string{"last", clean(st.Message)})
	}
	if !st.HoldSince.IsZero() {
		rows = append(rows, []string{"held", "since " + stamp(st.HoldSince)})
	}
	return rows
}

// signalled is what a signal's command prints with -o json.
type signalled struct {
	Route  string       `json:"route"`
	Shift  string       `json:"shift"`
	Signal shift.Signal `json:"signal"`
	// Owner drives the shift; Driven is false when nobody has the lease any more.
	Owner  string `json:"owner"`
	Driven bool   `json:"driven"`
}

func (s *session) approveCommand() *cobra.Command {
	return s.signalCommand(shift.SignalApprove, &cobra.Command{
		Use:   "approve",
		Short: "Approve the step whose weights are live, so that its pause ends",
		Example: `  norikae approve -f shift.yaml
  norikae approve -f shift.yaml -o json
  norikae approve --rule "$RULE_ARN"`,
	})
}

func (s *session) promoteCommand() *cobra.Command {
	return s.signalCommand(shift.SignalPromote, &cobra.Command{
		Use:   "promote",
		Short: "Skip all pauses from here on, but no verdict",
		Example: `  norikae promote -f shift.yaml
  norikae promote -f shift.yaml -o json
  norikae promote --rule "$RULE_ARN"`,
	})
}

func (s *session) abortCommand() *cobra.Command {
	return s.signalCommand(shift.SignalAbort, &cobra.Command{
		Use:   "abort",
		Short: "Roll the unfinished shift back to the weights from before",
		Example: `  norikae abort -f shift.yaml
  norikae abort -f shift.yaml && norikae status -f shift.yaml
  norikae abort --rule "$RULE_ARN"                       # of a shift that Terraform runs
  norikae abort --listener "$LISTENER_ARN" --priority 10
  norikae abort --hosted-zone Z0123456789ABCDEFGHIJ --name api.example.com`,
	})
}

func (s *session) signalCommand(kind shift.SignalKind, cmd *cobra.Command) *cobra.Command {
	cmd.Long = cmd.Short + `.

The word is left on the route, where the run that drives the shift finds it, on whatever
machine it runs.`
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if placed, err := s.placed(cmd); err != nil {
			return err
		} else if placed {
			return s.signalAt(cmd.Context(), kind)
		}
		d, run, err := s.open(cmd, s.err, true)
		if err != nil {
			return err
		}
		defer closeRun(run, &err)
		st, err := s.unfinished(cmd.Context(), d, run, kind)
		if err != nil {
			return err
		}
		signal := shift.Signal{Kind: kind, Step: -1}
		if kind == shift.SignalApprove {
			if signal.Step, err = waiting(d.spec, st); err != nil {
				return err
			}
		}
		return s.signal(cmd.Context(), run, st, signal)
	}
	s.fileFlag(cmd)
	s.placeFlags(cmd)
	return cmd
}

// signal leaves a word for the shift whose mark is in st, and says so.
func (s *session) signal(ctx context.Context, at Place, st Status, signal shift.Signal) error {
	mark := *st.Mark
	send := func(ctx context.Context) error { return at.Signal(ctx, signal) }
	if _, err := asking(ctx, s, "still writing the word to the route", nothing(send)); err != nil {
		return fmt.Errorf("telling the shift %q to %s: %w", mark.Name, signal.Kind, err)
	}
	out := signalled{Route: st.Route, Shift: mark.Name, Signal: signal, Owner: mark.Lease.Owner, Driven: mark.Lease.Expires.After(time.Now())}
	if s.json() {
		return s.printJSON(out)
	}
	return s.print([]byte(signalText(out)))
}

// word of a signal: "abort", "approve step 2".
func word(s shift.Signal) string {
	if s.Kind == shift.SignalApprove && s.Step >= 0 {
		return fmt.Sprintf("%s step %d", s.Kind, s.Step+1)
	}
	return string(s.Kind)
}

func signalText(o signalled) string {
	text := fmt.Sprintf("told the shift %q on %s: %s\n", clean(o.Shift), clean(o.Route), word(o.Signal))
	if o.Driven {
		return text + fmt.Sprintf("%s drives it and will act on it within seconds\n", clean(o.Owner))
	}
	return text + "nobody drives it now: run `norikae resume` with its manifest, or `terraform apply`, to carry it out\n"
}

// waiting is the index of the step that an approval is for: the one whose weights are
// live. An approval that names no step would end the pauses of all steps to come.
func waiting(spec shift.Spec, st Status) (int, error) {
	if spec.Hash() != st.Mark.Plan {
		return 0, hinted(fmt.Errorf("the unfinished shift %q has another declaration than this manifest, so it is not known which of its steps waits", st.Mark.Name),
			"Approve with the manifest that it was started with.")
	}
	p, err := shift.NewPlan(spec, st.Mark.From, st.Mark.ID, st.Mark.Started, time.Now())
	if err != nil {
		return 0, err
	}
	at := -1
	for i, split := range p.Splits {
		journalled := st.State != nil && st.State.Step == i
		if st.Live.Split.SameShares(split) && (at < 0 || journalled) {
			at = i
		}
	}
	switch {
	case at < 0:
		return 0, hinted(errors.New("no step waits for approval: the live weights are those of no step"), "`norikae status` shows where the shift is.")
	case !p.Steps[at].Approval:
		return 0, hinted(fmt.Errorf("no step waits for approval: step %d/%d is live, and has no pause that waits for one", at+1, len(p.Steps)), "`norikae status` shows where the shift is; `norikae promote` skips all pauses.")
	}
	return at, nil
}

// unfinished finds the shift that a command is about; its status has a mark.
func (s *session) unfinished(ctx context.Context, d declared, run Run, kind shift.SignalKind) (Status, error) {
	st, err := asking(ctx, s, "still reading the route", run.Status)
	if err != nil {
		return st, fmt.Errorf("reading the status of %q: %w", d.spec.Name, err)
	}
	if st.Mark == nil {
		return st, nothingTo(kind, st, d.names)
	}
	return st, nil
}

// nothingTo do with a route that no shift is unfinished on.
func nothingTo(kind shift.SignalKind, st Status, names namer) error {
	what := cmp.Or(string(kind), "resume")
	live := "Live: " + names.split(st.Live.Split) + ". "
	return hinted(errors.New("there is nothing to "+what+": no shift is unfinished on "+clean(st.Route)), live+"`norikae shift` starts one.")
}
