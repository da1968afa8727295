//go:build e2e

package helmfile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/helmfile"
	"github.com/norikae/norikae/internal/kubetest"
)

// The real helmfile and helm, on a real API server. Only helm's plugin diff is not the
// real one: test/helmdiff stands in for it.

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

type scene struct {
	*kubetest.Cluster
	kubeconfig, dir string
	binaries        values
}

func newScene(t *testing.T) scene {
	t.Helper()
	found := map[string]string{}
	for variable, target := range map[string]string{"NORIKAE_HELM": "helm", "NORIKAE_HELMFILE": "helmfile", "NORIKAE_HELMDIFF": "helmdiff"} {
		found[target] = os.Getenv(variable)
		if _, err := os.Stat(found[target]); err != nil {
			t.Fatalf("%s = %q names nothing that is there: run make %s, or make e2e, which sets it", variable, found[target], target)
		}
	}
	c := kube.Cluster(t)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "chart"), os.DirFS("testdata/chart")); err != nil {
		t.Fatal(err)
	}
	for variable, value := range map[string]string{
		"HELM_PLUGINS": found["helmdiff"], "HELM_CACHE_HOME": t.TempDir(), "HELM_CONFIG_HOME": t.TempDir(), "HELM_DATA_HOME": t.TempDir(), "HELMFILE_CACHE_HOME": t.TempDir(),
	} {
		t.Setenv(variable, value)
	}
	return scene{c, c.Kubeconfig(t), dir, values{"binary": found["helmfile"], "helm_binary": found["helm"]}}
}

func (s scene) core(t *testing.T, typeName string) *core {
	t.Helper()
	return newCore(t, typeName, Ports{Runner: helmfile.Runner{Environ: os.Environ()}})
}

// set of one release, whose values are the helmfile's.
func (s scene) set(release string, more values) values {
	return with(s.binaries, with(values{"kubeconfig": s.kubeconfig, "working_directory": s.dir, "content": fmt.Sprintf(`releases:
- name: %s
  namespace: %s
  chart: ./chart
  values:
  - {{ .Values | toYaml | nindent 4 }}
`, release, s.Namespace)}, more))
}

func (s scene) configMap(t *testing.T, name string) *corev1.ConfigMap {
	t.Helper()
	var m corev1.ConfigMap
	err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name}, &m)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// left are the files in the working directory that nobody asked for.
func (s scene) left(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.Name() != "chart" {
			out = append(out, e.Name())
		}
	}
	return out
}

func TestARealReleaseSetFromInstallToDestroy(t *testing.T) {
	s := newScene(t)
	c := s.core(t, "helmfile_release_set")
	v := s.set("web", values{"values": []string{"greeting: hello"}})
	plan := c.mustPlan(c.none(), v)
	if !strings.Contains(plan.told, "greeting: hello") {
		t.Errorf("the plan does not show the greeting: %q", plan.told)
	}
	if s.configMap(t, "web") != nil {
		t.Fatal("a plan installed something")
	}
	state, problem := c.apply(plan, v)
	if problem != "" {
		t.Fatal(problem)
	}
	before := s.configMap(t, "web")
	if before == nil || before.Data["greeting"] != "hello" {
		t.Fatalf("the ConfigMap is %v", before)
	}
	state = c.refresh(state)
	if plan := c.mustPlan(state, v); !plan.empty() {
		t.Errorf("nothing changed, and it is planned: %s", plan.value)
	}
	if after := s.configMap(t, "web"); after.ResourceVersion != before.ResourceVersion {
		t.Error("a refresh and a plan wrote something")
	}

	v = s.set("web", values{"values": []string{"greeting: good morning"}})
	plan = c.mustPlan(state, v)
	if !strings.Contains(plan.told, "hello") || !strings.Contains(plan.told, "good morning") {
		t.Errorf("a change is shown as %q", plan.told)
	}
	if state, problem = c.apply(plan, v); problem != "" || s.configMap(t, "web").Data["greeting"] != "good morning" {
		t.Fatal("a change was not applied", problem)
	}

	byHand := s.configMap(t, "web")
	byHand.Data["greeting"] = "by hand"
	if err := s.Client.Update(t.Context(), byHand); err != nil {
		t.Fatal(err)
	}
	drifted := c.refresh(state)
	plan = c.mustPlan(drifted, v)
	if plan.empty() || !strings.Contains(plan.told, "by hand") {
		t.Errorf("drift is shown as %q", plan.told)
	}
	if state, problem = c.apply(plan, v); problem != "" || s.configMap(t, "web").Data["greeting"] != "good morning" {
		t.Error("drift was not taken back", problem)
	}

	if state, problem = c.destroy(state); problem != "" || !state.IsNull() || s.configMap(t, "web") != nil {
		t.Errorf("after the destroy: %s, %s, %v", state, problem, s.configMap(t, "web"))
	}
	if left := s.left(t); len(left) > 0 {
		t.Errorf("files were left in the working directory: %q", left)
	}
}

