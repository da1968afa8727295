package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
)

const interruptHelp = `
A first SIGINT, SIGTERM or SIGHUP ends the run as spec.strategy.onInterrupt says (rollback
or hold). A second one ends the program at once with code 130 and leaves the traffic where
it is; norikae resume goes on from there.

With -o json it prints one event in JSON per line, and the result as the last line.`

func (s *session) shiftCommand() *cobra.Command {
	var replace, plain bool
	cmd := &cobra.Command{
		Use:   "shift",
		Short: "Shift the traffic to the declared weights, judging each step",
		Long: `Shift moves the traffic from where it is to the declared weights, step by step, and takes
it back when a step is judged bad. Running it on an unfinished shift of the same manifest
resumes it; on declared weights that are live already it writes nothing.
` + interruptHelp,
		Example: `  norikae shift -f shift.yaml
  norikae shift -f shift.yaml --plain 2>&1 | tee shift.log
  norikae shift -f shift.yaml -o json | jq -c '{at, kind, message}'
  norikae shift -f other.yaml --replace   # give an unfinished shift up for this one`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.drive(cmd, replace, plain, false) },
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "start anew from the live weights although another shift is unfinished")
	cmd.Flags().BoolVar(&plain, "plain", false, "print lines even on a terminal")
	s.fileFlag(cmd)
	return cmd
}

func (s *session) resumeCommand() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Go on with an unfinished shift, on this machine or another",
		Long: `Resume takes an unfinished shift up again where the traffic stands. It is an error when
none is unfinished on the route.
` + interruptHelp,
		Example: `  norikae resume -f shift.yaml
  norikae abort -f shift.yaml && norikae resume -f shift.yaml   # carry an abort out`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.drive(cmd, false, plain, true) },
	}
	cmd.Flags().BoolVar(&plain, "plain", false, "print lines even on a terminal")
	s.fileFlag(cmd)
	return cmd
}

// drive runs a shift, shows it, and turns its end into an exit code.
func (s *session) drive(cmd *cobra.Command, replace, plain, resume bool) (err error) {
	log := &logWriter{w: s.err}
	d, run, err := s.open(cmd, log, false)
	if err != nil {
		return err
	}
	defer closeRun(run, &err)
	if resume {
		if _, err := s.unfinished(cmd.Context(), d, run, shift.NoSignal); err != nil {
			return err
		}
	}
	s.interrupts.takeOver()
	// A rollback must not die because nobody reads about it any more: Ctrl-C in
	// `norikae shift | tee log` ends tee as well. Nor must the exit code, so it stays.
	signal.Ignore(syscall.SIGPIPE)
	p := newProgress(s.renderer(plain), newView(d.spec, d.names))
	log.through(p)
	ends := make(chan ended, 1)
	go func() {
		res, err := run.Run(cmd.Context(), RunOptions{Replace: replace, Recorder: p, Interrupted: s.interrupts.first})
		ends <- ended{res, err}
	}()
	for first := s.interrupts.first; ; {
		select {
		case end := <-ends:
			p.close()
			log.through(nil)
			return s.finished(d, end)
		case <-first:
			first = nil
			p.say(interruptText(d.spec.OnInterrupt))
		case <-s.interrupts.second:
			where := within(leaving, p.close, "weights that could not be shown, because nobody reads")
			return &exitError{ExitInterrupted, hinted(
				errors.New("interrupted again: the traffic stays where it is, last seen at "+where),
				"`norikae resume` goes on from there; `norikae abort` and then resume takes the traffic back.")}
		}
	}
}

// ended is how a run ended.
type ended struct {
	result engine.Result
	err    error
}

func interruptText(onInterrupt shift.Policy) string {
	const again = "; interrupt again to leave at once with the traffic where it is"
	if onInterrupt == shift.Hold {
		return "interrupted: holding the traffic where it is (onInterrupt: hold)" + again
	}
	return "interrupted: rolling back to the weights from before (onInterrupt: rollback)" + again
}

// finished prints the result, on which the exit code depends.
func (s *session) finished(d declared, end ended) error {
	res := end.result
	if !res.Phase.Done() {
		if end.err == nil {
			end.err = fmt.Errorf("the run ended in phase %q", res.Phase)
		}
		return fmt.Errorf("shift %q was not started: %w", d.spec.Name, end.err)
	}
	code := exitCode(res.Phase)
	end.err = errors.Join(end.err, s.printResult(d, res))
	if code == ExitDone {
		return end.err
	}
	message := res.Message
	if end.err != nil {
		message += "; " + end.err.Error()
	}
	return &exitError{code, hinted(errors.New(endText(res.Phase)+": "+clean(message)), endHint(res.Phase))}
}

func (s *session) printResult(d declared, res engine.Result) error {
	if !s.json() {
		return s.print([]byte(resultText(d.names, res)))
	}
	line, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("printing the result: %w", err)
	}
	return s.print(append(line, '\n'))
}

func endText(p shift.Phase) string {
	switch p {
	case shift.RolledBack:
		return "rolled back"
	case shift.Held:
		return "held"
	case shift.Unconfirmed:
		return "the rollback could not be confirmed"
	default:
		return "done"
	}
}

func endHint(p shift.Phase) string {
	switch p {
	case shift.RolledBack:
		return "The traffic is where it was before. Find out what was wrong, then run the shift again."
	case shift.Held:
		return "The traffic stays where it is. `norikae resume` goes on; `norikae abort` and then resume takes the traffic back."
	case shift.Unconfirmed:
		return "Look at the weights now with `norikae status`; `norikae resume` tries to roll back again."
	default:
		return ""
	}
}

// resultText is the end of a run for people.
func resultText(names namer, res engine.Result) string {
	took := short(res.Finished.Sub(res.Started))
	head := fmt.Sprintf("%s after %s with %s", endText(res.Phase), took, count(res.Writes, "write"))
	if res.Phase == shift.Succeeded && res.Writes == 0 {
		head = "done: nothing had to be written"
	}
	live := "could not be read"
	if res.Live != nil {
		live = names.split(res.Live)
	}
	rows := [][]string{{"live", live}}
	if res.Phase != shift.Succeeded {
		rows = append(rows, []string{"from", names.split(res.From)}, []string{"to", names.split(res.To)})
	}
	text := head + "\n" + indent(table(rows))
	if res.Report != nil && res.Phase != shift.Succeeded {
		var lines [][]string
		for _, m := range res.Report.Metrics {
			lines = append(lines, metricCells(m))
		}
		if len(lines) > 0 {
			text += "last judgement\n" + indent(table(lines))
		}
	}
	return text
}

// count is "1 write" or "2 writes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// logWriter keeps log lines out of the block that is redrawn on a terminal, and the run
// from waiting for whoever reads them.
type logWriter struct {
	mu sync.Mutex
	w  io.Writer
	p  *progress
}

// through sends what is logged from now on through p; nil: as it comes.
func (l *logWriter) through(p *progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.p = p
}

func (l *logWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.p == nil {
		return l.w.Write(b)
	}
	l.p.say(string(b))
	return len(b), nil
}
