package registry

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// gone is a fleet of n clusters of which the first has been gone since t0.
func gone(t *testing.T, n int) Input {
	t.Helper()
	s, clusters, entries := fleet(t, n)
	entries[0].MissingSince = t0
	return Input{
		Set: s, Snapshot: see(clusters...).with(clusters[0].ID, Gone), Entries: entries, Now: t0.Add(grace),
		Traffic: map[string]Traffic{clusters[0].ARN(): {}},
	}
}

func TestRemovalOfACluster(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Input)
		want   finding
	}{
		"gone for the grace, without traffic": {func(*Input) {}, finding{Missing, "Gone", Delete, ""}},
		"gone for the first time":             {func(in *Input) { in.Entries[0].MissingSince = time.Time{} }, finding{Missing, "Gone", Mark, "deleted when that is so at 23 Nov 2026 14:00:00 UTC"}},
		"gone a second less than the grace":   {func(in *Input) { in.Now = in.Now.Add(-time.Second) }, finding{Missing, "Gone", "", "23 Nov 2026 13:00:00 UTC"}},
		"gone since a time to come":           {func(in *Input) { in.Now = t0.Add(-time.Hour) }, finding{Missing, "Gone", Mark, "since 23 Nov 2026 11:00:00 UTC"}},
		"the policy is Retain":                {func(in *Input) { in.Set.Deletion.Delete = false }, finding{Missing, "Gone", "", "norikae clusters retire"}},
		"traffic is asked for":                {func(in *Input) { in.Traffic = nil }, finding{Missing, "Asking", "", "asked"}},
		"it gets traffic":                     {func(in *Input) { in.Traffic[id("ca").ARN()] = Traffic{Routes: []string{"a", "b", "c", "d"}} }, finding{Missing, "CarriesTraffic", "", "from a, b, c and 1 more"}},
		"its traffic is not known":            {func(in *Input) { in.Traffic[id("ca").ARN()] = Traffic{Err: errors.New("denied")} }, finding{Missing, "TrafficUnknown", "", "denied"}},
		"its target groups are not known":     {func(in *Input) { in.Set.TargetGroups = nil }, finding{Missing, "TrafficUnknown", "", "targetGroups"}},
		"there are no target groups":          {func(in *Input) { in.Set.TargetGroups, in.Traffic = &TargetGroups{None: true}, nil }, finding{Missing, "Gone", Delete, ""}},
		"two have to stay, and one is there":  {func(in *Input) { in.Set.Deletion.KeepLast = 2 }, finding{Missing, "KeepLast", "", "only 1 registered"}},
		"one has to stay, and is there":       {func(in *Input) { in.Set.Deletion.KeepLast = 1 }, finding{Missing, "Gone", Delete, ""}},
		"one has to stay, and is unknown":     {func(in *Input) { in.Set.Deletion.KeepLast = 1; in.Snapshot.with(id("cb"), Unknown) }, finding{Missing, "KeepLast", "", ""}},
		"others were deleted lately":          {func(in *Input) { in.Entries[0].YieldedAt = t0.Add(time.Minute) }, finding{Missing, "Limit", "", "maxPercent"}},
		"others were deleted a grace ago":     {func(in *Input) { in.Entries[0].YieldedAt = t0 }, finding{Missing, "Gone", Delete, ""}},
		"it is unselected as well":            {func(in *Input) { in.Entries[0].UnselectedSince = t0.Add(-100 * grace) }, finding{Missing, "Gone", Delete, ""}},
		"nobody could be asked now":           {func(in *Input) { in.Snapshot.with(id("ca"), Unknown) }, finding{Uncertain, "Unknown", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			in := gone(t, 2)
			tc.change(&in)
			p := Decide(in)
			tc.want.check(t, about(t, p, id("ca")))
			if asks := len(p.Ask) > 0; asks != (tc.want.reason == "Asking") {
				t.Errorf("asks %v", p.Ask)
			}
		})
	}
}

func TestRemovalSaysWhatApplicationSetsDo(t *testing.T) {
	in := gone(t, 2)
	sel := []LabelSelector{{{"env", In, []string{"prod"}}}}
	in.ApplicationSets = []ApplicationSet{
		{Namespace: "argocd", Name: "a", Selectors: sel},
		{Namespace: "argocd", Name: "b", Selectors: sel, Preserves: true},
		{Namespace: "argocd", Name: "c", Selectors: sel, Keeps: true},
		{Namespace: "argocd", Name: "d", Selectors: []LabelSelector{{{"env", In, []string{"stage"}}}}},
	}
	effect := about(t, Decide(in), id("ca")).Effect
	for _, want := range []string{"argocd/a would delete", "argocd/b would delete their Applications of it, the workloads stay", "argocd/c would keep"} {
		if !strings.Contains(effect, want) {
			t.Errorf("%q does not say %q", effect, want)
		}
	}
	if strings.Contains(effect, "argocd/d") {
		t.Errorf("%q names one that does not select it", effect)
	}
	in.ApplicationSets, in.ApplicationSetsErr = nil, errors.New("forbidden")
	if a := about(t, Decide(in), id("ca")); a.Do != Delete || !strings.Contains(a.Effect, "forbidden") {
		t.Errorf("%s: %q", a.Do, a.Effect)
	}
}

