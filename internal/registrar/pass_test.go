package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

var owner = registry.Owner{Namespace: "argocd", Name: "fleet"}

// sky is an AWS that answers at once.
type sky map[string]registry.Sighting

func (s sky) Discover(ctx context.Context, _ *registry.Set, known []registry.ID) (registry.Snapshot, error) {
	out := registry.Snapshot{Sightings: map[string]registry.Sighting{}}
	maps.Copy(out.Sightings, s)
	for _, id := range known {
		if _, ok := s[id.ARN()]; !ok {
			out.Sightings[id.ARN()] = registry.Sighting{Presence: registry.Gone}
		}
	}
	return out, ctx.Err()
}

func cluster(name string) (string, registry.Sighting) {
	id := registry.ID{Partition: "aws", Account: "111111111111", Region: "us-east-1", Name: name}
	return id.ARN(), registry.Sighting{Presence: registry.Present, Cluster: registry.Cluster{
		ID: id, Status: registry.Active, Endpoint: "https://" + name + ".example.com", CA: "Y2E=", Created: time.Unix(1, 0),
	}}
}

func skyOf(names ...string) sky {
	s := sky{}
	for _, n := range names {
		arn, x := cluster(n)
		s[arn] = x
	}
	return s
}

func set() *registry.Set {
	return &registry.Set{
		Owner:    owner,
		Sources:  []registry.Source{{Regions: []string{"us-east-1"}, Accounts: []registry.Account{{RoleARN: "arn:aws:iam::111111111111:role/x"}}}},
		Template: registry.Template{Name: registry.MustParseText("{{ .Name }}")}, Auth: registry.Auth{AWS: &registry.AWSAuth{}},
		TargetGroups: &registry.TargetGroups{None: true}, Interval: time.Minute, RefreshInterval: time.Minute,
		Deletion: registry.Deletion{Delete: true, Grace: time.Hour, MaxPercent: 50},
	}
}

// wrapped Secrets, whose creations are looked at.
type wrapped struct {
	registrar.Secrets

	create func(name string) error // before it happens
}

func (w wrapped) Create(ctx context.Context, o registry.Owner, a registry.Action) error {
	if err := w.create(a.Cluster.Name); err != nil {
		return err
	}
	return w.Secrets.Create(ctx, o, a)
}

// states of a result, as NAME STATE REASON.
func states(res registrar.Result) (out []string) {
	for _, o := range res.Outcomes {
		out = append(out, fmt.Sprintf("%s %s %s", o.Cluster.Name, o.State, o.Reason))
	}
	return out
}

func pass(t *testing.T, r *registrar.Registrar, o registrar.Options) registrar.Result {
	t.Helper()
	res, err := r.Pass(t.Context(), set(), o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestADryRunWritesToThePreviewOnly(t *testing.T) {
	real, preview := fleettest.NewRecorder(fleettest.NewMemory()), fleettest.NewRecorder(fleettest.NewMemory())
	r := registrar.New(registrar.Config{Discoverer: skyOf("a", "b"), Secrets: real, Preview: preview})
	res := pass(t, r, registrar.Options{DryRun: true})
	if n, p := len(real.Writes()), len(preview.Writes()); n != 0 || p != 2 {
		t.Errorf("%d real writes and %d previews, want 0 and 2", n, p)
	}
	if got := res.Counts(); got != (registrar.Counts{Discovered: 2, Registered: 2}) {
		t.Errorf("counts %+v", got)
	}
	pass(t, r, registrar.Options{})
	if n := len(real.Writes()); n != 2 {
		t.Errorf("%d real writes after the real pass, want 2", n)
	}
}

func TestWhatFailsLeavesTheRestAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		reason string
	}{
		"somebody was faster":   {fmt.Errorf("taken: %w", fault.ErrConflict), "ChangedMeanwhile"},
		"it is not permitted":   {fmt.Errorf("forbidden: %w", fault.ErrDenied), "WriteDenied"},
		"the API server is off": {errors.New("connection refused"), "WriteFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := wrapped{fleettest.NewMemory(), func(name string) error {
				if name == "b" {
					return tc.err
				}
				return nil
			}}
			res := pass(t, registrar.New(registrar.Config{Discoverer: skyOf("a", "b", "c"), Secrets: s}), registrar.Options{})
			want := []string{"a Registered Registered", "b Unwritten " + tc.reason, "c Registered Registered"}
			if d := cmp.Diff(want, states(res)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if got := res.Counts(); got != (registrar.Counts{Discovered: 3, Registered: 2, NotInOrder: 1}) {
				t.Errorf("counts %+v", got)
			}
		})
	}
}

