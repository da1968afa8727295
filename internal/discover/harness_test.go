package discover_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

// TestMain keeps the machine's own AWS configuration out.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			setenv(name, "")
		}
	}
	setenv("AWS_CONFIG_FILE", os.DevNull)
	setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

func setenv(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

// own is the account of the caller's credentials; others are entered by roles.
const own = awssim.Account

// world is a simulated AWS in memory and a Discoverer on it, in a synctest bubble.
type world struct {
	*awssim.Lab
	*discover.Discoverer

	t         testing.TB
	transport *http.Transport
	pool      *awsconf.Pool
	pos       int // in the log of calls
}

// virtually runs f in a bubble, on a world without clusters.
func virtually(t *testing.T, change func(*awssim.Config), f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, change)
		defer w.end()
		f(t, w)
	})
}

func newWorld(t testing.TB, change func(*awssim.Config)) *world {
	t.Helper()
	network := &memnet.Network{}
	cfg := awssim.Config{
		Listen: network.Listen, Dial: network.DialContext, DataPlane: awssim.PlaneSynth, ClusterDelay: 10 * time.Minute, Seed: 7,
	}
	if change != nil {
		change(&cfg)
	}
	lab, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Lab: lab, t: t, transport: network.Transport()}
	w.transport.MaxIdleConnsPerHost = 64
	if err := lab.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	return w
}

// restart is a process that remembers nothing.
func (w *world) restart() {
	w.pool = awsconf.NewPool(awsconf.Options{
		Region: awssim.Region, Endpoint: w.Endpoint(), HTTPClient: &http.Client{Transport: w.transport, Timeout: 8 * time.Second},
		Credentials: credentials.NewStaticCredentialsProvider("AKIADISCOVER", "fake", ""), In: "spec.sources[].eks.accounts[]",
	})
	w.discoverer(discover.Config{})
}

// discoverer replaces the world's.
func (w *world) discoverer(cfg discover.Config) {
	w.t.Helper()
	cfg.Seed = 7
	if cfg.AWS == nil {
		cfg.AWS = w.aws
	}
	d, err := discover.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Discoverer = d
}

func (w *world) aws(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
	return w.pool.Config(ctx, region, awsconf.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID})
}

// end is close in virtual time. The SDK assumes roles in the background, and goes on with
// its attempts within the call's deadline when nobody waits for it any more.
func (w *world) end() {
	time.Sleep(time.Minute)
	w.close()
}

func (w *world) close() {
	w.transport.CloseIdleConnections()
	if err := w.Lab.Close(); err != nil {
		w.t.Error(err)
	}
}

// id of a cluster.
func id(account, region, name string) registry.ID {
	return registry.ID{Partition: "aws", Account: account, Region: region, Name: name}
}

func prod() map[string]string { return map[string]string{"env": "prod"} }

// add makes clusters that are ACTIVE, and returns their IDs.
func (w *world) add(tags map[string]string, ids ...registry.ID) []registry.ID {
	w.t.Helper()
	for _, id := range ids {
		if _, err := w.AddCluster(w.t.Context(), eks.NewCluster{Account: id.Account, Region: id.Region, Name: id.Name, Tags: tags}); err != nil {
			w.t.Fatal(err)
		}
	}
	return ids
}

// fill makes n clusters in an account and region.
func (w *world) fill(account, region string, n int) []registry.ID {
	w.t.Helper()
	var ids []registry.ID
	for i := range n {
		ids = append(ids, id(account, region, fmt.Sprintf("c-%05d", i+1)))
	}
	return w.add(prod(), ids...)
}

// do is a call of EKS by AWS itself or somebody whom nobody watches.
func (w *world) do(id registry.ID, operation string, p wire.Params) {
	w.t.Helper()
	if _, err := w.Do(w.t.Context(), "eks", id.Account, id.Region, operation, p); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) delete(id registry.ID) { w.do(id, "DeleteCluster", wire.Params{"name": id.Name}) }

