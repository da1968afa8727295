package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
)

// strictly decodes one JSON value and nothing else.
func strictly[T any](t *testing.T, text string) (v T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value: %s", text)
	}
	return v
}

// told reads what `shift -o json` prints: an event a line, and the result.
func told(t *testing.T, stdout string) (events []engine.Event, res engine.Result) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, l := range lines[:len(lines)-1] {
		events = append(events, strictly[engine.Event](t, l))
	}
	return events, strictly[engine.Result](t, lines[len(lines)-1])
}

// word is what approve, promote and abort print with -o json.
type word struct {
	Route, Shift, Owner string
	Signal              shift.Signal
	Driven              bool
}

// pausing waits for approval after its first and its second step.
const pausing = `  strategy:
    steps: [{setWeight: 30}, {pause: {}}, {setWeight: 60}, {pause: {}}]
    bake: 1s
`

// driven is a shift in a process of its own, from 9:1, that waits after its first step.
type driven struct {
	*lab
	*process

	text, state string
}

func drive(t *testing.T, rest string) driven {
	t.Helper()
	l, state := startLab(t), t.TempDir()
	l.setWeights(t, 9, 1)
	d := driven{lab: l, text: l.manifest("web", 0, 100, rest), state: state}
	d.process = l.start(t, state, d.text, "shift", "-f", "-", "-o", "json")
	d.paused(t, 1)
	return d
}

// paused waits until the shift waits for an approval of its step n.
func (d driven) paused(t *testing.T, n int) {
	t.Helper()
	until(t, fmt.Sprintf("step %d waits for approval", n), func() bool {
		return strings.Contains(d.out.String(), fmt.Sprintf("step %d/3 waits for approval", n))
	})
}

// say a word to the shift from another machine. An approval is for the step that waits.
func (d driven) say(t *testing.T, kind shift.SignalKind, step int) {
	t.Helper()
	res := d.lab.exec(t, t.TempDir(), d.text, string(kind), "-f", "-", "-o", "json")
	if res.code != 0 {
		t.Fatalf("%s: code %d\n%s", kind, res.code, res.stderr)
	}
	w := strictly[word](t, res.stdout)
	if w.Signal != (shift.Signal{Kind: kind, Step: step}) || w.Shift != "web" || w.Route != d.ListenerARN+" rule 10" || !w.Driven || w.Owner == "" {
		t.Errorf("%s says %+v", kind, w)
	}
}

// ends waits for the end of the shift and checks it.
func (d driven) ends(t *testing.T, code int, phase shift.Phase, reason string, blue, green int) []engine.Event {
	t.Helper()
	res := d.wait(t)
	events, end := told(t, res.stdout)
	if res.code != code || end.Phase != phase || end.Reason != reason {
		t.Errorf("code %d %s %s, want %d %s %s\n%s", res.code, end.Phase, end.Reason, code, phase, reason, res.stderr)
	}
	want := map[string]int{"blue": blue, "green": green}
	if got := d.weights(t); !maps.Equal(got, want) {
		t.Errorf("live %v, want %v", got, want)
	}
	if end.Live.Weight(d.arn("blue")) != blue || end.Live.Weight(d.arn("green")) != green {
		t.Errorf("the result says live %s, want %v", end.Live, want)
	}
	if phase != shift.Held {
		d.noMark(t)
	}
	return events
}

func TestAStepWaitsForAnApprovalFromAnotherProcess(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	time.Sleep(2 * time.Second) // and goes on waiting
	if got := d.weights(t)["green"]; got != 37 {
		t.Errorf("green has %d, want 37 until it is approved", got)
	}
	st := strictly[cli.Status](t, d.lab.exec(t, d.state, d.text, "status", "-f", "-", "-o", "json").stdout)
	switch {
	case st.Settled || st.Mark == nil || st.State == nil:
		t.Fatalf("status says %+v", st)
	case st.Mark.From.Weight(d.arn("blue")) != 9 || st.Mark.From.Weight(d.arn("green")) != 1 || st.Live.Split.Weight(d.arn("green")) != 37:
		t.Errorf("status says from %s, live %s", st.Mark.From, st.Live.Split)
	case st.State.Phase != shift.Shifting || st.State.Step != 0 || st.State.Reason != "Paused" || time.Until(st.Mark.Lease.Expires) < 0:
		t.Errorf("status says %+v, lease %+v", st.State, st.Mark.Lease)
	}
	if text := d.lab.exec(t, d.state, d.text, "status", "-f", "-").stdout; !strings.Contains(text, "step 1/3 waits for approval (norikae approve)") {
		t.Errorf("status says\n%s", text)
	}
	d.say(t, shift.SignalApprove, 0)
	d.paused(t, 2) // one approval is for one step
	time.Sleep(2 * time.Second)
	if got := d.weights(t)["green"]; got != 64 {
		t.Errorf("green has %d, want 64 until it is approved again", got)
	}
	d.say(t, shift.SignalApprove, 1)
	events := d.ends(t, 0, shift.Succeeded, "Succeeded", 0, 100)
	kinds := map[engine.EventKind]int{}
	for _, e := range events {
		kinds[e.Kind]++
	}
	if kinds[engine.EventStarted] == 0 || kinds[engine.EventWritten] != 3 || kinds[engine.EventFinished] != 1 {
		t.Errorf("events: %v", kinds)
	}
	st = strictly[cli.Status](t, d.lab.exec(t, d.state, d.text, "status", "-f", "-", "-o", "json").stdout)
	if !st.Settled || st.Mark != nil {
		t.Errorf("at the end status says %+v", st)
	}
}

