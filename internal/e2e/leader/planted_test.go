package leader

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registry"
)

// accuses wants that the judge says something of the evidence.
func accuses(t *testing.T, ev evidence, what string) {
	t.Helper()
	wrong := judge(ev)
	for _, w := range wrong {
		if strings.HasPrefix(w, what) {
			return
		}
	}
	t.Errorf("the judge does not say %q, but:\n%s", what, strings.Join(wrong, "\n"))
}

// step of a story that is made up.
type step struct {
	second int // since it began
	by     string
	name   string // of the write; one of a lease ends with its holder
	status int    // 0: 200
}

// deadAt is the second at which the leader of the story is dead: it was about to update
// the Secret of tagged.
const deadAt = 40

// takeover is a story that went well.
func takeover() []step {
	return []step{
		{0, first, "create lease a", 0},
		{10, first, "create stays", 0},
		{10, first, "create tagged", 0},
		{10, first, "create replaced", 0},
		{10, first, "create vanishes", 0},
		{11, first, "adopt adopted", 0},
		{20, first, "update lease a", 0},
		{30, first, "mark vanishes", 0},
		{56, second, "update lease b", 0},
		{57, second, "update tagged", 0},
		{65, second, "delete replaced", 0},
		{66, second, "create replaced", 0},
		{100, second, "delete vanishes", 0},
	}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func second2time(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }

func idOf(cluster string) registry.ID {
	return registry.ID{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: cluster}
}

func entryOf(cluster, uid string, owner registry.Owner) registry.Entry {
	e := registry.Entry{
		Name: registry.SecretName(idOf(cluster)), UID: uid, Owner: owner, Cluster: idOf(cluster),
		Registration: registry.Registration{ClusterName: cluster, Server: "https://" + cluster, Labels: map[string]string{"cell": "one"}},
	}
	if cluster == "replaced" || cluster == "tagged" {
		e.Labels["team"] = "checkout"
	}
	if cluster == "replaced" {
		e.Allow = []string{registry.AllowReplace}
	}
	return e
}

// evidenceOf a story.
func evidenceOf(steps []step) evidence {
	set := &registry.Set{
		Owner: registry.Owner{Namespace: "argocd", Name: "fleet"}, Interval: 10 * time.Second,
		Deletion: registry.Deletion{Delete: true, Grace: time.Minute, MaxPercent: 10, KeepLast: 1},
	}
	ev := evidence{set: set, killed: second2time(deadAt)}
	for c := range plan() {
		ev.events = append(ev.events, fleettest.Event{At: start.Add(-time.Hour), ARN: idOf(c).ARN(), Exists: true, Weight: -1})
	}
	arn := idOf("vanishes").ARN()
	ev.events = append(ev.events, fleettest.Event{At: second2time(25), ARN: arn, Weight: -1})
	ev.answers = []fleettest.Answer{{At: second2time(30), ARN: arn, Gone: true}, {At: second2time(100), ARN: arn, Gone: true}}
	now := []registry.Entry{entryOf("adopted", "by-hand", registry.Owner{})}
	now[0].Cluster, now[0].Adopt = registry.ID{}, set.Owner
	for i, s := range steps {
		words := append(strings.Fields(s.name), "")
		w := write{by: s.by, at: second2time(s.second), status: max(s.status, http.StatusOK), name: words[0] + " " + words[1], holder: words[2]}
		if w.kind = leaseKind; words[1] != "lease" {
			w.kind, w.cluster = secretKind, words[1]
			w.At, w.Do, w.Ours = w.at, registry.Do(words[0]), len(now)
			if w.landed() {
				now = w.carryOut(now, set.Owner, strconv.Itoa(i), words[2])
			}
		}
		w.after = slices.Clone(now)
		ev.writes = append(ev.writes, w)
	}
	ev.secrets = now
	return ev
}

// carryOut a write of a Secret, of the name suffixed, and return which there are then.
func (w *write) carryOut(now []registry.Entry, owner registry.Owner, uid, suffix string) []registry.Entry {
	i := slices.IndexFunc(now, func(e registry.Entry) bool {
		return e.Cluster.Name == w.cluster || w.Do == registry.Adopt && e.Cluster.Name == ""
	})
	now = slices.Clone(now)
	if w.Do == registry.Create {
		e := entryOf(w.cluster, uid, owner)
		if e.Name += suffix; w.second() && w.cluster == "replaced" {
			e.ClusterName = "renamed"
		}
		w.After = e
		return append(now, e)
	}
	w.Before = now[i]
	e := now[i]
	switch w.Do {
	case registry.Delete:
		return slices.Delete(now, i, i+1)
	case registry.Adopt:
		e = entryOf(w.cluster, e.UID, owner)
	case registry.Update:
		e.Labels = map[string]string{"cell": "two", "team": "checkout"}
	default:
	}
	w.After, now[i] = e, e
	return now
}

func (w *write) second() bool { return w.by == second }

// without the steps of that name.
func without(name string) []step {
	return slices.DeleteFunc(takeover(), func(s step) bool { return s.name == name })
}

// with steps more, in the order of time.
func with(steps []step, more ...step) []step {
	steps = append(steps, more...)
	slices.SortStableFunc(steps, func(a, b step) int { return a.second - b.second })
	return steps
}

func TestTheJudgeAcquitsATakeoverThatWentWell(t *testing.T) {
	refused := step{58, first, "update tagged", http.StatusConflict}
	for how, steps := range map[how][]step{notLanded: takeover(), late: with(takeover(), refused), hung: with(takeover(), refused)} {
		ev := evidenceOf(steps)
		ev.how = how
		for _, w := range judge(ev) {
			t.Errorf("%s: %s", how, w)
		}
	}
}

func TestTheJudgeSeesWhatGoesWrongInATakeover(t *testing.T) {
	for name, tc := range map[string]struct {
		steps []step
		says  string
	}{
		"a Secret is made twice":                        {with(takeover(), step{70, second, "create stays -2", 0}), "duplicate: after 00:01:10.000"},
		"two Secrets are left":                          {with(takeover(), step{70, second, "create stays -2", 0}), "duplicate: in the end"},
		"a write that had landed is done again":         {with(takeover(), step{12, first, "update tagged", 0}), "duplicate or loss: the Secret of tagged was written [create update update]"},
		"a Secret is never made":                        {without("create stays"), "lost: there is no Secret of stays"},
		"a Secret is deleted for nothing":               {with(takeover(), step{70, second, "delete stays", 0}), "lost: there is no Secret of stays"},
		"AWS never said that it is gone":                {with(takeover(), step{70, second, "delete stays", 0}), "law 2: delete " + registry.SecretName(idOf("stays"))},
		"a Secret is deleted and made again":            {with(takeover(), step{70, second, "delete stays", 0}, step{71, second, "create stays", 0}), "there were 2 Secrets of stays"},
		"what is gone is not deleted":                   {without("delete vanishes"), "in the end: the Secret eks-vanishes"},
		"it is deleted before the grace is over":        {with(without("delete vanishes"), step{70, second, "delete vanishes", 0}), "law 2: delete eks-vanishes"},
		"it is deleted and had not been noted":          {without("mark vanishes"), "duplicate or loss: the Secret of vanishes was written [create delete]"},
		"a change is lost":                              {without("update tagged"), "in the end: the Secret eks-tagged"},
		"the dead leader writes":                        {with(without("update tagged"), step{58, first, "update tagged", 0}), "a dead leader's write: 00:00:58.000"},
		"a write of the other replica is refused":       {with(takeover(), step{70, second, "update tagged", http.StatusConflict}), "refused: 00:01:10.000"},
		"the other replica writes while a leader lives": {with(without("update tagged"), step{35, second, "update tagged", 0}), "two leaders: 00:00:35.000"},
		"the lease is taken while the leader lives":     {with(without("update lease b"), step{38, second, "update lease b", 0}), "two leaders: the lease is taken at 00:00:38.000"},
		"the lease is taken before it has run out":      {with(takeover(), step{39, first, "update lease a", 0}, step{50, second, "update lease b", 0}), "the lease is taken 11s after it was renewed"},
		"nobody takes over":                             {without("update lease b"), "the other replica has never taken the lease"},
		"both have one name":                            {with(without("update lease b"), step{56, second, "update lease a", 0}), "the lease of the other replica is held by"},
	} {
		t.Run(name, func(t *testing.T) { accuses(t, evidenceOf(tc.steps), tc.says) })
	}
	t.Run("what a person put on it is lost", func(t *testing.T) {
		ev := evidenceOf(takeover())
		for i := range ev.secrets {
			delete(ev.secrets[i].Labels, "team")
		}
		accuses(t, ev, "in the end: the Secret eks-tagged")
		ev.torn = true
		accuses(t, ev, "in the end: the Secret eks-tagged")
	})
	t.Run("what came late took effect", func(t *testing.T) {
		ev := evidenceOf(with(without("update tagged"), step{58, first, "update tagged", 0}))
		ev.how = late
		accuses(t, ev, "a dead leader's write: 00:00:58.000")
	})
	for name, tc := range map[string]struct {
		late step
		says string
	}{
		"who hung takes the lease of the other":    {step{57, first, "update lease a", 0}, "two leaders: the one that hung writes the lease"},
		"who hung gives the lease of the other up": {step{57, first, "update lease", 0}, "two leaders: the one that hung writes the lease"},
		"who hung goes on and on":                  {step{65, first, "update tagged", http.StatusConflict}, "two leaders: 00:01:05.000"},
		"who hung does a thing again":              {step{58, first, "update tagged", 0}, "duplicate or loss: the Secret of tagged"},
	} {
		t.Run(name, func(t *testing.T) {
			ev := evidenceOf(with(takeover(), step{56, first, "update tagged", http.StatusConflict}, tc.late))
			ev.how = hung
			accuses(t, ev, tc.says)
		})
	}
	t.Run("what was to come late never came", func(t *testing.T) {
		ev := evidenceOf(takeover())
		ev.how = late
		accuses(t, ev, "0 writes of the dead leader came late")
	})
}
