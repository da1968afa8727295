package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

var (
	t0    = metav1.NewTime(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC))
	owner = registry.Owner{Namespace: "argocd", Name: "fleet"}
)

func id(name string) registry.ID {
	return registry.ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: name}
}

// outcome of a cluster in a state, whose Secret is ours.
func outcome(name string, state registry.State) registrar.Outcome {
	o := registrar.Outcome{Action: registry.Action{
		Cluster: id(name), State: state,
		Entry: &registry.Entry{Name: "cluster-" + name, Owner: owner, Registration: registry.Registration{ClusterName: name}},
	}}
	if state != registry.Registered {
		o.Reason, o.Message = "Because", name+" is "+string(state)
	}
	return o
}

func created(name string) registrar.Outcome {
	o := outcome(name, registry.Registered)
	o.Entry, o.Do, o.Want.ClusterName, o.Written = nil, registry.Create, name, true
	return o
}

func did(name string, do registry.Do, state registry.State) registrar.Outcome {
	o := outcome(name, state)
	o.Do, o.Want.ClusterName, o.Written = do, name, true
	return o
}

func scope(region string, err error) registry.ScopeResult {
	return registry.ScopeResult{Scope: registry.Scope{Account: "111122223333", Region: region}, RoleARN: "arn:aws:iam::111122223333:role/norikae", Err: err}
}

func answered(outcomes ...registrar.Outcome) registrar.Result {
	return registrar.Result{Scopes: []registry.ScopeResult{scope("us-east-1", nil)}, Outcomes: outcomes}
}

func notPermitted(verb string) error {
	return fmt.Errorf("listing: %w", apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "",
		fmt.Errorf("User %q cannot %s resource %q in API group %q in the namespace %q", "norikae", verb, "secrets", "", "argocd")))
}

// conditionsOf a status, as TYPE=STATUS REASON.
func conditionsOf(s v1alpha1.ClusterSetStatus) string {
	var list []string
	for _, c := range s.Conditions {
		list = append(list, c.Type+"="+string(c.Status)+" "+c.Reason)
	}
	return strings.Join(list, ", ")
}

