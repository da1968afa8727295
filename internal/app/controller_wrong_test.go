package app

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim/fault"
)

// replaced is the ground's ClusterSet with some of its text replaced.
func (p *ground) replaced(t *testing.T, pairs ...string) string {
	t.Helper()
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.NewReplacer(pairs...).Replace(string(text))
	if len(pairs) > 0 && out == string(text) {
		t.Fatalf("nothing of %q is in\n%s", pairs, text)
	}
	return out
}

func (p *ground) apply(t *testing.T, text string) {
	t.Helper()
	if out, ok := p.Kubectl(t, text, "apply", "-f", "-"); !ok {
		t.Fatal(out)
	}
}

// reports is everything that a ClusterSet and its Events say: conditions, then problems,
// then Events, one a line.
func (p *ground) reports(t *testing.T, name string) string {
	t.Helper()
	cs := &v1alpha1.ClusterSet{}
	if err := p.Client.Get(t.Context(), client.ObjectKey{Namespace: p.Namespace, Name: name}, cs); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range cs.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, c := range cs.Status.NotInOrder {
		fmt.Fprintf(&b, "%s %s %s: %s\n", c.ARN, c.State, c.Reason, c.Message)
	}
	out, ok := p.Kubectl(t, "", "get", "events.events.k8s.io", "--field-selector", "regarding.kind=ClusterSet,regarding.name="+name,
		"-o", `jsonpath={range .items[*]}Event {.type} {.reason}: {.note}{"\n"}{end}`)
	if !ok {
		t.Fatal(out)
	}
	return b.String() + out
}

// untilReported waits for all of the texts.
func (p *ground) untilReported(t *testing.T, name string, texts ...string) {
	t.Helper()
	var got, lacks string
	defer func() {
		if t.Failed() {
			t.Logf("no %q in\n%s", lacks, got)
		}
	}()
	until(t, "word of it", func() bool {
		got, lacks = p.reports(t, name), ""
		for _, text := range texts {
			if !strings.Contains(got, text) {
				lacks = text
			}
		}
		return lacks == ""
	})
}

// TestWhatIsWrongIsSaidWithItsPlace where a person looks: in the status and in Events.
func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replace []string
		before  func(*testing.T, *ground)
		want    func(*ground) []string
	}{
		"a template that cannot be read": {
			[]string{`cell: "{{ .Tags.cell }}"`, `cell: "{{ .Tags.cell "`},
			nil,
			func(*ground) []string {
				return []string{"Ready=False InvalidSpec: ", "Stalled=True InvalidSpec", "spec.template.labels", "Event Warning InvalidSpec: "}
			},
		},
		"a template of what does not exist": {
			[]string{`"{{ .Name }}"`, `"{{ .Nam }}"`},
			nil,
			func(*ground) []string { return []string{"Ready=False InvalidSpec: ", "spec.template.name", "Nam"} },
		},
		"a pattern of names that is none": {
			[]string{"selector: {", "selector: {names: ['[a'], "},
			nil,
			func(*ground) []string {
				return []string{"Ready=False InvalidSpec: ", "spec.sources[0].eks.selector.names[0]"}
			},
		},
		"an Argo CD that is not served": {
			[]string{"argocdNamespace: ", "argocdNamespace: not-"},
			nil,
			func(p *ground) []string {
				return []string{"Ready=False InvalidSpec: spec.argocdNamespace: \"not-" + p.Namespace}
			},
		},
		"a tag that clusters do not have": {
			[]string{".Tags.cell", ".Tags.team"},
			nil,
			func(p *ground) []string {
				return []string{"Ready=False ClustersNotInOrder: 2 not in order (2 Invalid)", p.id("blue").ARN() + " Invalid ", "team", "Event Warning "}
			},
		},
		"a label that Kubernetes does not take": {
			[]string{`"{{ .Tags.cell }}"`, `"{{ .ARN }}"`},
			nil,
			func(p *ground) []string { return []string{"(2 Invalid)", p.id("green").ARN() + " Invalid ", "cell"} },
		},
		"two clusters with one name": {
			[]string{`"{{ .Name }}"`, "same"},
			nil,
			func(p *ground) []string {
				return []string{"Conflict", p.id("blue").ARN(), p.id("green").ARN(), "same", "Event Warning "}
			},
		},
		"a Secret that somebody made by hand": {
			nil,
			func(t *testing.T, p *ground) {
				server, err := p.endpointOfBlue(t)
				if err != nil {
					t.Fatal(err)
				}
				p.byHand(t, "by-hand", server, nil)
			},
			func(p *ground) []string {
				return []string{"Registered=False ClustersNotInOrder: 1 not in order (1 Conflict), 1 registered", p.id("blue").ARN() + " Conflict ", "by-hand", `Event Normal Created: created the cluster Secret of "green"`}
			},
		},
		"a role that nobody may assume": {
			[]string{"      selector:", "      accounts: [{roleARN: \"arn:aws:iam::000000000000:role/nobody\"}]\n      selector:"},
			func(t *testing.T, p *ground) {
				if _, err := p.world.Faults().Add(fault.Rule{Kind: fault.AccessDenied, Service: "sts", Operation: "AssumeRole"}); err != nil {
					t.Fatal(err)
				}
			},
			func(p *ground) []string {
				return []string{"Discovered=False PartialDiscovery: 1 of 1 listings failed", p.world.Regions[0] + " as arn:aws:iam::000000000000:role/nobody (spec.sources[0])", "Event Warning PartialDiscovery: "}
			},
		},
		"suspended": {
			[]string{"\nspec:", "\nspec:\n  suspend: true"},
			nil,
			func(*ground) []string {
				return []string{"Ready=False Suspended: spec.suspend", "Stalled=True Suspended"}
			},
		},
		"API servers that nobody reaches": {
			[]string{"probe: {enabled: false}", "probe: {timeout: 1s}"},
			nil,
			func(p *ground) []string { return []string{"(2 Unreachable)", p.id("blue").ARN() + " Unreachable "} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newGround(t)
			if tc.before != nil {
				tc.before(t, p)
			}
			p.keep(t)
			p.apply(t, p.replaced(t, tc.replace...))
			p.untilReported(t, "fleet", tc.want(p)...)
		})
	}
}

