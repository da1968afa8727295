package helmfile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/helmfile"
)

// slow is a cluster where one command of helmfile takes until it is told to stop.
type slow struct {
	stub

	command string // diff, apply or destroy; "": none
	took    time.Duration
}

func (s *slow) wait(ctx context.Context, command string) error {
	if command != s.command {
		return nil
	}
	began := time.Now()
	<-ctx.Done()
	s.took = time.Since(began)
	return fmt.Errorf("helmfile did not succeed: %w", context.Cause(ctx))
}

func (s *slow) Diff(ctx context.Context, spec helmfile.Spec) (helmfile.Difference, error) {
	if err := s.wait(ctx, "diff"); err != nil {
		return helmfile.Difference{}, err
	}
	return s.stub.Diff(ctx, spec)
}

func (s *slow) Apply(ctx context.Context, spec helmfile.Spec) (string, error) {
	if err := s.wait(ctx, "apply"); err != nil {
		return "", err
	}
	return s.stub.Apply(ctx, spec)
}

func (s *slow) Destroy(ctx context.Context, spec helmfile.Spec) (string, error) {
	if err := s.wait(ctx, "destroy"); err != nil {
		return "", err
	}
	return s.stub.Destroy(ctx, spec)
}

// timeouts as a block.
func (c *core) timeouts(limits map[string]string) tftypes.Value {
	c.t.Helper()
	ty, ok := c.object.AttributeTypes["timeouts"].(tftypes.Object)
	if !ok {
		c.t.Fatal("timeouts is no block")
	}
	fields := map[string]tftypes.Value{}
	for name := range ty.AttributeTypes {
		fields[name] = tftypes.NewValue(tftypes.String, nil)
		if limit, ok := limits[name]; ok {
			fields[name] = tftypes.NewValue(tftypes.String, limit)
		}
	}
	return tftypes.NewValue(ty, fields)
}

func TestTheTimeOfAnOperationIsBounded(t *testing.T) {
	for _, typeName := range []string{"helmfile_release_set", "helmfile_release"} {
		given := map[string]string{"create": "11m", "read": "12m", "update": "13m", "delete": "14m"}
		for name, test := range map[string]struct {
			limits  map[string]string
			command string
			do      func(c *core, v, next values, state tftypes.Value) string
			want    time.Duration
			says    []string
		}{
			"a create": {given, "apply", func(c *core, v, _ values, _ tftypes.Value) string {
				state, problem := c.apply(c.mustPlan(c.none(), v), v)
				if !state.IsNull() {
					c.t.Errorf("it has a state: %s", state)
				}
				return problem
			}, 11 * time.Minute, []string{"longer than 11m0s", "timeouts.create allows", `timeouts { create = "22m" }`, "30s later was killed"}},
			"an update": {given, "apply", func(c *core, _, next values, state tftypes.Value) string {
				after, problem := c.apply(c.mustPlan(state, next), next)
				if !strings.Contains(c.text(after, "error"), "timeouts.update allows") {
					c.t.Errorf("the state does not say that the update failed: %q", c.text(after, "error"))
				}
				return problem
			}, 13 * time.Minute, []string{"longer than 13m0s", `timeouts { update = "26m" }`}},
			"a destroy": {given, "destroy", func(c *core, _, _ values, state tftypes.Value) string {
				after, problem := c.destroy(state)
				if after.IsNull() {
					c.t.Error("it left the state")
				}
				return problem
			}, 14 * time.Minute, []string{"longer than 14m0s", `timeouts { delete = "28m" }`}},
			"a plan": {given, "diff", func(c *core, _, next values, state tftypes.Value) string {
				_, problem := c.plan(state, next)
				return problem
			}, 12 * time.Minute, []string{"longer than 12m0s", `timeouts { read = "24m" }`}},
			"a refresh, which only warns": {given, "diff", func(c *core, _, _ values, state tftypes.Value) string {
				c.refresh(state)
				return strings.Join(c.warnings, "\n")
			}, 12 * time.Minute, []string{"Drift is not known", "longer than 12m0s"}},
			"a create without a block": {nil, "apply", func(c *core, v, _ values, _ tftypes.Value) string {
				_, problem := c.apply(c.mustPlan(c.none(), v), v)
				return problem
			}, time.Hour, []string{"longer than 1h0m0s", `timeouts { create = "2h" }`}},
			"a plan without a block": {nil, "diff", func(c *core, v, _ values, _ tftypes.Value) string {
				_, problem := c.plan(c.none(), v)
				return problem
			}, 20 * time.Minute, []string{"longer than 20m0s", `timeouts { read = "40m" }`}},
		} {
			t.Run(typeName+"/"+name, func(t *testing.T) {
				s := &slow{}
				c := newCore(t, typeName, Ports{Runner: s})
				v := values{"kubeconfig": "", "values": []string{"a: 1"}, "timeouts": c.timeouts(test.limits)}
				if typeName == "helmfile_release" {
					v["chart"] = "./x"
				} else {
					v["content"] = "releases: []"
				}
				state := c.mustApply(c.none(), v)
				s.command = test.command
				s.installed = "something else"
				var problem string
				synctest.Test(t, func(t *testing.T) {
					c.t = t
					problem = test.do(c, v, with(v, values{"values": []string{"a: 2"}}), state)
				})
				for _, want := range test.says {
					if !strings.Contains(problem, want) {
						t.Errorf("it said %q, without %q", problem, want)
					}
				}
				if s.took != test.want {
					t.Errorf("it took %s, want %s", s.took, test.want)
				}
			})
		}
	}
}

func TestATimeoutThatIsNoTimeIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ limit, want string }{
		"none at all":     {"0s", "want more than 0"},
		"a negative one":  {"-5m", "want more than 0"},
		"without a unit":  {"5", "5"},
		"a word for long": {"forever", "forever"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stub{}
			c := newCore(t, "helmfile_release_set", s.ports())
			_, problem := c.plan(c.none(), values{"kubeconfig": "", "content": "releases: []", "timeouts": c.timeouts(map[string]string{"update": test.limit})})
			if !strings.Contains(problem, `AttributeName("timeouts").AttributeName("update")`) || !strings.Contains(problem, test.want) || s.diffs > 0 {
				t.Errorf("%d diffs; it said %q, without %q", s.diffs, problem, test.want)
			}
		})
	}
}

// unchecked has no checksums of any plugin.
type unchecked struct{ stub }

func (*unchecked) Path(context.Context, string, string) (string, error) {
	return "", fmt.Errorf("%w: it was published without checksums", fault.ErrNotFound)
}

// A file of old with such a version goes on.
func TestAPluginThatCannotBeCheckedIsNotUsedAndSaid(t *testing.T) {
	s := &unchecked{}
	c := newCore(t, "helmfile_release_set", Ports{Runner: s, Releases: s})
	v := values{"kubeconfig": "", "content": "releases: []", "helm_diff_version": "v3.1.3"}
	state := c.mustApply(c.none(), v)
	if plan := c.mustPlan(c.refresh(state), v); !plan.empty() || s.spec.Plugins != "" {
		t.Errorf("the next plan is %s, with the plugins %q", plan.value, s.spec.Plugins)
	}
	said := strings.Join(c.warnings, "\n")
	for _, want := range []string{`AttributeName("helm_diff_version")`, `"v3.1.3" is not used`, "published without checksums", "the one that is installed"} {
		if !strings.Contains(said, want) {
			t.Errorf("it warned %q, without %q", said, want)
		}
	}
	if _, problem := c.plan(c.none(), with(v, values{"helm_version": "3.0.0"})); !strings.Contains(problem, `AttributeName("helm_version")`) {
		t.Errorf("helm itself that cannot be checked: %q", problem)
	}
}
