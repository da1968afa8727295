package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// dice throws 0…n-1.
type dice func(n int) int

// world is AWS, Argo CD's namespace, and the people who meddle with both.
type world struct {
	roll    dice
	now     time.Time
	set     *Set
	ids     []ID
	eks     map[ID]*Cluster // what there is
	hidden  map[ID]bool     // is there, and AWS says that it is not
	down    map[Scope]bool  // does not answer
	entries []Entry
	appsets []ApplicationSet
	appErr  error
	routes  map[ID]Traffic
	probes  map[ID]error
	serial  int // of incarnations and UIDs
}

var (
	lawScopes = []Scope{{"111111111111", "us-east-1"}, {"111111111111", "eu-west-1"}, {"222222222222", "us-east-1"}, {"222222222222", "eu-west-1"}}
	lawNames  = []string{"{{ .Name }}-{{ .Region }}-{{ .Account }}", "{{ .Name }}-{{ .Account }}", "{{ .Name }}-{{ .Region }}-{{ .Account }}"}
	lawLabels = []map[string]string{
		{"env": "{{ .Tags.env }}"},
		{"env": "{{ .Tags.env }}", "team": `{{ get .Tags "team" }}`},
		{"tier": "gold"},
		{},
	}
	lawEnvs   = []string{"prod", "prod", "prod", "stage", "test"}
	lawServer = []string{"https://elsewhere.example", "https://kubernetes.default.svc", ""}
)

func newWorld(roll dice) *world {
	w := &world{
		roll: roll, now: t0, eks: map[ID]*Cluster{}, down: map[Scope]bool{}, hidden: map[ID]bool{}, routes: map[ID]Traffic{}, probes: map[ID]error{},
	}
	n := []int{2, 6, 24}[roll(3)]
	for i := range n {
		s := lawScopes[i%len(lawScopes)]
		// Names repeat across accounts and regions.
		w.ids = append(w.ids, ID{Partition: "aws", Account: s.Account, Region: s.Region, Name: fmt.Sprintf("c%d", i/len(lawScopes))})
	}
	w.redeclare()
	for range roll(4) {
		w.appsets = append(w.appsets, ApplicationSet{Namespace: "argocd", Name: fmt.Sprintf("as%d", w.roll(100)), Keeps: roll(4) == 0, Preserves: roll(3) == 0, Selectors: w.selectors()})
	}
	for _, id := range w.ids {
		if roll(8) > 0 {
			w.make(id, Active)
		}
	}
	return w
}

func (w *world) selectors() []LabelSelector {
	all := []LabelSelector{
		{{Key: "env", Operator: In, Values: []string{"prod"}}},
		{{Key: "env", Operator: NotIn, Values: []string{"test"}}},
		{{Key: "team", Operator: Exists}},
		{{Key: "team", Operator: DoesNotExist}},
		{},
		{{Key: "mine", Operator: Exists}},
		{{Key: "app.kubernetes.io/managed-by", Operator: DoesNotExist}},
	}
	return []LabelSelector{all[w.roll(len(all))], all[w.roll(len(all))]}
}

// redeclare makes the set, or changes it.
func (w *world) redeclare() {
	labels := map[string]*Text{}
	for k, v := range lawLabels[w.roll(len(lawLabels))] {
		labels[k] = text(v)
	}
	groups := []*TargetGroups{nil, {None: true}, {Name: text("{{ .Name }}-*")}, {Name: text("{{ .Name }}-*")}}[w.roll(4)]
	s := &Set{
		Owner: Owner{"argocd", "fleet"},
		Template: Template{
			Name: text(lawNames[w.roll(len(lawNames))]), Labels: labels,
			Annotations: map[string]*Text{"version": text("{{ .Version }}")},
		},
		Auth:         Auth{AWS: &AWSAuth{}},
		TargetGroups: groups,
		Deletion:     Deletion{Delete: w.roll(4) > 0, Grace: grace, MaxPercent: []int{0, 10, 30, 100}[w.roll(4)], KeepLast: w.roll(3)},
		Probe:        Probe{Enabled: w.roll(3) == 0},
	}
	if w.roll(12) == 0 {
		s.Template.Name = text("{{ .Name }}") // which collides
	}
	sel := Selector{Tags: map[string]string{"env": "prod"}}
	if w.roll(3) == 0 {
		sel = Selector{Requirements: []Requirement{{Key: "env", Operator: In, Values: []string{"prod", "stage"}}}}
	}
	s.Sources = []Source{
		{Regions: []string{"us-east-1", "eu-west-1"}, Accounts: []Account{{RoleARN: "arn:aws:iam::111111111111:role/r"}}, Selector: sel},
		{Regions: []string{"us-east-1", "eu-west-1"}, Accounts: []Account{{RoleARN: "arn:aws:iam::222222222222:role/r"}}, Selector: sel},
	}
	if w.roll(10) == 0 {
		s.Sources = s.Sources[:1]
	}
	w.set = s
}

