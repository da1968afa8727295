package registry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// finding is what a test expects of an action.
type finding struct {
	state  State
	reason string
	do     Do
	says   string // a part of the message
}

func (f finding) check(t *testing.T, a Action) {
	t.Helper()
	if a.State != f.state || a.Reason != f.reason || a.Do != f.do || !strings.Contains(a.Message, f.says) {
		t.Errorf("got  %s, %s, do %q: %s\nwant %s, %s, do %q: …%s…", a.State, a.Reason, a.Do, a.Message, f.state, f.reason, f.do, f.says)
	}
}

func TestDecideAboutAClusterWithoutASecret(t *testing.T) {
	other := Owner{"argocd", "other"}
	for name, tc := range map[string]struct {
		change func(*Input, *Cluster)
		want   finding
	}{
		"one in order is registered": {func(*Input, *Cluster) {}, finding{Registered, "Registered", Create, ""}},
		"UPDATING is as ACTIVE":      {func(_ *Input, c *Cluster) { c.Status = Updating }, finding{Registered, "Registered", Create, ""}},
		"CREATING waits":             {func(_ *Input, c *Cluster) { c.Status = Creating }, finding{Waiting, "Creating", "", "CREATING"}},
		"PENDING waits":              {func(_ *Input, c *Cluster) { c.Status = Pending }, finding{Waiting, "Creating", "", "PENDING"}},
		"FAILED is broken":           {func(_ *Input, c *Cluster) { c.Status = Failed }, finding{Broken, "Failed", "", "exclude"}},
		"an unknown status waits":    {func(_ *Input, c *Cluster) { c.Status = "ASLEEP" }, finding{Waiting, "StatusUnknown", "", `"ASLEEP"`}},
		"without an endpoint":        {func(_ *Input, c *Cluster) { c.Endpoint = "" }, finding{Waiting, "NoEndpoint", "", "endpoint"}},
		"without an authority":       {func(_ *Input, c *Cluster) { c.CA = "" }, finding{Waiting, "NoEndpoint", "", "authority"}},
		"an error of its template":   {func(in *Input, _ *Cluster) { in.Set.Template.Labels["team"] = text("{{ .Tags.team }}") }, finding{Invalid, "TemplateError", "", `no tag "team"`}},
		"a probe is asked for":       {func(in *Input, _ *Cluster) { in.Set.Probe.Enabled = true }, finding{Waiting, "Probing", "", "asked"}},
		"a probe that was answered":  {func(in *Input, c *Cluster) { in.Set.Probe.Enabled, in.Probes = true, map[string]error{c.ARN(): nil} }, finding{Registered, "Registered", Create, ""}},
		"a probe that failed": {func(in *Input, c *Cluster) {
			in.Set.Probe.Enabled, in.Probes = true, map[string]error{c.ARN(): errors.New("allow 443")}
		}, finding{Unreachable, "ProbeFailed", "", "allow 443"}},
		"a probe that nobody asked": {func(in *Input, c *Cluster) { in.Probes = map[string]error{c.ARN(): errors.New("x")} }, finding{Registered, "Registered", Create, ""}},
		"another set has it":        {func(in *Input, c *Cluster) { in.Entries = []Entry{{Name: "x", Owner: other, Cluster: c.ID}} }, finding{Conflict, "OwnedByOther", "", "Secret x of ClusterSet argocd/other"}},
		"somebody else's server":    {func(in *Input, c *Cluster) { in.Entries = []Entry{foreign("hand", "x", c.Endpoint+"/")} }, finding{Conflict, "ServerTaken", "", "norikae clusters adopt"}},
		"the server in other letters": {func(in *Input, c *Cluster) {
			in.Entries = []Entry{foreign("hand", "x", strings.ToUpper(c.Endpoint)+":443")}
		}, finding{Conflict, "ServerTaken", "", "Secret hand"}},
		"the server as an ARN": {func(in *Input, c *Cluster) { in.Entries = []Entry{foreign("hand", "x", c.ARN())} }, finding{Conflict, "ServerTaken", "", "Secret hand"}},
		"somebody else's Secret": {func(in *Input, c *Cluster) { in.Entries = []Entry{foreign(SecretName(c.ID), "x", "https://x")} }, finding{
			Conflict, "SecretExists", "", "rename or delete",
		}},
		"somebody else's name": {func(in *Input, _ *Cluster) {
			in.Entries = []Entry{foreign("hand", "a-us-east-1-111122223333", "https://x")}
		}, finding{
			Conflict, "NameTaken", "", "template.name",
		}},
		"the name of Argo CD's own cluster": {func(in *Input, _ *Cluster) { in.Set.Template.Name = text("in-cluster") }, finding{Conflict, "InCluster", "", "in-cluster"}},
		"adoption that was asked for": {func(in *Input, c *Cluster) {
			e := foreign("hand", "a-us-east-1-111122223333", c.Endpoint+"/")
			e.Adopt = in.Set.Owner
			in.Entries = []Entry{e}
		}, finding{Registered, "Registered", Adopt, ""}},
		"adoption by another set": {func(in *Input, c *Cluster) {
			e := foreign("hand", "x", c.Endpoint)
			e.Adopt = other
			in.Entries = []Entry{e}
		}, finding{Conflict, "ServerTaken", "", ""}},
		"adoption of another server's": {func(in *Input, _ *Cluster) {
			e := foreign("hand", "x", "https://x")
			e.Adopt = in.Set.Owner
			in.Entries = []Entry{e}
		}, finding{Registered, "Registered", Create, ""}},
		"adoption from another set": {func(in *Input, c *Cluster) {
			e := entryOf(t, in.Set, *c)
			e.Owner, e.Adopt = other, in.Set.Owner
			in.Entries = []Entry{e}
		}, finding{Registered, "Registered", Adopt, ""}},
		"adoption of what another set has twice": {func(in *Input, c *Cluster) {
			e := entryOf(t, in.Set, *c)
			e.Owner, e.Adopt = other, in.Set.Owner
			f := e
			f.Name, f.Adopt, f.Server = "second", Owner{}, "https://x"
			in.Entries = []Entry{e, f}
		}, finding{Conflict, "OwnedByOther", "", "Secret second"}},
		"adoption of two": {func(in *Input, c *Cluster) {
			e := foreign("hand", "x", c.Endpoint)
			e.Adopt = in.Set.Owner
			f := e
			f.Name = "hand-2"
			in.Entries = []Entry{e, f}
		}, finding{Conflict, "Duplicate", "", "hand, hand-2"}},
		"adoption keeps another name": {func(in *Input, c *Cluster) {
			e := foreign("hand", "old", c.Endpoint)
			e.Adopt = in.Set.Owner
			in.Entries = []Entry{e}
		}, finding{Held, "NameChange", Adopt, `"old"`}},
		"adoption whose mark would delete Applications": {func(in *Input, c *Cluster) {
			e := foreign("hand", "old", c.Endpoint)
			e.Adopt, e.Labels["app.kubernetes.io/managed-by"] = in.Set.Owner, "okra"
			in.Entries = []Entry{e}
			in.ApplicationSets = []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{{"app.kubernetes.io/managed-by", In, []string{"okra"}}}}}}
		}, finding{Held, "LabelWouldDelete", "", "argocd/apps"}},
		"adoption that a person allowed to delete them": {func(in *Input, c *Cluster) {
			e := foreign("hand", "a-us-east-1-111122223333", c.Endpoint)
			e.Adopt, e.Labels["app.kubernetes.io/managed-by"], e.Allow = in.Set.Owner, "okra", []string{AllowRelabel}
			in.Entries = []Entry{e}
			in.ApplicationSets = []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{{"app.kubernetes.io/managed-by", In, []string{"okra"}}}}}}
		}, finding{Registered, "Registered", Adopt, ""}},
		"adoption replaces nothing": {func(in *Input, c *Cluster) {
			e := foreign("hand", "old", c.Endpoint)
			e.Adopt, e.Allow, in.Set.TargetGroups = in.Set.Owner, []string{AllowReplace}, nil
			in.Entries = []Entry{e}
		}, finding{Held, "NameChange", Adopt, `"old"`}},
		"adoption while ApplicationSets are not known": {func(in *Input, c *Cluster) {
			e := foreign("hand", "old", c.Endpoint)
			e.Adopt = in.Set.Owner
			in.Entries, in.ApplicationSetsErr = []Entry{e}, errors.New("forbidden")
		}, finding{Held, "ApplicationSetsUnknown", "", "forbidden"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := eks("a")
			in := Input{Set: one(), Now: t0}
			tc.change(&in, &c)
			in.Snapshot = see(c)
			a := about(t, Decide(in), c.ID)
			tc.want.check(t, a)
			if a.Do == Adopt {
				got := apply(a, in.Set.Owner)
				if got.ClusterName != in.Entries[0].ClusterName || got.Server != in.Entries[0].Server || got.Owner != in.Set.Owner {
					t.Errorf("adopted as %+v", got)
				}
			}
		})
	}
}