// vanished is a fleet of twenty, of which 10% may go within the grace, and since when some
// of them are gone.
func vanished(t *testing.T, since ...time.Time) (in Input) {
	t.Helper()
	s, clusters, entries := fleet(t, 20)
	s.TargetGroups = &TargetGroups{None: true}
	snapshot := see(clusters...)
	for i, at := range since {
		snapshot.with(clusters[i].ID, Gone)
		entries[i].MissingSince = at
	}
	return Input{Set: s, Snapshot: snapshot, Entries: entries}
}

// carry out the pass of a process that has just started, and say what it deletes.
func carryOut(in *Input, now time.Time) string {
	var names []string
	var left []Entry
	in.Now = now
	for _, a := range Decide(*in).Actions {
		switch a.Do {
		case Delete:
			names = append(names, a.Cluster.Name)
		case Mark:
			left = append(left, apply(a, in.Set.Owner))
		default:
			left = append(left, *a.Entry)
		}
	}
	in.Entries = left
	return fmt.Sprint(names)
}

// Secrets that could not be deleted for days, and now all can, go as slowly as others.
func TestRemovalIsLimitedHoweverLongItWaited(t *testing.T) {
	var since []time.Time
	for i := range 10 {
		since = append(since, t0.Add(time.Duration(-100-i)*grace))
	}
	in := vanished(t, since...)
	for _, pass := range []struct {
		after time.Duration
		want  string
	}{
		{0, "[ci cj]"}, // the oldest first; 10% of 20
		{0, "[]"},
		{grace - time.Second, "[]"},
		{grace, "[ch]"}, // of 18, 10% are 1
		{2*grace - time.Second, "[]"},
		{2 * grace, "[cg]"},
	} {
		if got := carryOut(&in, t0.Add(pass.after)); got != pass.want {
			t.Errorf("after %s, %s are deleted, want %s", pass.after, got, pass.want)
		}
	}
}

// Of four that are due one after the other, two may go within the grace: the first lets the
// second go at its time, and has the others wait.
func TestADeletionLetsAsManyGoAsTheLimitAllows(t *testing.T) {
	due := t0.Add(-grace)
	in := vanished(t, due, due.Add(10*time.Minute), due.Add(20*time.Minute), due.Add(30*time.Minute))
	in.Set.Deletion.MaxPercent = 100 // they vanished at once, which was meant
	if got := carryOut(&in, t0.Add(-time.Second)); got != "[]" {
		t.Errorf("%s are deleted before their time", got)
	}
	in.Set.Deletion.MaxPercent = 12 // 2 of 20, of 19 and of 18
	in.Entries[3].MissingSince = t0.Add(-grace - time.Minute)
	in.Entries[3].YieldedAt = t0.Add(-time.Minute)
	for _, pass := range []struct {
		at   time.Duration
		want string
	}{
		{0, "[ca]"},
		{10 * time.Minute, "[cb]"},
		{20 * time.Minute, "[]"},
		{grace - time.Second, "[]"},
		{grace, "[cc]"},
		{grace + 9*time.Minute, "[]"},
		{grace + 10*time.Minute, "[cd]"},
	} {
		if got := carryOut(&in, t0.Add(pass.at)); got != pass.want {
			t.Errorf("after %s, %s are deleted, want %s", pass.at, got, pass.want)
		}
	}
}

func TestRemovalOfAClusterThatWasMadeAnew(t *testing.T) {
	in := gone(t, 2)
	c := eks("ca")
	c.Endpoint, c.Created = "https://new.eks.example", t0
	see := func() Action {
		in.Snapshot.Sightings[c.ARN()] = Sighting{Cluster: c, Presence: Present}
		return about(t, Decide(in), c.ID)
	}
	in.Entries[0].MissingSince = time.Time{}
	finding{Held, "Recreated", Mark, "bound to the server of the old one, https://ca.eks.example; noticed at"}.check(t, see())
	in.Entries[0].MissingSince = t0
	finding{Held, "Recreated", Delete, ""}.check(t, see())
	in.Traffic[c.ARN()] = Traffic{Routes: []string{"rule 10"}}
	finding{Held, "CarriesTraffic", "", "rule 10"}.check(t, see())
	in.Set.Deletion.Delete = false
	finding{Held, "Recreated", "", "norikae.dev/allow=replace"}.check(t, see())
	// Once its Secret is deleted, it is a cluster like any other.
	in.Entries = in.Entries[1:]
	finding{Registered, "Registered", Create, ""}.check(t, see())
}