func (w *world) create(id registry.ID) {
	w.do(id, "CreateCluster", wire.Params{
		"name": id.Name, "roleArn": "arn:aws:iam::" + id.Account + ":role/eks", "tags": wire.Params{"env": "prod"},
		"resourcesVpcConfig": wire.Params{"subnetIds": []any{"subnet-0a", "subnet-0b"}},
	})
}

func (w *world) tag(id registry.ID, key, value string) {
	w.do(id, "TagResource", wire.Params{"resourceArn": id.ARN(), "tags": wire.Params{key: value}})
}

// fault injects one, and returns how to end it.
func (w *world) fault(r fault.Rule) (end func()) {
	w.t.Helper()
	n, err := w.Faults().Add(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := w.Faults().Remove(n); err != nil {
			w.t.Error(err)
		}
	}
}

// deny lets an operation of one account fail, until end is called.
func (w *world) deny(account string, operations ...string) (end func()) {
	return w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
		if p == wire.Before && r.AccountID == account && slices.Contains(operations, r.Operation) {
			return &wire.Error{Code: "AccessDeniedException", Message: "User is not authorized to perform: " + r.Operation, Status: http.StatusForbidden}
		}
		return nil
	})
}

// pass looks at everything once.
func (w *world) pass(set *registry.Set, known ...registry.ID) registry.Snapshot {
	w.t.Helper()
	snap, err := w.Discover(w.t.Context(), set, known)
	if err != nil {
		w.t.Fatal(err)
	}
	return snap
}

// calls since the last time, by operation, such as "eks:DescribeCluster": 3.
func (w *world) calls() map[string]int {
	entries, pos := w.Calls().Since(w.pos)
	w.pos = pos
	out := map[string]int{}
	for _, c := range entries {
		out[c.Service+":"+c.Operation]++
	}
	return out
}

// role of an account.
func role(account string) registry.Account {
	return registry.Account{RoleARN: "arn:aws:iam::" + account + ":role/norikae"}
}

// accountsOf are ways into accounts: the caller's own without a role.
func accountsOf(accounts ...string) (out []registry.Account) {
	for _, a := range accounts {
		if a == own {
			out = append(out, registry.Account{})
			continue
		}
		out = append(out, role(a))
	}
	return out
}

// setOf clusters with env=prod.
func setOf(accounts []string, regions ...string) *registry.Set {
	return &registry.Set{
		Owner: registry.Owner{Namespace: "argocd", Name: "all"}, Interval: time.Minute, RefreshInterval: time.Hour,
		Sources: []registry.Source{{Regions: regions, Accounts: accountsOf(accounts...), Selector: registry.Selector{Tags: prod()}}},
	}
}

// untagged makes a set select by name only.
func untagged(s *registry.Set) *registry.Set {
	for i := range s.Sources {
		s.Sources[i].Selector = registry.Selector{Names: []string{"*"}}
	}
	return s
}

// seen says in a few words what a snapshot has: "NAME STATUS", "NAME gone", "NAME unknown".
func seen(snap registry.Snapshot) []string {
	var out []string
	for _, arn := range slices.Sorted(maps.Keys(snap.Sightings)) {
		s := snap.Sightings[arn]
		id, err := registry.ParseARN(arn)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		word := string(s.Cluster.Status)
		switch s.Presence {
		case registry.Gone:
			word = "gone"
		case registry.Unknown:
			word = "unknown"
		case registry.Present:
		}
		out = append(out, id.Name+" "+word)
	}
	return out
}

// errorsOf the scopes that have one, by account and region.
func errorsOf(snap registry.Snapshot) map[string]string {
	out := map[string]string{}
	for _, s := range snap.Scopes {
		if s.Err != nil {
			out[s.Scope.Account+"/"+s.Scope.Region] = s.Err.Error()
		}
	}
	return out
}
