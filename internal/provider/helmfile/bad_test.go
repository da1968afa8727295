package helmfile

import (
	"strings"
	"testing"
)

func TestBadInputIsNamedAtItsPathBeforeAnythingRuns(t *testing.T) {
	set := values{"kubeconfig": "", "content": "releases: []"}
	one := values{"kubeconfig": "", "chart": "./x", "name": "x"}
	for name, test := range map[string]struct {
		typeName string
		v        values
		want     []string
	}{
		"values that are no map":       {"helmfile_release_set", with(set, values{"values": []string{"a: 1", "- x"}}), []string{`AttributeName("values").ElementKeyInt(1)`, "yamlencode"}},
		"secret values that are wrong": {"helmfile_release_set", with(set, values{"sensitive_values": []string{"{hunter2"}}), []string{`AttributeName("sensitive_values").ElementKeyInt(0)`, "map in YAML"}},
		"content and path":             {"helmfile_release_set", with(set, values{"path": "other.yaml"}), []string{`AttributeName("path")`, "set one of them"}},
		"content that is no YAML":      {"helmfile_release_set", with(set, values{"content": "a: [", "values": nil}), []string{`AttributeName("content")`, "YAML"}},
		"a negative concurrency":       {"helmfile_release_set", with(set, values{"concurrency": -1}), []string{`AttributeName("concurrency")`, "at least 0", "-1"}},
		"a selector without a value":   {"helmfile_release_set", with(set, values{"selectors": []string{"web"}}), []string{`AttributeName("selectors").ElementKeyInt(0)`, "LABEL=VALUE", "web"}},
		"a variable with a space":      {"helmfile_release_set", with(set, values{"environment_variables": map[string]string{"a b": "c"}}), []string{`AttributeName("environment_variables")`, "a b"}},
		"a release that is not there":  {"helmfile_release_set", with(set, values{"version": "0.0.0"}), []string{`AttributeName("version")`, "0.0.0"}},
		"a helm that is not there":     {"helmfile_release", with(one, values{"helm_version": "0.0.0"}), []string{`AttributeName("helm_version")`, "0.0.0"}},
		"a chart that is empty":        {"helmfile_release", with(one, values{"chart": ""}), []string{`AttributeName("chart")`, "at least 1"}},
		"a name in capitals":           {"helmfile_release", with(one, values{"name": "Web"}), []string{`AttributeName("name")`, "lower-case", "Web"}},
		"a name that is too long":      {"helmfile_release", with(one, values{"name": strings.Repeat("x", 54)}), []string{`AttributeName("name")`, "53"}},
		"a negative timeout":           {"helmfile_release", with(one, values{"timeout": -5}), []string{`AttributeName("timeout")`, "at least 0", "-5"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{}
			c := newCore(t, test.typeName, s.ports())
			_, problem := c.plan(c.none(), test.v)
			for _, want := range test.want {
				if !strings.Contains(problem, want) {
					t.Errorf("it said %q, without %q", problem, want)
				}
			}
			if s.diffs > 0 || len(s.calls) > 0 || strings.Contains(problem, "hunter2") {
				t.Errorf("%d diffs, calls %q; it said %q", s.diffs, s.calls, problem)
			}
		})
	}
}