func (w *world) make(id ID, status Status) {
	w.serial++
	c := eks(id.Name)
	c.ID, c.Status, c.Created = id, status, w.now.Add(time.Duration(w.serial)*time.Millisecond-time.Second)
	c.Endpoint = fmt.Sprintf("https://%s-%d.eks.example", id.Name, w.serial)
	c.Tags = map[string]string{"env": lawEnvs[w.roll(len(lawEnvs))]}
	if w.roll(2) == 0 {
		c.Tags["team"] = "red"
	}
	if status == Creating {
		c.Endpoint, c.CA = "", ""
	}
	w.eks[id] = &c
}

// happen lets something happen to AWS.
func (w *world) happen() {
	id := w.ids[w.roll(len(w.ids))]
	c := w.eks[id]
	switch n := w.roll(16); {
	case n < 3:
		w.down[lawScopes[w.roll(len(lawScopes))]] = n > 0
	case n == 3:
		w.down = map[Scope]bool{}
	case n == 4:
		w.routes[id] = []Traffic{{Routes: []string{"rule 10 of alb/blue"}}, {Err: errors.New("denied")}, {}, {}}[w.roll(4)]
	case n == 5:
		w.routes = map[ID]Traffic{}
	case n == 6:
		w.probes[id] = []error{errors.New("timeout"), nil}[w.roll(2)]
	case n == 7:
		w.appErr = []error{errors.New("forbidden"), nil, nil}[w.roll(3)]
	case c == nil:
		w.make(id, []Status{Creating, Active}[w.roll(2)])
	case n == 8:
		c.Status = []Status{Active, Active, Updating, Deleting, Failed, "NEW"}[w.roll(6)]
		if c.Endpoint == "" {
			w.make(id, Active)
		}
	case n == 9:
		c.Tags = map[string]string{"env": lawEnvs[w.roll(len(lawEnvs))]}
	case n == 10:
		c.CA, c.Version = []string{"Y2E=", "Y2Ey"}[w.roll(2)], []string{"1.36", "1.37"}[w.roll(2)]
	case n == 11:
		w.make(id, Active)         // deleted and made anew between two passes
		for i := range w.entries { // and somebody allows the Secret to be, too
			if w.entries[i].Cluster == id && w.roll(2) == 0 {
				w.entries[i].Allow = []string{AllowReplace}
			}
		}
	case n == 12 && w.roll(3) == 0:
		for _, id := range w.ids { // everything is gone, or so it seems
			w.hidden[id] = true
		}
	case n == 13:
		w.hidden[id] = !w.hidden[id]
	case n == 14:
		w.hidden = map[ID]bool{}
	default:
		delete(w.eks, id)
	}
}

// meddle with a Secret, or make one by hand.
func (w *world) meddle() {
	n := w.roll(12)
	if n == 0 || len(w.entries) == 0 {
		w.byHand()
		return
	}
	i := w.roll(len(w.entries))
	e := clone(w.entries[i])
	switch n {
	case 1:
		e.Labels["env"] = lawEnvs[w.roll(len(lawEnvs))]
	case 2:
		e.Labels["mine"] = "yes"
	case 3:
		e.Config = "{}"
	case 4:
		e.Server = lawServer[w.roll(len(lawServer))]
	case 5:
		e.ClusterName = []string{"in-cluster", "renamed", "c0"}[w.roll(3)]
	case 6:
		e.Allow = [][]string{{AllowRelabel}, {AllowReplace}, {AllowRelabel, AllowReplace}, {AllowReplace}, nil}[w.roll(5)]
	case 7:
		e.Adopt = []Owner{w.set.Owner, {"argocd", "other"}, {}}[w.roll(3)]
	case 8:
		e.Owner = []Owner{{}, {"argocd", "other"}}[w.roll(2)]
	case 9:
		w.serial++
		e.Name, e.UID = fmt.Sprintf("copy-%d", w.serial), fmt.Sprint(w.serial)
		w.entries = append(w.entries, e)
		return
	case 10:
		w.entries = slices.Delete(w.entries, i, i+1)
		return
	case 11:
		delete(e.Labels, "env")
	}
	w.entries[i] = e
}

