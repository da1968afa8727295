package fleettest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/registry"
)

// fresh is how old an answer may be by which something is deleted: what a pass may take
// in which other accounts have to be asked again and again.
const fresh = time.Minute

// Evidence is everything that a judge looks at.
type Evidence struct {
	Writes  []Write
	Answers []Answer // of DescribeCluster, in the order of time
	Events  []Event
}

// Evidence so far.
func (w *World) Evidence(s *Recorder) Evidence {
	return Evidence{Writes: s.Writes(), Answers: w.Answers(), Events: w.Events()}
}

// Judge lists how the laws of registration were broken, each with its number in package
// registry's documentation.
func Judge(set *registry.Set, ev Evidence) []string {
	j := judge{set: set, ev: ev}
	for i, w := range ev.Writes {
		j.owned(w)
		j.inPlace(w)
		j.atOnce(i)
		if w.Do == registry.Delete && !replaced(w) {
			j.gone(w)
			j.idle(w)
			if w.Ours-1 < set.Deletion.KeepLast {
				j.say(w, 3, "%d Secrets are left, %d must stay", w.Ours-1, set.Deletion.KeepLast)
			}
		}
	}
	return j.broken
}

type judge struct {
	set    *registry.Set
	ev     Evidence
	broken []string
}

func (j *judge) say(w Write, law int, format string, args ...any) {
	j.broken = append(j.broken, fmt.Sprintf("law %d: %s %s of %s at %s: %s", law, w.Do, w.Before.Name, w.Before.Cluster.ARN(),
		w.At.Format(time.TimeOnly), fmt.Sprintf(format, args...)))
}

// replaced tells whether a deletion is half of a replacement that a person allowed.
func replaced(w Write) bool { return slices.Contains(w.Before.Allow, registry.AllowReplace) }

// owned: law 1.
func (j *judge) owned(w Write) {
	if w.Do != registry.Create && w.Before.Owner != j.set.Owner && w.Before.Adopt != j.set.Owner {
		j.say(w, 1, "it is of %q", w.Before.Owner)
	}
}

// inPlace: law 5.
func (j *judge) inPlace(w Write) {
	if w.Do == registry.Create || w.Do == registry.Delete {
		return
	}
	if w.Before.Server != w.After.Server {
		j.say(w, 5, "its server changes from %s to %s", w.Before.Server, w.After.Server)
	}
	if w.Before.ClusterName != w.After.ClusterName {
		j.say(w, 5, "its name changes from %s to %s", w.Before.ClusterName, w.After.ClusterName)
	}
}

// gone: law 2. Since the last time that AWS described the cluster, it has said at least
// twice, the grace apart, that there is none; the last time just now; and it was so. A
// cluster that was made anew under the same name is another one.
func (j *judge) gone(w Write) {
	var first, last time.Time
	for _, a := range j.ev.Answers {
		if a.ARN != w.Before.Cluster.ARN() || a.At.After(w.At) {
			continue
		}
		switch {
		case a.Present && !j.anew(w.Before, a.At):
			first, last = time.Time{}, time.Time{}
		case a.Gone || a.Present:
			if first.IsZero() {
				first = a.At
			}
			last = a.At
			if a.Present {
				last = w.At // and so it stays: what was replaced does not come back
			}
		}
	}
	switch {
	case first.IsZero():
		j.say(w, 2, "AWS never said that it is gone, or described it after that")
	case last.Sub(first) < j.set.Deletion.Grace:
		j.say(w, 2, "AWS said so for %s only, the grace is %s", last.Sub(first), j.set.Deletion.Grace)
	case w.At.Sub(last) > fresh:
		j.say(w, 2, "AWS said so %s ago", w.At.Sub(last))
	}
	if e, ok := j.at(w.Before.Cluster.ARN(), last); ok && e.Exists && !j.anew(w.Before, last) {
		j.say(w, 2, "it exists")
	}
}

// anew tells whether the cluster that was there at t, if any, was made after the one that
// the Secret is of.
func (j *judge) anew(e registry.Entry, t time.Time) bool {
	made := e.Created
	there := false
	for _, ev := range j.ev.Events {
		if ev.ARN != e.Cluster.ARN() || ev.At.After(t) {
			continue
		}
		if ev.Exists && !there && ev.At.Sub(made) > time.Second {
			return true
		}
		there = ev.Exists
	}
	return false
}

// since when a Secret says that its cluster is missing, or not selected; zero: it does not.
func since(e registry.Entry) time.Time {
	if !e.MissingSince.IsZero() {
		return e.MissingSince
	}
	return e.UnselectedSince
}

// atOnce: law 3. After no write do more than the limit say that they vanished within the
// grace; and only the limit is deleted within one, which counts from when a deletion's pass
// began: its notes are older than what it deletes.
func (j *judge) atOnce(i int) {
	w := j.ev.Writes[i]
	most := w.Ours // when the pass began
	marked, deleted := map[string]bool{}, 0
	for _, x := range j.ev.Writes {
		if x.At.Sub(w.At) >= j.set.Interval/2 { // later than this pass
			break
		}
		if w.At.Sub(x.At) < j.set.Deletion.Grace {
			most = max(most, x.Ours)
		}
		if x.Do == registry.Delete {
			from := x.Began
			if from.IsZero() {
				from = x.At
			}
			if delete(marked, x.Before.Name); w.At.Sub(from) < j.set.Deletion.Grace && !replaced(x) {
				deleted++
			}
			continue
		}
		t := since(x.After)
		marked[x.After.Name] = !t.IsZero() && w.At.Sub(t) < j.set.Deletion.Grace
	}
	limit := max(1, most*j.set.Deletion.MaxPercent/100)
	maps.DeleteFunc(marked, func(_ string, m bool) bool { return !m })
	if w.Do == registry.Delete && deleted > limit {
		j.say(w, 3, "it is number %d of %d within the grace, at most %d may go", deleted, most, limit)
	}
	if w.Do != registry.Delete && len(marked) > limit && marked[w.After.Name] {
		j.say(w, 3, "%d of %d vanished within the grace, at most %d may", len(marked), most, limit)
	}
}

// idle: law 4.
func (j *judge) idle(w Write) {
	if e, ok := j.at(w.Before.Cluster.ARN(), w.At); ok && e.Weight > 0 {
		j.say(w, 4, "its target group gets %d of 100", e.Weight)
	}
}

// at is the truth of a cluster at a time.
func (j *judge) at(arn string, t time.Time) (last Event, ok bool) {
	for _, e := range j.ev.Events {
		if e.ARN == arn && !e.At.After(t) {
			last, ok = e, true
		}
	}
	return last, ok
}
