package app

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registry"
)

func TestADryRunWritesNothingAndTellsTheTruth(t *testing.T) {
	p := newGround(t)
	p.byHand(t, "by-hand", "https://by-hand.example", nil)
	stages := []struct {
		name   string
		change func(ctx context.Context) error
		want   []string // what is done, by cluster
	}{
		{"two new clusters", func(context.Context) error { return nil }, []string{"create blue", "create green"}},
		{"nothing", func(context.Context) error { return nil }, nil},
		{"another tag", func(ctx context.Context) error { return p.world.Tag(ctx, p.id("blue").ARN(), fleettest.CellTag, "two") }, []string{"update blue"}},
		{"a cluster that is gone", func(ctx context.Context) error { return p.world.Delete(ctx, p.id("green").ARN()) }, []string{"mark green"}},
		{"a Secret that somebody changed", func(ctx context.Context) error {
			return p.patch(ctx, "blue", `{"metadata":{"labels":{"cell":"odd"}}}`)
		}, []string{"update blue"}},
		{"a cluster that has been gone for long", func(ctx context.Context) error {
			return p.patch(ctx, "green", `{"metadata":{"annotations":{"norikae.dev/missing-since":"2020-01-01T00:00:00Z"}}}`)
		}, []string{"delete green"}},
	}
	for _, stage := range stages {
		if err := stage.change(t.Context()); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, w := range stage.want {
			do, name, _ := strings.Cut(w, " ")
			want = append(want, do+" "+p.Namespace+"/"+registry.SecretName(p.id(name)))
		}
		before := p.versions(t)
		var planned []string
		code := 0
		if len(want) > 0 {
			code = 1
		}
		for _, ch := range decode(t, p.clusters(t, code, "diff", "-o", "json")).ClusterSets[0].Changes {
			planned = append(planned, ch.Action+" "+ch.Secret)
		}
		p.clusters(t, 0, "list")
		p.clusters(t, 0, "explain", "blue")
		dry := done(t, p.clusters(t, 0, "sync", "--dry-run", "-o", "json"))
		if d := cmp.Diff(before, p.versions(t)); d != "" {
			t.Fatalf("%s: what only looks has written (-before +after):\n%s", stage.name, d)
		}
		real := done(t, p.clusters(t, 0, "sync", "-o", "json"))
		for what, got := range map[string][]string{"diff": planned, "the dry run": dry, "the run": real} {
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: %s (-want +got):\n%s", stage.name, what, d)
			}
		}
		if after := p.versions(t); len(want) > 0 == maps.Equal(before, after) {
			t.Errorf("%s: %d writes were said, Secrets before %v, after %v", stage.name, len(want), before, after)
		}
	}
	if s := p.secrets(t)["by-hand"]; s.ResourceVersion == "" || len(s.Labels) != 1 {
		t.Errorf("the Secret that somebody made has changed: %v", s.ObjectMeta)
	}
}

func TestADryRunTellsWhatMayNotBeWritten(t *testing.T) {
	p := newGround(t)
	p.kubeconfig = p.As(t, "nobody").Kubeconfig(t)
	code, _, errOut := p.norikae(t, "clusters", "-f", p.file, "list")
	if code != 1 || !strings.Contains(errOut, "listing") {
		t.Errorf("without any permission: exit code %d\n%s", code, errOut)
	}
	p.kubeconfig = p.As(t, "reader",
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"list"}},
		rbacv1.PolicyRule{APIGroups: []string{"argoproj.io"}, Resources: []string{"applicationsets"}, Verbs: []string{"list"}},
	).Kubeconfig(t)
	p.clusters(t, 1, "diff") // it shows two differences: who looks needs no more
	for _, args := range [][]string{{"sync", "--dry-run"}, {"sync"}} {
		if out := p.clusters(t, 2, args...); strings.Count(out, "Unwritten (WriteDenied)") != 2 {
			t.Errorf("%q by who may only read:\n%s", args, out)
		}
	}
}