func TestPromoteSkipsPausesButNoVerdict(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	began := time.Now()
	d.say(t, shift.SignalPromote, -1)
	d.ends(t, 0, shift.Succeeded, "Succeeded", 0, 100)
	// Two more steps, each with a verdict on a window of its own: settle, period, delay.
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("it was over after %s: without verdicts", took)
	}
	if got := d.written(d.calls(t)); !slices.Equal(got, []string{"9:1", "63:37", "36:64", "0:100"}) {
		t.Errorf("writes %v", got)
	}
}

func TestPromoteOfABadClusterStillRollsBack(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	d.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	d.send(t)
	d.say(t, shift.SignalPromote, -1)
	d.ends(t, 2, shift.RolledBack, "AnalysisFailed", 9, 1)
}

// send requests until the test ends.
func (l *lab) send(t *testing.T) {
	t.Helper()
	p := l.start(t, t.TempDir(), "", "lab", "load", "--rate", "100")
	t.Cleanup(func() { p.signal(os.Interrupt) })
}

func TestAbortFromAnotherProcessRollsBack(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	began := time.Now()
	d.say(t, shift.SignalAbort, -1)
	d.ends(t, 2, shift.RolledBack, "Aborted", 9, 1)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the rollback came after %s", took)
	}
	if got := d.written(d.calls(t)); !slices.Equal(got, []string{"9:1", "63:37", "9:1"}) {
		t.Errorf("writes %v, want one that goes back", got)
	}
	if res := d.lab.exec(t, d.state, d.text, "resume", "-f", "-"); res.code != 1 || !strings.Contains(res.stderr, "there is nothing to resume") {
		t.Errorf("resume after that: %d %s", res.code, res.stderr)
	}
}

func TestAnInterruptRollsBack(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			d := drive(t, pausing)
			d.signal(s)
			d.ends(t, 2, shift.RolledBack, "Interrupted", 9, 1)
			if !strings.Contains(d.err.String(), "interrupted: rolling back to the weights from before") {
				t.Errorf("stderr: %s", d.err.String())
			}
		})
	}
}

func TestAnInterruptHoldsWhereThatIsDeclared(t *testing.T) {
	t.Parallel()
	d := drive(t, strings.Replace(pausing, "bake:", "onInterrupt: hold\n    bake:", 1))
	d.signal(os.Interrupt)
	d.ends(t, 3, shift.Held, "Interrupted", 63, 37)
	// Another machine goes on at once: the lease was given up. Its word is heard.
	there := t.TempDir()
	res := d.lab.exec(t, there, d.text, "approve", "-f", "-", "-o", "json")
	if w := strictly[word](t, res.stdout); w.Driven {
		t.Errorf("nobody drives it, but approve says %+v", w)
	}
	began := time.Now()
	res = d.lab.exec(t, there, d.text, "abort", "-f", "-", "-o", "json")
	if res.code != 0 {
		t.Fatal(res.stderr)
	}
	res = d.lab.exec(t, there, d.text, "resume", "-f", "-", "-o", "json")
	_, end := told(t, res.stdout)
	if res.code != 2 || end.Phase != shift.RolledBack || end.Reason != "Aborted" {
		t.Errorf("code %d, %s %s\n%s", res.code, end.Phase, end.Reason, res.stderr)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s: it waited for a lease that was given up", took)
	}
	if got, want := d.weights(t), map[string]int{"blue": 9, "green": 1}; !maps.Equal(got, want) {
		t.Errorf("live %v, want %v", got, want)
	}
	d.noMark(t)
}

func TestResumeGoesOnWhereAnInterruptHeld(t *testing.T) {
	t.Parallel()
	d := drive(t, strings.Replace(pausing, "bake:", "onInterrupt: hold\n    bake:", 1))
	d.signal(os.Interrupt)
	d.ends(t, 3, shift.Held, "Interrupted", 63, 37)
	d.process = d.lab.start(t, d.state, d.text, "resume", "-f", "-", "-o", "json")
	d.paused(t, 1)
	d.say(t, shift.SignalPromote, -1)
	d.ends(t, 0, shift.Succeeded, "Succeeded", 0, 100)
	if got := d.written(d.calls(t)); !slices.Equal(got, []string{"9:1", "63:37", "36:64", "0:100"}) {
		t.Errorf("writes %v", got)
	}
}