func TestDecideIgnoresWhatIsNotSelectedAndNotRegistered(t *testing.T) {
	deleting, elsewhere, stage := eks("a"), eks("b"), eks("c")
	deleting.Status = Deleting
	elsewhere.Region = "eu-west-1"
	stage.Tags = map[string]string{"env": "stage"}
	snapshot := see(deleting, elsewhere, stage).with(id("d"), Gone).with(id("e"), Unknown)
	snapshot.Sightings["garbage"] = Sighting{Presence: Present, Cluster: eks("f")}
	if p := Decide(Input{Set: one(), Snapshot: snapshot, Now: t0}); len(p.Actions) != 0 || len(p.Ask) != 0 || p.Stopped != "" {
		t.Errorf("%+v", p)
	}
}

func TestDecideAboutARegisteredCluster(t *testing.T) {
	long := t0.Add(-100 * grace)
	for name, tc := range map[string]struct {
		change func(*Input, *Cluster, *Entry)
		want   finding
	}{
		"one in order is left alone":        {func(*Input, *Cluster, *Entry) {}, finding{Registered, "Registered", "", ""}},
		"a slash at the server's end":       {func(_ *Input, c *Cluster, _ *Entry) { c.Endpoint += "/" }, finding{Registered, "Registered", "", ""}},
		"UPDATING is as ACTIVE":             {func(_ *Input, c *Cluster, _ *Entry) { c.Status, c.CA = Updating, "Y2Ey" }, finding{Registered, "Registered", Update, ""}},
		"FAILED is kept as it is":           {func(_ *Input, c *Cluster, _ *Entry) { c.Status, c.CA = Failed, "Y2Ey" }, finding{Broken, "Failed", "", ""}},
		"CREATING is kept as it is":         {func(_ *Input, c *Cluster, _ *Entry) { c.Status, c.Endpoint, c.CA, c.Created = Creating, "", "", t0 }, finding{Waiting, "Creating", "", ""}},
		"an error of its template":          {func(_ *Input, c *Cluster, _ *Entry) { c.Tags["env"] = "prod"; c.CA = "-" }, finding{Invalid, "TemplateError", "", "base64"}},
		"it is there again":                 {func(_ *Input, _ *Cluster, e *Entry) { e.MissingSince = long }, finding{Registered, "Registered", Mark, ""}},
		"it is selected again":              {func(_ *Input, _ *Cluster, e *Entry) { e.UnselectedSince = long }, finding{Registered, "Registered", Mark, ""}},
		"it is there again, and to repair":  {func(_ *Input, c *Cluster, e *Entry) { e.MissingSince, c.CA = long, "Y2Ey" }, finding{Registered, "Registered", Update, ""}},
		"a probe is not asked for":          {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Probe.Enabled = true }, finding{Registered, "Registered", "", ""}},
		"its tags have changed":             {func(_ *Input, c *Cluster, _ *Entry) { c.Tags = nil }, finding{Unselected, "TagsDiffer", Mark, "norikae clusters retire"}},
		"they have for long":                {func(_ *Input, c *Cluster, e *Entry) { c.Tags, e.UnselectedSince = nil, long }, finding{Unselected, "TagsDiffer", "", "norikae clusters retire"}},
		"it is unselected, and was missing": {func(_ *Input, c *Cluster, e *Entry) { c.Tags, e.UnselectedSince, e.MissingSince = nil, long, long }, finding{Unselected, "TagsDiffer", Mark, ""}},
		"it is excluded":                    {func(in *Input, c *Cluster, _ *Entry) { in.Set.Sources[0].Selector.Exclude.ARNs = []string{c.ARN()} }, finding{Unselected, "Excluded", Mark, "excludes"}},
		"its name does not match":           {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Sources[0].Selector.Names = []string{"b*"} }, finding{Unselected, "NameDiffers", Mark, "pattern"}},
		"its region is not looked into":     {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Sources[0].Regions = []string{"eu-west-1"} }, finding{Unselected, "NoSource", Mark, "no source"}},
		"its account is not looked into": {func(in *Input, _ *Cluster, _ *Entry) {
			in.Set.Sources[0].Accounts[0].RoleARN = "arn:aws:iam::999999999999:role/x"
		}, finding{Unselected, "NoSource", Mark, "no source"}},
		"the own account is not known": {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Sources[0].Accounts = nil }, finding{Uncertain, "AccountUnknown", "", "account"}},
		"the own account is another": {func(in *Input, _ *Cluster, _ *Entry) {
			in.Set.Sources[0].Accounts = []Account{{}}
			in.Snapshot.Scopes = []ScopeResult{{Scope: Scope{"999999999999", "us-east-1"}}}
		}, finding{Unselected, "NoSource", Mark, ""}},
		"the own account is its": {func(in *Input, _ *Cluster, _ *Entry) {
			in.Set.Sources[0].Accounts = []Account{{}}
			in.Snapshot.Scopes = []ScopeResult{{Scope: Scope{"111122223333", "us-east-1"}}}
		}, finding{Registered, "Registered", "", ""}},
		"a second source selects it": {func(in *Input, c *Cluster, _ *Entry) {
			c.Tags["env"] = "stage"
			in.Set.Sources = append(in.Set.Sources, in.Set.Sources[0])
			in.Set.Sources[1].Selector = Selector{Names: []string{"a"}}
		}, finding{Registered, "Registered", Update, ""}},
		"a name would change":              {func(in *Input, _ *Cluster, _ *Entry) { in.Set.Template.Name = text("x-{{ .Name }}") }, finding{Held, "NameChange", "", `"x-a" is declared`}},
		"a name would, and the CA changes": {func(in *Input, c *Cluster, _ *Entry) { in.Set.Template.Name, c.CA = text("x"), "Y2Ey" }, finding{Held, "NameChange", Update, ""}},
		"a name may change": {func(in *Input, _ *Cluster, e *Entry) {
			in.Set.Template.Name, in.Set.TargetGroups, e.Allow = text("x"), nil, []string{AllowReplace}
		}, finding{Registered, "Replaced", Replace, ""}},
		"a name may, but it is taken": {func(in *Input, _ *Cluster, e *Entry) {
			in.Set.Template.Name, e.Allow, in.Entries = text("x"), []string{AllowReplace}, []Entry{foreign("hand", "x", "https://x")}
		}, finding{Conflict, "NameTaken", "", "Secret hand"}},
		"a name may, of Argo CD's own": {func(in *Input, _ *Cluster, e *Entry) {
			in.Set.Template.Name, e.Allow = text("in-cluster"), []string{AllowReplace}
		}, finding{Conflict, "InCluster", "", ""}},
		"a name may, but traffic is unknown": {func(in *Input, c *Cluster, e *Entry) {
			in.Set.Template.Name, e.Allow, in.Traffic = text("x"), []string{AllowReplace}, map[string]Traffic{c.ARN(): {Err: errors.New("denied")}}
		}, finding{Held, "TrafficUnknown", "", "denied"}},
		"somebody has its server as well": {func(in *Input, c *Cluster, _ *Entry) { in.Entries = []Entry{foreign("hand", "x", c.Endpoint)} }, finding{Conflict, "ServerTaken", "", "Secret hand"}},
		"somebody has its name as well": {func(in *Input, _ *Cluster, e *Entry) {
			in.Entries = []Entry{foreign("hand", e.ClusterName, "https://x")}
		}, finding{Conflict, "NameTaken", "", "Secret hand"}},
		"an annotation would change, and nobody knows what ApplicationSets make of it": {func(in *Input, c *Cluster, _ *Entry) {
			c.Version, in.ApplicationSetsErr = "1.37", errors.New("forbidden")
		}, finding{Held, "ApplicationSetsUnknown", "", "forbidden"}},
		"one would, and the CA changes": {func(in *Input, c *Cluster, _ *Entry) {
			c.Version, c.CA, in.ApplicationSetsErr = "1.37", "Y2Ey", errors.New("forbidden")
		}, finding{Held, "ApplicationSetsUnknown", Update, "forbidden"}},
		"nothing would, and nobody knows": {func(in *Input, _ *Cluster, _ *Entry) { in.ApplicationSetsErr = errors.New("forbidden") }, finding{Registered, "Registered", "", ""}},
		"a copy of its Secret":            {func(in *Input, _ *Cluster, e *Entry) { f := *e; f.Name = "copy"; in.Entries = []Entry{f} }, finding{Conflict, "Duplicate", "", "2 Secrets"}},
		"a mark that says nothing":        {func(_ *Input, _ *Cluster, e *Entry) { e.Cluster.Region = "" }, finding{Uncertain, "MarkUnreadable", "", "mark"}},
		"DELETING asks for its traffic":   {func(_ *Input, c *Cluster, _ *Entry) { c.Status = Deleting }, finding{Draining, "Deleting", "", "until it is gone"}},
		"DELETING with traffic": {func(in *Input, c *Cluster, _ *Entry) {
			c.Status, in.Traffic = Deleting, map[string]Traffic{c.ARN(): {Routes: []string{"rule 1", "rule 2"}}}
		}, finding{Draining, "CarriesTraffic", "", "rule 1, rule 2"}},
		"DELETING, and traffic is unknown": {func(in *Input, c *Cluster, _ *Entry) { c.Status, in.Set.TargetGroups = Deleting, nil }, finding{Draining, "TrafficUnknown", "", "targetGroups"}},
		"DELETING, and not selected": {func(in *Input, c *Cluster, _ *Entry) {
			c.Status, c.Tags, in.Set.TargetGroups = Deleting, nil, &TargetGroups{None: true}
		}, finding{Draining, "Deleting", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			c := eks("a")
			in := Input{Set: one(), Now: t0}
			e := entryOf(t, in.Set, c)
			tc.change(&in, &c, &e)
			scopes := in.Snapshot.Scopes
			in.Snapshot = see(c)
			in.Snapshot.Scopes = scopes
			in.Entries = append(in.Entries, e)
			a := about(t, Decide(in), e.Cluster)
			tc.want.check(t, a)
			if a.State != Unselected && !a.UnselectedSince.IsZero() || !a.MissingSince.IsZero() {
				t.Errorf("missing since %v, unselected since %v", a.MissingSince, a.UnselectedSince)
			}
			if a.Do == Update && (a.Want.ClusterName != e.ClusterName || a.Want.Server != e.Server) {
				t.Errorf("in place: %+v", a.Want)
			}
		})
	}
}

