package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

func result(p shift.Phase) engine.Result {
	return engine.Result{
		Phase: p, Reason: "Reason", Message: "the message", Live: weights(100, 0), From: weights(100, 0), To: weights(0, 100),
		Started: t0, Finished: at(193 * time.Second), Writes: 2,
	}
}

func TestTheExitCodeSaysHowARunEnded(t *testing.T) {
	for name, tc := range map[string]struct {
		run    fakeRun
		code   int
		errOut string
	}{
		"done": {fakeRun{result: result(shift.Succeeded)}, 0, ""},
		"rolled back": {
			fakeRun{result: result(shift.RolledBack)},
			2,
			"error: rolled back: the message\nThe traffic is where it was before. Find out what was wrong, then run the shift again.\n",
		},
		"held": {
			fakeRun{result: result(shift.Held)},
			3,
			"error: held: the message\nThe traffic stays where it is. `norikae resume` goes on; `norikae abort` and then resume takes the traffic back.\n",
		},
		"not confirmed": {
			fakeRun{result: result(shift.Unconfirmed)},
			4,
			"error: the rollback could not be confirmed: the message\nLook at the weights now with `norikae status`; `norikae resume` tries to roll back again.\n",
		},
		"not started": {
			fakeRun{err: fmt.Errorf("reading the route: %w", fault.ErrDenied)},
			1,
			"error: shift \"web\" was not started: reading the route: access denied\nCheck who you are with `aws sts get-caller-identity`, and spec.aws of the manifest (profile, assumeRole).\n",
		},
		"an error after a rollback is still a rollback": {
			fakeRun{result: result(shift.RolledBack), err: errors.New("closing the journal: disk full")},
			2,
			"error: rolled back: the message; closing the journal: disk full\nThe traffic is where it was before. Find out what was wrong, then run the shift again.\n",
		},
		"a phase that is no end is no success": {
			fakeRun{result: result(shift.Shifting)},
			1,
			"error: shift \"web\" was not started: the run ended in phase \"Shifting\"\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errOut := call{args: []string{"shift", "-f", "-"}, in: shiftYAML, run: &tc.run}.do(t)
			if code != tc.code || errOut != tc.errOut {
				t.Errorf("exit code %d, want %d; stderr:\n%s\nwant:\n%s", code, tc.code, errOut, tc.errOut)
			}
			if !tc.run.closed {
				t.Error("the run was not closed")
			}
		})
	}
}