func TestARealFailureLeavesWorkAndIsRepaired(t *testing.T) {
	s := newScene(t)
	c := s.core(t, "helmfile_release_set")
	good := s.set("web", values{"values": []string{"greeting: a"}})
	state := c.mustApply(c.none(), good)
	bad := s.set("web", values{"values": []string{"greeting: b\nextra: NOT_A_NAME"}})
	state, problem := c.apply(c.mustPlan(state, bad), bad)
	if problem == "" || !strings.Contains(c.text(state, "error"), "NOT_A_NAME") {
		t.Fatalf("the failure said %q, error is %q", problem, c.text(state, "error"))
	}
	// helm keeps the refused manifests as the newest revision; its status alone tells.
	state = c.refresh(state)
	for name, v := range map[string]values{"the refused configuration": bad, "the earlier one": good} {
		if plan := c.mustPlan(state, v); plan.empty() || !strings.Contains(plan.told, "helmfile diff of") {
			t.Errorf("%s is planned as no work", name)
		}
	}
	state = c.mustApply(state, good)
	if got := s.configMap(t, "web").Data["greeting"]; got != "a" || c.text(state, "error") != "" {
		t.Errorf("after the repair: greeting %q, error %q", got, c.text(state, "error"))
	}
	if plan := c.mustPlan(c.refresh(state), good); !plan.empty() {
		t.Errorf("after the repair it is planned as %s", plan.value)
	}
}

func TestRealReleaseSetsShareAWorkingDirectory(t *testing.T) {
	s := newScene(t)
	names := []string{"blue", "green"}
	cores, states := map[string]*core{}, map[string]planned{}
	for _, name := range names {
		cores[name] = s.core(t, "helmfile_release_set")
		states[name] = cores[name].mustPlan(cores[name].none(), s.set(name, values{"values": []string{"greeting: " + name}}))
	}
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			if _, problem := cores[name].send(t.Context(), states[name]); problem != "" {
				t.Error(problem)
			}
		})
	}
	all.Wait()
	for _, name := range names {
		if m := s.configMap(t, name); m == nil || m.Data["greeting"] != name {
			t.Errorf("%s got %v", name, m)
		}
	}
	if left := s.left(t); len(left) > 0 {
		t.Errorf("files were left in the working directory: %q", left)
	}
}

func TestRealSensitiveValuesAreNowhereElse(t *testing.T) {
	s := newScene(t)
	c := s.core(t, "helmfile_release_set")
	const first, second = "hunter2-first", "hunter2-second"
	secret := func(text string) values {
		return s.set("web", values{"sensitive_values": []string{fmt.Sprintf("token: %s\npassword: %s", text, text)}})
	}
	state := c.mustApply(c.none(), secret(first))
	plan := c.mustPlan(state, secret(second))
	if !strings.Contains(plan.told, "helmfile diff of") || strings.Contains(plan.told, "shows no change") {
		t.Error("another secret is planned as no work")
	}
	after, problem := c.apply(plan, secret(second))
	if problem != "" || s.configMap(t, "web").Data["token"] != second {
		t.Fatal("the secret was not applied", problem)
	}
	for _, v := range []map[string]string{c.texts(state), c.texts(plan.value), c.texts(after), {"warnings": strings.Join(c.warnings, "\n")}} {
		for name, text := range v {
			if strings.Contains(text, first) || strings.Contains(text, second) {
				t.Errorf("%s has a secret: %s", name, text)
			}
		}
	}
}

