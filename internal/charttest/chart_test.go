package charttest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/cli"
)

// variants are ways to set the chart's values, and the namespace of the release.
var variants = map[string]string{"": "norikae", "full.yaml": "norikae", "least.yaml": "norikae", "all-namespaces.yaml": "argo"}

// render the chart with the values of a file; "": its own.
func render(t *testing.T, values, namespace string, more ...string) string {
	t.Helper()
	args := append([]string{"template", "norikae", chart, "--namespace", namespace}, more...)
	if values != "" {
		args = append(args, "--values", filepath.Join("testdata", values))
	}
	return mustHelm(t, nil, args...)
}

func TestLint(t *testing.T) {
	for values := range variants {
		args := []string{"lint", "--strict", chart}
		if values != "" {
			args = append(args, "--values", filepath.Join("testdata", values))
		}
		if out, ok := helm(t, nil, args...); !ok || strings.Contains(out, "WARNING") || strings.Contains(out, "ERROR") {
			t.Errorf("with %q: %s", values, out)
		}
	}
}

func TestTheAPIServerTakesWhatTheChartMakes(t *testing.T) {
	c := kube.Cluster(t)
	for _, ns := range []string{"norikae", "argocd", "argo", "team-a"} {
		namespace(t, c, ns)
	}
	for values, own := range variants {
		t.Run("with "+values, func(t *testing.T) {
			manifest := render(t, values, own)
			out := mustKubectl(t, c, manifest, "apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
			if n := strings.Count(out, "serverside-applied (server dry run)"); n != len(objects(t, manifest)) || strings.Contains(out, "Warning") {
				t.Errorf("%d of %d objects were taken: %s", n, len(objects(t, manifest)), out)
			}
			d := object[appsv1.Deployment](t, manifest, "Deployment")
			pod := podOf(d)
			pod.Spec.PriorityClassName, pod.Spec.ServiceAccountName = "", "" // there is no controller that makes them
			pod.Spec.AutomountServiceAccountToken = new(false)
			if err := c.Client.Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Errorf("a pod of it: %v", err)
			}
			pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
			if err := c.Client.Create(t.Context(), pod, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "restricted") {
				t.Errorf("the namespace takes every pod: %v", err)
			}
		})
	}
}

func TestTheCommandTakesTheChartsFlags(t *testing.T) {
	for values, own := range variants {
		t.Run("with "+values, func(t *testing.T) {
			d := object[appsv1.Deployment](t, render(t, values, own), "Deployment")
			checkArguments(t, d.Spec.Template.Spec.Containers[0].Args)
			grace := 25 * time.Second
			if s := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second; s <= grace {
				t.Errorf("the pod is killed after %s, the controller takes up to %s", s, grace)
			}
		})
	}
}

// checkArguments are those of norikae controller, with flags that it has.
func checkArguments(t *testing.T, args []string) {
	t.Helper()
	cmd := cli.ControllerCommand(nil)
	cmd.Flags().String("log-level", "", "of every command")
	if args[0] != cmd.Name() {
		t.Fatalf("the command is %q", args[0])
	}
	if err := cmd.ParseFlags(args[1:]); err != nil {
		t.Errorf("%v: %v", args, err)
	}
}

func TestValuesGoWhereTheyBelong(t *testing.T) {
	d := object[appsv1.Deployment](t, render(t, "full.yaml", "norikae"), "Deployment")
	pod := d.Spec.Template
	container := pod.Spec.Containers[0]
	want := []string{
		"controller", "--argocd-namespace=argo", "--namespace=argo,team-a", "--selector=shard in (1,2)", "--concurrency=3",
		"--events-queue-url=https://sqs.us-east-1.amazonaws.com/111122223333/eks", "--metrics-address=:9090", "--metrics-secure", "--log-level=debug", "--log-format=text", "--grace-period=20s",
	}
	if diff := cmp.Diff(want, container.Args); diff != "" {
		t.Error(diff)
	}
	if container.Image != "registry.example.com/norikae@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" || *d.Spec.Replicas != 3 ||
		pod.Annotations["example.com/a"] != "1" || pod.Labels["example.com/b"] != "2" || pod.Spec.ServiceAccountName != "registrar" || container.Env[1].Value != "eu-west-1" {
		t.Errorf("%+v", d)
	}
	n := object[networkingv1.NetworkPolicy](t, render(t, "full.yaml", "norikae"), "NetworkPolicy")
	if from := n.Spec.Ingress[0].From; len(from) != 1 || len(n.Spec.Egress) != 4 || n.Spec.Egress[2].Ports[0].Port.IntValue() != 443 || n.Spec.Egress[3].Ports[0].Port.IntValue() != 4599 {
		t.Errorf("%+v", n.Spec)
	}
	monitor := objects(t, render(t, "full.yaml", "norikae", "--set", "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.release=p"))["ServiceMonitor norikae/norikae"]
	if !strings.Contains(monitor, "release: p") || !strings.Contains(monitor, "scheme: https") || !strings.Contains(monitor, "interval: 30s") {
		t.Errorf("%s", monitor)
	}
	least := objects(t, render(t, "least.yaml", "norikae"))
	if len(least) != 2 || least["Deployment norikae/norikae"] == "" || least["Service norikae/norikae-metrics"] == "" {
		t.Errorf("%v", least)
	}
	if _, ok := objects(t, render(t, "", "norikae", "--set", "replicas=1"))["PodDisruptionBudget norikae/norikae"]; ok {
		t.Error("one replica has a budget: its node could never be drained by rule")
	}
}

