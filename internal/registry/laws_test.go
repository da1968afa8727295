package registry

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// decider is Decide, or something that breaks a law.
type decider func(Input) Plan

// play one history, and return the first law that is broken.
func play(roll dice, steps int, decide decider) error {
	w, j := newWorld(roll), &judge{said: map[ID][]said{}}
	for range steps {
		switch roll(5) {
		case 0, 1:
			for range roll(4) {
				w.happen()
			}
		case 2:
			w.meddle()
		case 3:
			if roll(6) == 0 {
				w.redeclare()
			}
		}
		w.now = w.now.Add([]time.Duration{time.Second, time.Minute, 10 * time.Minute, grace - time.Second, grace, 3 * grace, -5 * time.Minute}[roll(7)])
		if err := w.pass(j, decide, roll(6) == 0); err != nil {
			return err
		}
		if roll(4) == 0 {
			if err := w.settle(j, decide); err != nil {
				return err
			}
		}
	}
	return nil
}

// plan decides in at most two calls.
func (w *world) plan(decide decider) (Input, Plan, error) {
	in := w.observe()
	plan := decide(in)
	asked := map[string]bool{}
	for _, q := range plan.Ask {
		if key := string(q.Question) + q.Cluster.ARN(); asked[key] {
			return in, plan, fmt.Errorf("asked twice: %s", key)
		} else {
			asked[key] = true
		}
	}
	if len(plan.Ask) > 0 {
		in = w.answer(in, plan.Ask)
		if plan = decide(in); len(plan.Ask) > 0 {
			return in, plan, fmt.Errorf("a question after the answers: %v", plan.Ask)
		}
	}
	return in, plan, nil
}

// pass decides and writes; a clumsy one loses some of its writes.
func (w *world) pass(j *judge, decide decider, clumsy bool) error {
	in, plan, err := w.plan(decide)
	if err != nil {
		return err
	}
	if err := j.watch(in, plan); err != nil {
		return err
	}
	failed, untold := map[ID]bool{}, false
	write := func(a Action) {
		if clumsy && w.roll(2) == 0 || a.Do == Delete && untold || !w.write(a) {
			failed[a.Cluster] = true
			untold = untold || a.Entry != nil && !a.YieldedAt.Equal(a.Entry.YieldedAt)
		}
	}
	var last []Action // what removes comes last, as is promised
	for _, a := range plan.Actions {
		switch a.Do {
		case "":
		case Delete, Replace:
			last = append(last, a)
		default:
			write(a)
		}
	}
	for _, a := range last {
		write(a)
	}
	j.note(in, plan, failed)
	return nil
}

// settle passes until there is nothing to do, which is soon.
func (w *world) settle(j *judge, decide decider) error {
	// What is deleted, replaced or adopted makes room for others.
	const rounds = 6
	for range rounds {
		if err := w.pass(j, decide, false); err != nil {
			return err
		}
	}
	in, plan, err := w.plan(decide)
	if err != nil {
		return err
	}
	return j.settled(in, plan)
}

func TestLawsHoldInEveryHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roll := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "die") }
		if err := play(roll, 12, Decide); err != nil {
			t.Fatal(err)
		}
	})
}

// histories are long ones, by seed.
const histories = 500

func seeded(seed uint64) dice { return rand.New(rand.NewPCG(seed, 1)).IntN }

func TestLawsHoldInLongHistories(t *testing.T) {
	seen := map[string]int{}
	watched := func(in Input) Plan {
		plan := Decide(in)
		seen[plan.StoppedReason]++
		for _, a := range plan.Actions {
			seen[string(a.State)]++
			seen[a.Reason]++
			seen[string(a.Do)]++
		}
		return plan
	}
	for seed := range uint64(histories) {
		if err := play(seeded(seed), 60, watched); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	// What no history reaches, none has shown anything about.
	for _, what := range []string{
		"create", "update", "mark", "adopt", "delete", "replace", "BlastRadius",
		"Registered", "Waiting", "Unreachable", "Broken", "Conflict", "Held", "Draining", "Missing", "Unselected", "Uncertain", "Unwritten",
		"Gone", "Limit", "KeepLast", "TrafficUnknown", "CarriesTraffic", "Recreated", "Replaced", "NameChange", "ServerDrift",
		"LabelWouldDelete", "ApplicationSetsUnknown", "InCluster", "Duplicate", "OwnedByOther", "SecretExists", "ServerTaken",
		"NameTaken", "NameCollision", "NoSource", "TagsDiffer", "Creating", "StatusUnknown", "ProbeFailed",
	} {
		if seen[what] == 0 {
			t.Errorf("no history has %s", what)
		}
	}
}

func TestAScopeThatDoesNotAnswerChangesNothingElsewhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "die") })
		j := &judge{said: map[ID][]said{}}
		for range 10 {
			w.meddle()
			w.happen()
			w.now = w.now.Add(time.Minute)
			if err := w.pass(j, Decide, false); err != nil {
				t.Fatal(err)
			}
		}
		in := w.observe()
		before := Decide(in)
		w.down[lawScopes[0]] = true
		out := w.observe()
		out.Traffic, out.Probes = in.Traffic, in.Probes
		after := Decide(out)
		if before.Stopped != "" || after.Stopped != "" {
			return
		}
		for _, a := range before.Actions {
			if a.Do != Update || w.down[a.Cluster.Scope()] {
				continue
			}
			if diff := cmp.Diff(a, about(t, after, a.Cluster)); diff != "" {
				t.Fatalf("%s (-all answer +one does not):\n%s", a.Cluster.ARN(), diff)
			}
		}
	})
}