func TestWrongUsageIsExplained(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for name, tc := range map[string]struct {
		args   []string
		in     string
		env    map[string]string
		errOut string
	}{
		"an unknown command":           {[]string{"shfit", "-f", "x"}, "", nil, "error: there is no command \"shfit\"\nDid you mean `norikae shift`?\n"},
		"a command like no other":      {[]string{"frobnicate"}, "", nil, "error: there is no command \"frobnicate\"\nThe commands are abort, approve, clusters, completion, migrate, plan, promote, resume, shift, status, version; see `norikae --help`.\n"},
		"an unknown flag":              {[]string{"shift", "--repalce"}, "", nil, "error: norikae shift has no flag --repalce\nDid you mean --replace? See `norikae shift --help`.\n"},
		"a flag like no other":         {[]string{"plan", "--zzzzzzzz"}, "", nil, "error: norikae plan has no flag --zzzzzzzz\nSee `norikae plan --help`.\n"},
		"a short flag":                 {[]string{"plan", "-x"}, "", nil, "error: norikae plan has no flag -x\nSee `norikae plan --help`.\n"},
		"a flag without its value":     {[]string{"plan", "-f"}, "", nil, "error: flag needs an argument: 'f' in -f\nSee `norikae plan --help`.\n"},
		"a file without -f":            {[]string{"plan", "shift.yaml"}, "", nil, "error: norikae plan takes no argument \"shift.yaml\"\nDid you mean `norikae plan -f shift.yaml`?\n"},
		"no file":                      {[]string{"plan"}, "", nil, "error: -f is missing: name the manifest\nFor example `norikae plan -f shift.yaml`, or -f - to read it from stdin.\n"},
		"a file that is not there":     {[]string{"plan", "-f", missing}, "", nil, "error: reading the manifest: open " + missing + ": no such file or directory\nName the file with -f, or use -f - to read it from stdin.\n"},
		"an output that is none":       {[]string{"plan", "-f", "-", "-o", "yaml"}, shiftYAML, nil, "error: --output \"yaml\": want text or json\nSee `norikae --help`.\n"},
		"a log level that is none":     {[]string{"plan", "-f", "-", "--log-level", "loud"}, shiftYAML, nil, "error: --log-level \"loud\": want debug, info, warn or error\nSee `norikae --help`.\n"},
		"a shell that is none":         {[]string{"completion", "cmd"}, "", nil, "error: completion needs one shell: bash, zsh, fish or powershell, not [\"cmd\"]\nFor example `source <(norikae completion bash)`.\n"},
		"a manifest with two problems": {[]string{"shift", "-f", "-"}, strings.NewReplacer("weight: 100", "weight: 1000", "bake", "bkae").Replace(shiftYAML), nil, "error: stdin:11: spec.destinations[1].weight = 1000: want 0–999; weights are relative, so 90 and 10 say the same as 9 and 1\nstdin:12: spec.strategy.bkae: there is no such field; did you mean \"bake\"?\nNothing was sent to AWS. The fields are explained in docs/trafficshift.md.\n"},
		"an empty manifest":            {[]string{"shift", "-f", "-"}, "", nil, "error: stdin: the file is empty: it must declare a TrafficShift of norikae.dev/v1alpha1\nNothing was sent to AWS. The fields are explained in docs/trafficshift.md.\n"},
		"a manifest that is too large": {[]string{"shift", "-f", "-"}, strings.Repeat("#", 3<<20), nil, "error: stdin: 1048577 bytes: a manifest has at most 1048576 (1 MiB); is it the right file?\nNothing was sent to AWS. The fields are explained in docs/trafficshift.md.\n"},
		"a timing that is none": {
			[]string{"shift", "-f", "-"},
			shiftYAML,
			map[string]string{manifest.EnvDelay: "soon"},
			"error: environment variable NORIKAE_CLOUDWATCH_DELAY = \"soon\": want a duration of 0s–168h with its unit, such as 1s; or unset it\nA lab prints these variables for its own shell; the real CloudWatch needs none of them.\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := &fakeRun{}
			code, out, errOut := call{args: tc.args, in: tc.in, env: tc.env, run: run}.do(t)
			if code != ExitRefused || out != "" || run.openings != 0 {
				t.Errorf("exit code %d, want 1; opened %d times, want 0; stdout %q", code, run.openings, out)
			}
			if d := cmp.Diff(tc.errOut, errOut); d != "" {
				t.Errorf("stderr (-want +got):\n%s", d)
			}
		})
	}
}

func TestEveryCommandHasAnExampleAndHelp(t *testing.T) {
	root := New(Deps{})
	for _, cmd := range append(root.Commands(), root) {
		if cmd.Example == "" || !strings.Contains(cmd.Example, cmd.CommandPath()) {
			t.Errorf("%s has no example of itself", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: the short help %q must be a sentence without a full stop", cmd.CommandPath(), cmd.Short)
		}
		args := strings.Fields(cmd.CommandPath())[1:]
		code, out, errOut := call{args: append(args, "--help")}.do(t)
		if code != 0 || errOut != "" || !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help: exit code %d, stderr %q, stdout:\n%s", cmd.CommandPath(), code, errOut, out)
		}
	}
	if code, out, _ := (call{args: []string{"help", "plan"}}).do(t); code != 0 || !strings.Contains(out, "norikae plan -f shift.yaml") {
		t.Errorf("norikae help plan: exit code %d, stdout:\n%s", code, out)
	}
	for _, want := range []string{"0 ", "1 ", "2 ", "3 ", "4 ", "130 "} {
		if !strings.Contains(root.Long, "\n  "+want) {
			t.Errorf("the help does not explain exit code %s", want)
		}
	}
}

