package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Where the programs are that helmfile's resources need: `make acceptance` sets them. Only
// helm's plugin diff is not the real one: test/helmdiff stands in for it.
const (
	kubeVar     = "KUBEBUILDER_ASSETS"
	helmVar     = "NORIKAE_HELM"
	helmfileVar = "NORIKAE_HELMFILE"
	helmDiffVar = "NORIKAE_HELMDIFF"
)

// cluster is one of EKS, with a real API server, no nodes, and a kubeconfig that leads to it.
type cluster struct {
	*lab

	kubeconfig string
	path       string // has helm and helmfile before all else
}

// startKubernetes runs a lab whose EKS clusters have real API servers.
func startKubernetes(t *testing.T, args ...string) *lab {
	t.Helper()
	for _, name := range []string{kubeVar, helmVar, helmfileVar, helmDiffVar} {
		if _, err := os.Stat(os.Getenv(name)); err != nil {
			t.Fatalf("$%s = %q names nothing that is there: run these tests with `make acceptance`, which builds all", name, os.Getenv(name))
		}
	}
	return startLab(t, append(args, "--cluster-delay", "100ms", "--kubernetes", os.Getenv(kubeVar))...)
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	l := startKubernetes(t, "--seed", "fleet", "--clusters", "1")
	if len(l.APIServers) != 1 {
		t.Fatalf("the lab has the API servers %v, want one", l.APIServers)
	}
	return &cluster{l, l.APIServers[0].Kubeconfig, helmfilePath(t)}
}

