//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// workloads of all kinds.
const workloads = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: podinfo}
spec:
  replicas: 3
  strategy: {rollingUpdate: {maxUnavailable: 0}}
  selector: {matchLabels: {app: podinfo}}
  template:
    metadata: {labels: {app: podinfo}}
    spec:
      containers:
      - name: podinfod
        image: ghcr.io/stefanprodan/podinfo:6.9.1
        command: [./podinfo, --port=9898]
        ports: [{containerPort: 9898, name: http}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
---
apiVersion: v1
kind: Service
metadata: {name: podinfo}
spec: {type: NodePort, selector: {app: podinfo}, ports: [{port: 80, targetPort: http, nodePort: 30080}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      hostNetwork: true
      containers: [{name: agent, image: "fluent/fluentd:v1.18"}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: stefanprodan/podinfo:6.9.2
        livenessProbe: {exec: {command: [test, "!", -e, /data/broken]}, periodSeconds: 1, failureThreshold: 1}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: once
        image: stefanprodan/podinfo:6.9.1
        command: [sh, -c, "hostname; cat /proc/1/cmdline | tr '\\0' ' '; until getent hosts podinfo; do sleep 0.2; done"]
---
apiVersion: v1
kind: Pod
metadata: {name: unknown}
spec: {containers: [{name: web, image: "nginx:1.29"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: untagged}
spec: {containers: [{name: web, image: "stefanprodan/podinfo:5.0.0"}]}
`

func TestNodesRunWhatIsDeclared(t *testing.T) {
	c := newCluster(t, "nodes", 2)
	c.apply(t, workloads)
	timed(t, "a Deployment, a DaemonSet, a StatefulSet and a Job, until they are there", func() {
		for _, kind := range []string{"deployment/podinfo", "daemonset/agent", "statefulset/db"} {
			c.must(t, "rollout", "status", kind, "--timeout=90s")
		}
		c.must(t, "wait", "--for=condition=Complete", "job/once", "--timeout=90s")
	})
	node := c.must(t, "get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
	url := "http://" + net.JoinHostPort(node, "30080")

	t.Run("logs, and what a container sees", func(t *testing.T) {
		out := c.must(t, "logs", "job/once")
		if !strings.HasPrefix(out, "once-") || !strings.Contains(out, "sh -c hostname") || !strings.Contains(out, "podinfo.default.svc.cluster.local") {
			t.Errorf("it sees\n%s", out)
		}
		if out := c.must(t, "logs", "daemonset/agent"); !strings.Contains(out, "does nothing") {
			t.Errorf("the agent says %q", out)
		}
	})
	t.Run("a NodePort reaches every pod, from every node", func(t *testing.T) {
		seen := map[string]bool{}
		eventually(t, "all three answer", func() error {
			seen[podOf(t, url)] = true
			if len(seen) < 3 {
				return fmt.Errorf("there were %v", seen)
			}
			return nil
		})
	})
	t.Run("images that are not there are named", func(t *testing.T) {
		for pod, want := range map[string]string{
			"unknown": `the lab cannot pull the image "nginx:1.29"; it has stefanprodan/podinfo, `, "untagged": "the lab has no stefanprodan/podinfo:5.0.0; it has the tags 6.9.1, 6.9.2",
		} {
			out := c.must(t, "get", "events", "--field-selector=involvedObject.name="+pod, "-o", "jsonpath={.items[*].message}")
			if !strings.Contains(out, want) {
				t.Errorf("the events of %s are %s", pod, out)
			}
		}
	})
	t.Run("exec, and a failing probe restarts", func(t *testing.T) {
		if _, err := c.kubectl(t, "exec", "db-0", "--", "sh", "-c", "exit 7"); err == nil || !strings.Contains(err.Error(), "exit code 7") {
			t.Errorf("a command that ends with 7: %v", err)
		}
		c.must(t, "exec", "db-0", "--", "touch", "/data/broken")
		eventually(t, "it is restarted", func() error {
			if n := c.must(t, "get", "pod", "db-0", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"); n == "0" {
				return fmt.Errorf("%s restarts", n)
			}
			return nil
		})
		c.must(t, "exec", "db-0", "--", "rm", "/data/broken") // a volume of the pod outlives its containers
	})
	t.Run("a rolling update loses no request", func(t *testing.T) {
		counts := load(t, url, 300, func() {
			c.must(t, "set", "image", "deployment/podinfo", "podinfod=ghcr.io/stefanprodan/podinfo:6.9.2")
			c.must(t, "rollout", "status", "deployment/podinfo", "--timeout=90s")
			time.Sleep(5 * time.Second) // the old pods end
		})
		if counts.Lost+counts.ServerErrors > 0 || counts.OK != counts.Sent || counts.OK < 1000 {
			t.Errorf("the client counted %+v", counts)
		}
		t.Logf("the client counted %+v", counts)
		if out := ran(t, "curl", "-s", url+"/version"); !strings.Contains(out, "6.9.2") {
			t.Errorf("after the update it is %s", out)
		}
	})
	t.Run("killed at once, it does", func(t *testing.T) {
		counts := load(t, url, 300, func() {
			ran(t, "pkill", "-KILL", "-x", "podinfo")
			c.must(t, "rollout", "status", "deployment/podinfo", "--timeout=90s")
			time.Sleep(time.Second)
		})
		if counts.Lost == 0 {
			t.Errorf("pods were killed under load, and the client counted %+v", counts)
		}
	})
	t.Run("nothing leaves", func(t *testing.T) {
		if _, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(t.Context(), "tcp", "1.1.1.1:53"); err == nil {
			t.Error("the lab reaches the outside")
		}
		if out, err := c.kubectl(t, "exec", "db-0", "--", "bash", "-c", "exec 3<>/dev/tcp/1.1.1.1/53"); err == nil {
			t.Errorf("a pod reaches the outside: %s", out)
		}
	})
	t.Run("a node that is killed comes back, and its pods", func(t *testing.T) {
		before := c.must(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
		there := func() string {
			return c.must(t, "get", "pods", "-l", "app=agent", "--field-selector=spec.nodeName="+strings.Fields(before)[0], "-o",
				"jsonpath={.items[0].metadata.uid}/{.items[0].status.containerStatuses[0].containerID}")
		}
		agent := there()
		out := ran(t, "pgrep", "-f", "norikae-stack node .*--name="+strings.Fields(before)[0])
		ran(t, "kill", "-9", strings.Fields(out)[0])
		eventually(t, "it comes back", func() error {
			if err := c.hasNodes(t, 2); err != nil {
				return err
			}
			if there() == agent {
				return errors.New("the agent's container is the one that was there before")
			}
			_, err := c.kubectl(t, "rollout", "status", "deployment/podinfo", "--timeout=1s")
			return err
		})
		eventually(t, "all is answered again", func() error {
			_, err := tried(t, "", "curl", "-sf", "-m", "1", url+"/readyz")
			return err
		})
		if after := c.must(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"); after != before {
			t.Errorf("the nodes were %s and are %s", before, after)
		}
	})
	t.Run("a node group has as many nodes as it wants", func(t *testing.T) {
		for _, n := range []int32{1, 3} {
			_, err := eks.NewFromConfig(c.aws).UpdateNodegroupConfig(t.Context(), &eks.UpdateNodegroupConfigInput{
				ClusterName: &c.name, NodegroupName: aws.String("workers"), ScalingConfig: &ekstypes.NodegroupScalingConfig{DesiredSize: &n},
			})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, fmt.Sprintf("%d nodes", n), func() error { return c.hasNodes(t, int(n)) })
		}
	})
}

// podOf is the name of the pod that answers.
func podOf(t *testing.T, url string) string {
	t.Helper()
	var answer struct{ Hostname string }
	out := ran(t, "curl", "-s", "-m", "5", url+"/")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return answer.Hostname
}

// counts of norikae lab load.
type counts struct{ Sent, OK, ClientErrors, ServerErrors, Lost int }

// load of podinfo, which takes a POST there, runs while something happens. Connections are made anew for every request, so that
// none stays with a pod.
func load(t *testing.T, url string, rate int, happens func()) (c counts) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(os.Getenv(binaryVar), "norikae"), "lab", "load", "--url", url+"/echo", "--rate", fmt.Sprint(rate), "--new-connections", "-o", "json")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	happens()
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return c
}