func TestAnInterruptedPassSaysWhatItDidNotWrite(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	memory := fleettest.NewMemory()
	s := wrapped{memory, func(string) error { once.Do(cancel); return nil }}
	res, err := registrar.New(registrar.Config{Discoverer: skyOf("a", "b"), Secrets: s}).Pass(ctx, set(), registrar.Options{})
	if err != nil {
		t.Fatalf("what was written until then is a result: %v", err)
	}
	for _, o := range res.Outcomes {
		if o.State != registry.Unwritten || o.Reason != "Interrupted" || o.Written {
			t.Errorf("%s: %s %s, written %v", o.Cluster.Name, o.State, o.Reason, o.Written)
		}
	}
	if all, _ := memory.List(t.Context()); len(all) != 0 {
		t.Errorf("%d Secrets were written", len(all))
	}
}

func TestAPassThatEndsBeforeItDecidesIsNoResult(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := registrar.New(registrar.Config{Discoverer: skyOf("a"), Secrets: fleettest.NewMemory()}).Pass(ctx, set(), registrar.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// prober answers by name.
type prober map[string]error

func (p prober) Probe(_ context.Context, c registry.Cluster) error { return p[c.Name] }

func TestQuestionsAreAskedOnceAndDecide(t *testing.T) {
	s := set()
	s.Probe = registry.Probe{Enabled: true, Timeout: time.Second}
	r := registrar.New(registrar.Config{
		Discoverer: skyOf("a", "b"), Secrets: fleettest.NewMemory(), Prober: prober{"b": errors.New("no route to it")},
	})
	res, err := r.Pass(t.Context(), s, registrar.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"a Registered Registered", "b Unreachable ProbeFailed"}, states(res)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What one pass deleted counts against the next, which comes within the grace.
func TestDeletionsOfEarlierPassesCount(t *testing.T) {
	memory := fleettest.NewMemory()
	s := fleettest.NewRecorder(memory)
	now := time.Unix(1_000_000, 0)
	r := registrar.New(registrar.Config{Discoverer: skyOf("a", "b", "c", "d"), Secrets: s, Now: func() time.Time { return now }})
	pass(t, r, registrar.Options{})
	all, err := memory.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Three went, one by one, long ago, and were never deleted.
	for i, e := range all[:3] {
		_ = memory.Edit(t.Context(), e.Name, func(e *registry.Entry) { e.MissingSince = now.Add(-time.Duration(i+5) * time.Hour) })
	}
	for range 3 {
		// A process that has just started each time.
		gone := registrar.New(registrar.Config{Discoverer: skyOf(all[3].Cluster.Name), Secrets: s, Now: func() time.Time { return now }})
		pass(t, gone, registrar.Options{})
		now = now.Add(time.Minute)
	}
	deleted := 0
	for _, w := range s.Writes() {
		if w.Do == registry.Delete {
			deleted++
		}
	}
	if deleted != 2 { // half of four
		t.Errorf("%d were deleted within the grace, want 2", deleted)
	}
}

// unmarkable is where no note can be written.
type unmarkable struct{ *fleettest.Memory }

func (unmarkable) Mark(context.Context, registry.Action) error { return fault.ErrConflict }

// A Secret that has to wait for a deletion, and could not be told, keeps it from happening.
func TestNothingIsDeletedBeforeTheOthersKnow(t *testing.T) {
	memory := fleettest.NewMemory()
	pass(t, registrar.New(registrar.Config{Discoverer: skyOf("a", "b", "c", "d"), Secrets: memory}), registrar.Options{})
	all, err := memory.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all[:3] {
		_ = memory.Edit(t.Context(), e.Name, func(e *registry.Entry) { e.MissingSince = time.Now().Add(-5 * time.Hour) })
	}
	discoverer := skyOf(all[3].Cluster.Name)
	res := pass(t, registrar.New(registrar.Config{Discoverer: discoverer, Secrets: unmarkable{memory}}), registrar.Options{})
	for _, o := range res.Outcomes {
		if o.Do == registry.Delete && (o.Written || o.Reason != "ChangedMeanwhile" || !strings.Contains(o.Message, "has to be told to wait")) {
			t.Errorf("%s: written %v, %s: %s", o.Cluster.Name, o.Written, o.Reason, o.Message)
		}
	}
	if left, _ := memory.List(t.Context()); len(left) != 4 {
		t.Errorf("%d Secrets are left, want 4", len(left))
	}
	pass(t, registrar.New(registrar.Config{Discoverer: discoverer, Secrets: memory}), registrar.Options{})
	if left, _ := memory.List(t.Context()); len(left) != 2 {
		t.Errorf("%d Secrets are left when they could be told, want 2", len(left))
	}
}
