package terraform

import (
	"slices"
	"testing"
)

// C13: what is half made is tainted, which the user may undo.
func TestAHalfMadeClusterIsContinuedAfterUntaint(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	f, s := l.clusters(t, clusterNamed("half")(l, "", 1))
	env := f.env
	f.env = append(slices.Clone(env), "EKSCTL_FAIL=create cluster")
	contains(t, f.fails(t, "apply", "-auto-approve").errors(), "terraform untaint eksctl_cluster.NAME")
	f.env = env
	f.ok(t, "untaint", "eksctl_cluster.this")
	s.verbs(t)
	f.apply(t)
	f.empty(t)
	for _, verb := range s.verbs(t) {
		if verb == "create cluster" || verb == "delete cluster" {
			t.Errorf("after untaint eksctl ran %s", verb)
		}
	}
	f.ok(t, "destroy", "-auto-approve")
}

// eksctl fails after EKS has forgotten the cluster: stacks are left.
func TestAHalfDeletedClusterStaysInTheStateUntilEksctlSucceeds(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	f, s := l.clusters(t, clusterNamed("rest")(l, "", 1))
	env := f.env
	half := func() {
		t.Helper()
		f.apply(t)
		f.env = append(slices.Clone(env), "EKSCTL_FAIL=delete cluster")
		contains(t, f.fails(t, "destroy", "-auto-approve").errors(), "It stays in the state")
		f.env = env
		if status := l.status(t, "rest"); status != "" {
			t.Fatalf("the cluster is %s", status)
		}
		s.verbs(t)
	}
	deletions := func() (n int) {
		for _, verb := range s.verbs(t) {
			if verb == "delete cluster" {
				n++
			}
		}
		return n
	}
	half()
	f.ok(t, "destroy", "-auto-approve")
	if n := deletions(); n != 1 {
		t.Errorf("the second destroy ran eksctl delete cluster %d times", n)
	}
	half()
	f.apply(t) // takes the rest away, and makes it anew
	if n := deletions(); n != 1 {
		t.Errorf("the apply ran eksctl delete cluster %d times", n)
	}
	f.empty(t)
	f.ok(t, "destroy", "-auto-approve")
}