func TestCommandsOfTheCallerAreAdded(t *testing.T) {
	ran := false
	lab := &cobra.Command{Use: "lab", RunE: func(*cobra.Command, []string) error { ran = true; return nil }}
	if code := Main(t.Context(), []string{"lab"}, strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}, Deps{Commands: []*cobra.Command{lab}, Signals: make(chan os.Signal)}); code != 0 || !ran {
		t.Errorf("exit code %d, ran: %v", code, ran)
	}
}

// strict decodes JSON into v and refuses what v does not know.
func strict(t *testing.T, data string, v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if dec.More() {
		t.Fatalf("more than one value:\n%s", data)
	}
}

func TestJSONIsWhatTheTypesSay(t *testing.T) {
	mark := testMark()
	mark.Lease.Expires = time.Now().Add(time.Minute).UTC()
	status := Status{Route: "route", Live: testPreview().Live, To: weights(0, 100), Mark: &mark, State: &shift.State{ID: "ABC", Phase: shift.Shifting}}
	do := func(run *fakeRun, args ...string) string {
		t.Helper()
		code, out, errOut := call{args: append(args, "-o", "json"), in: shiftYAML, run: run}.do(t)
		if code != 0 || errOut != "" {
			t.Fatalf("%v: exit code %d, stderr %s", args, code, errOut)
		}
		return out
	}
	var pv engine.Preview
	strict(t, do(&fakeRun{preview: testPreview()}, "plan", "-f", "-"), &pv)
	if d := cmp.Diff(testPreview(), pv); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	var st Status
	strict(t, do(&fakeRun{status: status}, "status", "-f", "-"), &st)
	if d := cmp.Diff(status, st); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
	for _, kind := range []shift.SignalKind{shift.SignalPromote, shift.SignalAbort} {
		run := &fakeRun{status: status}
		var s signalled
		strict(t, do(run, string(kind), "-f", "-"), &s)
		want := shift.Signal{Kind: kind, Step: -1}
		if d := cmp.Diff(signalled{Route: "route", Shift: "web", Signal: want, Owner: "laptop/42/XYZ", Driven: true}, s); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
		if d := cmp.Diff([]shift.Signal{want}, run.signals); d != "" {
			t.Errorf("%s sent (-want +got):\n%s", kind, d)
		}
	}
	var v version
	strict(t, do(nil, "version"), &v)
	if v.Version != "v1.2.3" {
		t.Errorf("version %+v", v)
	}
	for _, cmd := range []string{"shift", "resume"} {
		out := do(&fakeRun{events: testEvents(), result: result(shift.Succeeded), status: status}, cmd, "-f", "-")
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		var events []engine.Event
		for _, line := range lines[:len(lines)-1] {
			var e engine.Event
			strict(t, line, &e)
			events = append(events, e)
		}
		if d := cmp.Diff(testEvents(), events); d != "" {
			t.Errorf("%s (-want +got):\n%s", cmd, d)
		}
		var res engine.Result
		strict(t, lines[len(lines)-1], &res)
		if d := cmp.Diff(result(shift.Succeeded), res); d != "" {
			t.Errorf("%s (-want +got):\n%s", cmd, d)
		}
	}
}

func TestASignalOrAResumeNeedsAnUnfinishedShift(t *testing.T) {
	for _, cmd := range []string{"approve", "promote", "abort", "resume"} {
		run := &fakeRun{status: Status{Route: "the route", Live: testPreview().Live}}
		code, out, errOut := call{args: []string{cmd, "-f", "-"}, in: shiftYAML, run: run}.do(t)
		want := "error: there is nothing to " + cmd + ": no shift is unfinished on the route\nLive: blue 100 (100%), green 0 (0%). `norikae shift` starts one.\n"
		if code != ExitRefused || errOut != want || out != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr:\n%s\nwant:\n%s", cmd, code, out, errOut, want)
		}
		if run.options != nil || len(run.signals) > 0 {
			t.Errorf("%s ran or signalled", cmd)
		}
	}
}

