//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seed is the folder of the story's examples.
const seed = "../../../examples/seed"

// setUp is a target cluster's set-up, by helmfile as a user runs it.
func (c *cluster) setUp(t *testing.T) {
	t.Helper()
	timed(t, c.name+": helmfile apply of the gateway, Flagger and the agents, until all is ready", func() {
		ran(t, "env", "KUBECONFIG="+c.kubeconfig, "helmfile", "--file", filepath.Join(seed, "modules", "target-cluster", "helmfile.yaml.gotmpl"),
			"--state-values-set", "cluster="+c.name, "apply")
	})
}

// release is a version of the application, with the settings of a lab, where a minute is
// long.
func (c *cluster) release(t *testing.T, tag string, args ...string) {
	t.Helper()
	args = append([]string{
		"template", "podinfo", filepath.Join(seed, "charts", "podinfo"), "--set", "image.tag=" + tag, "--set", "canary.interval=2s",
		"--set", "canary.stepWeight=25", "--set", "canary.threshold=2",
	}, args...)
	c.apply(t, ran(t, append([]string{"helm"}, args...)...), "-n", "podinfo")
}

// canary is the phase of the application's canary, and the weight that it has.
func (c *cluster) canary(t *testing.T) (phase, weight string) {
	t.Helper()
	out := c.must(t, "get", "canary", "podinfo", "-n", "podinfo", "-o", "jsonpath={.status.phase} {.status.canaryWeight}")
	phase, weight, _ = strings.Cut(out, " ")
	return phase, weight
}

// becomes waits until the canary is in a phase, and tells the weights that it had.
func (c *cluster) becomes(t *testing.T, want string) (weights []string) {
	t.Helper()
	eventually(t, "the canary is "+want, func() error {
		phase, weight := c.canary(t)
		if len(weights) == 0 || weights[len(weights)-1] != weight {
			weights = append(weights, weight)
		}
		if phase != want {
			return errors.New(phase)
		}
		return nil
	})
	return weights
}

func TestFlaggerCanariesTheApplication(t *testing.T) {
	c := newCluster(t, "canary", 2)
	c.setUp(t)
	c.must(t, "create", "namespace", "podinfo")
	c.release(t, "6.9.1")
	timed(t, "the first version, until it is served", func() { c.becomes(t, "Initialized") })
	node := c.must(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	url := "http://" + node + ":30080"
	eventually(t, "the gateway answers", func() error {
		_, err := tried(t, "", "curl", "-sf", "-m", "2", url+"/readyz")
		return err
	})

	t.Run("a good version is promoted, and no request is lost", func(t *testing.T) {
		var weights []string
		counts := load(t, url, 100, func() {
			timed(t, "a new version, until it is promoted", func() {
				c.release(t, "6.9.2")
				c.becomes(t, "Progressing")
				weights = c.becomes(t, "Succeeded")
			})
		})
		t.Logf("weights of the canary: %v; the client counted %+v", weights, counts)
		if counts.OK != counts.Sent || counts.OK < 1000 {
			t.Errorf("the client counted %+v", counts)
		}
		if got := strings.Join(weights, " "); !strings.Contains(got, "25 50") {
			t.Errorf("the canary's weights were %s", got)
		}
		if out := ran(t, "curl", "-s", url+"/version"); !strings.Contains(out, "6.9.2") {
			t.Errorf("after the promotion it is %s", out)
		}
	})
	t.Run("a bad version is rolled back", func(t *testing.T) {
		counts := load(t, url, 100, func() {
			timed(t, "a version whose answers are errors, until it is rolled back", func() {
				c.release(t, "6.9.3", "--set", "args={--random-error}")
				c.becomes(t, "Progressing")
				c.becomes(t, "Failed")
			})
			time.Sleep(2 * time.Second)
		})
		t.Logf("the client counted %+v", counts)
		if counts.ServerErrors == 0 || counts.Lost > 0 || counts.OK < counts.Sent/2 {
			t.Errorf("the client counted %+v", counts)
		}
		eventually(t, "all is the version before", func() error {
			for range 20 {
				if out := ran(t, "curl", "-s", "-m", "5", url+"/version"); !strings.Contains(out, "6.9.2") {
					return fmt.Errorf("it is %s", out)
				}
			}
			return nil
		})
	})
}
