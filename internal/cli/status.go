package cli

import (
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
  norikae status -f shift.yaml -o json | jq .live.split`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d, run, err := s.open(cmd, s.err)
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
	s.fileFlag(cmd)
	return cmd
}

func statusText(spec shift.Spec, names namer, st Status, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "shift %q on %s\n\n", spec.Name, clean(st.Route))
	live := names.split(st.Live.Split)
	if !st.Live.Exists {
		live = "no such rule yet; " + serves(names, st.Live.Split)
	}
	rows := [][]string{{"live", live}, {"to", names.split(st.To)}}
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
		rows = append(rows, []string{"signal", string(m.Signal.Kind)})
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
		Short: "Approve the step that waits, so that its pause ends",
		Example: `  norikae approve -f shift.yaml
  norikae approve -f shift.yaml -o json`,
	})
}

func (s *session) promoteCommand() *cobra.Command {
	return s.signalCommand(shift.SignalPromote, &cobra.Command{
		Use:   "promote",
		Short: "Skip all pauses from here on, but no verdict",
		Example: `  norikae promote -f shift.yaml
  norikae promote -f shift.yaml -o json`,
	})
}

func (s *session) abortCommand() *cobra.Command {
	return s.signalCommand(shift.SignalAbort, &cobra.Command{
		Use:   "abort",
		Short: "Roll the unfinished shift back to the weights from before",
		Example: `  norikae abort -f shift.yaml
  norikae abort -f shift.yaml && norikae status -f shift.yaml`,
	})
}

func (s *session) signalCommand(kind shift.SignalKind, cmd *cobra.Command) *cobra.Command {
	cmd.Long = cmd.Short + `.

The word is left on the route, where the run that drives the shift finds it, on whatever
machine it runs.`
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		d, run, err := s.open(cmd, s.err)
		if err != nil {
			return err
		}
		defer closeRun(run, &err)
		mark, route, err := s.unfinished(cmd.Context(), d, run, kind)
		if err != nil {
			return err
		}
		signal := shift.Signal{Kind: kind, Step: -1}
		send := func(ctx context.Context) error { return run.Signal(ctx, signal) }
		if _, err := asking(cmd.Context(), s, "still writing the word to the route", nothing(send)); err != nil {
			return fmt.Errorf("telling the shift %q to %s: %w", mark.Name, kind, err)
		}
		out := signalled{Route: route, Shift: mark.Name, Signal: signal, Owner: mark.Lease.Owner, Driven: mark.Lease.Expires.After(time.Now())}
		if s.json() {
			return s.printJSON(out)
		}
		return s.print([]byte(signalText(out)))
	}
	s.fileFlag(cmd)
	return cmd
}

func signalText(o signalled) string {
	text := fmt.Sprintf("told the shift %q on %s: %s\n", clean(o.Shift), clean(o.Route), o.Signal.Kind)
	if o.Driven {
		return text + fmt.Sprintf("%s drives it and will act on it within seconds\n", clean(o.Owner))
	}
	return text + "nobody drives it now: run `norikae resume` with its manifest to carry it out\n"
}

// unfinished finds the shift that a command is about.
func (s *session) unfinished(ctx context.Context, d declared, run Run, kind shift.SignalKind) (shift.Mark, string, error) {
	st, err := asking(ctx, s, "still reading the route", run.Status)
	if err != nil {
		return shift.Mark{}, "", fmt.Errorf("reading the status of %q: %w", d.spec.Name, err)
	}
	if st.Mark == nil {
		word := string(kind)
		if word == "" {
			word = "resume"
		}
		live := "Live: " + namer(d.names).split(st.Live.Split) + ". "
		return shift.Mark{}, "", hinted(errors.New("there is nothing to "+word+": no shift is unfinished on "+clean(st.Route)), live+"`norikae shift` starts one.")
	}
	return *st.Mark, st.Route, nil
}