func TestAdoptMarksAHandMadeSecret(t *testing.T) {
	p := newGround(t)
	blue, err := p.endpointOfBlue(t)
	if err != nil {
		t.Fatal(err)
	}
	p.byHand(t, "blue", blue, map[string]string{"mine": "yes"})
	p.byHand(t, "elsewhere", "https://elsewhere.example", nil)
	p.byHand(t, "own", "https://kubernetes.default.svc", nil)
	before := p.versions(t)
	for name, tc := range map[string]struct {
		args []string
		code int
		say  string
	}{
		"a dry run":                   {[]string{"blue", "--dry-run"}, 0, ""},
		"of a cluster nobody has":     {[]string{"elsewhere", "--yes"}, 1, "that of no cluster that ClusterSet " + p.Namespace + "/fleet selects"},
		"of Argo CD's own":            {[]string{"own", "--yes"}, 1, "is Argo CD's own cluster"},
		"that is not there":           {[]string{"nobody", "--yes"}, 1, "there is no cluster Secret " + p.Namespace + "/nobody"},
		"one of two is not to be":     {[]string{"blue", "own", "--yes"}, 1, "is Argo CD's own cluster"},
		"that nobody has said yes to": {[]string{"blue"}, 1, "nobody said yes"},
	} {
		code, out, errOut := p.norikae(t, append([]string{"clusters", "-f", p.file, "adopt"}, tc.args...)...)
		if code != tc.code || !strings.Contains(errOut, tc.say) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", name, code, tc.code, tc.say, out, errOut)
		}
	}
	if d := cmp.Diff(before, p.versions(t)); d != "" {
		t.Fatalf("something was written (-before +after):\n%s", d)
	}
	code, out, errOut := p.answering(t, "yes\n", "clusters", "-f", p.file, "adopt", "blue")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errOut)
	}
	s := p.secrets(t)["blue"]
	if s.Annotations["norikae.dev/cluster-arn"] != p.id("blue").ARN() || s.Labels["mine"] != "yes" || s.Labels["cell"] != "one" ||
		s.Annotations["note"] != "mine" || strings.Contains(string(s.Data["config"]), bearerToken) || string(s.Data["server"]) != blue {
		t.Errorf("the adopted Secret is %v, data %q", s.ObjectMeta, s.Data)
	}
	if got := slices.Sorted(maps.Keys(p.secrets(t))); !slices.Equal(got, []string{"blue", "elsewhere", "own"}) {
		t.Errorf("adopt wrote other Secrets, too: %q", got)
	}
	if again, _, errOut := p.norikae(t, "clusters", "-f", p.file, "adopt", "blue", "--yes"); again != 1 || !strings.Contains(errOut, "already") {
		t.Errorf("a second time: exit code %d\n%s", again, errOut)
	}
}

func TestWhatIsNotClearlyOneClustersIsNotAdopted(t *testing.T) {
	p := newGround(t)
	blue, err := p.endpointOfBlue(t)
	if err != nil {
		t.Fatal(err)
	}
	p.byHand(t, "one", blue, nil)
	p.byHand(t, "other", blue+"/", nil)
	refused := func(name, say string, args ...string) {
		t.Helper()
		before := p.versions(t)
		code, out, errOut := p.norikae(t, append([]string{"clusters", "-f", p.file, "adopt", "--yes"}, args...)...)
		if code != 1 || !strings.Contains(errOut, say) {
			t.Errorf("%s: exit code %d, want 1 and %q\n%s%s", name, code, say, out, errOut)
		}
		if d := cmp.Diff(before, p.versions(t)); d != "" {
			t.Errorf("%s: something was written (-before +after):\n%s", name, d)
		}
	}
	refused("one of two Secrets with a server", "other has the same server", "one")
	refused("both of them", "one has the same server", "one", "other")
	if out := p.clusters(t, 2, "sync"); !strings.Contains(out, "Conflict") { // green is registered, blue is not
		t.Errorf("the conflict is not said:\n%s", out)
	}
	write(t, p.file, only(t, p.file, "green"))
	refused("another ClusterSet's", "is of another ClusterSet, "+p.Namespace+"/fleet", registry.SecretName(p.id("green")))
}

func TestRetireDeletesOnlyWhatMayGo(t *testing.T) {
	p := newGround(t)
	p.applicationSet(t, "web", "one", false)
	p.applicationSet(t, "careful", "one", true)
	p.clusters(t, 0, "sync")
	refused := func(name string, code int, say string, args ...string) {
		t.Helper()
		before := p.versions(t)
		got, out, errOut := p.norikae(t, append([]string{"clusters", "-f", p.file, "retire"}, args...)...)
		if got != code || !strings.Contains(out+errOut, say) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s%s", name, got, code, say, out, errOut)
		}
		if d := cmp.Diff(before, p.versions(t)); d != "" {
			t.Errorf("%s: something was written (-before +after):\n%s", name, d)
		}
	}
	refused("a cluster that is selected", 1, "StillSelected", "blue", "--yes")
	if err := p.world.Serve(t.Context(), p.id("blue"), 50); err != nil {
		t.Fatal(err)
	}
	if err := p.world.Delete(t.Context(), p.id("blue").ARN()); err != nil {
		t.Fatal(err)
	}
	refused("a cluster that gets traffic", 1, "CarriesTraffic", "blue", "--yes")
	refused("even by force", 1, "CarriesTraffic", "blue", "--yes", "--force")
	if err := p.world.SetWeight(t.Context(), p.id("blue").ARN(), 0); err != nil {
		t.Fatal(err)
	}
	refused("a dry run", 0, "would be deleted", "blue", "--dry-run")
	refused("without a word", 1, "nobody said yes", "blue")
	code, out, errOut := p.answering(t, "blue\n", "clusters", "-f", p.file, "retire", "blue")
	if code != 0 || !strings.Contains(out, p.Namespace+"/web") || !strings.Contains(out, p.Namespace+"/careful") {
		t.Errorf("exit code %d, and the ApplicationSets must be named\n%s%s", code, out, errOut)
	}
	if got := slices.Sorted(maps.Keys(p.secrets(t))); !slices.Equal(got, []string{registry.SecretName(p.id("green"))}) {
		t.Errorf("left: %q", got)
	}
}

