package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// fleet is a set with n registered clusters.
func fleet(t *testing.T, n int) (*Set, []Cluster, []Entry) {
	t.Helper()
	s := one()
	var clusters []Cluster
	var entries []Entry
	for i := range n {
		c := eks("c" + string(rune('a'+i)))
		clusters, entries = append(clusters, c), append(entries, entryOf(t, s, c))
	}
	return s, clusters, entries
}

// nothing fails when a plan writes anything.
func nothing(t *testing.T, p Plan) {
	t.Helper()
	for _, a := range p.Actions {
		if a.Do != "" {
			t.Errorf("%s of %s (%s: %s)", a.Do, a.Cluster.Name, a.Reason, a.Message)
		}
	}
}

func TestD1_TheHundredAndFirstClusterIsOneLikeAnyOther(t *testing.T) {
	s := one()
	var all []Cluster
	for i := range 250 {
		c := eks("c")
		c.Name += strings.Repeat("x", i%50) + string(rune('a'+i/50))
		c.Endpoint = "https://" + c.Name
		all = append(all, c)
	}
	p := Decide(Input{Set: s, Snapshot: see(all...), Now: t0})
	creates := 0
	for _, a := range p.Actions {
		if a.Do == Create {
			creates++
		}
	}
	if creates != 250 {
		t.Errorf("%d are created, want 250", creates)
	}
}

func TestD2_AClusterThatIsBeingCreatedWaits(t *testing.T) {
	c := eks("a")
	c.Status, c.Endpoint, c.CA = Creating, "", ""
	a := about(t, Decide(Input{Set: one(), Snapshot: see(c), Now: t0}), c.ID)
	if a.State != Waiting || a.Do != "" {
		t.Errorf("%s, %s", a.State, a.Do)
	}
	// Even one that says that it is active, with nothing to reach it by.
	c.Status = Active
	if a := about(t, Decide(Input{Set: one(), Snapshot: see(c), Now: t0}), c.ID); a.State != Waiting || a.Reason != "NoEndpoint" || a.Do != "" {
		t.Errorf("%s, %s, %s", a.State, a.Reason, a.Do)
	}
}

func TestD3_AnEmptyDiscoveryDeletesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*Set, *Snapshot)
		stopped bool
	}{
		"a typing error in the selector's tag": {func(s *Set, _ *Snapshot) { s.Sources[0].Selector.Tags = map[string]string{"evn": "prod"} }, true},
		"a wrong region":                       {func(s *Set, _ *Snapshot) { s.Sources[0].Regions = []string{"us-east-2"} }, true},
		"no source at all":                     {func(s *Set, _ *Snapshot) { s.Sources = nil }, true},
		"a revoked role": {func(_ *Set, s *Snapshot) {
			for arn := range s.Sightings {
				s.Sightings[arn] = Sighting{Err: errors.New("AccessDenied")}
			}
		}, false},
		"an empty answer to everything": {func(_ *Set, s *Snapshot) { s.Sightings = nil }, false},
		"AWS says that all are gone": {func(_ *Set, s *Snapshot) {
			for arn := range s.Sightings {
				s.Sightings[arn] = Sighting{Presence: Gone}
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, clusters, entries := fleet(t, 12)
			snapshot := see(clusters...)
			tc.change(s, &snapshot)
			for i := range 100 { // for four days
				p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0.Add(time.Duration(i) * grace)})
				nothing(t, p)
				if (p.StoppedReason == "BlastRadius") != tc.stopped {
					t.Fatalf("stopped: %q", p.Stopped)
				}
				for _, want := range []string{"12 of 12", "ca, cb, cc and 9 more", "norikae clusters retire", "maxPercent"} {
					if tc.stopped && !strings.Contains(p.Stopped, want) {
						t.Errorf("%q does not say %q", p.Stopped, want)
					}
				}
			}
		})
	}
}

func TestD3_ACreepingWipeStopsAtTheLimitOfTheGrace(t *testing.T) {
	s, clusters, entries := fleet(t, 20) // 10%: 2 may vanish at once
	snapshot := see(clusters...)
	stopped := false
	for i := range 6 { // one every five minutes
		snapshot.with(clusters[i].ID, Gone)
		p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0.Add(time.Duration(i) * 5 * time.Minute)})
		stopped = p.Stopped != ""
		if want := i >= 2; stopped != want {
			t.Fatalf("after %d: stopped %v, want %v", i+1, stopped, want)
		}
		for _, a := range p.Actions {
			if a.Do == Mark {
				entries[i] = apply(a, s.Owner)
			}
		}
	}
}

