package terraform

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

func TestTerraformReadsTheSchemasOfBothProviders(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	f := l.folder(t, "")
	var schemas struct {
		Providers map[string]struct {
			Resources map[string]any `json:"resource_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal([]byte(f.ok(t, "providers", "schema", "-json").stdout), &schemas); err != nil {
		t.Fatal(err)
	}
	for provider, wants := range map[string][]string{
		"registry.terraform.io/norikae/eksctl": {
			"eksctl_courier_alb", "eksctl_courier_nlb", "eksctl_courier_route53_record",
			"eksctl_cluster", "eksctl_nodegroup", "eksctl_iamserviceaccount",
		},
		"registry.terraform.io/norikae/helmfile": {"helmfile_release", "helmfile_release_set"},
	} {
		got := schemas.Providers[provider].Resources
		for _, want := range wants {
			if got[want] == nil {
				t.Errorf("%s has no %s, but %q", provider, want, slices.Sorted(maps.Keys(got)))
			}
		}
	}
	if calls := l.calls(t); len(calls) != 0 {
		t.Errorf("schemas are text, and AWS was called: %v", calls)
	}
}