func TestALabelThatIsHeldIsAllowedForOneRun(t *testing.T) {
	p := newGround(t)
	p.applicationSet(t, "web", "one", false)
	p.clusters(t, 0, "sync")
	for _, name := range []string{"blue", "green"} {
		if err := p.world.Tag(t.Context(), p.id(name).ARN(), fleettest.CellTag, "two"); err != nil {
			t.Fatal(err)
		}
	}
	if out := p.clusters(t, 2, "sync"); !strings.Contains(out, "Held") {
		t.Errorf("nothing is held:\n%s", out)
	}
	if got := done(t, p.clusters(t, 2, "sync", "--allow-relabel", "blue", "-o", "json")); len(got) != 1 || !strings.HasSuffix(got[0], registry.SecretName(p.id("blue"))) {
		t.Errorf("done: %q", got)
	}
	for name, want := range map[string]string{"blue": "two", "green": "one"} {
		if got := p.secrets(t)[registry.SecretName(p.id(name))].Labels["cell"]; got != want {
			t.Errorf("%s has the label cell=%s, want %s", name, got, want)
		}
	}
}

func TestASecretIsMadeAnewOnlyWhenThatIsAllowed(t *testing.T) {
	p := newGround(t)
	p.clusters(t, 0, "sync")
	name := registry.SecretName(p.id("blue"))
	if err := p.patch(t.Context(), "blue", `{"data":{"server":"aHR0cHM6Ly9lbHNld2hlcmUuZXhhbXBsZQ=="}}`); err != nil {
		t.Fatal(err)
	}
	before := p.versions(t)
	for _, args := range [][]string{{"sync"}, {"sync", "--allow-relabel", "blue"}, {"sync", "--allow-replace", "green"}} {
		if out := p.clusters(t, 2, args...); !strings.Contains(out, "Held (ServerDrift)") {
			t.Errorf("%q:\n%s", args, out)
		}
	}
	if dry := done(t, p.clusters(t, 0, "sync", "--allow-replace", "blue", "--dry-run", "-o", "json")); !slices.Equal(dry, []string{"replace " + p.Namespace + "/" + name}) {
		t.Errorf("the dry run: %q", dry)
	}
	if d := cmp.Diff(before, p.versions(t)); d != "" {
		t.Fatalf("something was written (-before +after):\n%s", d)
	}
	p.clusters(t, 0, "sync", "--allow-replace", p.id("blue").ARN())
	s := p.secrets(t)[name]
	if uid, _, _ := strings.Cut(before[name], " "); uid == string(s.UID) || strings.Contains(string(s.Data["server"]), "elsewhere") {
		t.Errorf("it is the old one: %s, server %s", s.UID, s.Data["server"])
	}
	p.clusters(t, 0, "diff")
}

func TestAClusterSetOfTheCluster(t *testing.T) {
	p := newGround(t)
	cs := &v1alpha1.ClusterSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "fleet"},
		Spec: v1alpha1.ClusterSetSpec{
			Sources:         []v1alpha1.Source{{EKS: v1alpha1.EKSSource{Regions: p.world.Regions}}},
			ArgoCDNamespace: p.Namespace, Probe: v1alpha1.Probe{Enabled: new(bool)},
		},
	}
	if err := p.Client.Create(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := p.norikae(t, "clusters", "sync", "fleet")
	if code != 0 || strings.Count(out, "created") != 2 || errOut != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	cs.Status = v1alpha1.ClusterSetStatus{ObservedGeneration: cs.Generation, Conditions: []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AllRegistered", LastTransitionTime: metav1.Now()},
	}}
	if err := p.Client.Status().Update(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	if _, _, errOut := p.norikae(t, "clusters", "sync", "fleet"); errOut != "note: a controller keeps ClusterSet "+p.Namespace+"/fleet, too\n" {
		t.Errorf("beside a controller: %q", errOut)
	}
	cs.Spec.Suspend = true
	if err := p.Client.Update(t.Context(), cs); err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := p.norikae(t, "clusters", "sync", "fleet"); code != 1 || !strings.Contains(errOut, "is suspended") {
		t.Errorf("suspended: exit code %d\n%s", code, errOut)
	}
	if code, _, errOut := p.norikae(t, "clusters", "list", "flete"); code != 1 || !strings.Contains(errOut, "there is no ClusterSet "+p.Namespace+"/flete; in that namespace there are fleet") {
		t.Errorf("a name that is none: exit code %d\n%s", code, errOut)
	}
}