func TestD4_SecretsOfOthersAreLeftAlone(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	other := entryOf(t, s, eks("other"))
	other.Owner, other.MissingSince = Owner{"argocd", "other"}, t0.Add(-100*grace)
	gke := foreign("gke", "gke", "https://gke.example")
	gke.MissingSince, gke.Cluster = t0.Add(-100*grace), id("gke")
	inside := foreign("in-cluster", "in-cluster", "https://kubernetes.default.svc")
	own := foreign("in-cluster-2", "local", "https://kubernetes.default.svc/")
	own.Owner, own.Cluster, own.MissingSince = s.Owner, id("local"), t0.Add(-100*grace)
	snapshot := see(clusters...).with(id("other"), Gone).with(id("gke"), Gone).with(id("local"), Gone)
	p := Decide(Input{Set: s, Snapshot: snapshot, Entries: append(entries, other, gke, inside, own), Now: t0})
	nothing(t, p)
	if a := about(t, p, id("local")); a.Reason != "InCluster" {
		t.Errorf("%s, %s", a.State, a.Reason)
	}
	if n := len(p.Actions); n != 2 {
		t.Errorf("%d actions, want one for each Secret of the set", n)
	}
}

func TestD5_EndpointAuthorityAndLabelsAreRepaired(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	for name, change := range map[string]func(*Cluster, *Entry){
		"the authority was rotated":   func(c *Cluster, _ *Entry) { c.CA = "Y2Ey" },
		"a tag was changed":           func(c *Cluster, _ *Entry) { c.Tags = map[string]string{"env": "prod", "x": "y"}; c.Version = "1.37" },
		"somebody changed the config": func(_ *Cluster, e *Entry) { e.Config = `{"bearerToken":"x"}` },
		"somebody broke the config":   func(_ *Cluster, e *Entry) { e.Config = "{" },
		"somebody changed a label":    func(_ *Cluster, e *Entry) { e.Labels = map[string]string{"env": "stage"} },
		"somebody removed a label":    func(_ *Cluster, e *Entry) { e.Labels = nil },
		"somebody set a project":      func(_ *Cluster, e *Entry) { e.Project = "x" },
		"somebody set a shard":        func(_ *Cluster, e *Entry) { e.Shard = "7" },
		"somebody set namespaces":     func(_ *Cluster, e *Entry) { e.Namespaces = "x" },
		"the list of keys was lost":   func(_ *Cluster, e *Entry) { e.Applied = Keys{} },
		"the creation was not known":  func(_ *Cluster, e *Entry) { e.Created = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			c, e := clusters[0], entries[0]
			change(&c, &e)
			in := Input{Set: s, Snapshot: see(c), Entries: []Entry{e}, Now: t0}
			a := about(t, Decide(in), c.ID)
			if a.Do != Update || a.State != Registered {
				t.Fatalf("%s, %s (%s)", a.Do, a.State, a.Message)
			}
			in.Entries[0] = apply(a, s.Owner)
			nothing(t, Decide(in))
			want, err := s.Render(c)
			if got := in.Entries[0]; err != nil || got.Config != want.Config || got.Labels["env"] != "prod" || got.Project+got.Shard+got.Namespaces != "" {
				t.Errorf("repaired to %+v", got)
			}
		})
	}
}

func TestD5_LabelsOfOthersStay(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	e := entries[0]
	e.Labels["theirs"], e.Labels["gone"], e.Annotations["theirs"] = "x", "x", "x"
	e.Applied.Labels = append(e.Applied.Labels, "gone", "app.kubernetes.io/managed-by")
	a := about(t, Decide(Input{Set: s, Snapshot: see(clusters[0]), Entries: []Entry{e}, Now: t0}), clusters[0].ID)
	got := apply(a, s.Owner)
	if _, ok := got.Labels["gone"]; a.Do != Update || ok || got.Labels["theirs"] != "x" || got.Annotations["theirs"] != "x" || got.Labels["app.kubernetes.io/managed-by"] != "norikae" {
		t.Errorf("%s makes %v, %v", a.Do, got.Labels, got.Annotations)
	}
}

func TestD6_OneNameInTwoRegionsAndAccounts(t *testing.T) {
	s := one()
	s.Sources[0].Regions = []string{"us-east-1", "eu-west-1"}
	s.Sources[0].Accounts = append(s.Sources[0].Accounts, Account{RoleARN: "arn:aws:iam::444455556666:role/norikae"})
	var all []Cluster
	for _, scope := range []Scope{{"111122223333", "us-east-1"}, {"111122223333", "eu-west-1"}, {"444455556666", "us-east-1"}, {"444455556666", "eu-west-1"}} {
		c := eks("blue")
		c.Account, c.Region, c.Endpoint = scope.Account, scope.Region, "https://"+scope.Account+scope.Region
		all = append(all, c)
	}
	names := map[string]bool{}
	for _, a := range Decide(Input{Set: s, Snapshot: see(all...), Now: t0}).Actions {
		if a.Do == Create {
			names[a.Want.ClusterName], names[SecretName(a.Cluster)] = true, true
		}
	}
	if len(names) != 8 {
		t.Errorf("%d names, want 8: %v", len(names), names)
	}
	s.Template.Name = text("{{ .Name }}") // the same for all
	for _, a := range Decide(Input{Set: s, Snapshot: see(all...), Now: t0}).Actions {
		if a.State != Conflict || a.Reason != "NameCollision" || a.Do != "" {
			t.Errorf("%s: %s, %s, %s", a.Cluster.ARN(), a.State, a.Reason, a.Do)
		}
	}
	// One that is registered keeps the name.
	e := entryOf(t, s, all[0])
	for _, a := range Decide(Input{Set: s, Snapshot: see(all...), Entries: []Entry{e}, Now: t0}).Actions {
		want := Conflict
		if a.Cluster == all[0].ID {
			want = Registered
		}
		if a.State != want || a.Do != "" {
			t.Errorf("%s: %s, want %s; %s", a.Cluster.ARN(), a.State, want, a.Do)
		}
	}
}

