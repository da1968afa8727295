package sdkv2

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the fixtures anew")

// fixtures are the folders of testdata: a configuration, and the state that it led to.
var fixtures = []string{"alb", "route53", "cluster", "nodegroup", "iamserviceaccount", "release_set", "release"}

func TestFixturesAreWhatTheOldProvidersWrite(t *testing.T) {
	for _, name := range fixtures {
		t.Run(name, func(t *testing.T) {
			w := open(t, name)
			w.providers(t, oldProviders(t))
			file := filepath.Join("testdata", name, "terraform.tfstate")
			old, err := os.ReadFile(file)
			if err != nil && !(*update && os.IsNotExist(err)) {
				t.Fatal(err)
			}
			_ = os.Remove(filepath.Join(w.dir, "terraform.tfstate"))
			w.run(t, "terraform", "apply", "-auto-approve", "-no-color", "-input=false")

			got := w.read(t, "terraform.tfstate")
			if *update {
				if len(old) > 0 && cmp.Equal(content(t, string(old)), content(t, got)) {
					return // serial and lineage alone are no reason to change a file
				}
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(content(t, string(old)), content(t, got)); d != "" {
				t.Errorf("%s is not what the old provider writes; run make fixtures (-want +got):\n%s", file, d)
			}
		})
	}
}

// The fixtures are worth something only as long as they have the habits of the SDK.
func TestFixturesHaveTheHabitsOfTheSDK(t *testing.T) {
	least := instance(t, "alb", "eksctl_courier_alb", "least")
	metrics := instance(t, "alb", "eksctl_courier_alb", "metrics")
	role := instance(t, "alb", "eksctl_courier_alb", "short_role")["assume_role"].([]any)[0].(map[string]any) //nolint:forcetypeassert // a panic names it
	set := instance(t, "release_set", "helmfile_release_set", "full")
	metric := func(i int) map[string]any { return metrics["cloudwatch_metric"].([]any)[i].(map[string]any) } //nolint:forcetypeassert // a panic names it
	for name, got := range map[string]struct{ got, want any }{
		"null for an empty default":                 {least["region"], nil},
		"an empty string as it is configured":       {metrics["profile"], ""},
		"a number for a default":                    {least["priority"], 10.0},
		"null for an unset set":                     {least["methods"], nil},
		"null for an empty map":                     {metrics["headers"], nil},
		"an empty list as it is configured":         {set["values_files"], []any{}},
		"an empty list for blocks that are missing": {least["datadog_metric"], []any{}},
		"an empty list for a missing assume_role":   {least["assume_role"], []any{}},
		"a number for a string of digits":           {metrics["priority"], 11.0},
		"in a block, 0 for an unset bound":          {metric(0)["min"], 0.0},
		"in a block, 0 for a bound of 0":            {metric(0)["max"], 0.0},
		"in a block, an empty string for unset":     {role["session_name"], ""},
		"in a block, 0 for an unset number":         {role["duration_seconds"], 0.0},
		"in a block, null for an empty set":         {role["policy_arns"], nil},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(got.want, got.got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// content of a state, without what differs in every run. OpenTofu has another registry.
func content(t *testing.T, state string) map[string]any {
	t.Helper()
	state = strings.ReplaceAll(state, "registry.opentofu.org/", "registry.terraform.io/")
	var s map[string]any
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		t.Fatal(err)
	}
	delete(s, "lineage")
	delete(s, "serial")
	delete(s, "terraform_version")
	return s
}

// instance is what a fixture's state has of a resource.
func instance(t *testing.T, fixture, kind, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", fixture, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Resources []struct {
			Type, Name string
			Instances  []struct{ Attributes map[string]any }
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.Resources {
		if r.Type == kind && r.Name == name {
			return r.Instances[0].Attributes
		}
	}
	t.Fatalf("the state of %s has no %s.%s", fixture, kind, name)
	return nil
}
