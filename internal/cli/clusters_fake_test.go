package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// bearer must never be printed.
const bearer = "s3cr3t-bearer-token"

// y2k is when a synctest bubble begins.
var y2k = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func eksID(account, region, name string) registry.ID {
	return registry.ID{Partition: "aws", Account: account, Region: region, Name: name}
}

func caOf(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func testSet() *registry.Set {
	return &registry.Set{
		Owner: registry.Owner{Namespace: "argocd", Name: "production"},
		Sources: []registry.Source{
			{
				Regions: []string{"us-east-1"}, Accounts: []registry.Account{{RoleARN: "arn:aws:iam::111111111111:role/list"}},
				Selector: registry.Selector{
					Tags: map[string]string{"environment": "production"}, Names: []string{"blue*", "green*", "old*"},
					Requirements: []registry.Requirement{{Key: "team", Operator: registry.In, Values: []string{"web", "api"}}},
					Exclude:      registry.Exclude{Tags: map[string]string{"skip": "true"}},
				},
			},
			{Regions: []string{"eu-west-1"}, Accounts: []registry.Account{{RoleARN: "arn:aws:iam::222222222222:role/list"}}},
		},
		Template: registry.Template{
			Name:   registry.MustParseText("{{ .Name }}-{{ .Region }}"),
			Labels: map[string]*registry.Text{"environment": registry.MustParseText("{{ .Tags.environment }}"), "version": registry.MustParseText("{{ .Version }}")},
		},
		Auth: registry.Auth{AWS: &registry.AWSAuth{}},
	}
}

func testCluster(id registry.ID) registry.Cluster {
	return registry.Cluster{
		ID: id, Status: registry.Active, Version: "1.36", Endpoint: "https://" + id.Name + ".eks.example", CA: caOf("CA of " + id.Name), VPC: "vpc-0a",
		Tags: map[string]string{"environment": "production", "team": "web"}, PublicAccess: true, PublicCIDRs: []string{"192.0.2.0/24"}, PrivateAccess: true,
	}
}

func registration(c registry.Cluster, version string) registry.Registration {
	return registry.Registration{
		ClusterName: c.Name + "-" + c.Region, Server: c.Endpoint,
		Config: `{"awsAuthConfig":{"clusterName":"` + c.Name + `"},"tlsClientConfig":{"insecure":false,"caData":"` + c.CA + `"}}`,
		Labels: map[string]string{"environment": "production", "version": version},
	}
}

func entry(c registry.Cluster, version string) *registry.Entry {
	return &registry.Entry{
		Namespace: "argocd", Name: registry.SecretName(c.ID), UID: "uid-" + c.Name, ResourceVersion: "7",
		Registration: registration(c, version), Owner: testSet().Owner, Cluster: c.ID,
		Applied: registry.Keys{Labels: []string{"environment", "version"}},
	}
}

// foreign is a Secret that somebody made by hand.
func foreign(name, server string) registry.Entry {
	return registry.Entry{
		Namespace: "argocd", Name: name, UID: "uid-" + name, ResourceVersion: "3",
		Registration: registry.Registration{
			ClusterName: name, Server: server, Config: `{"bearerToken":"` + bearer + `"}`,
			Labels:      map[string]string{"mine": "yes"},
			Annotations: map[string]string{lastApplied: bearer, "note": bearer},
		},
	}
}

// testPass has a cluster in every interesting state.
func testPass() Pass {
	blue := testCluster(eksID("111111111111", "us-east-1", "blue"))
	green := testCluster(eksID("111111111111", "us-east-1", "green"))
	held := testCluster(eksID("111111111111", "us-east-1", "green-2"))
	gone := testCluster(eksID("111111111111", "us-east-1", "old"))
	far := testCluster(eksID("222222222222", "eu-west-1", "blue"))
	turned := registration(green, "1.36")
	turned.Config = strings.Replace(turned.Config, green.CA, caOf("its new CA"), 1)
	both := testCluster(eksID("111111111111", "us-east-1", "green-3"))
	mended := registration(both, "1.35")
	mended.Config = strings.Replace(mended.Config, both.CA, caOf("its new CA"), 1)
	missing := entry(gone, "1.31")
	missing.MissingSince = y2k.Add(-30 * time.Hour)
	outcomes := []registrar.Outcome{
		{Action: registry.Action{Cluster: blue.ID, State: registry.Registered, Reason: "Registered", Entry: entry(blue, "1.36")}},
		{Action: registry.Action{Cluster: green.ID, State: registry.Registered, Reason: "Registered", Do: registry.Update, Entry: entry(green, "1.35"), Want: turned, Effect: "ApplicationSet argocd/web would make Applications of it"}},
		{Action: registry.Action{Cluster: held.ID, State: registry.Held, Reason: "Relabel", Message: "label environment: argocd/web would delete its Applications of it, with their workloads", Entry: entry(held, "1.35")}},
		{Action: registry.Action{Cluster: both.ID, State: registry.Held, Reason: "Relabel", Message: "its labels stay as they are", Do: registry.Update, Entry: entry(both, "1.35"), Want: mended}},
		{Action: registry.Action{Cluster: gone.ID, State: registry.Missing, Reason: "Gone", Message: "EKS has no such cluster", Entry: missing, Notes: missing.Notes}},
		{Action: registry.Action{Cluster: far.ID, State: registry.Registered, Reason: "Registered", Do: registry.Create, Want: registration(far, "1.36")}},
	}
	p := Pass{
		Result: registrar.Result{
			Scopes: []registry.ScopeResult{
				{Scope: registry.Scope{Account: "111111111111", Region: "us-east-1"}, RoleARN: "arn:aws:iam::111111111111:role/list", Listed: 3},
				{Scope: registry.Scope{Account: "222222222222", Region: "eu-west-1"}, RoleARN: "arn:aws:iam::222222222222:role/list", Source: 1, Listed: 1},
			},
			Outcomes: outcomes,
		},
		Sightings: map[string]registry.Sighting{
			gone.ARN(): {Cluster: registry.Cluster{ID: gone.ID}, Presence: registry.Gone},
		},
		ApplicationSets: []registry.ApplicationSet{
			{Namespace: "argocd", Name: "web", Selectors: []registry.LabelSelector{{{Key: "environment", Operator: registry.In, Values: []string{"production"}}}}},
			{Namespace: "argocd", Name: "careful", Preserves: true, Selectors: []registry.LabelSelector{{}}},
			{Namespace: "argocd", Name: "other", Selectors: []registry.LabelSelector{{{Key: "environment", Operator: registry.In, Values: []string{"test"}}}}},
		},
		Entries: []registry.Entry{foreign("by-hand", "https://by-hand.eks.example")},
	}
	for _, c := range []registry.Cluster{blue, green, held, both, far} {
		p.Sightings[c.ARN()] = registry.Sighting{Cluster: c, Presence: registry.Present}
	}
	for _, o := range outcomes {
		if o.Entry != nil {
			p.Entries = append(p.Entries, *o.Entry)
		}
	}
	return p
}

// settledPass has nothing to do.
func settledPass() Pass {
	p := testPass()
	p.Outcomes = p.Outcomes[:1]
	return p
}

// written is a pass that wrote what it was to write.
func written(p Pass) Pass {
	for i := range p.Outcomes {
		p.Outcomes[i].Written = p.Outcomes[i].Do != ""
	}
	return p
}

// fakeFleet answers what it is told to answer.
type fakeFleet struct {
	info    FleetInfo
	pass    func(PassOptions) (Pass, error)
	found   []registry.Sighting
	traffic registry.Traffic
	probe   error
	retire  error // of Retirement
	effect  string
	deleted error // of Retire
	waits   bool  // Pass waits for its context to end

	passes  []PassOptions
	retired []string
	forced  bool
	dryRuns int
}

func newFleet() *fakeFleet {
	return &fakeFleet{
		info: FleetInfo{Set: testSet(), ArgoCDNamespace: "argocd"},
		pass: func(o PassOptions) (Pass, error) {
			if o.Mode == Look {
				return testPass(), nil
			}
			return written(testPass()), nil
		},
	}
}

func (f *fakeFleet) Info() FleetInfo { return f.info }

func (f *fakeFleet) Pass(ctx context.Context, o PassOptions) (Pass, error) {
	f.passes = append(f.passes, o)
	if f.waits {
		<-ctx.Done()
		return Pass{}, ctx.Err()
	}
	return f.pass(o)
}

func (f *fakeFleet) Find(context.Context, string) ([]registry.Sighting, error) { return f.found, nil }

func (f *fakeFleet) Traffic(context.Context, registry.Cluster) registry.Traffic { return f.traffic }

func (f *fakeFleet) Probe(context.Context, registry.Cluster) error { return f.probe }

func (f *fakeFleet) Retirement(_ context.Context, e registry.Entry, force bool) (registry.Action, error) {
	f.forced = force
	return registry.Action{Cluster: e.Cluster, State: registry.Missing, Effect: f.effect, Entry: &e}, f.retire
}

func (f *fakeFleet) Retire(_ context.Context, e registry.Entry, dryRun bool) error {
	if dryRun {
		f.dryRuns++
		return nil
	}
	f.retired = append(f.retired, e.Name)
	return f.deleted
}

// clustersCall runs the program on a fleet, in a bubble of its own. The file's content is
// not looked at: the composition root reads it.
type clustersCall struct {
	args    []string
	in      string
	fleet   *fakeFleet
	openErr error
	signals chan os.Signal

	options FleetOptions
	opened  int
}

func (c *clustersCall) do(t *testing.T) (code int, out, errOut string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { code, out, errOut = c.run(t) })
	for _, text := range []string{out, errOut} {
		if strings.Contains(text, bearer) {
			t.Errorf("a bearer token is printed:\n%s", text)
		}
	}
	return code, out, errOut
}

func (c *clustersCall) run(t *testing.T) (code int, out, errOut string) {
	t.Helper()
	if c.fleet == nil {
		c.fleet = newFleet()
	}
	if c.signals == nil {
		c.signals = make(chan os.Signal)
	}
	var o, e sharedText
	code = Main(t.Context(), c.args, strings.NewReader(c.in), &o, &e, Deps{
		Fleets: func(_ context.Context, o FleetOptions) ([]Fleet, error) {
			c.options, c.opened = o, c.opened+1
			if c.openErr != nil {
				return nil, c.openErr
			}
			return []Fleet{c.fleet}, nil
		},
		Signals:  c.signals,
		Terminal: func(io.Writer) (int, bool) { return 0, false },
	})
	return code, o.String(), e.String()
}

var errRefused = errors.New("secrets is forbidden")

// sharedText is written to by what a second interrupt has left behind, too.
type sharedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *sharedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *sharedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
