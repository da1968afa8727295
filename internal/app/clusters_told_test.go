package app

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// slowSecrets are interrupted in the middle of each write.
type slowSecrets struct {
	registrar.Secrets // only what is called below is there

	entries   []registry.Entry
	interrupt context.CancelFunc
	began     int
	cutOff    bool
}

func (s *slowSecrets) List(context.Context) ([]registry.Entry, error) { return s.entries, nil }

func (s *slowSecrets) write(ctx context.Context) error {
	s.began++
	s.interrupt()
	s.cutOff = s.cutOff || ctx.Err() != nil
	return ctx.Err()
}

func (s *slowSecrets) Create(ctx context.Context, _ registry.Owner, _ registry.Action) error {
	return s.write(ctx)
}

func (s *slowSecrets) Update(ctx context.Context, _ registry.Owner, _ registry.Action) error {
	return s.write(ctx)
}

func (s *slowSecrets) Mark(ctx context.Context, _ registry.Action) error { return s.write(ctx) }

func (s *slowSecrets) Delete(ctx context.Context, _ registry.Entry) error { return s.write(ctx) }

func TestAnInterruptEndsBetweenWrites(t *testing.T) {
	for name, write := range map[string]func(context.Context, registrar.Secrets) error{
		"create": func(ctx context.Context, s registrar.Secrets) error {
			return s.Create(ctx, registry.Owner{}, registry.Action{})
		},
		"update": func(ctx context.Context, s registrar.Secrets) error {
			return s.Update(ctx, registry.Owner{}, registry.Action{})
		},
		"mark":   func(ctx context.Context, s registrar.Secrets) error { return s.Mark(ctx, registry.Action{}) },
		"delete": func(ctx context.Context, s registrar.Secrets) error { return s.Delete(ctx, registry.Entry{}) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		slow := &slowSecrets{interrupt: cancel}
		s := &told{Secrets: slow, witness: &witness{}}
		if err := write(ctx, s); err != nil || slow.cutOff {
			t.Errorf("%s: the write that was under way ended with %v, cut off: %t", name, err, slow.cutOff)
		}
		if err := write(ctx, s); !errors.Is(err, context.Canceled) || slow.began != 1 {
			t.Errorf("%s: after the interrupt: %v, and %d writes began, want 1", name, err, slow.began)
		}
		cancel()
	}
}

func TestWhatIsToldHoldsForWhatItIsAboutOnly(t *testing.T) {
	owner, other := registry.Owner{Namespace: "argocd", Name: "fleet"}, registry.Owner{Namespace: "argocd", Name: "other"}
	blue := registry.ID{Partition: "aws", Account: "111111111111", Region: "us-east-1", Name: "blue"}
	f := &fleet{info: cli.FleetInfo{Set: &registry.Set{Owner: owner}}}
	s := f.told(&slowSecrets{entries: []registry.Entry{
		{Name: "mine", Owner: owner, Cluster: blue, Allow: []string{"x"}},
		{Name: "green", Owner: owner, Cluster: registry.ID{Name: "green"}},
		{Name: "theirs", Owner: other, Cluster: blue},
		{Name: "by-hand"},
		{Name: "left"},
	}}, cli.PassOptions{
		Adopt: []string{"by-hand", "theirs", "mine"}, Allow: map[string][]string{blue.ARN(): {registry.AllowRelabel}},
	}, &witness{})
	entries, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.Entry{
		{Name: "mine", Owner: owner, Cluster: blue, Allow: []string{"x", registry.AllowRelabel}},
		{Name: "green", Owner: owner, Cluster: registry.ID{Name: "green"}},
		{Name: "theirs", Owner: other, Cluster: blue},
		{Name: "by-hand", Adopt: owner},
		{Name: "left"},
	}
	if d := cmp.Diff(want, entries); d != "" {
		t.Errorf("entries (-want +got):\n%s", d)
	}
}

func TestANameMayBeMeantInEveryAccountAndRegion(t *testing.T) {
	arn := "arn:aws-cn:eks:cn-north-1:222222222222:cluster/blue"
	f := &fleet{last: &registry.Input{Snapshot: registry.Snapshot{Scopes: []registry.ScopeResult{
		{Scope: registry.Scope{Account: "111111111111", Region: "us-east-1"}},
		{Scope: registry.Scope{Account: "111111111111", Region: "us-east-1"}, Source: 1},
		{Scope: registry.Scope{Account: "222222222222", Region: "cn-north-1"}},
		{Scope: registry.Scope{Account: "333333333333", Region: "us-gov-west-1"}},
		{Scope: registry.Scope{Region: "eu-west-1"}, Err: errors.New("no credentials")},
	}}}}
	for name, want := range map[string][]string{
		"blue":        {"arn:aws:eks:us-east-1:111111111111:cluster/blue", arn, "arn:aws-us-gov:eks:us-gov-west-1:333333333333:cluster/blue"},
		arn:           {arn},
		"argocd/blue": nil, // no cluster is called so
	} {
		var got []string
		for _, id := range f.candidates(name) {
			got = append(got, id.ARN())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