func TestWhatNobodyCouldBeAskedAboutStaysAsItIs(t *testing.T) {
	s, clusters, entries := fleet(t, 1)
	entries[0].MissingSince, entries[0].UnselectedSince = t0.Add(-100*grace), t0.Add(-90*grace)
	for name, snapshot := range map[string]Snapshot{
		"an error":             {Sightings: map[string]Sighting{clusters[0].ARN(): {Err: errors.New("throttled")}}},
		"nothing":              {},
		"another under its ID": {Sightings: map[string]Sighting{clusters[0].ARN(): {Presence: Present, Cluster: eks("other")}}},
		"an unknown presence":  {Sightings: map[string]Sighting{clusters[0].ARN(): {Presence: 7}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := about(t, Decide(Input{Set: s, Snapshot: snapshot, Entries: entries, Now: t0}), clusters[0].ID)
			finding{Uncertain, "Unknown", "", "AWS could not be asked"}.check(t, a)
			if a.MissingSince != entries[0].MissingSince || a.UnselectedSince != entries[0].UnselectedSince {
				t.Errorf("notes: %v, %v", a.MissingSince, a.UnselectedSince)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	prod := ApplicationSet{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{{"env", In, []string{"prod"}}}}}
	both := ApplicationSet{Namespace: "argocd", Name: "both", Selectors: []LabelSelector{{{"env", In, []string{"prod"}}}, {{"env", In, []string{"stage"}}}}}
	with := func(a ApplicationSet, change func(*ApplicationSet)) ApplicationSet { change(&a); return a }
	for name, tc := range map[string]struct {
		sets   []ApplicationSet
		err    error
		allow  []string
		ca     bool // is rotated as well
		want   finding
		env    string // of the Secret then
		effect string
	}{
		"nobody selects by it":          {nil, nil, nil, false, finding{Registered, "Registered", Update, ""}, "stage", ""},
		"one selects by it":             {[]ApplicationSet{prod}, nil, nil, false, finding{Held, "LabelWouldDelete", "", "ApplicationSet argocd/apps would delete their Applications of it, with their workloads"}, "prod", ""},
		"the rest is repaired":          {[]ApplicationSet{prod}, nil, nil, true, finding{Held, "LabelWouldDelete", Update, "allow=relabel"}, "prod", ""},
		"each generator counts alone":   {[]ApplicationSet{both}, nil, nil, false, finding{Held, "LabelWouldDelete", "", "argocd/both"}, "prod", ""},
		"its workloads stay":            {[]ApplicationSet{with(prod, func(a *ApplicationSet) { a.Preserves = true })}, nil, nil, false, finding{Held, "LabelWouldDelete", "", "the workloads stay"}, "prod", ""},
		"its Applications stay":         {[]ApplicationSet{with(prod, func(a *ApplicationSet) { a.Keeps = true })}, nil, nil, false, finding{Registered, "Registered", Update, ""}, "stage", "would keep their Applications"},
		"a person allowed it":           {[]ApplicationSet{prod}, nil, []string{AllowRelabel}, false, finding{Registered, "Registered", Update, ""}, "stage", "argocd/apps would delete"},
		"a person allowed another":      {[]ApplicationSet{prod}, nil, []string{AllowReplace}, false, finding{Held, "LabelWouldDelete", "", ""}, "prod", ""},
		"nobody knows who selects":      {nil, errors.New("forbidden"), nil, false, finding{Held, "ApplicationSetsUnknown", "", "forbidden"}, "prod", ""},
		"nor then, and a CA":            {nil, errors.New("forbidden"), nil, true, finding{Held, "ApplicationSetsUnknown", Update, ""}, "prod", ""},
		"nobody knows, and it may":      {nil, errors.New("forbidden"), []string{AllowRelabel}, false, finding{Registered, "Registered", Update, ""}, "stage", "not known"},
		"it is selected by another":     {[]ApplicationSet{with(prod, func(a *ApplicationSet) { a.Selectors = []LabelSelector{{{"env", In, []string{"stage"}}}} })}, nil, nil, false, finding{Registered, "Registered", Update, ""}, "stage", "would make Applications"},
		"a generator without selectors": {[]ApplicationSet{with(prod, func(a *ApplicationSet) { a.Selectors = nil })}, nil, nil, false, finding{Registered, "Registered", Update, ""}, "stage", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := one(), eks("a")
			e := entryOf(t, s, c)
			e.Allow = tc.allow
			s.Template.Labels["env"] = text("stage")
			s.Template.Annotations["example.com/version"] = text("1.36")
			if tc.ca {
				c.CA = "Y2Ey"
			}
			in := Input{Set: s, Snapshot: see(c), Entries: []Entry{e}, ApplicationSets: tc.sets, ApplicationSetsErr: tc.err, Now: t0}
			a := about(t, Decide(in), c.ID)
			tc.want.check(t, a)
			if !strings.Contains(a.Effect, tc.effect) || tc.effect == "" && a.Effect != "" {
				t.Errorf("effect %q, want …%s…", a.Effect, tc.effect)
			}
			if a.Do == Update {
				in.Entries[0] = apply(a, s.Owner)
			}
			if got := in.Entries[0].Labels["env"]; got != tc.env {
				t.Errorf("env=%s, want %s", got, tc.env)
			}
			if again := about(t, Decide(in), c.ID); again.Do != "" {
				t.Errorf("then %s: %+v", again.Do, again)
			}
		})
	}
}

func TestAddedLabelsCanDeleteToo(t *testing.T) {
	s, c := one(), eks("a")
	e := entryOf(t, s, c)
	s.Template.Labels["retired"] = text("yes")
	in := Input{
		Set: s, Snapshot: see(c), Entries: []Entry{e}, Now: t0,
		ApplicationSets: []ApplicationSet{{Namespace: "argocd", Name: "apps", Selectors: []LabelSelector{{{Key: "retired", Operator: DoesNotExist}}}}},
	}
	finding{Held, "LabelWouldDelete", "", "argocd/apps"}.check(t, about(t, Decide(in), c.ID))
}

func TestMessagesAreBounded(t *testing.T) {
	s, c := one(), eks("a")
	s.Probe.Enabled = true
	in := Input{Set: s, Snapshot: see(c), Now: t0, Probes: map[string]error{c.ARN(): errors.New(strings.Repeat("乗\n\x00", 1000))}}
	a := about(t, Decide(in), c.ID)
	if n := len(a.Message); n > 512 || n < 500 || strings.ContainsAny(a.Message, "\n\x00\ufffd") || !strings.HasSuffix(a.Message, "…") {
		t.Errorf("%d bytes: %q", n, a.Message)
	}
}

func TestCreatedIsComparedToTheSecond(t *testing.T) {
	s, c := one(), eks("a")
	e := entryOf(t, s, c)
	c.Created = c.Created.Add(300 * time.Millisecond)
	finding{Registered, "Registered", "", ""}.check(t, about(t, Decide(Input{Set: s, Snapshot: see(c), Entries: []Entry{e}, Now: t0}), c.ID))
}

func TestTwoThatAreToGetOneName(t *testing.T) {
	s, clusters, entries := fleet(t, 2)
	s.TargetGroups, s.Template.Name = nil, text("same")
	entries[0].Allow = []string{AllowReplace}
	in := Input{Set: s, Snapshot: see(clusters...), Entries: entries, Now: t0}
	// One of the two may get it.
	finding{Registered, "Replaced", Replace, ""}.check(t, about(t, Decide(in), clusters[0].ID))
	// Both may not.
	entries[1].Allow = []string{AllowReplace}
	for _, c := range clusters {
		finding{Conflict, "NameCollision", "", `"same"`}.check(t, about(t, Decide(in), c.ID))
	}
	// Nor may one that has a Secret, when one that has none is to get it.
	in.Entries = entries[:1]
	finding{Conflict, "NameCollision", "", `"same"`}.check(t, about(t, Decide(in), clusters[0].ID))
	finding{Registered, "Registered", Create, ""}.check(t, about(t, Decide(in), clusters[1].ID))
}
