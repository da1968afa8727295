package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

func TestPlansForPeople(t *testing.T) {
	spec, names := testSpec(t)
	for file, edit := range map[string]func(*engine.Preview){
		"plan.txt": func(*engine.Preview) {},
		"plan-settled.txt": func(pv *engine.Preview) {
			pv.Live.Split, pv.From, pv.Settled, pv.Writes, pv.Warnings = weights(0, 100), weights(0, 100), true, nil, nil
		},
		"plan-new-rule.txt": func(pv *engine.Preview) {
			pv.Live = shift.Live{}
			pv.From, pv.Health = nil, map[string]shift.Health{green: {Unused: true, Total: 2}, blue: {}}
			pv.Writes = []engine.PlannedWrite{{Percent: 100, Split: weights(0, 100), Reason: "Create"}}
			pv.Ideal = 0
		},
		"plan-blocked.txt": func(pv *engine.Preview) {
			m := testMark()
			pv.Unfinished, pv.Writes, pv.Health = &m, nil, nil
			pv.Live.Split = weights(50, 50).With("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gray/2123456789abcdef")
			pv.Blockers = []string{"another run holds the lease", "metric \"latency\": the query has 2 series"}
		},
	} {
		pv := testPreview()
		edit(&pv)
		golden(t, file, previewText(spec, names, pv))
	}
}

func TestStatusForPeople(t *testing.T) {
	spec, names := testSpec(t)
	mark, st := testMark(), &shift.State{ID: "ABC", Phase: shift.Shifting, Step: 0, Message: "waiting for the first measurement", HoldSince: at(time.Second), At: at(2 * time.Second)}
	live := shift.Live{Exists: true, Split: weights(50, 50), Notes: []string{"stickiness is on"}}
	health := map[string]shift.Health{blue: {Healthy: 2, Total: 2}, green: {Healthy: 2, Total: 2}}
	for file, status := range map[string]Status{
		"status-settled.txt":   {Route: "the route", Live: shift.Live{Exists: true, Split: weights(0, 100)}, To: weights(0, 100), Settled: true, Health: health},
		"status-unsettled.txt": {Route: "the route", Live: live, To: weights(0, 100)},
		"status-driven.txt":    {Route: "the route", Live: live, To: weights(0, 100), Mark: &mark, State: st, Health: health},
		"status-left.txt": {Route: "the route", Live: live, To: weights(0, 100), Mark: &shift.Mark{
			Name: "web", From: weights(100, 0), Started: t0, Lease: shift.Lease{Owner: "ci/1/A", Expires: t0}, Signal: shift.Signal{Kind: shift.SignalAbort},
		}},
		"status-no-rule.txt": {Route: "the route", Live: shift.Live{Split: weights(1, 0)[:1]}, To: weights(0, 100)},
	} {
		golden(t, file, statusText(spec, names, status, at(10*time.Second)))
	}
}

func TestResultsForPeople(t *testing.T) {
	_, names := testSpec(t)
	settled, back, unknown := result(shift.Succeeded), result(shift.RolledBack), result(shift.Unconfirmed)
	settled.Writes = 0
	back.Report = testReport(analysis.Failed, 2, 0)
	unknown.Live, unknown.Writes = nil, 1
	golden(t, "results.txt", strings.Join([]string{
		resultText(names, result(shift.Succeeded)), resultText(names, settled), resultText(names, back),
		resultText(names, result(shift.Held)), resultText(names, unknown),
	}, "\n"))
}

func TestSignalsForPeople(t *testing.T) {
	s := signalled{Route: "the route", Shift: "web", Signal: shift.Signal{Kind: shift.SignalAbort}, Owner: "ci/1/A"}
	left := signalText(s)
	s.Driven = true
	golden(t, "signals.txt", signalText(s)+"\n"+left)
}

func TestPlainLines(t *testing.T) {
	run := &fakeRun{events: testEvents(), result: result(shift.RolledBack)}
	code, out, _ := call{args: []string{"shift", "-f", "-"}, in: shiftYAML, run: run}.do(t)
	if code != ExitRolledBack {
		t.Errorf("exit code %d", code)
	}
	golden(t, "shift-plain.txt", out)
}

