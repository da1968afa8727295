package labcli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/load"
	"github.com/norikae/norikae/internal/manifest"
)

func TestTheManifestOfEveryWorldWithTraffic(t *testing.T) {
	for name, want := range map[string]func(awssim.World) string{
		awssim.WorldBlueGreen: func(w awssim.World) string { return w.ListenerARN + " rule 10" },
		awssim.WorldNLB:       func(w awssim.World) string { return w.ListenerARN + " default" },
		awssim.WorldRoute53:   func(w awssim.World) string { return "route53 " + w.HostedZoneID + " " + w.Name + "." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := up(t, "--seed", name)
			text := ran(t, w.Endpoint, "manifest", "--to", "blue", "--step-weight", "25")
			ts, err := manifest.Load("lab", []byte(text))
			if err != nil {
				t.Fatalf("%v:\n%s", err, text)
			}
			var ids []string
			for _, d := range ts.Spec.Destinations {
				ids = append(ids, d.Name+" "+d.TargetGroupARN+d.LoadBalancerARN)
			}
			var arns []string
			for _, g := range w.TargetGroups {
				arns = append(arns, g.Name+" "+g.ARN)
			}
			if name == awssim.WorldRoute53 {
				arns = nil
				for _, d := range w.Destinations {
					arns = append(arns, d.SetIdentifier+" "+d.LoadBalancerARN)
				}
			}
			if got, want := strings.Join(ids, "\n"), strings.Join(arns, "\n"); got != want {
				t.Errorf("destinations\n%s\nwant\n%s", got, want)
			}
			if d := ts.Spec.Destinations; *d[0].Weight != 100 || *d[1].Weight != 0 || ts.Metadata.Name != "to-blue" {
				t.Errorf("%s", text)
			}
			if got := manifest.RouteID(ts.Spec.Route); got != want(w) {
				t.Errorf("the route is %s, want %s", got, want(w))
			}
			if _, err := run(t, w.Endpoint, "manifest", "--to", "red"); err == nil || !strings.Contains(err.Error(), `--to "red" is not one of the lab's sides: blue, green`) {
				t.Errorf("an unknown side: %v", err)
			}
		})
	}
}

func TestWorldsWithoutTrafficAreRefused(t *testing.T) {
	t.Parallel()
	fleet, _ := up(t, "--seed", awssim.WorldFleet, "--clusters", "3")
	empty, _ := up(t, "--seed", "")
	for _, command := range []string{"manifest", "load"} {
		if _, err := run(t, fleet.Endpoint, command); command == "load" && (err == nil || !strings.Contains(err.Error(), "the world fleet has 3 clusters and no traffic to shift: start a lab with `norikae lab up --seed blue-green`")) {
			t.Errorf("%s of a fleet: %v", command, err)
		}
		if _, err := run(t, empty.Endpoint, command); err == nil || !strings.Contains(err.Error(), "no load balancer with traffic") {
			t.Errorf("%s of an empty lab: %v", command, err)
		}
	}
	for want, args := range map[string][]string{
		"--rate 0 is not in 1–50000":  {"--rate", "0"},
		"--duration -1s is negative;": {"--duration", "-1s"},
	} {
		if _, err := run(t, empty.Endpoint, append([]string{"load"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v", args, err)
		}
	}
}

// loaded runs a load for a while, whose requests must all be answered, and returns what
// it and the lab have counted.
func loaded(t *testing.T, w awssim.World, args ...string) (sent uint64, c awssim.Counters) {
	t.Helper()
	var counts load.Counts
	args = append([]string{"load", "-o", "json", "--rate", "200", "--duration", time.Second.String()}, args...)
	if err := json.Unmarshal([]byte(ran(t, w.Endpoint, args...)), &counts); err != nil {
		t.Fatal(err)
	}
	if counts.Sent == 0 || counts.OK != counts.Sent {
		t.Errorf("the load: %+v", counts)
	}
	if err := json.Unmarshal([]byte(ran(t, w.Endpoint, "counters")), &c); err != nil {
		t.Fatal(err)
	}
	return counts.Sent, c
}

func TestALoadOnANetworkLoadBalancer(t *testing.T) {
	t.Parallel()
	w, _ := up(t, "--seed", awssim.WorldNLB)
	sent, c := loaded(t, w)
	kept := c.Flows.Listeners[0].Accepted
	if kept == 0 || kept > 8 || c.Clusters[0].Requests != sent {
		t.Errorf("%d connections and %d requests of %d, with connections that are kept", kept, c.Clusters[0].Requests, sent)
	}
	sent, c = loaded(t, w, "--new-connections")
	if got := c.Flows.Listeners[0].Accepted - kept; got != sent {
		t.Errorf("%d connections for %d requests, each with its own", got, sent)
	}
}

func TestALoadOnANameFollowsTheNameServer(t *testing.T) {
	t.Parallel()
	w, _ := up(t, "--seed", awssim.WorldRoute53, "--propagation", "0s")
	sent, c := loaded(t, w)
	var asked uint64
	for _, q := range c.DNS.Asked {
		if q.Name == w.Name+"." && q.Type == "A" {
			asked = q.Count
		}
	}
	// Connections that begin together share a question.
	if asked < sent/2 || asked > sent || c.Clusters[0].Requests != sent || c.Clusters[1].Requests != 0 {
		t.Errorf("%d requests, %d questions, clusters %+v", sent, asked, c.Clusters)
	}
}

func TestALoadGoesToWhatIsPrivateOnly(t *testing.T) {
	t.Parallel()
	w, _ := up(t)
	var counts load.Counts
	out := ran(t, "", "load", "-o", "json", "--url", w.URL+"/", "--host", w.Host, "--rate", "100", "--duration", "300ms")
	if err := json.Unmarshal([]byte(out), &counts); err != nil || counts.OK == 0 || counts.OK != counts.Sent {
		t.Error(out, err)
	}
	for url, want := range map[string]string{
		"http://192.0.2.1/":  "leads to 192.0.2.1, which is not private",
		"https://127.0.0.1/": "is not such as http://127.0.0.1:8080/",
		"example.com":        "is not such as http://127.0.0.1:8080/",
	} {
		if _, err := run(t, "", "load", "--url", url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("--url %s: %v, want %q", url, err, want)
		}
	}
}