func TestD7_OneAccessDeniedIsContained(t *testing.T) {
	s, clusters, entries := fleet(t, 3)
	snapshot := see(clusters...)
	snapshot.Sightings[clusters[0].ARN()] = Sighting{Err: errors.New("AccessDenied")}
	clusters[1].CA = "Y2Ey"
	snapshot.Sightings[clusters[1].ARN()] = Sighting{Cluster: clusters[1], Presence: Present}
	p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0})
	if a := about(t, p, clusters[0].ID); a.State != Uncertain || a.Do != "" || !strings.Contains(a.Message, "AccessDenied") {
		t.Errorf("%+v", a)
	}
	if a := about(t, p, clusters[1].ID); a.Do != Update {
		t.Errorf("%+v", a)
	}
}

func TestD9_TheServerNeverChangesInPlace(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	for name, tc := range map[string]struct {
		change func(*Set, *Cluster, *Entry)
		reason string
	}{
		"the cluster was made anew":       {func(_ *Set, c *Cluster, _ *Entry) { c.Endpoint, c.Created = "https://new", t0 }, "Recreated"},
		"somebody changed it":             {func(_ *Set, _ *Cluster, e *Entry) { e.Server = "https://elsewhere" }, "ServerDrift"},
		"somebody emptied it":             {func(_ *Set, _ *Cluster, e *Entry) { e.Server = "" }, "ServerDrift"},
		"nobody knows of when it is":      {func(_ *Set, _ *Cluster, e *Entry) { e.Server, e.Created = "https://elsewhere", time.Time{} }, "ServerChange"},
		"the managed Argo CD is declared": {func(s *Set, _ *Cluster, _ *Entry) { s.Auth = Auth{EKSARN: true} }, "ServerChange"},
	} {
		t.Run(name, func(t *testing.T) {
			set, c, e := *s, clusters[0], entries[0]
			set.Deletion.Delete = false
			tc.change(&set, &c, &e)
			in := Input{Set: &set, Snapshot: see(c), Entries: []Entry{e}, Now: t0}
			a := about(t, Decide(in), c.ID)
			if a.State != Held || a.Reason != tc.reason || a.Do != "" || !strings.Contains(a.Message, "norikae.dev/allow=replace") {
				t.Errorf("%s, %s, %s: %s", a.State, a.Reason, a.Do, a.Message)
			}
			in.Entries[0].Allow = []string{AllowReplace}
			in.ApplicationSets = []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{}}}}
			if p := Decide(in); len(p.Ask) != 1 {
				t.Fatalf("asks %v", p.Ask)
			}
			in.Traffic = map[string]Traffic{c.ARN(): {}}
			a = about(t, Decide(in), c.ID)
			if a.Do != Replace || !strings.Contains(a.Effect, "argocd/apps would delete") || !strings.Contains(a.Effect, "argocd/apps would make Applications of it") || a.Uses != AllowReplace {
				t.Errorf("%s, %s: %s; %s", a.Do, a.Reason, a.Message, a.Effect)
			}
			in.Entries[0] = apply(a, set.Owner)
			nothing(t, Decide(in))
			in.Traffic = map[string]Traffic{c.ARN(): {Routes: []string{"rule 10"}}}
			in.Entries[0] = e
			in.Entries[0].Allow = []string{AllowReplace}
			if a := about(t, Decide(in), c.ID); a.Do != "" || a.Reason != "CarriesTraffic" {
				t.Errorf("with traffic: %s, %s", a.Do, a.Reason)
			}
		})
	}
}

func TestD10_WithoutARoleTheKeyIsAbsent(t *testing.T) {
	for _, auth := range []Auth{{}, {AWS: &AWSAuth{}}, {AWS: &AWSAuth{RoleARN: text("")}}, {Exec: &ExecAuth{}}} {
		s := one()
		s.Auth = auth
		if r, err := s.Render(eks("a")); err != nil || strings.Contains(strings.ToLower(r.Config), "role") {
			t.Errorf("%s, %v", r.Config, err)
		}
	}
}
