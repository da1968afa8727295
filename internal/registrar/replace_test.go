package registrar_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// kept are Secrets that somebody changes before they are deleted.
type kept struct{ registrar.Secrets }

func (kept) Delete(context.Context, registry.Entry) error {
	return fmt.Errorf("it has changed: %w", fault.ErrConflict)
}

// A Secret that was adopted has a name of its own, so that a new one would stand beside it.
func TestWhatCouldNotBeDeletedIsNotReplaced(t *testing.T) {
	memory := fleettest.NewMemory()
	_, c := cluster("a")
	const old = "https://old.example.com"
	if err := memory.Put(t.Context(), registry.Entry{
		Name: "adopted", Owner: owner, Cluster: c.Cluster.ID, Created: time.Unix(1, 0), Allow: []string{registry.AllowReplace},
		Registration: registry.Registration{ClusterName: "a", Server: old, Labels: map[string]string{}},
	}); err != nil {
		t.Fatal(err)
	}
	replaced(t, memory, kept{memory}, "a Unwritten ChangedMeanwhile", old)
	replaced(t, memory, memory, "a Registered Replaced", c.Cluster.Endpoint)
}

// replaced runs a pass that is to leave one Secret, with a server.
func replaced(t *testing.T, memory *fleettest.Memory, secrets registrar.Secrets, state, server string) {
	t.Helper()
	res := pass(t, registrar.New(registrar.Config{Discoverer: skyOf("a"), Secrets: secrets}), registrar.Options{})
	if got := states(res); len(got) != 1 || got[0] != state {
		t.Errorf("%q, want %q", got, state)
	}
	all, err := memory.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Server != server {
		t.Errorf("%+v, %v", all, err)
	}
}
