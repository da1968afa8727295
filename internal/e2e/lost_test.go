package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/load"
)

// enough requests for a shift under load.
const enough = 100_000

// unaccounted compares the three counts of a load's requests: the client's own, the
// load balancer's and the targets'. Nothing sends a request twice, so that all three
// agree when none was lost. It says where they do not.
func unaccounted(client load.Counts, c awssim.Counters) []string {
	var answered, sent, targets uint64
	for _, l := range c.Listeners {
		answered += l.Answered
	}
	for _, g := range c.TargetGroups {
		sent += g.Sent
	}
	for _, k := range c.Clusters {
		targets += k.Requests
	}
	var out []string
	differ := func(what string, a, b uint64) {
		if a != b {
			out = append(out, fmt.Sprintf("%s: %d, not %d", what, a, b))
		}
	}
	differ("answered to the client, of those it sent", client.OK+client.ClientErrors+client.ServerErrors, client.Sent)
	differ("received by the load balancer, of those sent", received(c), client.Sent)
	differ("answered by the load balancer, of those it received", answered, received(c))
	differ("handed to targets, of those received", sent, received(c))
	differ("counted by the targets, of those received", targets, received(c))
	return out
}

// Not parallel: the load takes the whole machine.
func TestNoRequestIsLostInAShiftUnderLoad(t *testing.T) {
	l, state := startLab(t), t.TempDir()
	text := l.manifest("loaded", 0, 100, `  strategy:
    steps: [{setWeight: 25}, {setWeight: 50}, {pause: {}}, {setWeight: 75}]
    bake: 1s
`)
	traffic := l.start(t, state, "", "lab", "load", "--rate", "50000", "-o", "json") // as fast as it goes
	until(t, "traffic flows", func() bool { return received(l.counters(t)) > 0 })
	begin := received(l.counters(t))
	run := l.start(t, state, text, "shift", "-f", "-")
	until(t, "the shift waits at half of its way, and there were enough requests", func() bool {
		return received(l.counters(t))-begin >= enough && strings.Contains(run.out.String(), "waits for approval")
	})
	if res := l.exec(t, state, text, "approve", "-f", "-"); res.code != 0 {
		t.Errorf("approve: %s", res.stderr)
	}
	if res := run.wait(t); res.code != 0 {
		t.Fatalf("code %d\n%s%s", res.code, res.stdout, res.stderr)
	}
	traffic.signal(os.Interrupt)
	res := traffic.wait(t)
	var client load.Counts
	if err := json.Unmarshal([]byte(res.stdout), &client); err != nil || res.code != 0 {
		t.Fatalf("lab load: code %d, %v: %s%s", res.code, err, res.stdout, res.stderr)
	}
	if got, want := l.weights(t), map[string]int{"blue": 0, "green": 100}; !maps.Equal(got, want) {
		t.Errorf("live %v, want %v", got, want)
	}
	c := l.counters(t)
	t.Logf("%d requests by the client, %d by %s, %d by %s", client.Sent, c.Clusters[0].Requests, c.Clusters[0].Name, c.Clusters[1].Requests, c.Clusters[1].Name)
	if client.ServerErrors != 0 || client.Lost != 0 || client.OK < enough {
		t.Errorf("client: %+v", client)
	}
	for _, problem := range unaccounted(client, c) {
		t.Error(problem)
	}
	for _, k := range c.Clusters {
		if k.Requests < enough/10 {
			t.Errorf("cluster %s had only %d requests: nothing was shifted under load", k.Name, k.Requests)
		}
	}
}

func received(c awssim.Counters) (n uint64) {
	for _, l := range c.Listeners {
		n += l.Received
	}
	return n
}

// The same check must see a single lost request.
func TestOneLostRequestIsSeen(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	traffic := load.Start(load.Config{URL: l.URL, Host: l.Host, Workers: 4, Rate: 500, Total: 1500})
	until(t, "traffic flows", func() bool { return traffic.Counts().OK > 100 })
	l.fault(t, `{"kind":"lose","count":1}`)
	client := traffic.Wait()
	if client.Lost != 1 {
		t.Errorf("client: %+v, want 1 lost", client)
	}
	if problems := unaccounted(client, l.counters(t)); len(problems) < 3 {
		t.Errorf("one request was lost, and the counts are said to agree but for %q", problems)
	}
}
