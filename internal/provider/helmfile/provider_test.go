package helmfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/internal/helmfile"
	"github.com/norikae/norikae/internal/provider/connection"
)

// stub is a cluster that has what was applied last.
type stub struct {
	installed string // content
	calls     []string
	diffs     int
	fail      error // of the next apply
	serving   int   // credentials, now
	served    int   // at the last diff
	spec      helmfile.Spec
}

func (s *stub) Diff(_ context.Context, spec helmfile.Spec) (helmfile.Difference, error) {
	s.diffs++
	s.spec, s.served = spec, s.serving
	if s.installed == spec.Content {
		return helmfile.Difference{}, nil
	}
	// Like a chart that makes up a value at each rendering.
	return helmfile.Difference{Output: strings.Repeat("+ something\n", s.diffs), Changed: true}, nil
}

func (s *stub) Apply(_ context.Context, spec helmfile.Spec) (string, error) {
	s.calls, s.spec = append(s.calls, "apply"), spec
	if err := s.fail; err != nil {
		s.fail = nil
		return "", err
	}
	s.installed = spec.Content
	return "applied\n", nil
}

func (s *stub) Destroy(_ context.Context, spec helmfile.Spec) (string, error) {
	s.calls, s.spec = append(s.calls, "destroy"), spec
	return "", s.fail
}

func (s *stub) Path(_ context.Context, program, version string) (string, error) {
	if version == "0.0.0" {
		return "", errors.New("there is no such release")
	}
	return "/cache/" + program + "-" + version, nil
}

func (s *stub) Serve(_ context.Context, c connection.Connection) (map[string]string, func(), error) {
	s.serving++
	out := map[string]string{"AWS_REGION": c.Region}
	if c.AssumeRole != nil {
		out["AWS_SESSION_TOKEN"] = c.AssumeRole.RoleARN
	}
	return out, func() { s.serving-- }, nil
}

func (s *stub) ports() Ports { return Ports{Runner: s, Releases: s, Credentials: s} }

