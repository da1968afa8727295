//go:build e2e

package argocd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/awssim"
)

// maxPeak is the memory that a controller of ten thousand clusters may need, in MB.
const maxPeak = 200

// Fleets over 5 accounts and 4 regions: how long the first sync takes, what a pass costs
// after that, how soon a tag arrives, and how much memory it takes.
func TestFleetsOfAThousandAndOfTenThousandClusters(t *testing.T) {
	management := startManagement(t)
	management.kubectl(t, "apply", "-f", "../../../config/crd/norikae.dev_clustersets.yaml")
	for _, n := range []int{1000, 10_000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			l := startFleet(t, n)
			namespace := fmt.Sprintf("argocd-%d", n)
			management.kubectl(t, "create", "namespace", namespace)
			set := l.clusterSet(t, namespace)
			if err := management.Create(t.Context(), set); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			p := startProgram(t, t.TempDir(), append(l.Env, "KUBECONFIG="+management.kubeconfig, "HOME="+t.TempDir()), os.Getenv(binaryVar),
				"controller", "--leader-elect=false", "--metrics-address=0", "--probe-address=0", "--argocd-namespace="+namespace)
			management.registers(t, namespace, n)
			t.Logf("first sync: %.0f s; calls: %v; peak of memory: %d MB", time.Since(begun).Seconds(), l.since(t, begun), p.peak())

			before := management.versions(t, namespace)
			begun = time.Now()
			time.Sleep(35 * time.Second)
			calls, took := l.since(t, begun), time.Since(begun)
			l.steady(t, n, calls, took)
			after := management.versions(t, namespace)
			if len(before) != n || len(after) != n {
				t.Errorf("there are %d and then %d Secrets, want %d", len(before), len(after), n)
			}
			for name, version := range before {
				if after[name] != version {
					t.Errorf("%s was written in the steady state", name)
				}
			}

			arn := fmt.Sprintf("arn:aws:eks:%s:%s:cluster/fleet-0001", awssim.Region, awssim.Account)
			begun = time.Now()
			do(t, eks.NewFromConfig(l.admin(awssim.Region)).TagResource, &eks.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"cell": "moved"}})
			eventually(t, "the tag is on the Secret", func() error {
				var list corev1.SecretList
				err := management.List(t.Context(), &list, client.InNamespace(namespace), client.MatchingLabels{"cell": "moved"})
				if err == nil && len(list.Items) != 1 {
					err = fmt.Errorf("%d Secrets have it", len(list.Items))
				}
				return err
			})
			peak := p.peak()
			t.Logf("a changed tag is on its Secret after %.1f s (interval 10s, index 1s late); peak of memory: %d MB", time.Since(begun).Seconds(), peak)
			if peak > maxPeak {
				t.Errorf("the controller needed %d MB, at most %d", peak, maxPeak)
			}
		})
	}
}

// startFleet is a lab with many clusters, whose API servers are made up.
func startFleet(t *testing.T, n int) *lab {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	dir := t.TempDir()
	p := startPrinting(t, in, dir, []string{"HOME=" + dir}, os.Getenv(binaryVar), "lab", "up", "--seed=fleet", "--clusters="+strconv.Itoa(n),
		"--accounts=5", "--regions=4", "--index-lag=1s", "--listen=127.0.0.1:0", "--dns=", "-o", "json")
	in.Close()
	l := &lab{}
	if err := json.NewDecoder(out).Decode(&l.World); err != nil {
		t.Fatalf("what the lab prints: %v\n%s", err, p.tail())
	}
	return l
}

// clusterSet that the lab prints for its fleet, for an Argo CD in a namespace.
func (l *lab) clusterSet(t *testing.T, namespace string) *unstructured.Unstructured {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv(binaryVar), "lab", "manifest", "--endpoint", l.Endpoint).Output()
	if err != nil {
		t.Fatal(err)
	}
	set := &unstructured.Unstructured{}
	if err := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096).Decode(set); err != nil {
		t.Fatal(err)
	}
	set.SetNamespace(namespace)
	for _, f := range []struct{ field, value string }{{"argocdNamespace", namespace}, {"interval", "10s"}, {"refreshInterval", "30m"}} {
		if err := unstructured.SetNestedField(set.Object, f.value, "spec", f.field); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

// since counts the lab's API calls from a time on, by operation.
func (l *lab) since(t *testing.T, begun time.Time) map[string]int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.Endpoint+awssim.ControlPrefix+"calls", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	calls := map[string]int{}
	for d := json.NewDecoder(resp.Body); d.More(); {
		var e awssim.CallEntry
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Time.After(begun) {
			calls[e.Operation]++
		}
	}
	return calls
}

// steady checks what passes cost when nothing changes: of each account and region the
// pages of the tagging API, 100 clusters each, and of the clusters the share whose time to
// be described anew has come.
func (l *lab) steady(t *testing.T, n int, calls map[string]int, took time.Duration) {
	t.Helper()
	scopes := len(l.Accounts) * len(l.Regions)
	pages := scopes * max(1, (n/scopes+99)/100)
	passes := float64(calls["GetResources"]) / float64(pages)
	t.Logf("steady state: %.1f passes in %.0f s, %d calls of GetResources each; %d clusters described anew", passes, took.Seconds(), pages, calls["DescribeCluster"])
	if passes < 2 || passes > took.Seconds()/8 {
		t.Errorf("GetResources was called %d times in %s: that is no number of passes at an interval of 10s with %d pages", calls["GetResources"], took, pages)
	}
	// Each is described within half and the whole of the interval, 30m.
	if most := float64(n) * took.Minutes() / 15; float64(calls["DescribeCluster"]) > most {
		t.Errorf("%d clusters were described, at most %.0f are due", calls["DescribeCluster"], most)
	}
	for op := range calls {
		if op != "GetResources" && op != "DescribeCluster" {
			t.Errorf("%s was called %d times", op, calls[op])
		}
	}
}

// registers waits until all clusters have a Secret. This takes longer than other things:
// DescribeCluster may be asked a few times a second in an account and region.
func (c *cluster) registers(t *testing.T, namespace string, n int) {
	t.Helper()
	for end := time.Now().Add(6 * time.Minute); ; time.Sleep(time.Second) {
		set := c.get(t, "norikae.dev/v1alpha1", "ClusterSet", namespace, "fleet")
		registered, _, _ := unstructured.NestedInt64(set.Object, "status", "counts", "registered")
		if int(registered) == n && conditionOf(set, "Ready").status == "True" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d clusters are registered; %+v", registered, n, conditionsOf(set))
		}
	}
}

// versions of all Secrets in a namespace, by name.
func (c *cluster) versions(t *testing.T, namespace string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for token := ""; ; {
		list := &unstructured.UnstructuredList{}
		list.SetAPIVersion("v1")
		list.SetKind("SecretList")
		if err := c.List(t.Context(), list, client.InNamespace(namespace), client.Limit(500), client.Continue(token)); err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Items {
			out[s.GetName()] = s.GetResourceVersion()
		}
		if token = list.GetContinue(); token == "" {
			return out
		}
	}
}

// peak of the memory that the program held, in MB.
func (p *program) peak() int {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kb, _ := strconv.Atoi(f[1]) // 0 if the kernel says otherwise
			return kb / 1024
		}
	}
	return 0
}
