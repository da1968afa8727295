package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/norikae/norikae/internal/shift"
)

func TestAnswersFollowTheWeightsInAShiftOfADNSName(t *testing.T) {
	t.Parallel()
	a, state := newAddress(t, 100, 0), t.TempDir()
	began := len(a.calls(t))
	r := a.resolvers(t)
	r.come(t, dns.TypeA, 500)
	r.come(t, dns.TypeA, 300)
	r.come(t, dns.TypeAAAA, 500)
	r.comeByTCP(30)
	r.browse(t, a.URL, 100)
	until(t, "traffic flows", func() bool { return r.asked() > 2*least && r.served("blue") > 50 })
	text := a.declare(0, 100, drawn4)
	run := a.start(t, state, text, "shift", "-f", "-", "-o", "json")
	paused := run.says(t, "waits for approval")
	until(t, "half of the move is made, and there were many questions", func() bool { return paused() && r.asked() > enoughDraws/2 })
	if res := a.exec(t, state, text, "approve", "-f", "-"); res.code != 0 {
		t.Errorf("approve: %s", res.stderr)
	}
	if res := run.wait(t); res.code != 0 {
		t.Fatalf("code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	until(t, "there were enough questions", func() bool { return r.asked() >= enoughDraws })
	r.stop()
	for _, problem := range r.uncounted(a.counters(t)) {
		t.Error(problem)
	}
	calls := a.calls(t)[began:]
	problems, told := unlike(spansOf(a, 100, 0, calls, propagation), r.outcomes)
	for _, p := range problems {
		t.Errorf("answers do not follow the weights: %s", p)
	}
	t.Logf("%d questions, %d requests; by weights:\n%s", len(r.outcomes), r.requests["blue"]+r.requests["green"], strings.Join(told, "\n"))
	if w := written(a, calls); !slices.Equal(w, []string{"75:25", "50:50", "25:75", "0:100"}) || len(r.failed) > 0 {
		t.Errorf("writes %v, failed requests %v", w, r.failed)
	}
	settled(t, a, 0, 100)
	a.again(t, text)
}

func TestANameGoesBackWhenTheLoadBalancerBehindItFails(t *testing.T) {
	t.Parallel()
	a := newAddress(t, 90, 10)
	began := len(a.calls(t))
	r := a.resolvers(t)
	r.browse(t, a.URL, 100)
	until(t, "there is a level to compare with", func() bool { return r.served("blue") > 200 && r.served("green") > 0 })
	a.fault(t, `{"kind":"target","targetGroup":"green","failRate":0.2}`)
	res := a.exec(t, t.TempDir(), a.declare(0, 100, "  strategy: {stepWeight: 50, stepInterval: 3s, bake: 10s}\n"), "shift", "-f", "-", "-o", "json")
	_, end := told(t, res.stdout)
	if res.code != 2 || end.Phase != shift.RolledBack || end.Reason != "AnalysisFailed" || !strings.Contains(end.Message, "builtin/target-errors") {
		t.Errorf("code %d %s %s %s\n%s", res.code, end.Phase, end.Reason, end.Message, res.stderr)
	}
	r.stop()
	// A machine too slow for the load has few requests a second, and may need the bake's.
	if w := written(a, a.calls(t)[began:]); len(w) > 3 || w[0] != "45:55" || w[len(w)-1] != "90:10" {
		t.Errorf("writes %v, want a step, and back", w)
	}
	for _, problem := range r.uncounted(a.counters(t)) {
		t.Error(problem)
	}
	if r.failed["blue"] > 0 || r.failed["green"] == 0 {
		t.Errorf("failed requests: %v", r.failed)
	}
	settled(t, a, 90, 10)
}

// The same check must see a single request that is lost, and a question without an answer.
func TestALostRequestOrQuestionIsSeen(t *testing.T) {
	t.Parallel()
	a := newAddress(t, 50, 50)
	r := a.resolvers(t)
	r.come(t, dns.TypeA, 100)
	r.browse(t, a.URL, 100)
	until(t, "traffic flows", func() bool { return r.served("blue") > 50 && r.served("green") > 50 })
	a.fault(t, `{"kind":"lose","count":1}`)
	n := r.served("blue")
	until(t, "more traffic flows", func() bool { return r.served("blue") > n+20 })
	r.stop()
	if problems := r.uncounted(a.counters(t)); len(r.lost) != 1 || len(problems) < 2 {
		t.Errorf("one request was lost, and it is said %q", problems)
	}
	r.lost, r.broken = nil, []string{"a question"}
	if problems := r.uncounted(a.counters(t)); len(problems) < 2 {
		t.Errorf("one question was not answered, and it is said %q", problems)
	}
}
