package terraform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// weights of a courier that moves all in two steps. The rest is HCL.
func (l *lab) courier(name, rule string, blue, green int, rest string) string {
	return fmt.Sprintf(`
resource "eksctl_courier_alb" %q {
  listener_arn  = %q
  %s
  step_weight   = 50
  step_interval = "1s"
  bake          = "2s"
  destination {
    target_group_arn = %q
    weight           = %d
  }
  destination {
    target_group_arn = %q
    weight           = %d
  }
  %s
}
`, name, l.ListenerARN, rule, l.arn("blue"), blue, l.arn("green"), green, rest)
}

// Of the lab's own rule, which carries all the traffic and nobody's tag.
const own = "priority = 10\nhosts = [\"example.com\"]\nadopt = true"

const address = "eksctl_courier_alb.this"

// this courier of the lab's own rule.
func (l *lab) this(blue, green int, rest string) string {
	return l.courier("this", own, blue, green, rest)
}

// adopted is a folder whose courier has taken over the lab's rule, as it is.
func (l *lab) adopted(t *testing.T, rest string) *folder {
	t.Helper()
	f := l.folder(t, l.this(100, 0, rest))
	f.apply(t)
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Fatalf("adopted at 100:0, and live is %s", w)
	}
	return f
}

func TestS3_S5_S20_ACourierMovesTrafficAndLosesNothing(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	if w := l.written(l.calls(t)); len(w) != 0 {
		t.Errorf("a rule was adopted as it was, and weights were written: %v", w)
	}
	before := len(l.calls(t))
	stop := l.load(t, 100)
	f.write(t, l.this(0, 100, ""))
	f.apply(t)
	stop().nothingLost(t)
	if got, want := l.written(l.calls(t)[before:]), []string{"50:50", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noMark(t, l.RuleARN)
	before = len(l.calls(t))
	f.empty(t)
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
	// Only the pace is edited: nothing is written (S5).
	f.write(t, strings.Replace(l.this(0, 100, ""), `step_interval = "1s"`, `step_interval = "2s"`, 1))
	f.apply(t)
	if w := l.written(l.calls(t)[before:]); len(w) != 0 {
		t.Errorf("only step_interval was edited, and weights were written: %v", w)
	}
}

func TestS12_ARuleOfSomebodyElseIsRefusedUnlessItIsToBeAdopted(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.folder(t, l.courier("this", "priority = 10\nhosts = [\"other.example.com\"]", 0, 100, ""))
	contains(t, f.fails(t, "apply", "-auto-approve").errors(), "adopt")
	if m := mutations(l.calls(t)); len(m) != 0 && slices.Contains(m, "ModifyRule") {
		t.Errorf("a foreign rule was written: %v", m)
	}
	if s := f.state(t); len(s) != 0 {
		t.Errorf("a refused rule is in the state: %v", s)
	}
}

func TestT2_WeightsThatSomebodyElseWroteAreShownByThePlan(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	l.setWeights(t, l.RuleARN, 70, 30)
	before := len(l.calls(t))
	contains(t, f.pending(t), "70", "30")
	if m := mutations(l.calls(t)[before:]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
	f.apply(t)
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Errorf("live %s, declared 100:0", w)
	}
	f.empty(t)
}

func TestT3_ACourierIsImportedByItsARN(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	l.adopted(t, "") // by another folder
	g := l.folder(t, l.this(100, 0, ""))
	before := len(l.calls(t))
	g.ok(t, "import", "-no-color", address, l.RuleARN)
	if got := g.attributes(t, address); got["listener_arn"] != l.ListenerARN || got["priority"] != 10.0 {
		t.Errorf("imported %v", got)
	}
	g.apply(t) // what only the configuration knows
	g.empty(t)
	if w := l.written(l.calls(t)[before:]); len(w) != 0 {
		t.Errorf("an import wrote weights: %v", w)
	}
}

func TestT4_T5_ARuleThatCarriesTrafficIsDestroyedByForceOnly(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	const rule = "priority = \"11\"\nhosts = [\"shop.example.com\"]\npath_patterns = [\"/cart/*\", \"/pay\"]"
	f := l.folder(t, l.courier("this", rule, 90, 10, ""))
	f.apply(t)
	arn, _ := f.attributes(t, address)["arn"].(string)
	if w := l.weights(t, arn); w != "90:10" {
		t.Errorf("created at %s, declared 90:10", w)
	}
	if n := len(l.rule(t, arn).Conditions); n != 2 {
		t.Errorf("the rule has %d conditions, want hosts and paths", n)
	}
	f.empty(t)
	contains(t, f.fails(t, "destroy", "-auto-approve").errors(), "force_destroy")
	if s := f.state(t); !slices.Equal(s, []string{address}) {
		t.Errorf("destroy was refused, and the state has %v", s)
	}
	if w := l.weights(t, arn); w != "90:10" {
		t.Errorf("destroy was refused, and live is %s", w)
	}
	f.write(t, l.courier("this", rule, 90, 10, "force_destroy = true"))
	f.apply(t)
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	if r, there := l.rules(t)["11"]; there {
		t.Errorf("the rule is still there: %v", r)
	}
}

// S1, S2: one write back, and nothing after it. T1: what failed is not done.
func TestS1_T1_ARollbackIsAnErrorAndTheStateIsWhatIsLive(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	f := l.adopted(t, "")
	defer l.load(t, 100)()
	l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	f.write(t, l.this(0, 100, ""))
	before := len(l.calls(t))
	d := f.fails(t, "apply", "-auto-approve")
	t.Logf("the error:\n%s", d.errors())
	tellsTheRollback(t, d.errors())
	if got, want := l.written(l.calls(t)[before:]), []string{"50:50", "100:0"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	l.noMark(t, l.RuleARN)
	// T1: the change is not done, and the next plan says so.
	if got := declared(f.attributes(t, address)); got != "100:0" {
		t.Errorf("live is 100:0, and the state has %s", got)
	}
	f.pending(t)
	l.clearFaults(t)
	f.apply(t)
	if w := l.weights(t, l.RuleARN); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
}

// tellsTheRollback fails unless the error names the metric, what it was on both sides, where
// the traffic is now, and what to do.
func tellsTheRollback(t *testing.T, said string) {
	t.Helper()
	contains(t, said, "The shift was rolled back", "Traffic now: blue 100 (100%), green 0 (0%).",
		"It came from blue 100 (100%), green 0 (0%), and was to go to blue 0 (0%), green 100 (100%).", "apply again")
	metric := regexp.MustCompile(`(?m)^metric (builtin/\S+): new ([0-9.]+), old ([0-9.]+) \(\d+ passed, \d+ failed, \d+ tolerated\)`).FindStringSubmatch(said)
	if metric == nil {
		t.Fatalf("no metric is named with the values of both sides:\n%s", said)
	}
	if metric[1] != "builtin/target-errors" || metric[2] != "1" || metric[3] != "0" {
		t.Errorf("green answers with nothing but errors, blue with none, and it says %q", metric[0])
	}
}

// declared are the weights of the destinations in a state.
func declared(attributes map[string]any) string {
	var out []string
	list, _ := attributes["destination"].([]any)
	for _, d := range list {
		m, _ := d.(map[string]any)
		out = append(out, fmt.Sprint(m["weight"]))
	}
	return strings.Join(out, ":")
}

// C13: a tainted rule that is live could neither be destroyed nor made anew.
func TestC13_ACreateThatIsRolledBackLeavesNoState(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	defer l.load(t, 100)()
	l.fault(t, `{"kind":"target","targetGroup":"green","failRate":1}`)
	f := l.folder(t, l.this(0, 100, ""))
	f.fails(t, "apply", "-auto-approve")
	if s := f.state(t); len(s) != 0 {
		t.Errorf("the state has %v", s)
	}
	if w := l.weights(t, l.RuleARN); w != "100:0" {
		t.Errorf("live %s, want it as it was", w)
	}
	l.clearFaults(t)
	f.apply(t)
	if w := l.weights(t, l.RuleARN); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	f.empty(t)
}
