package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
)

// enoughDraws of new connections, or of DNS answers, over a shift.
const enoughDraws = 20_000

// Half way the shift waits until there were enough, on a slow machine too.
const drawn4 = `  strategy:
    steps: [{setWeight: 25}, {setWeight: 50}, {pause: {}}, {setWeight: 75}]
    bake: 1s
`

// settledFlows are the counters once nothing begins or ends any more.
func (n *near) settledFlows(t *testing.T) (c awssim.Counters) {
	t.Helper()
	until(t, "all connections are ended", func() bool {
		c = n.counters(t)
		return c.Flows.Listeners[0].Active == 0 && c.Flows.Listeners[0].Accepted == c.Flows.Listeners[0].Established+c.Flows.Listeners[0].Lost
	})
	return c
}

func TestNoConnectionIsCutInAShiftOfANetworkLoadBalancer(t *testing.T) {
	t.Parallel()
	const before, joining, joins = 220, 12, 15 // connections that stay: of before, and so many each second later, so often
	n, state := network{startNear(t, awssim.WorldNLB)}, t.TempDir()
	began := len(n.calls(t))
	f := newFlows(t, n.URL)
	f.stay(before)
	f.come(1400)
	until(t, "traffic flows", func() bool {
		return n.counters(t).Flows.Listeners[0].Active >= before && len(f.answers()) > 2*least
	})
	text := n.declare(0, 100, drawn4+"    drain: {duration: 4s}\n")
	run := n.start(t, state, text, "shift", "-f", "-", "-o", "json")
	join := time.NewTicker(time.Second)
	defer join.Stop()
	joined := func(ok func() bool) func() bool {
		return func() bool {
			select {
			case <-join.C:
				if f.long.Load() < before+joining*joins {
					f.stay(joining)
				}
			default:
			}
			return ok()
		}
	}
	paused := run.says(t, "waits for approval")
	until(t, "half of the move is made, and there were many connections", joined(func() bool { return paused() && len(f.answers()) > enoughDraws/2 }))
	if res := n.exec(t, state, text, "approve", "-f", "-"); res.code != 0 {
		t.Errorf("approve: %s", res.stderr)
	}
	until(t, "it drains", joined(run.says(t, `"phase":"Draining"`)))
	if c := n.counters(t); group(c, "blue").Active < before {
		t.Errorf("while it drains blue has %d connections, want the %d from before the shift and more", group(c, "blue").Active, before)
	}
	res := run.wait(t)
	if res.code != 0 {
		t.Fatalf("code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	drainedFor(t, res.stdout, 3*time.Second)
	until(t, "there were enough connections", func() bool { return len(f.answers()) >= enoughDraws })
	stay := f.long.Load()
	time.Sleep(askEvery + 200*time.Millisecond) // each asks once more after the end
	c := n.counters(t)
	if blue, green := group(c, "blue").Active, group(c, "green").Active; blue < before || green < joining || f.long.Load() != stay {
		t.Errorf("after the shift blue has %d connections and green %d, and %d of %d stay", blue, green, f.long.Load(), stay)
	}
	client := f.stop()
	c = n.settledFlows(t)
	for _, problem := range uncounted(client, c) {
		t.Error(problem)
	}
	problems, told := unlike(spansOf(n, 100, 0, n.calls(t)[began:], 0), f.short)
	for _, p := range problems {
		t.Errorf("new connections do not follow the weights: %s", p)
	}
	t.Logf("%d short connections, %d that stayed, %d requests on them; by weights:\n%s", len(f.short), stay,
		client.requests["blue"]+client.requests["green"]-uint64(len(f.short)), strings.Join(told, "\n"))
	if w := written(n, n.calls(t)[began:]); !slices.Equal(w, []string{"75:25", "50:50", "25:75", "0:100"}) || len(f.short) < enoughDraws {
		t.Errorf("writes %v, %d connections", w, len(f.short))
	}
	settled(t, n, 0, 100)
	n.again(t, text)
}

// drainedFor checks that a run waited, after its bake, for the losing side's connections.
func drainedFor(t *testing.T, stdout string, least time.Duration) {
	t.Helper()
	events, end := told(t, stdout)
	i := slices.IndexFunc(events, func(e engine.Event) bool { return e.Phase == shift.Draining })
	if i < 0 {
		t.Fatal("it did not drain")
	}
	if took := end.Finished.Sub(events[i].At); end.Phase != shift.Succeeded || took < least {
		t.Errorf("%s after it drained for %s, want %s", end.Phase, took, least)
	}
}

// Going back moves no connection either: those that green has by then stay there.
func TestNoConnectionIsCutWhenAShiftOfANetworkLoadBalancerIsAborted(t *testing.T) {
	t.Parallel()
	n, state := network{startNear(t, awssim.WorldNLB)}, t.TempDir()
	f := newFlows(t, n.URL)
	f.stay(60)
	f.come(100)
	text := n.declare(0, 100, drawn4)
	run := n.start(t, state, text, "shift", "-f", "-", "-o", "json")
	until(t, "it waits half way", run.says(t, "waits for approval"))
	f.stay(60)
	until(t, "green has connections", func() bool { return group(n.counters(t), "green").Active > 10 })
	if res := n.exec(t, t.TempDir(), text, "abort", "-f", "-"); res.code != 0 {
		t.Fatalf("abort: %s", res.stderr)
	}
	if res := run.wait(t); res.code != 2 {
		t.Fatalf("code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	time.Sleep(askEvery + 200*time.Millisecond)
	if c := n.counters(t); group(c, "green").Active <= 10 || f.long.Load() != 120 {
		t.Errorf("%d connections stay, %d of them on green", f.long.Load(), group(c, "green").Active)
	}
	settled(t, n, 100, 0)
	for _, problem := range uncounted(f.stop(), n.settledFlows(t)) {
		t.Error(problem)
	}
}

// The same checks must see a single connection that is lost, and a single one that is cut.
func TestOneLostConnectionIsSeen(t *testing.T) {
	t.Parallel()
	n := network{startNear(t, awssim.WorldNLB)}
	f := newFlows(t, n.URL)
	f.stay(5)
	f.come(200)
	until(t, "traffic flows", func() bool { return len(f.answers()) > 100 })
	n.fault(t, `{"kind":"lose","count":1}`)
	seen := len(f.answers())
	until(t, "more traffic flows", func() bool { return len(f.answers()) > seen+100 })
	client := f.stop()
	problems := uncounted(client, n.settledFlows(t))
	if len(client.broken) != 1 || !slices.Contains(problems, "lost by the load balancer: 1, not 0") || len(problems) < 3 {
		t.Errorf("one connection was lost, and it is said %q", problems)
	}
}

func TestConnectionsThatAreCutAreSeen(t *testing.T) {
	t.Parallel()
	n := network{startNear(t, awssim.WorldNLB)}
	f := newFlows(t, n.URL)
	f.stay(6)
	until(t, "they are open", func() bool { return n.counters(t).Flows.Listeners[0].Active == 6 })
	if err := n.sim.Cluster("blue").SetDown(true); err != nil {
		t.Fatal(err)
	}
	until(t, "they are gone", func() bool { return f.long.Load() == 0 })
	client := f.stop()
	problems := uncounted(client, n.settledFlows(t))
	cut := 0
	for _, p := range problems {
		if strings.HasPrefix(p, "client: a connection that stays") {
			cut++
		}
	}
	if cut != 6 {
		t.Errorf("six connections were cut, and it is said %q", problems)
	}
}