func TestTheStatusSaysWhatIsWrongAndWhere(t *testing.T) {
	stopped := answered(outcome("a", registry.Missing), outcome("b", registry.Missing))
	stopped.Stopped, stopped.StoppedReason = "2 of 2 clusters vanished within 1h", "BlastRadius"
	partial := answered(outcome("a", registry.Uncertain))
	partial.Scopes = append(partial.Scopes, scope("eu-west-1", errors.New("AccessDenied: not authorized to perform: eks:ListClusters")))
	refused := outcome("a", registry.Unwritten)
	refused.Reason, refused.Message, refused.Err = "Forbidden", "", notPermitted("update")

	for name, tc := range map[string]struct {
		finding    finding
		conditions string
		counts     v1alpha1.ClusterCounts
		says       string // in the message of Ready
	}{
		"all in order": {
			finding{result: answered(outcome("a", registry.Registered), created("b"))},
			"Ready=True Succeeded, Discovered=True Succeeded, Registered=True Succeeded",
			v1alpha1.ClusterCounts{Discovered: 2, Registered: 2},
			"2 of 2 clusters",
		},
		"no cluster at all is in order": {
			finding{result: answered()},
			"Ready=True Succeeded, Discovered=True Succeeded, Registered=True Succeeded",
			v1alpha1.ClusterCounts{},
			"0 of 0",
		},
		"a cluster that was removed is not a problem any more": {
			finding{result: answered(did("a", registry.Delete, registry.Missing))},
			"Ready=True Succeeded, Discovered=True Succeeded, Registered=True Succeeded",
			v1alpha1.ClusterCounts{},
			"0 of 0",
		},
		"some are not in order": {
			finding{result: answered(outcome("a", registry.Held), outcome("b", registry.Conflict), outcome("c", registry.Held))},
			"Ready=False ClustersNotInOrder, Discovered=True Succeeded, Registered=False ClustersNotInOrder",
			v1alpha1.ClusterCounts{Discovered: 3, Registered: 3, NotInOrder: 3},
			"3 not in order (1 Conflict, 2 Held)",
		},
		"an account that does not answer is named, and why": {
			finding{result: partial},
			"Ready=False PartialDiscovery, Discovered=False PartialDiscovery, Registered=False ClustersNotInOrder",
			v1alpha1.ClusterCounts{Registered: 1, NotInOrder: 1},
			"1 of 2 listings failed, their clusters stay as they are: eu-west-1 as arn:aws:iam::111122223333:role/norikae (spec.sources[0]): AccessDenied: not authorized to perform: eks:ListClusters",
		},
		"a stop waits for a person": {
			finding{result: stopped},
			"Ready=False BlastRadius, Discovered=True Succeeded, Registered=False BlastRadius, Stalled=True BlastRadius",
			v1alpha1.ClusterCounts{Registered: 2, NotInOrder: 2},
			"2 of 2 clusters vanished",
		},
		"a spec that cannot be used": {
			finding{invalid: errors.New("spec.template.name: template: bad")},
			"Ready=False InvalidSpec, Stalled=True InvalidSpec",
			v1alpha1.ClusterCounts{},
			"spec.template.name",
		},
		"suspended": {
			finding{suspended: true}, "Ready=False Suspended, Stalled=True Suspended", v1alpha1.ClusterCounts{}, "spec.suspend",
		},
		"Secrets may not be listed": {
			finding{failed: notPermitted("list")}, "Ready=False Forbidden", v1alpha1.ClusterCounts{}, `cannot list resource "secrets" in API group "" in the namespace "argocd"`,
		},
		"Secrets may not be written": {
			finding{result: answered(refused)},
			"Ready=False ClustersNotInOrder, Discovered=True Succeeded, Registered=False ClustersNotInOrder",
			v1alpha1.ClusterCounts{Discovered: 1, Registered: 1, NotInOrder: 1},
			`cannot update resource "secrets"`,
		},
		"AWS lets nobody in": {
			finding{failed: fmt.Errorf("assuming a role: %w", fault.ErrDenied)}, "Ready=False AccessDenied", v1alpha1.ClusterCounts{}, "assuming a role",
		},
		"a failure of its own kind": {
			finding{failed: fault.Terminal("NoRegion", errors.New("no AWS region"))}, "Ready=False NoRegion", v1alpha1.ClusterCounts{}, "no AWS region",
		},
		"any other failure": {
			finding{failed: errors.New("etcd is full")}, "Ready=False PassFailed", v1alpha1.ClusterCounts{}, "etcd is full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.finding.generation = 7
			got := nextStatus(v1alpha1.ClusterSetStatus{}, tc.finding, t0)
			if conditionsOf(got) != tc.conditions || got.ObservedGeneration != 7 || got.Counts != tc.counts {
				t.Errorf("generation %d, counts %+v\n got %s\nwant %s", got.ObservedGeneration, got.Counts, conditionsOf(got), tc.conditions)
			}
			if m := find(got, v1alpha1.ConditionReady).Message; !strings.Contains(m, tc.says) || len(m) > maxMessage {
				t.Errorf("Ready says %q, want %q in it", m, tc.says)
			}
			if d := cmp.Diff(got, nextStatus(got, tc.finding, metav1.NewTime(t0.Add(time.Hour)))); d != "" {
				t.Errorf("the same finding an hour later changes the status:\n%s", d)
			}
		})
	}
}

func TestWhatAFindingSaysNothingAboutStays(t *testing.T) {
	before := nextStatus(v1alpha1.ClusterSetStatus{}, finding{generation: 1, result: answered(outcome("a", registry.Held))}, t0)
	for name, f := range map[string]finding{
		"suspended":  {generation: 1, suspended: true},
		"not usable": {generation: 1, invalid: errors.New("spec: no")},
		"failed":     {generation: 1, failed: errors.New("no")},
	} {
		got := nextStatus(before, f, t0)
		if d := cmp.Diff(before.NotInOrder, got.NotInOrder) + cmp.Diff(before.Counts, got.Counts); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if a, b := find(before, v1alpha1.ConditionRegistered), find(got, v1alpha1.ConditionRegistered); a != b {
			t.Errorf("%s: Registered became %+v", name, b)
		}
	}
	after := nextStatus(nextStatus(before, finding{generation: 1, suspended: true}, t0), finding{generation: 1, result: answered()}, t0)
	if got := conditionsOf(after); strings.Contains(got, "Stalled") || len(after.NotInOrder) > 0 {
		t.Errorf("in order again, but %s, %v", got, after.NotInOrder)
	}
}