func TestSilenceIsBrokenEvery15Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := testEvents()[:2]
		base := time.Now()
		for i := range events {
			events[i].At = base.Add(events[i].At.Sub(t0))
			events[i].Next = base.Add(time.Minute)
		}
		run := &fakeRun{events: events, result: result(shift.Succeeded), until: func(RunOptions) { time.Sleep(50 * time.Second) }}
		_, out, _ := call{args: []string{"shift", "-f", "-"}, in: shiftYAML, run: run}.do(t)
		golden(t, "shift-heartbeat.txt", out)
	})
}

func TestSlowAnswersAreAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newSession(Deps{}, nil, &out, &out)
		start := time.Now()
		if _, err := asking(t.Context(), s, "still reading the route", nothing(sleep(20*time.Second))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
		if want := "still reading the route (2s)\nstill reading the route (17s)\n"; out.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
		}
		out.Reset()
		if _, err := asking(t.Context(), s, "still reading the route", nothing(sleep(time.Second))); err != nil || out.String() != "" {
			t.Errorf("a quick answer says %q, %v", out.String(), err)
		}
	})
}

func TestTheBlockOnATerminal(t *testing.T) {
	spec, names := testSpec(t)
	var all strings.Builder
	for _, width := range []int{100, 44} {
		v := newView(spec, names)
		show := func(now time.Time) {
			for _, r := range blockRows(v, now, width) {
				if n := len([]rune(r.text)); n >= width {
					t.Errorf("a row of %d characters on a terminal of %d: %s", n, width, r.text)
				}
				all.WriteString(strings.TrimRight(r.text, " ") + "\n")
			}
			all.WriteString("\n")
		}
		show(t0)
		for _, e := range testEvents() {
			v.take(e)
			show(e.At.Add(time.Second))
		}
	}
	golden(t, "block.txt", all.String())
}

func TestTheTerminalIsDrawnOnOnlyWhereItIsOne(t *testing.T) {
	for name, tc := range map[string]struct {
		width        int
		term         string
		noColor      string
		args         []string
		block, color bool
	}{
		"a terminal":                 {100, "xterm", "", nil, true, true},
		"NO_COLOR is respected":      {100, "xterm", "1", nil, true, false},
		"a dumb terminal gets lines": {100, "dumb", "", nil, false, false},
		"an unknown one too":         {100, "", "", nil, false, false},
		"a narrow one too":           {20, "xterm", "", nil, false, false},
		"a pipe too":                 {0, "xterm", "", nil, false, false},
		"--plain is respected":       {100, "xterm", "", []string{"--plain"}, false, false},
		"JSON is no picture":         {100, "xterm", "", []string{"-o", "json"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			run := &fakeRun{events: testEvents(), result: result(shift.Succeeded)}
			_, out, _ := call{
				args: append([]string{"shift", "-f", "-"}, tc.args...), in: shiftYAML, run: run, width: tc.width,
				env: map[string]string{"TERM": tc.term, "NO_COLOR": tc.noColor},
			}.do(t)
			if got := strings.Contains(out, eraseBelow); got != tc.block {
				t.Errorf("block: %v, want %v\n%s", got, tc.block, out)
			}
			if got := strings.Contains(out, styleRed); got != tc.color {
				t.Errorf("colour: %v, want %v\n%s", got, tc.color, out)
			}
			if tc.block && strings.LastIndex(out, showCursor) < strings.LastIndex(out, hideCursor) {
				t.Error("the cursor stays hidden")
			}
		})
	}
}

func TestAFailedCallIsShownOnce(t *testing.T) {
	for _, output := range []string{"text", "json"} {
		run := &fakeRun{events: testEvents(), result: engine.Result{Phase: shift.Succeeded}}
		code, out, errOut := call{args: []string{"shift", "-f", "-", "-o", output}, in: shiftYAML, run: run}.do(t)
		if code != ExitDone || strings.Count(out, "Throttling: Rate exceeded") != 1 || errOut != "" {
			t.Errorf("%s: exit code %d, stdout:\n%s\nstderr:\n%s", output, code, out, errOut)
		}
	}
}