func TestASecondSetThatSelectsAClusterSaysWhoseItIs(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	r := p.keep(t)
	p.apply(t, p.replaced(t))
	p.untilCells(t, r, map[string]string{"blue": "one", "green": "one"})
	p.apply(t, p.replaced(t, "name: fleet", "name: second"))
	p.untilReported(t, "second", "Ready=False ClustersNotInOrder: 2 not in order (2 Conflict), 0 registered", p.id("blue").ARN()+" Conflict ", p.Namespace+"/fleet")
	p.untilReported(t, "fleet", "Ready=True Succeeded: 2 of 2")
}

// Hazard D3: a mistyped tag, after everything was registered.
func TestAMistypedTagWipesNothing(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	r := p.keep(t)
	p.apply(t, p.replaced(t))
	p.untilCells(t, r, map[string]string{"blue": "one", "green": "one"})
	until(t, "good status", func() bool { return meta.IsStatusConditionTrue(p.set(t).Status.Conditions, v1alpha1.ConditionReady) })
	before := p.secrets(t)
	p.apply(t, p.replaced(t, "matchTags: {", "matchTags: {no-such-tag: x, ", "probe: ", "deletion: {policy: Delete, grace: 1m}\n  probe: "))
	p.untilReported(t, "fleet", "Ready=False BlastRadius: ", "Stalled=True BlastRadius", "Event Warning BlastRadius: ")
	for name, s := range p.secrets(t) {
		if was := before[name]; was.UID != s.UID || s.DeletionTimestamp != nil {
			t.Errorf("Secret %s is another: %+v", name, s.ObjectMeta)
		}
	}
	p.apply(t, p.replaced(t))
	p.untilReported(t, "fleet", "Ready=True Succeeded: 2 of 2")
}

// Hazard D8: what stays wrong is not told again and again, whatever AWS and the network
// put into their errors.
func TestWhatStaysWrongIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		replace []string
		fault   *fault.Rule
		says    string
	}{
		"a role that nobody may assume":   {[]string{"      selector:", "      accounts: [{roleARN: \"arn:aws:iam::000000000000:role/nobody\"}]\n      selector:"}, &fault.Rule{Kind: fault.AccessDenied, Service: "sts"}, "PartialDiscovery: "},
		"API servers that nobody reaches": {[]string{"probe: {enabled: false}", "probe: {timeout: 1s}"}, nil, "Unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newGround(t)
			if tc.fault != nil {
				if _, err := p.world.Faults().Add(*tc.fault); err != nil {
					t.Fatal(err)
				}
			}
			r := p.keep(t)
			p.apply(t, p.replaced(t, tc.replace...))
			p.untilReported(t, "fleet", tc.says, "Event Warning ")
			p.poke(t, r, "first") // whatever the first pass left to say is said
			p.poke(t, r, "second")
			before := p.reports(t, "fleet")
			p.poke(t, r, "third")
			p.poke(t, r, "fourth")
			if d := cmp.Diff(before, p.reports(t, "fleet")); d != "" {
				t.Errorf("two more passes changed what is said:\n%s", d)
			}
		})
	}
}
