package terraform

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const planAddress = "data.eksctl_courier_plan.next"

// next is a data source that plans what a courier declares.
const next = `
data "eksctl_courier_plan" "next" {
  manifest = eksctl_courier_alb.this.manifest
}
output "steps" { value = data.eksctl_courier_plan.next.steps }
`

func TestThePlanOfACourierIsShownAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	f.write(t, l.this(100, 0, "")+next)
	f.apply(t)
	if got := f.attributes(t, planAddress); got["settled"] != true || len(list(got["steps"])) != 0 || len(list(got["blockers"])) != 0 {
		t.Errorf("100:0 is declared and live, and it says %v", got)
	}
	// Of a manifest that is a file's, too: the steps that it would take from what is live.
	manifest, _ := f.attributes(t, address)["manifest"].(string)
	g := l.folder(t, `
data "eksctl_courier_plan" "next" {
  manifest = file("shift.yaml")
}
`)
	if err := os.WriteFile(filepath.Join(g.dir, "shift.yaml"), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	l.setWeights(t, l.RuleARN, 20, 80)
	before := len(l.calls(t))
	g.apply(t)
	got := g.attributes(t, planAddress)
	want := []string{"1. +0s Step 50%: blue 60 (60%), green 40 (40%), hold 3s", "2. +3s Goal 100%: blue 100 (100%), green 0 (0%), hold 5s"}
	if steps := list(got["steps"]); got["settled"] != false || !slices.Equal(steps, want) {
		t.Errorf("it says %q, want %q; settled: %v", steps, want, got["settled"])
	}
	if blockers := list(got["blockers"]); len(blockers) != 0 {
		t.Errorf("it would refuse to start: %v", blockers)
	}
	var whole struct {
		Settled bool
		Writes  []struct{ Percent int }
	}
	text, _ := got["json"].(string)
	if err := json.Unmarshal([]byte(text), &whole); err != nil || len(whole.Writes) != 2 {
		t.Errorf("the whole plan: %v\n%s", err, text)
	}
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a data source wrote: %v", m)
	}
	if w := l.weights(t, l.RuleARN); w != "20:80" {
		t.Errorf("nothing was to be written, and live is %s", w)
	}
}

// list of texts in a state.
func list(v any) (out []string) {
	all, _ := v.([]any)
	for _, e := range all {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

func TestAPlanPrintsTheStepsThatTheApplyThenTakes(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	f.write(t, l.this(0, 100, ""))
	before := len(l.calls(t))
	contains(t, f.pending(t),
		`"50%: blue 50 (50%), green 50 (50%)"`, `"100%: blue 0 (0%), green 100 (100%)"`, // planned_steps
		"Traffic will shift in 2 writes", "from blue 100 (100%), green 0 (0%) to blue 0 (0%), green 100 (100%)", // for people
	)
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
}

// The file is one's own, and can be followed while the shift runs.
func TestTheStatusFileTellsWhatHappens(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, `status_file = "status.jsonl"`)
	defer l.load(t, 100)()
	f.write(t, l.this(0, 100, `status_file = "status.jsonl"`))
	p := f.start(t, "apply", "-auto-approve", "-no-color")
	name := filepath.Join(f.dir, "status.jsonl")
	until(t, "a write is told while the shift runs", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it ended before: %s%s", p.out.String(), p.err.String())
		default:
		}
		return slices.Contains(written(events(t, name)), "50:50")
	})
	if r := p.wait(t); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r)
	}
	all := events(t, name)
	if got, want := written(all), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	if first, last := all[0], all[len(all)-1]; first.Kind != "started" || last.Kind != "finished" || last.Phase != "Succeeded" {
		t.Errorf("it begins with %+v and ends with %+v", first, last)
	}
	if !slices.ContainsFunc(all, func(e event) bool { return e.Kind == "judged" }) {
		t.Error("no judgement is told")
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %s", info.Mode())
	}
}

func TestAStatusFileThatCannotBeWrittenIsRefusedBeforeAnythingMoves(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	f.write(t, l.this(0, 100, `status_file = "nowhere/status.jsonl"`))
	before := len(l.calls(t))
	said := f.fails(t, "apply", "-auto-approve").errors()
	contains(t, said, "status_file", "nowhere/status.jsonl")
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("it was refused, and wrote: %v", m)
	}
}

// event of a status file.
type event struct {
	Kind, Phase string
	Split       []struct {
		ID     string
		Weight int
	}
}

func events(t *testing.T, name string) (out []event) {
	t.Helper()
	file, err := os.Open(name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil { // the last line may be half there
			out = append(out, e)
		}
	}
	return out
}

// written are the splits of the events that tell of a write.
func written(all []event) (out []string) {
	for _, e := range all {
		if e.Kind == "written" {
			out = append(out, weightsOf(e))
		}
	}
	return out
}

func weightsOf(e event) string {
	var out []string
	for _, d := range e.Split {
		out = append(out, strconv.Itoa(d.Weight))
	}
	return strings.Join(out, ":")
}