func TestTheSameCauseHasTheSameMessage(t *testing.T) {
	for name, pair := range map[string][2]string{
		"request IDs": {
			"operation error EKS: ListClusters, https response error StatusCode: 403, RequestID: 1b9c1a08-3d51-4cf5-b2a8-3f8bbb6b4e3e, AccessDeniedException: no",
			"operation error EKS: ListClusters, https response error StatusCode: 403, RequestID: 00000000-3d51-4cf5-b2a8-3f8bbb6b4e3e, AccessDeniedException: no",
		},
		"ports of ours":          {"read tcp 10.0.0.1:51234->10.0.0.2:443: reset", "read tcp 10.0.0.1:51299->10.0.0.2:443: reset"},
		"times of signatures":    {"Signature expired: 20260701T120000Z is now earlier", "Signature expired: 20260701T120100Z is now earlier"},
		"times":                  {"certificate has expired: current time 2026-07-01T12:00:00Z is after", "certificate has expired: current time 2026-07-01T12:01:00Z is after"},
		"times with a zone":      {"at 2026-07-01 12:00:00.123 +0000 UTC", "at 2026-07-01 12:00:59.9 +0000 UTC"},
		"request IDs at the end": {"no (Service: Eks, Request ID: 1b9c1a08-aaaa)", "no (Service: Eks, Request ID: 2b9c1a08-bbbb)"},
	} {
		if a, b := message(pair[0]), message(pair[1]); a != b {
			t.Errorf("%s:\n%s\n%s", name, a, b)
		}
	}
	for _, keep := range []string{"cluster a-1 of account 111122223333 in us-east-1", "2 of 20", "https://ABC123.gr7.us-east-1.eks.amazonaws.com:443"} {
		if got := message(keep); got != keep {
			t.Errorf("%q became %q", keep, got)
		}
	}
	if got := message("a\n\tb\x1b[31m\xff" + strings.Repeat("é", 600)); len(got) > maxMessage || !strings.HasPrefix(got, "a b [31m?é") || !strings.HasSuffix(got, "é…") {
		t.Errorf("%q (%d bytes)", got, len(got))
	}
}

func TestTheStatusIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"long":                     strings.Repeat("x", 5000),
		"of many bytes a rune":     strings.Repeat("語", 5000),
		"longer when it is quoted": strings.Repeat("<", 5000),
	} {
		var all []registrar.Outcome
		res := registrar.Result{Stopped: text, StoppedReason: text}
		for i := range 10_000 {
			o := outcome(fmt.Sprintf("c%05d", 9_999-i), registry.Held)
			o.Reason, o.Message = text, text
			all = append(all, o)
			res.Scopes = append(res.Scopes, scope(fmt.Sprintf("us-east-%d", i), errors.New(text)))
		}
		res.Outcomes = all
		got := nextStatus(v1alpha1.ClusterSetStatus{}, finding{result: res}, t0)
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 100_000 || got.Counts.NotInOrder != 10_000 || len(got.NotInOrder) > 100 || len(got.NotInOrder) < 25 {
			t.Errorf("%s: %d bytes, %d of %d listed", name, len(b), len(got.NotInOrder), got.Counts.NotInOrder)
		}
		if first := got.NotInOrder[0]; first.ARN != id("c00000").ARN() || first.Reason != "Held" {
			t.Errorf("%s: the first is %s, %s", name, first.ARN, first.Reason)
		}
	}
}

func TestFailingScopesAreNamed(t *testing.T) {
	res := registrar.Result{}
	for i := range 9 {
		res.Scopes = append(res.Scopes, scope(fmt.Sprintf("us-east-%d", 8-i), errors.New(strings.Repeat("x", 400))))
	}
	got := discovered(finding{result: res}).message
	for i := range 4 {
		if !strings.Contains(got, fmt.Sprintf("us-east-%d as arn:aws:iam::111122223333:role/norikae", i)) {
			t.Errorf("region %d is not in %q", i, got)
		}
	}
	if !strings.HasSuffix(got, "and 5 more") || len(got) > maxMessage {
		t.Errorf("%q", got)
	}
	own := scope("us-east-1", errors.New("no"))
	own.RoleARN, own.Scope.Account = "", ""
	if got := scopeText(own); got != "us-east-1 with the controller's own credentials (spec.sources[0]): no" {
		t.Errorf("%q", got)
	}
}
