package controller

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// maxEvents bounds the Events of one pass about clusters, without the summary of those
// that were left out.
const maxEvents = 20

// maxNote is the API's bound of an Event's text, in bytes.
const maxNote = 1024

// note is an Event to be.
type note struct {
	warning bool
	reason  string
	action  string // what the controller did, or was about to do
	arn     string // of the cluster it is about; "" for the set
	text    string
}

// The actions of Events.
const (
	actionPass   = "Pass"
	actionWrite  = "Write"
	actionForget = "Forget"
)

// recorder of Events; client-go's, and controller-runtime's.
type recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

// send the notes as Events about a set. The cluster is what an Event is related to: client-go
// counts Events that differ only in their text as one.
func send(r recorder, about runtime.Object, notes []note) {
	for _, n := range notes {
		kind := corev1.EventTypeNormal
		if n.warning {
			kind = corev1.EventTypeWarning
		}
		var related runtime.Object
		if n.arn != "" {
			related = &corev1.ObjectReference{APIVersion: "eks.amazonaws.com/v1", Kind: "Cluster", Name: n.arn}
		}
		r.Eventf(about, related, kind, n.reason, n.action, "%s", fit(n.text, maxNote))
	}
}

// told is what was said last about the clusters that are not in order.
type told struct {
	problems map[string]string // by ARN: state and reason
	// truncated: there are more problems than these, of which it is not known which; they
	// are not told of again.
	truncated bool
}

// toldBy reads from a status what a controller before us has said.
func toldBy(s v1alpha1.ClusterSetStatus) told {
	t := told{problems: map[string]string{}, truncated: int(s.Counts.NotInOrder) > len(s.NotInOrder)}
	for _, p := range s.NotInOrder {
		t.problems[p.ARN] = p.State + "/" + p.Reason
	}
	return t
}

// clusterNotes says what a pass did to clusters and which are not in order since, and
// what was told of then.
func clusterNotes(before told, res registrar.Result) ([]note, told) {
	after := told{problems: map[string]string{}}
	silent := map[registry.Scope]bool{} // told of as a whole
	for _, s := range res.Failed() {
		silent[s.Scope] = true
	}
	var notes []note
	for _, o := range res.Outcomes {
		arn := o.Cluster.ARN()
		was, known := before.problems[arn]
		if n, ok := writeNote(o); ok {
			notes = append(notes, n)
			known = false // says that it is in order, if it is
		}
		if !problem(o) {
			if known && o.State == registry.Registered {
				notes = append(notes, note{reason: "InOrder", action: actionPass, arn: arn, text: "cluster " + arn + " is in order again"})
			}
			continue
		}
		is := string(o.State) + "/" + reasonOr(o.Reason, string(o.State))
		after.problems[arn] = is
		if is == was || was == "" && before.truncated || o.State == registry.Uncertain && silent[o.Cluster.Scope()] {
			continue
		}
		notes = append(notes, note{
			warning: o.State != registry.Waiting && o.State != registry.Draining,
			reason:  reasonOr(o.Reason, string(o.State)), action: actionPass, arn: arn,
			text: fmt.Sprintf("cluster %s is %s: %s", arn, o.State, problemText(o)),
		})
	}
	return bounded(notes), after
}

// writeNote tells of a write that the API server took; ok is false when there is nothing
// to tell.
func writeNote(o registrar.Outcome) (n note, ok bool) {
	done := map[registry.Do]string{
		registry.Create: "Created", registry.Update: "Updated", registry.Adopt: "Adopted", registry.Delete: "Removed", registry.Replace: "Replaced",
	}[o.Do]
	if !o.Written || done == "" {
		return note{}, false
	}
	name := o.Want.ClusterName
	if o.Do == registry.Delete && o.Entry != nil {
		name = o.Entry.ClusterName
	}
	text := fmt.Sprintf("%s the cluster Secret of %q, %s", strings.ToLower(done), name, o.Cluster.ARN())
	if o.Effect != "" {
		text += "; " + o.Effect
	}
	return note{reason: done, action: actionWrite, arn: o.Cluster.ARN(), text: text}, true
}

// bounded keeps what matters most, and sums the rest up: first what is gone, then what is
// wrong.
func bounded(notes []note) []note {
	if len(notes) <= maxEvents {
		return notes
	}
	rank := func(n note) int {
		switch {
		case n.reason == "Removed" || n.reason == "Replaced":
			return 0
		case n.warning:
			return 1
		default:
			return 2
		}
	}
	slices.SortStableFunc(notes, func(a, b note) int { return rank(a) - rank(b) })
	counts, warning := map[string]int{}, false
	for _, n := range notes[maxEvents:] {
		counts[n.reason]++
		warning = warning || n.warning
	}
	var each []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		each = append(each, fmt.Sprintf("%d %s", counts[reason], reason))
	}
	return append(notes[:maxEvents:maxEvents], note{
		warning: warning, reason: "More", action: actionPass, text: "and for more clusters, each not shown: " + strings.Join(each, ", "),
	})
}

// setNotes tells of what changed for the set as a whole.
func setNotes(old, next v1alpha1.ClusterSetStatus) []note {
	var notes []note
	was, is := find(old, v1alpha1.ConditionDiscovered), find(next, v1alpha1.ConditionDiscovered)
	switch {
	case is.Status == metav1.ConditionFalse && is.Message != was.Message:
		notes = append(notes, note{warning: true, reason: is.Reason, action: actionPass, text: is.Message})
	case is.Status == metav1.ConditionTrue && was.Status == metav1.ConditionFalse:
		notes = append(notes, note{reason: "Discovered", action: actionPass, text: is.Message})
	}
	was, is = find(old, v1alpha1.ConditionReady), find(next, v1alpha1.ConditionReady)
	again := is.Reason == ReasonInvalidSpec && is.Message != was.Message
	if (is.Reason != was.Reason || again) && is.Reason != ReasonPartialDiscovery {
		notes = append(notes, note{warning: is.Status == metav1.ConditionFalse && is.Reason != ReasonSuspended, reason: is.Reason, action: actionPass, text: is.Message})
	}
	return notes
}

func find(s v1alpha1.ClusterSetStatus, kind string) metav1.Condition {
	if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// deletedNote tells that nothing else goes with a set.
func deletedNote(namespace string, registered int32) note {
	return note{reason: "Deleted", action: actionForget, text: fmt.Sprintf(
		"the ClusterSet was deleted; its %d cluster Secrets stay in namespace %s, so that no Application is deleted. "+
			"A ClusterSet of the same name and namespace takes them up again", registered, namespace,
	)}
}
