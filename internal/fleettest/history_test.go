package fleettest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/carries"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// environment has the lab's keys and nothing of the machine's.
func environment(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, "")
		}
	}
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "HOME": t.TempDir(),
	} {
		t.Setenv(k, v)
	}
}

func text(t *testing.T, source string) *registry.Text {
	t.Helper()
	x, err := registry.ParseText(source)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// set selects the world's fleet through a role in each account.
func set(t *testing.T, w *World, interval time.Duration) *registry.Set {
	t.Helper()
	s := &registry.Set{
		Owner: registry.Owner{Namespace: Namespace, Name: "fleet"},
		Template: registry.Template{
			Name:   text(t, "{{ .Name }}-{{ .Region }}-{{ .Account }}"),
			Labels: map[string]*registry.Text{"cell": text(t, "{{ .Tags.cell }}")},
		},
		Auth:         registry.Auth{AWS: &registry.AWSAuth{}},
		TargetGroups: &registry.TargetGroups{Name: text(t, "{{ .Name }}-web")},
		Interval:     interval, RefreshInterval: 5 * interval,
		Deletion: registry.Deletion{Delete: true, Grace: 10 * interval, MaxPercent: 20, KeepLast: 1},
	}
	src := registry.Source{Regions: w.Regions, Selector: registry.Selector{Tags: map[string]string{TagKey: TagValue}}}
	for _, a := range w.Accounts {
		src.Accounts = append(src.Accounts, registry.Account{RoleARN: "arn:aws:iam::" + a + ":role/clusters", ExternalID: "norikae"})
	}
	s.Sources = []registry.Source{src}
	return s
}

// process is the product as it starts: nothing in its memory, and its own connections.
func process(w *World, secrets registrar.Secrets) (*registrar.Registrar, error) {
	cfg, err := adapters(w, secrets)
	return registrar.New(cfg), err
}

func adapters(w *World, secrets registrar.Secrets) (cfg registrar.Config, err error) {
	pool := awsconf.NewPool(awsconf.Options{Endpoint: w.Endpoint, HTTPClient: w.HTTP()})
	config := func(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
		return pool.Config(ctx, region, awsconf.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID})
	}
	d, err := discover.New(discover.Config{AWS: config})
	if err != nil {
		return cfg, err
	}
	f, err := carries.New(carries.Config{AWS: config})
	return registrar.Config{Discoverer: d, Secrets: secrets, Traffic: f}, err
}

// histories to run; make sweep runs 1,000.
func histories(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("NORIKAE_HISTORIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("NORIKAE_HISTORIES=%q is not a number above 0", text)
		}
		return n
	}
	return 25
}

// A fleet lives through random histories of events and failures of AWS, and the process
// that keeps its Secrets is killed at random writes. Nothing is ever removed that is
// there, and everything is in order when the failures have ended.
func TestHistoriesWithFaultsConvergeAndRemoveNothingWrongly(t *testing.T) {
	environment(t)
	deleted := 0
	for seed := range histories(t) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { deleted += live(t, uint64(seed)) })
		})
	}
	t.Logf("%d Secrets deleted rightly in %d passes", deleted, rounds*histories(t))
	if deleted == 0 && histories(t) > 10 {
		t.Error("no history deleted a Secret: they prove nothing about deletion")
	}
}

// A history may end at any time after a cluster was made anew: also just before the old
// one's Secret is due.
func TestAHistoryThatEndsWhileAClusterIsMadeAnewSettles(t *testing.T) {
	environment(t)
	for minutes := range 12 {
		t.Run(fmt.Sprintf("%d minutes before", minutes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{Accounts: 2, Regions: 2, Seed: 1, Delay: time.Minute, IndexLag: time.Minute})
				defer closed(t, w)
				h := history(t, w, 1)
				if err := h.Begin(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
				for _, do := range []func() error{
					func() error { return h.remove(t.Context()) },
					func() error { return passes(t, h, 3) },
					func() error { return h.recreate(t.Context()) },
					func() error { return passes(t, h, minutes) },
					func() error { return h.Settle(t.Context()) },
				} {
					if err := do(); err != nil {
						t.Fatal(err)
					}
				}
				h.verdict(t)
			})
		})
	}
}

// passes that many, an interval apart.
func passes(t *testing.T, h *History, n int) error {
	t.Helper()
	for range n {
		if err := h.Pass(t.Context()); err != nil {
			return err
		}
		time.Sleep(h.Set.Interval)
	}
	return nil
}

func newWorld(t *testing.T, c Config) *World {
	t.Helper()
	w, err := NewWorld(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func closed(t *testing.T, w *World) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

const rounds = 30

func live(t *testing.T, seed uint64) (deleted int) {
	t.Helper()
	w := newWorld(t, Config{Accounts: 2, Regions: 2, Seed: seed, Delay: time.Minute, IndexLag: time.Minute})
	defer closed(t, w)
	return judged(t, history(t, w, seed), 10, rounds)
}

// history of a set in a world, with Secrets in memory.
func history(t *testing.T, w *World, seed uint64) *History {
	t.Helper()
	memory := NewMemory()
	s := NewRecorder(memory)
	return &History{
		World: w, Secrets: s, People: memory, Set: set(t, w, time.Minute), Rand: rand.New(rand.NewPCG(seed, 1)),
		Process: func() (*registrar.Registrar, error) { return process(w, s) },
	}
}

// judged is a history from its beginning to its end, held against every law. It returns
// how many Secrets were deleted.
func judged(t *testing.T, h *History, clusters, rounds int) (deleted int) {
	t.Helper()
	for _, step := range []func() error{
		func() error { return h.Begin(t.Context(), clusters) },
		func() error { return h.Run(t.Context(), rounds) },
		func() error { return h.Settle(t.Context()) },
	} {
		if err := step(); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(h.Log(), "\n"))
		}
	}
	h.verdict(t)
	for _, x := range h.Secrets.Writes() {
		if x.Do == registry.Delete {
			deleted++
		}
	}
	return deleted
}

// verdict on a history that has settled.
func (h *History) verdict(t *testing.T) {
	t.Helper()
	wrong, err := h.Final(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if broken := append(wrong, Judge(h.Set, h.World.Evidence(h.Secrets))...); len(broken) > 0 {
		t.Errorf("%s\n---\n%s", strings.Join(broken, "\n"), strings.Join(h.Log(), "\n"))
	}
}
