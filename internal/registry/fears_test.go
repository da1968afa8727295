package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAPassThatTakesTheGraceDoesNotHearTwiceWithinIt(t *testing.T) {
	s, clusters, entries := fleet(t, 12)
	s.TargetGroups = &TargetGroups{None: true}
	e := &entries[0]
	e.MissingSince = t0
	snapshot := see(clusters...).with(clusters[0].ID, Gone)
	decide := func(began, now time.Time) Action {
		return about(t, Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Began: began, Now: now}), clusters[0].ID)
	}
	// AWS was asked a second after it was noted; the answers of others took two hours.
	if a := decide(t0.Add(time.Second), t0.Add(2*grace)); a.Do != "" {
		t.Errorf("asked a second later: %s (%s)", a.Do, a.Message)
	}
	if a := decide(t0.Add(grace), t0.Add(grace+time.Second)); a.Do != Delete {
		t.Errorf("asked the grace later: %s (%s)", a.Do, a.Message)
	}
	if a := decide(time.Time{}, t0.Add(grace)); a.Do != Delete {
		t.Errorf("when it was asked is not told: %s (%s)", a.Do, a.Message)
	}
}

func TestAListedClusterThatCannotBeDescribedIsTold(t *testing.T) {
	s, clusters, entries := fleet(t, 2)
	s.Sources[0].Selector = Selector{Tags: map[string]string{"env": "prod"}, Names: []string{"c*"}, Exclude: Exclude{ARNs: []string{id("cx").ARN()}}}
	denied := Sighting{Err: errors.New("AccessDenied")}
	for name, tc := range map[string]struct {
		id      ID
		entries []Entry
		told    bool
	}{
		"it may be selected":            {id("cn"), nil, true},
		"another set has it":            {id("cn"), []Entry{func() Entry { e := entryOf(t, s, eks("cn")); e.Owner.Name = "other"; return e }()}, false},
		"its name is not selected":      {id("dn"), nil, false},
		"it is excluded":                {id("cx"), nil, false},
		"its region is not of the set":  {ID{Partition: "aws", Account: "111122223333", Region: "eu-west-1", Name: "cn"}, nil, false},
		"its account is not of the set": {ID{Partition: "aws", Account: "444455556666", Region: "us-east-1", Name: "cn"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot := see(clusters...)
			snapshot.Sightings[tc.id.ARN()] = denied
			p := Decide(Input{Set: s, Snapshot: snapshot, Entries: append(entries[:2:2], tc.entries...), Now: t0})
			nothing(t, p)
			if want := 2; !tc.told && len(p.Actions) != want {
				t.Fatalf("%d actions, want %d", len(p.Actions), want)
			}
			if !tc.told {
				return
			}
			if a := about(t, p, tc.id); a.State != Uncertain || a.Entry != nil || !strings.Contains(a.Message, "AccessDenied") {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestNamesThatDifferInCaseAreTwoClustersForTheManagedArgoCD(t *testing.T) {
	s := one()
	s.Auth = Auth{EKSARN: true}
	upper, lower := eks("Blue"), eks("blue")
	upper.Endpoint = "https://other.eks.example"
	e := entryOf(t, s, lower)
	a := about(t, Decide(Input{Set: s, Snapshot: see(upper, lower), Entries: []Entry{e}, Now: t0}), upper.ID)
	if a.Do != Create {
		t.Errorf("%s, %s: %s", a.State, a.Reason, a.Message)
	}
	if sameServer(upper.ARN(), lower.ARN()) || !sameServer("https://A.EXAMPLE", "https://a.example:443/") {
		t.Error("a name of EKS has a case, a name of DNS has none")
	}
}

func TestATimeToComeIsNoTimeThatItWasNotSelected(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	clusters[0].Tags = map[string]string{"env": "test"}
	entries[0].UnselectedSince = t0.Add(1000 * grace)
	a := about(t, Decide(Input{Set: s, Snapshot: see(clusters[0]), Entries: entries, Now: t0}), clusters[0].ID)
	if a.Do != Mark || !a.UnselectedSince.Equal(t0) {
		t.Errorf("%s, since %s", a.Do, a.UnselectedSince)
	}
}

func TestAStoppedSetPromisesNothingAndSaysTheSameEachTime(t *testing.T) {
	for name, change := range map[string]func(*Snapshot, []Cluster){
		"gone": func(s *Snapshot, all []Cluster) {
			for _, c := range all {
				s.with(c.ID, Gone)
			}
		},
		"made anew": func(s *Snapshot, all []Cluster) {
			for _, c := range all {
				c.Endpoint, c.Created = "https://new-"+c.Name, t0
				s.Sightings[c.ARN()] = Sighting{Cluster: c, Presence: Present}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, clusters, entries := fleet(t, 3)
			snapshot := see(clusters...)
			change(&snapshot, clusters)
			said := func(now time.Time) string {
				p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: now})
				if p.Stopped == "" {
					t.Fatal("it is not stopped")
				}
				return about(t, p, clusters[0].ID).Message
			}
			first := said(t0)
			if then := said(t0.Add(time.Minute)); then != first {
				t.Errorf("a minute later %q becomes %q", first, then)
			}
			if strings.Contains(first, "is deleted when") || !strings.Contains(first, "stopped") {
				t.Errorf("%q", first)
			}
		})
	}
}

// Somebody edits the ARN in a Secret's mark, or restores a Secret of another one: the
// cluster that it names is gone, and the one that it is of is not.
func TestASecretWhoseServerIsThatOfALivingClusterIsNotDeleted(t *testing.T) {
	for name, auth := range map[string]Auth{"by endpoint": {AWS: &AWSAuth{}}, "by ARN": {EKSARN: true}} {
		t.Run(name, func(t *testing.T) {
			s, clusters, _ := fleet(t, 12)
			s.Auth, s.TargetGroups = auth, &TargetGroups{None: true}
			var entries []Entry
			for _, c := range clusters {
				entries = append(entries, entryOf(t, s, c))
			}
			ghost := id("ghost")
			entries[0].Cluster, entries[0].MissingSince = ghost, t0
			in := Input{Set: s, Snapshot: see(clusters...).with(ghost, Gone), Entries: entries, Now: t0.Add(grace)}
			a := about(t, Decide(in), ghost)
			if a.Do != "" || a.Reason != "ServerLives" || !strings.Contains(a.Message, clusters[0].ARN()) {
				t.Errorf("%s, %s: %s", a.Do, a.Reason, a.Message)
			}
			if a, err := Retire(in, entries[0], true); err == nil {
				t.Errorf("retired: %s", a.Do)
			}
			entries[0].Server = "https://of-the-ghost.example"
			if a := about(t, Decide(in), ghost); a.Do != Delete {
				t.Errorf("its own server: %s, %s: %s", a.Do, a.Reason, a.Message)
			}
		})
	}
}

func TestAPermissionToRelabelIsUsedUpWhenItWasNeeded(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	c := clusters[0]
	c.Tags = map[string]string{"env": "prod", "cell": "2"}
	s.Template.Labels["cell"] = text("{{ .Tags.cell }}")
	e := entries[0]
	e.Labels["cell"], e.Applied.Labels, e.Allow = "1", []string{"cell", "env"}, []string{AllowRelabel}
	selects := func(cell string) []ApplicationSet {
		return []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{{Key: "cell", Operator: In, Values: []string{cell}}}}}}
	}
	for name, tc := range map[string]struct {
		sets []ApplicationSet
		err  error
		uses string
	}{
		"an ApplicationSet no longer selects it": {selects("1"), nil, AllowRelabel},
		"no ApplicationSet does what it did not": {selects("3"), nil, ""},
		"whom they select is not known":          {nil, errors.New("forbidden"), AllowRelabel},
	} {
		t.Run(name, func(t *testing.T) {
			a := about(t, Decide(Input{Set: s, Snapshot: see(c), Entries: []Entry{e}, ApplicationSets: tc.sets, ApplicationSetsErr: tc.err, Now: t0}), c.ID)
			if a.Do != Update || a.Want.Labels["cell"] != "2" || a.Uses != tc.uses {
				t.Errorf("%s, %v, uses %q: %s", a.Do, a.Want.Labels, a.Uses, a.Message)
			}
		})
	}
}