func TestBlastRadius(t *testing.T) {
	for name, tc := range map[string]struct {
		n, percent        int
		gone, unselected  int // now for the first time
		lately, unselLate int // within the grace
		before            int // before it
		limit             int
		stopped           bool
	}{
		"one always may":                           {n: 20, percent: 0, gone: 1, limit: 1},
		"two of twenty may by a tenth":             {n: 20, percent: 10, gone: 2, limit: 2},
		"three may not":                            {n: 20, percent: 10, gone: 3, limit: 2, stopped: true},
		"gone and unselected count together":       {n: 20, percent: 10, gone: 1, unselected: 2, limit: 2, stopped: true},
		"and unselected alone":                     {n: 20, percent: 10, unselected: 3, limit: 2, stopped: true},
		"so do those of the last grace":            {n: 20, percent: 10, gone: 1, lately: 2, limit: 2, stopped: true},
		"and those unselected within it":           {n: 20, percent: 10, gone: 1, unselLate: 2, limit: 2, stopped: true},
		"those before it do not":                   {n: 20, percent: 10, gone: 2, before: 5, limit: 2},
		"all may by a hundred":                     {n: 20, percent: 100, gone: 20, limit: 20},
		"the only one may":                         {n: 1, percent: 10, gone: 1, limit: 1},
		"both of two may not":                      {n: 2, percent: 50, gone: 2, limit: 1, stopped: true},
		"a share is cut, not rounded":              {n: 19, percent: 10, gone: 2, limit: 1, stopped: true},
		"nothing is stopped when nothing vanishes": {n: 20, percent: 0, before: 20, limit: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, clusters, entries := fleet(t, tc.n)
			s.Deletion.MaxPercent, s.Deletion.Delete = tc.percent, false
			snapshot := see(clusters...)
			i := 0
			next := func(n int, change func(i int)) {
				for range n {
					change(i)
					i++
				}
			}
			unselect := func(i int) {
				c := clusters[i]
				c.Tags = nil
				snapshot.Sightings[c.ARN()] = Sighting{Cluster: c, Presence: Present}
			}
			next(tc.gone, func(i int) { snapshot.with(clusters[i].ID, Gone) })
			next(tc.unselected, unselect)
			next(tc.lately, func(i int) { snapshot.with(clusters[i].ID, Gone); entries[i].MissingSince = t0.Add(-grace / 2) })
			next(tc.unselLate, func(i int) { unselect(i); entries[i].UnselectedSince = t0.Add(-grace / 2) })
			next(tc.before, func(i int) { snapshot.with(clusters[i].ID, Gone); entries[i].MissingSince = t0.Add(-grace) })
			fresh := eks("new")
			snapshot.Sightings[fresh.ARN()] = Sighting{Cluster: fresh, Presence: Present}
			p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0})
			if (p.StoppedReason == "BlastRadius") != tc.stopped || (p.Stopped != "") != tc.stopped {
				t.Fatalf("stopped: %s %q, want %v", p.StoppedReason, p.Stopped, tc.stopped)
			}
			if says := fmt.Sprintf("at most %d may (spec.deletion.maxPercent %d)", tc.limit, tc.percent); tc.stopped && !strings.Contains(p.Stopped, says) {
				t.Errorf("%q does not say %q", p.Stopped, says)
			}
			if !tc.stopped {
				finding{Registered, "Registered", Create, ""}.check(t, about(t, p, fresh.ID))
				return
			}
			nothing(t, p)
			finding{Unwritten, "Stopped", "", "create"}.check(t, about(t, p, fresh.ID))
			if a := about(t, p, clusters[0].ID); !a.MissingSince.Equal(entries[0].MissingSince) || !a.UnselectedSince.Equal(entries[0].UnselectedSince) {
				t.Errorf("notes of a stopped plan: %+v", a)
			}
		})
	}
}

func TestAStoppedPlanStillNotesThatAClusterIsThere(t *testing.T) {
	s, clusters, entries := fleet(t, 12)
	snapshot := see(clusters...)
	for _, c := range clusters[1:] {
		snapshot.with(c.ID, Gone)
	}
	entries[0].MissingSince = t0.Add(-100 * grace)
	clusters[0].CA = "Y2Ey" // and there is something to repair
	snapshot.Sightings[clusters[0].ARN()] = Sighting{Cluster: clusters[0], Presence: Present}
	p := Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0})
	a := about(t, p, clusters[0].ID)
	if p.Stopped == "" || a.Do != Mark || !a.MissingSince.IsZero() {
		t.Fatalf("stopped %q, %+v", p.Stopped, a)
	}
	for _, a := range p.Actions[1:] {
		if a.Do != "" {
			t.Errorf("%s of %s", a.Do, a.Cluster.Name)
		}
	}
}