func (w *world) byHand() {
	id := w.ids[w.roll(len(w.ids))]
	w.serial++
	e := foreign(fmt.Sprintf("hand-%d", w.serial), id.Name, "https://gke.example/"+fmt.Sprint(w.serial))
	e.UID, e.Labels = fmt.Sprint(w.serial), map[string]string{"env": "prod", "argocd.argoproj.io/secret-type": "cluster"}
	if c := w.eks[id]; c != nil && w.roll(2) == 0 {
		e.Server = c.Endpoint + "/"
	}
	switch w.roll(6) {
	case 0:
		e.Name = SecretName(id)
		if w.secret(e.Name) != nil {
			return
		}
	case 1:
		e.ClusterName, e.Server = "in-cluster", "https://kubernetes.default.svc"
	case 2:
		e.Adopt = w.set.Owner
	}
	w.entries = append(w.entries, e)
}

func clone(e Entry) Entry {
	e.Labels, e.Annotations, e.Allow = maps.Clone(e.Labels), maps.Clone(e.Annotations), slices.Clone(e.Allow)
	if e.Labels == nil {
		e.Labels = map[string]string{}
	}
	return e
}

func (w *world) secret(name string) *Entry {
	for i := range w.entries {
		if w.entries[i].Name == name {
			return &w.entries[i]
		}
	}
	return nil
}

// observe is what a pass gets to know.
func (w *world) observe() Input {
	in := Input{
		Set: w.set, Snapshot: Snapshot{Sightings: map[string]Sighting{}}, Now: w.now,
		ApplicationSets: w.appsets, ApplicationSetsErr: w.appErr,
		Traffic: map[string]Traffic{}, Probes: map[string]error{},
	}
	if w.appErr != nil {
		in.ApplicationSets = nil
	}
	for _, e := range w.entries {
		in.Entries = append(in.Entries, clone(e))
	}
	for _, id := range w.ids {
		s := Sighting{Presence: Gone}
		if c := w.eks[id]; c != nil && !w.hidden[id] {
			s = Sighting{Presence: Present, Cluster: *c}
			s.Cluster.Tags = maps.Clone(c.Tags)
		}
		if w.down[id.Scope()] {
			s = Sighting{Err: errors.New("AccessDenied")}
			if w.roll(4) == 0 {
				continue // not even asked
			}
		}
		in.Snapshot.Sightings[id.ARN()] = s
	}
	return in
}

// answer what a plan asks.
func (w *world) answer(in Input, ask []Asked) Input {
	for _, q := range ask {
		switch q.Question {
		case AskTraffic:
			in.Traffic[q.Cluster.ARN()] = w.routes[q.Cluster.ID]
		case AskProbe:
			in.Probes[q.Cluster.ARN()] = w.probes[q.Cluster.ID]
		}
	}
	return in
}

// write one action; false: it failed.
func (w *world) write(a Action) bool {
	if a.Do == Create || a.Do == Replace {
		if a.Do == Replace {
			w.remove(a.Entry.UID)
		}
		if w.secret(SecretName(a.Cluster)) != nil {
			return false
		}
		e := apply(a, w.set.Owner)
		w.serial++
		e.UID = fmt.Sprint(w.serial)
		w.entries = append(w.entries, e)
		return true
	}
	if a.Do == Delete {
		w.remove(a.Entry.UID)
		return true
	}
	for i, e := range w.entries {
		if e.UID == a.Entry.UID {
			w.entries[i] = apply(a, w.set.Owner)
		}
	}
	return true
}

func (w *world) remove(uid string) {
	w.entries = slices.DeleteFunc(w.entries, func(e Entry) bool { return e.UID == uid })
}
