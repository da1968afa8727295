package state_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/state"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// shelf is a service that numbers what is put on it, and tells the time of it.
type shelf struct {
	dir   *state.Dir
	items []string
	odd   string // what it adds to every result
}

func (s *shelf) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) {
	switch name := r.Params.Str("Name"); {
	case r.Operation == "List":
		return wire.Struct{{Name: "Items", Value: strings.Join(s.items, " ")}}, nil
	case name == "":
		return nil, wire.Errorf("ValidationError", "no name")
	default:
		at := s.dir.Now()
		s.items = append(s.items, fmt.Sprintf("%d:%s:%s@%d", len(s.items), r.AccountID, name, at.UnixNano()))
		return wire.Struct{{Name: "ID", Value: len(s.items)}, {Name: "At", Value: at}, {Name: "Odd", Value: s.odd}}, nil
	}
}

func isRead(op string) bool { return op == "List" }

// lab opens a directory and restores what it holds.
func lab(t *testing.T, path, odd string) (*state.Dir, *shelf, wire.Service, error) {
	t.Helper()
	d, err := state.Open(state.Config{Path: path, World: "w", Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() }) // a second time where the test did
	s := &shelf{dir: d, odd: odd}
	served := d.Services(isRead)(s)
	err = d.Restore(t.Context(), func(ctx context.Context, r *wire.Request) (wire.Struct, error) { return served.Serve(ctx, r) })
	return d, s, served, err
}

func put(t *testing.T, s wire.Service, account, name string) {
	t.Helper()
	_, err := s.Serve(t.Context(), &wire.Request{Service: "shelf", Operation: "Put", AccountID: account, Params: wire.Params{"Name": name}})
	if _, refused := errors.AsType[*wire.Error](err); err != nil && !refused {
		t.Fatal(err)
	}
}

func TestALabHasItsResourcesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lab")
	d, first, served, err := lab(t, path, "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, served, "1", "a")
	put(t, served, "2", "b\n\"c\"")
	put(t, served, "1", "") // refused
	if _, err := served.Serve(t.Context(), &wire.Request{Operation: "List"}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d, again, served, err := lab(t, path, "")
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(again.items) != fmt.Sprint(first.items) {
			t.Fatalf("got  %q\nwant %q", again.items, first.items)
		}
		put(t, served, "1", "more")
		first.items = again.items
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"lab.json", "calls.jsonl", "lock"} {
		info, err := os.Stat(filepath.Join(path, f))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, info, err)
		}
	}
}

func TestATornLastCallIsCutOff(t *testing.T) {
	path := t.TempDir()
	d, _, served, _ := lab(t, path, "")
	put(t, served, "1", "a")
	put(t, served, "1", "b")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(path, "calls.jsonl")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Index(string(whole), "\n") + 1
	for n := range len(whole) + 1 {
		if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		d, s, _, err := lab(t, path, "")
		want := 0
		if n >= first {
			want = 1
		}
		if n == len(whole) {
			want = 2
		}
		if err != nil || len(s.items) != want {
			t.Fatalf("%d of %d bytes: %d items, want %d, %v", n, len(whole), len(s.items), want, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	path := t.TempDir()
	d, _, served, _ := lab(t, path, "")
	put(t, served, "1", "a")
	if _, err := state.Open(state.Config{Path: path, World: "w", Seed: 7}); err == nil || !strings.Contains(err.Error(), "another lab runs there") {
		t.Errorf("two labs in one directory: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Open(state.Config{Path: path, World: "other", Seed: 7}); err == nil || !strings.Contains(err.Error(), "--seed \"w\"") {
		t.Errorf("another world: %v", err)
	}
	if _, err := state.Open(state.Config{Path: path, World: "w", Seed: 8}); err == nil {
		t.Error("another seed was taken")
	}
	_, _, _, err := lab(t, path, "x")
	if err == nil || !strings.Contains(err.Error(), "comes out as") {
		t.Errorf("a call that comes out otherwise: %v", err)
	}
}

func TestWhatListensDoesSoWhereItDid(t *testing.T) {
	path := t.TempDir()
	var asked []string
	open := func(network, addr string) (net.Listener, error) {
		asked = append(asked, addr)
		return (&net.ListenConfig{}).Listen(t.Context(), network, addr)
	}
	var addrs []string
	for range 2 {
		d, _, _, err := lab(t, path, "")
		if err != nil {
			t.Fatal(err)
		}
		listen := d.Listen("cluster/blue", open)
		for range 2 {
			ln, err := listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, ln.Addr().String())
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if addrs[0] != addrs[2] || addrs[1] != addrs[3] || asked[0] != "127.0.0.1:0" {
		t.Errorf("listened at %q, asked for %q", addrs, asked)
	}
}

func TestNoDirectoryKeepsNothing(t *testing.T) {
	var d *state.Dir
	s := &shelf{}
	if d.Services(isRead)(s) != wire.Service(s) || d.Restore(t.Context(), nil) != nil || d.Close() != nil || d.Now().IsZero() {
		t.Error("a nil Dir did something")
	}
}