// A rollback that AWS does not take keeps the process alive after the first signal.
func TestASecondInterruptLeavesAtOnce(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	d.fault(t, `{"kind":"throttle","operation":"ModifyRule"}`)
	d.signal(os.Interrupt)
	until(t, "it tries to roll back", func() bool { return strings.Contains(d.err.String(), "interrupted: rolling back") })
	time.Sleep(time.Second)
	select {
	case <-d.done:
		t.Fatalf("it ended after the first signal:\n%s", d.out.String())
	default:
	}
	began := time.Now()
	d.signal(os.Interrupt)
	res := d.wait(t)
	if took := time.Since(began); res.code != 130 || took > 2*time.Second {
		t.Errorf("code %d after %s, want 130 at once", res.code, took)
	}
	if !strings.Contains(res.stderr, "error: interrupted again: the traffic stays where it is, last seen at blue 63 (63%), green 37 (37%)\n`norikae resume` goes on from there; `norikae abort` and then resume takes the traffic back.\n") {
		t.Errorf("stderr: %s", res.stderr)
	}
	// The next process carries the rollback out: the journal knows that it had begun.
	d.clearFaults(t)
	d.process = d.lab.start(t, d.state, d.text, "resume", "-f", "-", "-o", "json")
	d.ends(t, 2, shift.RolledBack, "Interrupted", 9, 1)
}

// Two runs of one route: the second one makes no write, wherever it is.
func TestASecondRunIsRefused(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	for name, tc := range map[string]struct{ state, want string }{
		"on this machine, by the journal's lock":                   {d.state, "another run on this machine drives this route"},
		"on another, when the lease that it waits for was renewed": {t.TempDir(), "another run drives this route"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(d.calls(t))
			res := d.lab.exec(t, tc.state, d.text, "shift", "-f", "-")
			if res.code != 1 || !strings.Contains(res.stderr, `error: shift "web" was not started: `+tc.want) {
				t.Errorf("code %d\n%s", res.code, res.stderr)
			}
			if w := d.written(d.calls(t)[before:]); len(w) > 0 {
				t.Errorf("it wrote %v", w)
			}
		})
	}
	d.say(t, shift.SignalAbort, -1) // the first one is well
	d.ends(t, 2, shift.RolledBack, "Aborted", 9, 1)
}

// Somebody else's weights are held, and gone on from when they are ours again.
func TestWeightsThatSomebodyElseWroteAreHeld(t *testing.T) {
	t.Parallel()
	d := drive(t, pausing)
	d.setWeights(t, 50, 50)
	until(t, "it sees the drift", func() bool {
		return strings.Contains(d.out.String(), "somebody else wrote the route: live blue=50 green=50, ours blue=63 green=37")
	})
	d.say(t, shift.SignalPromote, -1)
	time.Sleep(3 * time.Second)
	if got := d.weights(t); got["green"] != 50 {
		t.Errorf("live %v: somebody else's weights were written over", got)
	}
	d.setWeights(t, 63, 37)
	d.ends(t, 0, shift.Succeeded, "Succeeded", 0, 100)
}

func TestPlanPrintsJSONAndWritesNothing(t *testing.T) {
	t.Parallel()
	l, state := startLab(t), t.TempDir()
	text := l.manifest("web", 0, 100, pausing)
	res := l.exec(t, state, text, "plan", "-f", "-", "-o", "json")
	pv := strictly[engine.Preview](t, res.stdout)
	if res.code != 0 || len(pv.Writes) != 3 || !pv.Writes[0].Approval || pv.Settled || len(pv.Blockers) > 0 {
		t.Errorf("code %d, %+v\n%s", res.code, pv, res.stderr)
	}
	if w := writing(l.calls(t)); len(w) > 0 {
		t.Errorf("plan wrote: %v", w)
	}
	v := strictly[map[string]string](t, l.exec(t, state, "", "version", "-o", "json").stdout)
	if v["version"] == "" {
		t.Errorf("version says %v", v)
	}
	// Re-applied where it is settled, it writes nothing.
	l.setWeights(t, 0, 100)
	before := len(l.calls(t))
	res = l.exec(t, state, text, "shift", "-f", "-", "-o", "json")
	if _, end := told(t, res.stdout); res.code != 0 || end.Reason != "Settled" || end.Writes != 0 {
		t.Errorf("code %d %+v", res.code, end)
	}
	if w := writing(l.calls(t)[before:]); len(w) > 0 {
		t.Errorf("a settled shift wrote: %v", w)
	}
}