func TestARealReleaseIsInstalledChangedImportedAndUninstalled(t *testing.T) {
	s := newScene(t)
	c := s.core(t, "helmfile_release")
	v := with(s.binaries, values{"kubeconfig": s.kubeconfig, "working_directory": s.dir, "chart": "./chart", "name": "one", "namespace": s.Namespace, "values": []string{"greeting: one"}, "timeout": 60})
	state := c.mustApply(c.none(), v)
	if plan := c.mustPlan(c.refresh(state), v); !plan.empty() {
		t.Errorf("nothing changed, and it is planned: %s", plan.value)
	}
	imported, problem := c.importState(s.Namespace + "/one")
	if problem != "" {
		t.Fatal(problem)
	}
	plan := c.mustPlan(c.refresh(imported), v)
	if plan.replace || !strings.Contains(plan.told, "shows no change") {
		t.Errorf("an imported release as declared shows %q, replaced: %t", plan.told, plan.replace)
	}
	before := s.configMap(t, "one").ResourceVersion
	if state, problem = c.apply(plan, v); problem != "" || s.configMap(t, "one").ResourceVersion != before {
		t.Error("taking over what was imported wrote something", problem)
	}
	bad := with(v, values{"values": []string{"greeting: two\nextra: NOT_A_NAME"}})
	if state, problem = c.apply(c.mustPlan(state, bad), bad); problem == "" || s.configMap(t, "one").Data["greeting"] != "one" {
		t.Error("a failed upgrade was not rolled back", problem)
	}
	if state, problem = c.destroy(state); problem != "" || !state.IsNull() || s.configMap(t, "one") != nil {
		t.Errorf("after the destroy: %s, %s", state, problem)
	}
}

func TestTheRealHelmfileIsExplained(t *testing.T) {
	s := newScene(t)
	c := s.core(t, "helmfile_release_set")
	if err := os.WriteFile(filepath.Join(s.dir, "set.yaml"), []byte("releases:\n- name: {{ .Values.name }}\n  chart: ./chart\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		v    values
		want string
	}{
		"a template in a file that is none": {values{"path": "set.yaml"}, "rename it to set.yaml.gotmpl"},
		"an old mix of parts":               {values{"content": "environments: {default: {}}\nreleases:\n- name: x\n  chart: ./chart\n"}, "put a line with --- between them"},
		"a selector that selects nothing":   {values{"selector": map[string]string{"name": "other"}}, "no release is selected"},
		"a folder that is not there":        {values{"working_directory": "/nowhere"}, "there is no such folder"},
		"a helmfile that is not there":      {values{"binary": "no-such-helmfile"}, "binary = \"no-such-helmfile\" is not on PATH"},
	} {
		t.Run(name, func(t *testing.T) {
			v := s.set("web", values{"values": []string{"greeting: a"}})
			if test.v["path"] != nil {
				v["content"] = nil
			}
			if _, problem := c.plan(c.none(), with(v, test.v)); !strings.Contains(problem, test.want) {
				t.Errorf("it said %q, without %q", problem, test.want)
			}
		})
	}
}

// texts of all attributes but those that the secret was given in.
func (c *core) texts(v any) map[string]string {
	c.t.Helper()
	out := map[string]string{}
	state := c.value(c.object, v)
	for _, name := range slices.Collect(maps.Keys(c.object.AttributeTypes)) {
		if name != "sensitive_values" {
			out[name] = c.fields(state)[name].String()
		}
	}
	return out
}