func TestOnlyWhatMeasuresNeedsTheMetrics(t *testing.T) {
	for cmd, routeOnly := range map[string]bool{
		"plan": false, "shift": false, "resume": false, "status": true, "approve": true, "promote": true, "abort": true,
	} {
		run := &fakeRun{}
		call{args: []string{cmd, "-f", "-"}, in: shiftYAML, run: run}.do(t)
		if run.openings != 1 || run.routeOnly != routeOnly {
			t.Errorf("%s: opened %d times, the route only: %t", cmd, run.openings, run.routeOnly)
		}
	}
}

func TestAnApprovalIsForTheStepThatIsLive(t *testing.T) {
	in := strings.Replace(shiftYAML, "{stepWeight: 50, stepInterval: 1m, bake: 5m}",
		"{steps: [{setWeight: 20}, {setWeight: 50}, {pause: {}}, {setWeight: 75}, {pause: {}}]}", 1)
	ts, err := manifest.Load("stdin", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := manifest.Compile(ts, analysis.Timing{})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		live traffic.Split
		plan string
		step int    // that is approved
		want string // of the error; "": none
	}{
		"the first pause":        {weights(50, 50), spec.Hash(), 1, ""},
		"the second pause":       {weights(25, 75), spec.Hash(), 2, ""},
		"a step without a pause": {weights(80, 20), spec.Hash(), 0, "step 1/4 is live, and has no pause"},
		"before the first step":  {weights(100, 0), spec.Hash(), 0, "the live weights are those of no step"},
		"another declaration":    {weights(50, 50), "0123", 0, "another declaration than this manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			mark := testMark()
			mark.Plan = tc.plan
			run := &fakeRun{status: Status{Route: "the route", Live: shift.Live{Exists: true, Split: tc.live}, Mark: &mark}}
			code, out, errOut := call{args: []string{"approve", "-f", "-"}, in: in, run: run}.do(t)
			if tc.want != "" {
				if code != ExitRefused || !strings.Contains(errOut, tc.want) || len(run.signals) > 0 {
					t.Errorf("exit code %d, sent %v, stderr %q, want %q", code, run.signals, errOut, tc.want)
				}
				return
			}
			if d := cmp.Diff([]shift.Signal{{Kind: shift.SignalApprove, Step: tc.step}}, run.signals); d != "" || code != 0 {
				t.Errorf("exit code %d, stderr %q, sent (-want +got):\n%s", code, errOut, d)
			}
			if want := fmt.Sprintf("approve step %d\n", tc.step+1); !strings.Contains(out, want) {
				t.Errorf("stdout %q, want %q", out, want)
			}
		})
	}
}

func TestReplaceIsPassedOn(t *testing.T) {
	for _, replace := range []bool{false, true} {
		run := &fakeRun{result: result(shift.Succeeded)}
		call{args: []string{"shift", "-f", "-", fmt.Sprintf("--replace=%v", replace)}, in: shiftYAML, run: run}.do(t)
		if run.options == nil || run.options.Replace != replace || run.options.Recorder == nil || run.options.Interrupted == nil {
			t.Errorf("--replace=%v was passed on as %+v", replace, run.options)
		}
	}
}

func TestAPlanWithBlockersIsNotInOrder(t *testing.T) {
	pv := testPreview()
	pv.Blockers = []string{"destination green: no healthy target", "metric \"latency\": AccessDenied"}
	code, out, errOut := call{args: []string{"plan", "-f", "-"}, in: shiftYAML, run: &fakeRun{preview: pv}}.do(t)
	if code != ExitRefused || !strings.Contains(out, "AccessDenied") || !strings.HasPrefix(errOut, "error: a shift would refuse to start, for 2 reasons:\n  - destination green") {
		t.Errorf("exit code %d, stdout:\n%s\nstderr:\n%s", code, out, errOut)
	}
}

