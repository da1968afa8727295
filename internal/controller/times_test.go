package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Times in errors are left out of the status, because they change with each; those that
// are noted on a Secret do not change, and are what a person wants to know.
func TestTheStatusSaysSinceWhenAClusterIsMissing(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	id := registry.ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "blue"}
	owner := registry.Owner{Namespace: "argocd", Name: "fleet"}
	plan := registry.Decide(registry.Input{
		Set:      &registry.Set{Owner: owner, Deletion: registry.Deletion{Delete: true, Grace: time.Hour}},
		Snapshot: registry.Snapshot{Sightings: map[string]registry.Sighting{id.ARN(): {Presence: registry.Gone}}},
		Entries:  []registry.Entry{{Name: "eks-blue", Owner: owner, Cluster: id, Notes: registry.Notes{MissingSince: now.Add(-time.Minute)}}},
		Now:      now,
	})
	text := problemText(registrar.Outcome{Action: plan.Actions[0]})
	for _, want := range []string{"23 Nov 2026 11:59:00 UTC", "23 Nov 2026 12:59:00 UTC"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}