// helmfilePath is a PATH with helm, helmfile, norikae, and what stands in for eksctl.
func helmfilePath(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, at := range map[string]string{"helm": os.Getenv(helmVar), "helmfile": os.Getenv(helmfileVar), "norikae": program("norikae"), "eksctl": program("test/eksctl")} {
		if err := os.Symlink(at, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH")
}

// helmfile prepares a folder for its resources.
func (f *folder) helmfile(path string) {
	f.env = append(f.env, "PATH="+path, "HELM_PLUGINS="+os.Getenv(helmDiffVar), kubeVar+"="+os.Getenv(kubeVar))
}

// releases is a folder whose working directory has the chart ./web and nothing else.
type releases struct {
	*folder

	cluster   *cluster
	namespace string
	work      string
}

// releases of a namespace, which is made by whom installs something there.
func (c *cluster) releases(t *testing.T, namespace string) *releases {
	t.Helper()
	r := &releases{c.folder(t, ""), c, namespace, t.TempDir()}
	r.helmfile(c.path)
	if err := os.CopyFS(filepath.Join(r.work, "web"), os.DirFS("testdata/web")); err != nil {
		t.Fatal(err)
	}
	return r
}

// set is a resource of one release of the chart, whose values are the helmfile's.
func (r *releases) set(name, rest string) string {
	return fmt.Sprintf(`
resource "helmfile_release_set" %[1]q {
  kubeconfig        = %[2]q
  working_directory = %[3]q
  content           = <<-EOT
    releases:
      - name: %[1]s
        namespace: %[4]s
        chart: ./web
        wait: {{ .Values | get "wait" false }}
        values:
          - {{ .Values | toYaml | nindent 12 }}
  EOT
  %[5]s
}
`, name, r.cluster.kubeconfig, r.work, r.namespace, rest)
}

// release is a resource of that one.
func (r *releases) release(name, rest string) string {
	return fmt.Sprintf(`
resource "helmfile_release" %[1]q {
  kubeconfig        = %[2]q
  working_directory = %[3]q
  chart             = "./web"
  name              = %[1]q
  namespace         = %[4]q
  %[5]s
}
`, name, r.cluster.kubeconfig, r.work, r.namespace, rest)
}

// kubectl runs in the namespace.
func (r *releases) kubectl(t *testing.T, args ...string) result {
	t.Helper()
	args = append([]string{"--kubeconfig", r.cluster.kubeconfig, "--namespace", r.namespace}, args...)
	return start(t, r.work, r.env, filepath.Join(os.Getenv(kubeVar), "kubectl"), args...).wait(t)
}

// data of a ConfigMap; nil: there is none.
func (r *releases) data(t *testing.T, name string) map[string]string {
	t.Helper()
	out := r.kubectl(t, "get", "configmap", name, "--ignore-not-found", "-o", "json")
	if out.code != 0 {
		t.Fatalf("kubectl get: %s", out)
	}
	if out.stdout == "" {
		return nil
	}
	var m struct{ Data map[string]string }
	if err := json.Unmarshal([]byte(out.stdout), &m); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

// greets fails unless the release has this greeting; "": unless it is not there.
func (r *releases) greets(t *testing.T, name, want string) {
	t.Helper()
	if got := r.data(t, name)["greeting"]; got != want {
		t.Errorf("the release %s greets with %q, want %q", name, got, want)
	}
}

// helm tells the releases of the namespace, whatever became of them: name=status.
func (r *releases) helm(t *testing.T) (out []string) {
	t.Helper()
	list := start(t, r.work, append(slices.Clone(r.env), "KUBECONFIG="+r.cluster.kubeconfig), os.Getenv(helmVar), "list", "--all", "--namespace", r.namespace, "-o", "json").wait(t)
	var found []struct{ Name, Status string }
	if err := json.Unmarshal([]byte(list.stdout), &found); err != nil {
		t.Fatalf("helm list: %v\n%s", err, list)
	}
	for _, f := range found {
		out = append(out, f.Name+"="+f.Status)
	}
	return out
}

// clean fails when the working directory has more than what was there: the chart.
func (r *releases) clean(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(r.work)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "web" {
			t.Errorf("%s is left in the working directory", e.Name())
		}
	}
}

// text of an attribute in the state.
func (r *releases) text(t *testing.T, address, name string) string {
	t.Helper()
	s, _ := r.attributes(t, address)[name].(string)
	return s
}

// planned is what a plan says; nothing of it was done.
func (r *releases) planned(t *testing.T) string {
	t.Helper()
	before := r.kubectl(t, "get", "configmaps,secrets", "-o", "yaml").stdout
	said := r.pending(t)
	if after := r.kubectl(t, "get", "configmaps,secrets", "-o", "yaml").stdout; before != after {
		t.Errorf("a plan changed something: from\n%s\nto\n%s", before, after)
	}
	return said
}

// One cluster for all, which is what takes memory; each has a namespace of its own.
func TestReleasesOfHelmfile(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for name, test := range map[string]struct {
		namespace string
		run       func(t *testing.T, r *releases)
	}{
		"a set is created, changed, put right and destroyed":   {"life", lifeOfASet},
		"secrets are shown nowhere":                            {"secrets", secretsAreMasked},
		"a failed apply leaves the state true":                 {"failing", failedApplies},
		"a set is imported by any name":                        {"imported", importedSet},
		"two sets share a working directory":                   {"shared", sharedDirectory},
		"what helmfile v1 refuses is explained":                {"explained", explained},
		"when its time is over, helm is stopped":               {"slow", timeIsOver},
		"one Ctrl-C stops helm, and nothing is stuck":          {"interrupted", interrupted},
		"helm does not outlive a Terraform that is killed":     {"killed", killed},
		"helm_diff_version is fetched, checked and used":       {"plugin", fetchedPlugin},
		"a release is created, changed, imported, uninstalled": {"one", lifeOfARelease},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run(t, c.releases(t, test.namespace))
		})
	}
}

func lifeOfASet(t *testing.T, r *releases) {
	const address = "helmfile_release_set.web"
	r.write(t, r.set("web", `values = [yamlencode({ greeting = "hello" })]`))
	contains(t, r.planned(t), "diff_output", "greeting: hello", "has been added")
	r.apply(t)
	r.greets(t, "web", "hello")
	r.empty(t)
	contains(t, r.text(t, address, "apply_output"), "web")

	r.write(t, r.set("web", `values = [yamlencode({ greeting = "good morning" })]`))
	contains(t, r.planned(t), "- ", "greeting: hello", "greeting: good morning", "has changed")
	r.greets(t, "web", "hello")
	r.apply(t)
	r.greets(t, "web", "good morning")
	r.empty(t)

	// By hand, one object is changed and another deleted.
	if out := r.kubectl(t, "patch", "configmap", "web", "-p", `{"data":{"greeting":"by hand"}}`); out.code != 0 {
		t.Fatal(out)
	}
	if out := r.kubectl(t, "delete", "configmap", "web-extra"); out.code != 0 {
		t.Fatal(out)
	}
	contains(t, r.planned(t), "by hand", "web-extra")
	r.apply(t)
	r.greets(t, "web", "good morning")
	if r.kubectl(t, "get", "configmap", "web-extra").code != 0 {
		t.Error("what was deleted by hand is not there again")
	}
	r.empty(t)

	r.ok(t, "destroy", "-auto-approve")
	if left := r.helm(t); len(left) > 0 || r.data(t, "web") != nil || len(r.state(t)) > 0 {
		t.Errorf("after the destroy there are the releases %q, the ConfigMap %v, the state %q", left, r.data(t, "web"), r.state(t))
	}
	r.clean(t)
}