func TestWhatCannotBeOpenedIsNotRun(t *testing.T) {
	run := &fakeRun{}
	code, _, errOut := call{args: []string{"shift", "-f", "-"}, in: shiftYAML, run: run, openErr: fmt.Errorf("no credentials: %w", fault.ErrDenied)}.do(t)
	want := "error: preparing the shift \"web\": no credentials: access denied\nCheck who you are with `aws sts get-caller-identity`, and spec.aws of the manifest (profile, assumeRole).\n"
	if code != ExitRefused || errOut != want || run.options != nil {
		t.Errorf("exit code %d, stderr:\n%s\nwant:\n%s", code, errOut, want)
	}
}

func TestAnInterruptEndsAnyOtherCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		signals <- os.Interrupt
		code, _, errOut := call{args: []string{"plan", "-f", "-"}, in: shiftYAML, run: &fakeRun{waits: true}, signals: signals}.do(t)
		want := "error: planning \"web\": context canceled\nIt was interrupted; `norikae status` shows where the traffic is.\n"
		if code != ExitInterrupted || errOut != want {
			t.Errorf("exit code %d, stderr:\n%s\nwant:\n%s", code, errOut, want)
		}
	})
}

func TestWhatOthersWroteDoesNotSteerTheTerminal(t *testing.T) {
	_, _, errOut := call{args: []string{"status", "-f", "-"}, in: shiftYAML, run: &fakeRun{err: errors.New("a\x1b[2Jb\nc")}}.do(t)
	if want := "error: reading the status of \"web\": a [2Jb\nc\n"; errOut != want {
		t.Errorf("got %q, want %q", errOut, want)
	}
}

func TestTheFirstInterruptIsThePolicysAffair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		run := &fakeRun{events: testEvents()[:2], result: result(shift.RolledBack), until: func(o RunOptions) {
			signals <- syscall.SIGTERM
			<-o.Interrupted
			time.Sleep(3 * time.Second) // the rollback
		}}
		code, _, errOut := call{args: []string{"shift", "-f", "-"}, in: shiftYAML, run: run, signals: signals}.do(t)
		if code != ExitRolledBack || !strings.HasPrefix(errOut, "interrupted: rolling back to the weights from before (onInterrupt: rollback); interrupt again to leave at once with the traffic where it is\n") {
			t.Errorf("exit code %d, stderr:\n%s", code, errOut)
		}
	})
}

func TestTheSecondInterruptEndsAtOnceAndSaysWhereTheTrafficIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, leave := make(chan os.Signal, 2), make(chan struct{})
		run := &fakeRun{events: testEvents()[:2], until: func(o RunOptions) {
			signals <- os.Interrupt
			<-o.Interrupted
			synctest.Wait()
			signals <- os.Interrupt
			<-leave // a run that does not end
		}}
		start := time.Now()
		in := strings.Replace(shiftYAML, "bake: 5m", "onInterrupt: hold", 1)
		code, _, errOut := call{args: []string{"shift", "-f", "-"}, in: in, run: run, signals: signals}.do(t)
		close(leave)
		want := "interrupted: holding the traffic where it is (onInterrupt: hold); interrupt again to leave at once with the traffic where it is\n" +
			"error: interrupted again: the traffic stays where it is, last seen at blue 50 (50%), green 50 (50%)\n" +
			"`norikae resume` goes on from there; `norikae abort` and then resume takes the traffic back.\n"
		if code != ExitInterrupted || errOut != want || time.Since(start) > 0 {
			t.Errorf("exit code %d after %s, stderr:\n%s\nwant:\n%s", code, time.Since(start), errOut, want)
		}
	})
}