func TestAReleaseSetIsPlannedAppliedAndThenSettled(t *testing.T) {
	s := &stub{}
	c := newCore(t, "helmfile_release_set", s.ports())
	v := values{"kubeconfig": "", "content": "releases: []"}
	plan := c.mustPlan(c.none(), v)
	if plan.told != ": helmfile diff of content (SHA-256 cadf627142ae):   + something" || c.fields(plan.value)["diff_output"].IsKnown() {
		t.Errorf("told %q, planned %s", plan.told, plan.value)
	}
	// Another process, perhaps of another machine, plans again, and helmfile says something else.
	state, problem := c.apply(plan, v)
	if s.diffs != 2 || c.text(state, "diff_output") != "+ something\n+ something\n" {
		t.Errorf("after %d diffs the state is %s", s.diffs, state)
	}
	if problem != "" || c.text(state, "apply_output") != "applied\n" || c.text(state, "error") != "" {
		t.Errorf("the state is %s, %s", state, problem)
	}
	state = c.refresh(state)
	if again := c.mustPlan(state, v); !again.empty() || again.told != "" || s.diffs != 3 {
		t.Errorf("after %d diffs the next plan is not empty: %s → %s, told %q", s.diffs, state, again.value, again.told)
	}
	state = c.mustApply(state, with(v, values{"content": "releases: [] # other"}))
	s.installed = "something else" // by hand
	drifted := c.refresh(state)
	if plan := c.mustPlan(drifted, with(v, values{"content": "releases: [] # other"})); plan.empty() || !strings.Contains(plan.told, "+ something") {
		t.Errorf("drift is planned as %s", plan.value)
	}
	if state, problem := c.destroy(state); problem != "" || !state.IsNull() {
		t.Errorf("destroying gave %s, %s", state, problem)
	}
	if diff := cmp.Diff([]string{"apply", "apply", "destroy"}, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// Terraform shows one of several warnings with the same title.
func TestReleaseSetsThatDifferInTheirValuesHaveTitlesOfTheirOwn(t *testing.T) {
	base := helmfile.Spec{Content: "releases: []", SensitiveValues: []string{"secret: 1"}}
	one, other, set, secret := base, base, base, base
	one.Values, other.Values, set.Set = []string{"a: 1"}, []string{"a: 2"}, map[string]string{"a": "1"}
	secret.SensitiveValues = []string{"secret: 2"}
	seen := map[string]bool{}
	for _, s := range []helmfile.Spec{base, one, other, set} {
		if seen[title(s)] {
			t.Errorf("%s twice", title(s))
		}
		seen[title(s)] = true
	}
	if title(secret) != title(base) {
		t.Error("a title tells of sensitive values")
	}
}

func TestAFailedApplyLeavesWork(t *testing.T) {
	s := &stub{fail: errors.New("the chart is broken")}
	c := newCore(t, "helmfile_release_set", s.ports())
	v := values{"kubeconfig": "", "content": "releases: []"}
	state, problem := c.apply(c.mustPlan(c.none(), v), v)
	if !strings.Contains(problem, "the chart is broken") || !state.IsNull() {
		t.Errorf("a failed create gave the state %s, and said %s", state, problem)
	}
	state = c.mustApply(c.none(), v)
	s.fail = errors.New("it is broken again")
	next := with(v, values{"content": "releases: [] # other"})
	state, problem = c.apply(c.mustPlan(state, next), next)
	if problem == "" || c.text(state, "content") != "releases: []" || !strings.Contains(c.text(state, "error"), "it is broken again") {
		t.Errorf("a failed update gave the state %s, and said %s", state, problem)
	}
	// Even when the configuration is what it was, and helmfile sees no difference.
	plan := c.mustPlan(c.refresh(state), v)
	if plan.empty() {
		t.Error("the plan after a failure is empty")
	}
	if state, problem = c.apply(plan, v); problem != "" || c.text(state, "error") != "" {
		t.Errorf("the state is %s, %s", state, problem)
	}
}

func TestWhatIsNotThereYetIsPlannedAsUnknown(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "later")
	for name, v := range map[string]values{
		"a kubeconfig that another resource writes":     {"kubeconfig": missing, "content": "x: 1"},
		"a kubeconfig whose name is not known":          {"kubeconfig": unknown{}, "content": "x: 1"},
		"a file that is named for that, and is missing": {"kubeconfig": "", "content": "x: 1", "skip_diff_on_missing_files": []string{missing}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{}
			c := newCore(t, "helmfile_release_set", s.ports())
			plan := c.mustPlan(c.none(), v)
			if c.fields(plan.value)["diff_output"].IsKnown() || s.diffs > 0 {
				t.Errorf("%d diffs, planned %s", s.diffs, plan.value)
			}
			if err := os.WriteFile(missing, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			later := with(v, values{})
			if _, ok := v["kubeconfig"].(unknown); ok {
				later["kubeconfig"] = missing
			}
			state, problem := c.apply(plan, later)
			if problem != "" || c.text(state, "diff_output") == "" {
				t.Errorf("the state is %s, %s", state, problem)
			}
			if err := os.Remove(missing); err != nil {
				t.Fatal(err)
			}
			if plan := c.mustPlan(c.refresh(state), later); v["kubeconfig"] != "" && !plan.empty() {
				t.Errorf("a file that went missing is planned as a change: %s", plan.value)
			}
		})
	}
}

func TestAllThatIsConfiguredReachesHelmfile(t *testing.T) {
	s := &stub{}
	c := newCore(t, "helmfile_release_set", s.ports())
	c.mustPlan(c.none(), values{
		"kubeconfig": "", "path": "helmfile.d", "values_files": []string{"a.yaml"}, "values": []string{"a: 1"}, "sensitive_values": []string{`{"b": "c"}`},
		"selector": map[string]string{"tier": "web"}, "selectors": []string{"a=b,c!=d"}, "environment": "prod", "environment_variables": map[string]string{"A": "B"},
		"concurrency": 3, "releases_values": map[string]string{"x": "y"}, "working_directory": "/", "version": "1.8.0", "helm_version": "3.22.0", "helm_diff_version": "3.15.13",
	})
	s.spec.Line = nil
	want := helmfile.Spec{
		Binary: "/cache/helmfile-1.8.0", HelmBinary: "/cache/helm-3.22.0", Plugins: "/cache/helm-diff-3.15.13", WorkingDirectory: "/", Path: "helmfile.d",
		ValuesFiles: []string{"a.yaml"}, Values: []string{"a: 1"}, SensitiveValues: []string{`{"b": "c"}`}, Set: map[string]string{"x": "y"},
		Selectors: []string{"tier=web", "a=b,c!=d"}, Environment: "prod", Concurrency: 3, EnvironmentVariables: map[string]string{"A": "B"},
	}
	if diff := cmp.Diff(want, s.spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestAReleaseIsASetOfOne(t *testing.T) {
	s := &stub{}
	c := newCore(t, "helmfile_release", s.ports())
	v := values{"kubeconfig": "", "chart": "./charts/web", "timeout": 60, "kubecontext": "blue"}
	plan := c.mustPlan(c.none(), v)
	s.spec.Line = nil
	want := helmfile.Spec{
		Binary: "helmfile", HelmBinary: "helm", KubeContext: "blue",
		Release: &helmfile.Release{Name: "web", Namespace: "default", Chart: "./charts/web", Wait: true, Atomic: true, CleanupOnFail: true, Timeout: 60},
	}
	if diff := cmp.Diff(want, s.spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	state, problem := c.apply(plan, v)
	if problem != "" {
		t.Fatal(problem)
	}
	if plan := c.mustPlan(c.refresh(state), v); !plan.empty() {
		t.Errorf("the next plan is not empty: %s", plan.value)
	}
	if !c.mustPlan(state, with(v, values{"namespace": "other"})).replace {
		t.Error("another namespace does not replace")
	}
}

func TestAnImportedReleaseKeepsItsName(t *testing.T) {
	c := newCore(t, "helmfile_release", (&stub{}).ports())
	state, problem := c.importState("prod/web")
	if problem != "" || c.text(state, "name") != "web" || c.text(state, "namespace") != "prod" {
		t.Fatalf("the state is %s, %s", state, problem)
	}
	plan := c.mustPlan(c.refresh(state), values{"kubeconfig": "", "chart": "./x", "name": "web", "namespace": "prod"})
	if plan.replace || plan.empty() {
		t.Errorf("it is planned as %s, replaced: %t", plan.value, plan.replace)
	}
	for _, id := range []string{"web", "/web", "prod/", "a/B"} {
		if _, problem := c.importState(id); !strings.Contains(problem, "NAMESPACE/NAME") {
			t.Errorf("importing %q said %q", id, problem)
		}
	}
}

// The SDK of the provider that ours succeeds wrote "", 0, [] and {} for what is not set.
func TestAStateOfTheOldProviderShowsNoDifference(t *testing.T) {
	for typeName, old := range map[string]values{
		"helmfile_release_set": {
			"path": "", "version": "", "helm_version": "", "helm_diff_version": "", "environment": "", "concurrency": 0, "values_files": []string{}, "selector": map[string]string{},
			"selectors": []string{}, "environment_variables": map[string]string{}, "skip_diff_on_missing_files": []string{}, "releases_values": map[string]string{}, "content": "",
		},
		"helmfile_release": {
			"version": "", "helm_version": "", "namespace": "default", "name": "web", "chart": "./web", "verify": false, "wait": true, "force": false, "atomic": true,
			"cleanup_on_fail": true, "timeout": 0, "kubecontext": "",
		},
	} {
		t.Run(typeName, func(t *testing.T) {
			c := newCore(t, typeName, (&stub{}).ports())
			state := c.config(with(old, values{
				"id": "bq1", "kubeconfig": "", "binary": "helmfile", "helm_binary": "helm", "working_directory": "", "values": []string{}, "aws_region": "", "aws_profile": "",
				"dirty": false, "diff_output": "x", "apply_output": "y", "error": "",
			}))
			v := values{"kubeconfig": ""}
			if typeName == "helmfile_release" {
				v = with(v, values{"chart": "./web", "name": "web"})
			}
			state = c.refresh(state)
			if plan := c.mustPlan(state, v); !plan.empty() {
				t.Errorf("%s\nis planned as\n%s", state, plan.value)
			}
		})
	}
}

func TestCredentialsAreAskedForOnlyWhenAWSIsNamed(t *testing.T) {
	s := &stub{}
	c := newCore(t, "helmfile_release_set", s.ports())
	role := c.object.AttributeTypes["aws_assume_role"].(tftypes.List).ElementType.(tftypes.Object) //nolint:forcetypeassert // a panic names it
	fields := map[string]tftypes.Value{}
	for name, ty := range role.AttributeTypes {
		fields[name] = tftypes.NewValue(ty, nil)
	}
	fields["role_arn"] = tftypes.NewValue(tftypes.String, "arn:aws:iam::123456789012:role/deploy")
	v := values{
		"kubeconfig": "", "content": "a: 1", "aws_region": "us-east-2",
		"aws_assume_role": tftypes.NewValue(c.object.AttributeTypes["aws_assume_role"], []tftypes.Value{tftypes.NewValue(role, fields)}),
	}
	c.mustPlan(c.none(), v)
	want := map[string]string{"AWS_REGION": "us-east-2", "AWS_SESSION_TOKEN": "arn:aws:iam::123456789012:role/deploy"}
	if diff := cmp.Diff(want, s.spec.Credentials); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	if s.served != 1 || s.serving != 0 {
		t.Errorf("%d credentials are served while helmfile runs, %d after it", s.served, s.serving)
	}
}
