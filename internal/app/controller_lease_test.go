package app

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// locks of two replicas, and what the context of the first ends with.
func locks(t *testing.T) (first, second *lease, ctx context.Context) {
	t.Helper()
	c := kubernetes.Cluster(t)
	kube := connection{config: c.Config, scheme: c.Scheme, leaseNamespace: c.Namespace}
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	lost := cancel
	for _, l := range []**lease{&first, &second} {
		made, stop, err := newLease(kube, "controller", lost)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		*l = made
		lost = func(err error) { t.Errorf("the second has lost the lease: %v", err) }
	}
	return first, second, ctx
}

// hold the lease, as the leader election does.
func hold(t *testing.T, l *lease) {
	t.Helper()
	r := resourcelock.LeaderElectionRecord{HolderIdentity: l.Identity(), LeaseDurationSeconds: 15}
	_, _, err := l.Get(t.Context())
	if apierrors.IsNotFound(err) {
		err = l.Create(t.Context(), r)
	} else if err == nil {
		err = l.Update(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func holder(t *testing.T, l *lease) string {
	t.Helper()
	r, _, err := l.Interface.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.HolderIdentity
}

func TestALeaseOfAnotherIsNotGivenUp(t *testing.T) {
	t.Parallel()
	first, second, ctx := locks(t)
	hold(t, first)
	hold(t, second)
	if context.Cause(ctx) != nil {
		t.Errorf("the first has not looked yet, and ends with %v", context.Cause(ctx))
	}
	if _, _, err := first.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Update(t.Context(), resourcelock.LeaderElectionRecord{}); !errors.Is(err, errTaken) {
		t.Errorf("the first gives the lease up: %v", err)
	}
	if got := holder(t, second); got != second.Identity() {
		t.Errorf("it is held by %q, want the second, %q", got, second.Identity())
	}
	if cause := context.Cause(ctx); !errors.Is(cause, errTaken) {
		t.Errorf("the first does not end, for it has seen that the second leads: %v", cause)
	}
}

func TestALeaseOfOnesOwnIsGivenUp(t *testing.T) {
	t.Parallel()
	first, second, ctx := locks(t)
	if _, _, err := second.Get(t.Context()); !apierrors.IsNotFound(err) {
		t.Fatalf("there is a lease: %v", err)
	}
	hold(t, first)
	hold(t, first) // renewed
	if _, _, err := second.Get(t.Context()); err != nil {
		t.Fatal(err) // it waits, and has lost nothing
	}
	if err := first.Update(t.Context(), resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1}); err != nil {
		t.Fatal(err)
	}
	if got := holder(t, second); got != "" {
		t.Errorf("it is held by %q, want nobody", got)
	}
	hold(t, second)
	if _, _, err := first.Get(t.Context()); err != nil || context.Cause(ctx) != nil {
		t.Errorf("who gave it up has lost nothing: %v, %v", err, context.Cause(ctx))
	}
}