func TestWrongValuesAreNamed(t *testing.T) {
	for set, want := range map[string]string{
		"replica=3":               "replica",
		"replicas=many":           "replicas",
		"replicas=-1":             "replicas",
		"concurrency=0":           "concurrency",
		"concurrency=101":         "concurrency",
		"argocdNamespace=Argo_CD": "argocdNamespace",
		"argocdNamespace=":        "argocdNamespace",
		"watch.namespace=a":       "namespace",
		"watch.namespaces={a,a}":  "watch/namespaces",
		"watch.allNamespaces=yes": "watch/allNamespaces",
		"watch.allNamespaces=true,watch.namespaces={a}": "watch/namespaces",
		"eventsQueueURL=sqs":                            "eventsQueueURL",
		"log.level=loud":                                "log/level",
		"log.format=xml":                                "log/format",
		"crds.instal=false":                             "instal",
		"image.digest=sha256:12":                        "image/digest",
		"image.repository=":                             "image/repository",
		"image.pullPolicy=Sometimes":                    "image/pullPolicy",
		"serviceAccount.annotations.a=1":                "serviceAccount/annotations/a",
		"extraArgs={controller}":                        "extraArgs/0",
		"metrics.port=80":                               "metrics/port",
		"metrics.port=8081":                             "metrics/port",
		"metrics.serviceMonitor.interval=30":            "metrics/serviceMonitor/interval",
		"networkPolicy.egressPorts={0}":                 "networkPolicy/egressPorts/0",
		"env[0].value=a":                                "env/0",
		"serviceAccount.create=false":                   "serviceAccount.name: name the service account that is there",
	} {
		out, ok := helm(t, nil, "template", "norikae", chart, "--set", set)
		if ok || !strings.Contains(out, want) {
			t.Errorf("--set %s: %v, %s, want %q named", set, ok, out, want)
		}
	}
}

func TestTheChartHasTheGeneratedFiles(t *testing.T) {
	pairs := map[string]string{"../../config/rbac/role.yaml": "rbac/role.yaml"}
	made, err := filepath.Glob("../../config/crd/norikae.dev_*.yaml")
	if err != nil || len(made) == 0 {
		t.Fatalf("%v, %v", made, err)
	}
	for _, path := range made {
		pairs[path] = "crds/" + filepath.Base(path)
	}
	for from, to := range pairs {
		a, errA := os.ReadFile(from)
		b, errB := os.ReadFile(filepath.Join(chart, "files", to))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("charts/norikae/files/%s is not %s: run make generate (%v, %v)", to, from, errA, errB)
		}
	}
	copies, err := filepath.Glob(filepath.Join(chart, "files", "crds", "*"))
	if err != nil || len(copies) != len(made) {
		t.Errorf("the chart has %v, want those of %v", copies, made)
	}
}

func TestNotesSayWhatIsLeftToDo(t *testing.T) {
	c := kube.Cluster(t)
	namespace(t, c, "norikae")
	namespace(t, c, "argocd")
	install := func(more ...string) string {
		return mustHelm(t, c, append([]string{"install", "norikae", chart, "--namespace", "norikae", "--dry-run=server", "--set", "crds.install=false"}, more...)...)
	}
	plain, irsa := install(), install("--set", `serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:aws:iam::111122223333:role/norikae`)
	nowhere := install("--set", "argocdNamespace=nowhere")
	if !strings.Contains(plain, "Pod\nIdentity association") || strings.Contains(plain, "There must be a namespace") {
		t.Errorf("%s", plain)
	}
	if !strings.Contains(irsa, "role/norikae (IRSA)") || !strings.Contains(nowhere, "There must be a namespace nowhere") {
		t.Errorf("%s\n%s", irsa, nowhere)
	}
}

func TestNamesFit(t *testing.T) {
	long := strings.Repeat("very-long-name-", 3) + "x"
	out := mustHelm(t, nil, "template", long, chart, "--namespace", strings.Repeat("n", 63))
	var names []string
	for name := range objects(t, out) {
		_, name, _ = strings.Cut(name, "/")
		names = append(names, name)
		if len(name) > 63 && !strings.HasSuffix(name, "-clustersets") {
			t.Errorf("%s has %d characters", name, len(name))
		}
	}
	if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "very-long-name-very-long-name-very-lon") }) {
		t.Errorf("%v", names)
	}
}