func TestLogLinesStandAboveTheBlock(t *testing.T) {
	var out, errOut strings.Builder
	spec, names := testSpec(t)
	b := &block{out: &out, width: func() int { return 80 }}
	p := newProgress(b, newView(spec, names))
	log := &logWriter{w: &errOut}
	log.through(p)
	if _, err := log.Write([]byte("level=WARN msg=throttled\n")); err != nil {
		t.Fatal(err)
	}
	p.close()
	log.through(nil)
	if _, err := log.Write([]byte("later\n")); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), eraseBelow+"level=WARN msg=throttled\n") || errOut.String() != "later\n" {
		t.Errorf("terminal %q, stderr %q", out.String(), errOut.String())
	}
}

func TestTheTimeLeftCountsWhatIsLeft(t *testing.T) {
	spec, names := testSpec(t) // two steps of 3m10s each, bake 5m
	spec.Steps[0].Approval = true
	event := func(phase shift.Phase, step int, after time.Duration) engine.Event {
		return engine.Event{At: at(after), Kind: engine.EventHolding, Phase: phase, Step: step, Steps: 2}
	}
	drains := func(e engine.Event) engine.Event { e.Drain = 6 * time.Minute; return e }
	late := func(e engine.Event) engine.Event { e.Lag = time.Minute; return e }
	for name, tc := range map[string]struct {
		events []engine.Event
		now    time.Duration
		want   string
	}{
		"nothing has happened":        {nil, 0, ""},
		"before the first step":       {[]engine.Event{event(shift.Preparing, -1, 0)}, time.Minute, "at least 11m20s and an approval left"},
		"in the first step":           {[]engine.Event{event(shift.Shifting, 0, 0)}, time.Minute, "at least 10m20s and an approval left"},
		"a step that takes too long":  {[]engine.Event{event(shift.Shifting, 0, 0)}, time.Hour, "at least 8m10s and an approval left"},
		"resumed in the last step":    {[]engine.Event{event(shift.Shifting, 1, 0)}, 10 * time.Second, "at least 8m left"},
		"in the bake":                 {[]engine.Event{event(shift.Shifting, 1, 0), event(shift.Baking, 1, time.Minute)}, 2 * time.Minute, "at least 4m left"},
		"drains after that":           {[]engine.Event{drains(event(shift.Baking, 1, 0))}, time.Minute, "at least 10m left"},
		"in the drain":                {[]engine.Event{event(shift.Baking, 1, 0), drains(event(shift.Draining, 1, time.Minute))}, 3 * time.Minute, "at least 4m left"},
		"clients that follow late":    {[]engine.Event{late(event(shift.Shifting, 0, 0))}, 0, "at least 13m20s and an approval left"},
		"a rollback has no time":      {[]engine.Event{event(shift.RollingBack, 0, 0)}, 0, ""},
		"the bake goes on after that": {[]engine.Event{event(shift.Baking, 1, 0), event(shift.Baking, 1, time.Minute)}, 2 * time.Minute, "at least 3m left"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newView(spec, names)
			for _, e := range tc.events {
				v.take(e)
			}
			if got := v.leftText(at(tc.now)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestAWarningIsPrintedOnce(t *testing.T) {
	pv := testPreview()
	pv.Warnings = []string{"sticky", "slow start", "sticky"}
	code, out, errOut := call{args: []string{"plan", "-f", "-"}, in: shiftYAML, run: &fakeRun{preview: pv}}.do(t)
	if code != 0 || strings.Count(out, "sticky") != 1 || !strings.Contains(out, "slow start") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

func TestASetIdentifierCannotWriteOnTheTerminal(t *testing.T) {
	got := namer{}.split(traffic.Split{{ID: "x\x1b[2J\nlive green", Weight: 1}})
	if want := "x [2J live green 1 (100%)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