func secretsAreMasked(t *testing.T, r *releases) {
	const first, second = "hunter2-first", "hunter2-second"
	secret := func(text string) string {
		return r.set("web", fmt.Sprintf(`
  sensitive_values      = [yamlencode({ token = %[1]q, password = %[1]q })]
  environment_variables = { DB_PASSWORD = "hunter2-variable" }`, text))
	}
	log := filepath.Join(t.TempDir(), "log")
	r.env = append(r.env, "TF_LOG_PROVIDER=TRACE", "TF_LOG_PATH="+log)
	var said strings.Builder
	for _, text := range []string{first, second} {
		r.write(t, secret(text))
		plan := r.planned(t)
		contains(t, plan, "(sensitive value)")
		said.WriteString(plan)
		said.WriteString(r.apply(t).String())
		if got := r.data(t, "web")["token"]; got != text {
			t.Errorf("the token is %q, want %q", got, text)
		}
	}
	b, err := os.ReadFile(log)
	if err != nil || !bytes.Contains(b, []byte("Upgrading release=web")) {
		t.Errorf("the log does not have what helmfile said: %d bytes, %v", len(b), err)
	}
	said.Write(b)
	for name, value := range r.attributes(t, "helmfile_release_set.web") {
		if name != "sensitive_values" && name != "environment_variables" { // Terraform keeps what it is given
			fmt.Fprintf(&said, "%s = %v\n", name, value)
		}
	}
	for line := range strings.Lines(said.String()) {
		if strings.Contains(line, "hunter2") && !strings.Contains(line, "DB_PASSWORD") {
			t.Errorf("a secret is shown: %s", line)
		}
	}
}

func failedApplies(t *testing.T, r *releases) {
	const address = "helmfile_release_set.web"
	broken := r.set("web", `values = [yamlencode({ greeting = "two", extra = "NOT_A_NAME" })]`)
	whole := r.set("web", `values = [yamlencode({ greeting = "one" })]`)

	r.write(t, broken)
	d := r.fails(t, "apply", "-auto-approve")
	contains(t, d.errors(), "helmfile apply failed", "NOT_A_NAME", "stays as it is")
	if state := r.state(t); len(state) > 0 {
		t.Errorf("a failed create left the state %q: the next apply would uninstall what it made", state)
	}
	r.write(t, whole)
	r.apply(t)
	r.greets(t, "web", "one")
	r.empty(t)

	r.write(t, broken)
	contains(t, r.fails(t, "apply", "-auto-approve").errors(), "helmfile apply failed", "NOT_A_NAME")
	contains(t, r.text(t, address, "error"), "NOT_A_NAME")
	if values := fmt.Sprint(r.attributes(t, address)["values"]); strings.Contains(values, "NOT_A_NAME") {
		t.Errorf("the state says that the values are %s, which were refused", values)
	}
	// There is work left, whatever is declared next.
	r.pending(t)
	r.write(t, whole)
	r.pending(t)
	r.apply(t)
	r.greets(t, "web", "one")
	if failure := r.text(t, address, "error"); failure != "" {
		t.Errorf("after a success the error is %q", failure)
	}
	r.empty(t)
	r.clean(t)
}

func importedSet(t *testing.T, r *releases) {
	r.write(t, r.set("web", `values = [yamlencode({ greeting = "hello" })]`))
	r.apply(t)
	before := r.kubectl(t, "get", "configmaps", "-o", "yaml").stdout

	next := r.cluster.folder(t, r.set("web", `values = [yamlencode({ greeting = "hello" })]`))
	next.env = r.env
	next.ok(t, "import", "helmfile_release_set.web", "platform")
	plan := next.pending(t)
	contains(t, plan, "will be updated in-place")
	if strings.Contains(plan, "has changed") || strings.Contains(plan, "replace") {
		t.Errorf("what is installed as declared is planned as\n%s", plan)
	}
	next.apply(t)
	next.empty(t)
	if after := r.kubectl(t, "get", "configmaps", "-o", "yaml").stdout; before != after {
		t.Errorf("taking over changed something: from\n%s\nto\n%s", before, after)
	}
}