func TestFilesAndKubeconfigsThatAreWrong(t *testing.T) {
	p := newGround(t)
	shift := filepath.Join(t.TempDir(), "shift.yaml")
	if err := os.WriteFile(shift, []byte("apiVersion: norikae.dev/v1alpha1\nkind: TrafficShift\nmetadata: {name: web}\nspec: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none")
	for name, tc := range map[string]struct {
		args []string
		say  []string
	}{
		"a TrafficShift":               {[]string{"-f", shift}, []string{`kind = "TrafficShift"`, "want ClusterSet"}},
		"no kubeconfig":                {[]string{"-f", p.file, "--kubeconfig", none}, []string{none, "no such file"}},
		"a context that is none":       {[]string{"-f", p.file, "--context", "prod"}, []string{`context "prod"`, "does not exist"}},
		"another namespace than -n":    {[]string{"-f", p.file, "-n", "team"}, []string{"says that its namespace is " + p.Namespace, "-n says team"}},
		"the same ClusterSet twice":    {[]string{"-f", p.file, "-f", p.file}, []string{"is declared twice"}},
		"a cluster where it is not":    {[]string{"list", "fleet", "-n", "nowhere"}, []string{"there is no ClusterSet nowhere/fleet", "-n names another"}},
		"a file that is no ClusterSet": {[]string{"-f", p.kubeconfig}, []string{"kind"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := tc.args
			if args[0] != "list" {
				args = append([]string{"list"}, args...)
			}
			code, out, errOut := p.norikae(t, append([]string{"clusters"}, args...)...)
			if code != 1 || out != "" {
				t.Errorf("exit code %d, stdout %q", code, out)
			}
			for _, say := range tc.say {
				if !strings.Contains(errOut, say) {
					t.Errorf("stderr must say %q:\n%s", say, errOut)
				}
			}
		})
	}
}

func TestWithoutAnyKubeconfig(t *testing.T) {
	p := newGround(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.kubeconfig = empty
	code, _, errOut := p.norikae(t, "clusters", "list", "-f", p.file)
	want := "error: no Kubernetes cluster with an Argo CD is known: " + empty + " says nothing, and this is no pod; name a kubeconfig with --kubeconfig or KUBECONFIG\n"
	if code != 1 || errOut != want {
		t.Errorf("exit code %d\n%s\nwant:\n%s", code, errOut, want)
	}
}

func TestExplainFindsAClusterThatIsNotSelected(t *testing.T) {
	p := newGround(t)
	if err := p.world.Tag(t.Context(), p.id("green").ARN(), fleettest.TagKey, "other"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"green", p.id("green").ARN()} {
		out := p.clusters(t, 0, "explain", name)
		for _, say := range []string{"not selected", `✗ tag ` + fleettest.TagKey + ` = "` + fleettest.TagValue + `"; it has "other"`} {
			if !strings.Contains(out, say) {
				t.Errorf("explain %s must say %q:\n%s", name, say, out)
			}
		}
	}
	code, _, errOut := p.norikae(t, "clusters", "-f", p.file, "explain", "gren")
	if code != 1 || !strings.Contains(errOut, `there is no cluster and no Secret "gren"`) {
		t.Errorf("exit code %d\n%s", code, errOut)
	}
}

func TestSeveralClusterSetsOfOneFile(t *testing.T) {
	p := newGround(t)
	// Two ClusterSets in one file share the fleet between them.
	both := ""
	for _, name := range []string{"blue", "green"} {
		p.declare(t, `cell: "{{ .Tags.cell }}"`)
		both += "---\n" + only(t, p.file, name)
	}
	write(t, p.file, both)
	code, out, errOut := p.norikae(t, "clusters", "-f", p.file, "sync")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errOut)
	}
	owners := map[string]string{}
	for name, s := range p.secrets(t) {
		owners[name] = s.Annotations["norikae.dev/clusterset"]
	}
	want := map[string]string{
		registry.SecretName(p.id("blue")):  p.Namespace + "/only-blue",
		registry.SecretName(p.id("green")): p.Namespace + "/only-green",
	}
	if d := cmp.Diff(want, owners); d != "" {
		t.Errorf("owners (-want +got):\n%s", d)
	}
	code, _, errOut = p.norikae(t, "clusters", "-f", p.file, "adopt", registry.SecretName(p.id("blue")), "--yes")
	if code != 1 || errOut != "error: 2 ClusterSets: it must be clear which one adopts\nName a file with one.\n" {
		t.Errorf("adopting for two: exit code %d\n%s", code, errOut)
	}
}