func sharedDirectory(t *testing.T, r *releases) {
	var both strings.Builder
	for _, name := range []string{"blue", "green"} {
		both.WriteString(r.set(name, fmt.Sprintf("values = [yamlencode({ greeting = %q })]", name)))
	}
	r.write(t, both.String())
	contains(t, r.planned(t), "2 to add", "greeting: blue", "greeting: green")
	r.apply(t) // at once: neither names the other
	r.greets(t, "blue", "blue")
	r.greets(t, "green", "green")
	r.empty(t)
	r.ok(t, "destroy", "-auto-approve")
	if left := r.helm(t); len(left) > 0 {
		t.Errorf("after the destroy there are the releases %q", left)
	}
	r.clean(t)
}

func explained(t *testing.T, r *releases) {
	for name, text := range map[string]string{
		"set.yaml":   "releases:\n- name: {{ .Values.name }}\n  chart: ./web\n",
		"mixed.yaml": "environments: {default: {}}\nreleases:\n- name: x\n  chart: ./web\n",
	} {
		if err := os.WriteFile(filepath.Join(r.work, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		rest string
		says []string
	}{
		"a template in a file that is none": {`path = "set.yaml"`, []string{"renders only files whose name ends in .gotmpl", "rename it to set.yaml.gotmpl"}},
		"an old mix of parts":               {`path = "mixed.yaml"`, []string{"put a line with --- between them"}},
		"a file that is not there":          {`path = "none.yaml"`, []string{"none.yaml"}},
		"a selector that selects nothing":   {"content = \"releases: [{name: x, chart: ./web}]\"\nselector = { name = \"y\" }", []string{"no release is selected"}},
		"a helmfile that is not there":      {"content = \"releases: []\"\nbinary = \"no-such-helmfile\"", []string{`binary = "no-such-helmfile" is not on PATH`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := r.cluster.folder(t, fmt.Sprintf("resource \"helmfile_release_set\" \"web\" {\nkubeconfig = %q\nworking_directory = %q\n%s\n}\n", r.cluster.kubeconfig, r.work, test.rest))
			f.env = r.env
			contains(t, f.fails(t, "plan").errors(), append(test.says, "helmfile diff failed")...)
		})
	}
}

func lifeOfARelease(t *testing.T, r *releases) {
	if out := r.kubectl(t, "create", "namespace", r.namespace); out.code != 0 {
		t.Fatal(out)
	}
	const address = "helmfile_release.web"
	declared := func(greeting string) string {
		return r.release("web", fmt.Sprintf("values = [yamlencode({ greeting = %q })]\ntimeout = \"60\"", greeting))
	}
	r.write(t, declared("hello"))
	contains(t, r.planned(t), "greeting: hello")
	r.apply(t)
	r.greets(t, "web", "hello")
	r.empty(t)

	r.write(t, declared("good morning"))
	contains(t, r.planned(t), "greeting: hello", "greeting: good morning")
	r.apply(t)
	r.greets(t, "web", "good morning")

	r.write(t, r.release("web", `values = [yamlencode({ greeting = "bad", extra = "NOT_A_NAME" })]`))
	contains(t, r.fails(t, "apply", "-auto-approve").errors(), "NOT_A_NAME")
	r.greets(t, "web", "good morning") // atomic: rolled back
	contains(t, r.text(t, address, "error"), "NOT_A_NAME")
	r.write(t, declared("good morning"))
	r.apply(t)
	r.empty(t)

	if out := r.kubectl(t, "delete", "configmap", "web"); out.code != 0 {
		t.Fatal(out)
	}
	contains(t, r.planned(t), "greeting: good morning")
	r.apply(t)
	r.greets(t, "web", "good morning")
	r.empty(t)

	next := r.cluster.folder(t, declared("good morning"))
	next.env = r.env
	next.ok(t, "import", address, r.namespace+"/web")
	plan := next.pending(t)
	contains(t, plan, "will be updated in-place")
	if strings.Contains(plan, "has changed") || strings.Contains(plan, "replace") {
		t.Errorf("a release that is as declared is planned as\n%s", plan)
	}
	next.apply(t)
	next.empty(t)
	next.ok(t, "destroy", "-auto-approve")
	if left := r.helm(t); len(left) > 0 || r.data(t, "web") != nil {
		t.Errorf("after the destroy there are the releases %q, the ConfigMap %v", left, r.data(t, "web"))
	}
	r.clean(t)
}
