package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// The reasons of a ClusterSet's conditions. Where a pass was stopped, the reason is the
// registry's own, such as BlastRadius.
const (
	ReasonSucceeded          = "Succeeded"
	ReasonDiscovering        = "Discovering"        // the first pass of a generation is under way
	ReasonSuspended          = "Suspended"          // spec.suspend
	ReasonInvalidSpec        = "InvalidSpec"        // the message names the field
	ReasonForbidden          = "Forbidden"          // by Kubernetes: the message names the verb
	ReasonAccessDenied       = "AccessDenied"       // by AWS
	ReasonPassFailed         = "PassFailed"         // nothing could be found out
	ReasonPartialDiscovery   = "PartialDiscovery"   // some accounts or regions did not answer
	ReasonClustersNotInOrder = "ClustersNotInOrder" // status.notInOrder says which
	ReasonStopped            = "Stopped"            // for a stop without a reason of its own
)

// Bounds of a status: etcd refuses objects of more than 1.5 MB, and everybody who lists
// ClusterSets pays for every byte.
const (
	maxProblems     = 100
	maxProblemBytes = 90_000 // of all of them, as JSON
	maxScopesNamed  = 4      // in a condition's message
)

// finding is what there is to tell about a ClusterSet: the first that applies of
// discovering, invalid, suspended, failed, and else the result.
type finding struct {
	generation  int64
	discovering bool  // nothing is known yet of this generation
	invalid     error // the spec cannot be used as it is
	suspended   bool
	failed      error // the pass has no result
	result      registrar.Result
}

// nextStatus is the status after a finding. It is old in every part that the finding says
// nothing new about: now shows only where a condition's status changed.
func nextStatus(old v1alpha1.ClusterSetStatus, f finding, now metav1.Time) v1alpha1.ClusterSetStatus {
	next := *old.DeepCopy()
	next.ObservedGeneration = f.generation
	ready := readiness(f)
	next.Conditions = conditions{next.Conditions, f.generation, now}.
		with(v1alpha1.ConditionReady, ready).
		with(v1alpha1.ConditionDiscovered, discovered(f)).
		with(v1alpha1.ConditionRegistered, registered(f)).
		onlyWhenTrue(v1alpha1.ConditionStalled, stalled(f, ready)).list
	if f.looked() {
		c := f.result.Counts()
		next.Counts = v1alpha1.ClusterCounts{Discovered: int32(c.Discovered), Registered: int32(c.Registered), NotInOrder: int32(c.NotInOrder)} //nolint:gosec // at most some ten thousand
		next.NotInOrder = problems(f.result)
	}
	return next
}

// looked tells whether a pass has a result.
func (f finding) looked() bool {
	return !f.discovering && f.invalid == nil && !f.suspended && f.failed == nil
}

// condition without its type and dates; nil: nothing new is known of it.
type condition struct {
	status          metav1.ConditionStatus
	reason, message string
}

func yes(text string) *condition { return &condition{metav1.ConditionTrue, ReasonSucceeded, text} }

func no(reason, text string) *condition {
	return &condition{metav1.ConditionFalse, reason, message(text)}
}

func readiness(f finding) *condition {
	switch res := f.result; {
	case f.discovering:
		return &condition{metav1.ConditionUnknown, ReasonDiscovering, "asking AWS which clusters there are, and writing their Secrets: the first time, this takes minutes when there are many"}
	case f.invalid != nil:
		return no(ReasonInvalidSpec, f.invalid.Error())
	case f.suspended:
		return no(ReasonSuspended, "spec.suspend is true: nothing is looked at and nothing is written until it is false")
	case f.failed != nil:
		return no(failureReason(f.failed), f.failed.Error())
	case res.Stopped != "":
		return no(stopReason(res), res.Stopped)
	case len(res.Failed()) > 0:
		return discovered(f)
	case res.Counts().NotInOrder > 0:
		return registered(f)
	default:
		return yes(inOrder(res.Counts()))
	}
}

func inOrder(c registrar.Counts) string {
	return fmt.Sprintf("%d of %d clusters are registered", c.Registered, c.Discovered)
}

func discovered(f finding) *condition {
	if !f.looked() {
		return nil
	}
	failed := f.result.Failed()
	if len(failed) == 0 {
		return yes("every account and region answered")
	}
	lines := make([]string, len(failed))
	for i, s := range failed {
		lines[i] = scopeText(s)
	}
	slices.Sort(lines)
	head := fmt.Sprintf("%d of %d listings failed, their clusters stay as they are: ", len(failed), len(f.result.Scopes))
	more := ""
	if n := len(lines) - maxScopesNamed; n > 0 {
		lines, more = lines[:maxScopesNamed], fmt.Sprintf("; and %d more", n)
	}
	// Each gets a share of the space, so that all are named.
	share := (maxMessage - len(head) - len(more) - 2*len(lines)) / len(lines)
	for i := range lines {
		lines[i] = fit(changing.ReplaceAllString(lines[i], ""), share)
	}
	return no(ReasonPartialDiscovery, head+strings.Join(lines, "; ")+more)
}

// scopeText says where a listing failed, and why.
func scopeText(s registry.ScopeResult) string {
	where := s.Scope.Region
	switch {
	case s.RoleARN != "":
		where += " as " + s.RoleARN
	case s.Scope.Account != "":
		where += " of account " + s.Scope.Account
	default:
		where += " with the controller's own credentials"
	}
	return fmt.Sprintf("%s (spec.sources[%d]): %v", where, s.Source, s.Err)
}

func registered(f finding) *condition {
	if !f.looked() {
		return nil
	}
	res := f.result
	c := res.Counts()
	switch {
	case res.Stopped != "":
		return no(stopReason(res), res.Stopped)
	case c.NotInOrder == 0:
		return yes(inOrder(c))
	}
	states := map[registry.State]int{}
	for _, o := range res.Outcomes {
		if problem(o) {
			states[o.State]++
		}
	}
	var each []string
	for _, s := range slices.Sorted(maps.Keys(states)) {
		each = append(each, fmt.Sprintf("%d %s", states[s], s))
	}
	text := fmt.Sprintf("%d not in order (%s), %d registered; see status.notInOrder", c.NotInOrder, strings.Join(each, ", "), c.Registered)
	if err := forbidden(res); err != nil {
		text += "; first refusal: " + err.Error()
	}
	return no(ReasonClustersNotInOrder, text)
}

// forbidden is the first write that the API server did not permit: what a person has to
// mend in the RBAC rules.
func forbidden(res registrar.Result) error {
	for _, o := range res.Outcomes {
		if apierrors.IsForbidden(o.Err) {
			return o.Err
		}
	}
	return nil
}

// stalled when nothing goes on until somebody acts.
func stalled(f finding, ready *condition) *condition {
	if f.invalid == nil && !f.suspended && (f.failed != nil || f.result.Stopped == "") {
		return nil
	}
	return &condition{metav1.ConditionTrue, ready.reason, ready.message}
}

var reasonWord = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

func stopReason(res registrar.Result) string { return reasonOr(res.StoppedReason, ReasonStopped) }

// reasonOr is the reason if it is one, as the API server wants it.
func reasonOr(reason, other string) string {
	if len(reason) <= 64 && reasonWord.MatchString(reason) {
		return reason
	}
	return other
}

func failureReason(err error) string {
	switch terminal, ok := errors.AsType[*fault.TerminalError](err); {
	case apierrors.IsForbidden(err):
		return ReasonForbidden
	case errors.Is(err, fault.ErrDenied):
		return ReasonAccessDenied
	case ok:
		return reasonOr(terminal.Reason, ReasonPassFailed)
	default:
		return ReasonPassFailed
	}
}

// problem tells whether a cluster is not in order, as Result.Counts counts them.
func problem(o registrar.Outcome) bool {
	return o.State != registry.Registered && (o.Do != registry.Delete || !o.Written)
}

// problems are the first clusters by ARN that are not in order.
func problems(res registrar.Result) []v1alpha1.ClusterProblem {
	var outcomes []registrar.Outcome
	for _, o := range res.Outcomes {
		if problem(o) {
			outcomes = append(outcomes, o)
		}
	}
	slices.SortFunc(outcomes, func(a, b registrar.Outcome) int { return strings.Compare(a.Cluster.ARN(), b.Cluster.ARN()) })
	var list []v1alpha1.ClusterProblem
	left := maxProblemBytes
	for _, o := range outcomes[:min(len(outcomes), maxProblems)] {
		p := v1alpha1.ClusterProblem{ARN: o.Cluster.ARN(), State: string(o.State), Reason: reasonOr(o.Reason, string(o.State)), Message: problemText(o)}
		text, err := json.Marshal(p)
		if left -= len(text) + 1; left < 0 || err != nil {
			break
		}
		list = append(list, p)
	}
	return list
}

func problemText(o registrar.Outcome) string {
	switch {
	case o.Message == "" && o.Err != nil:
		return message(o.Err.Error())
	case o.Err != nil && !strings.Contains(o.Message, o.Err.Error()):
		return message(o.Message + ": " + o.Err.Error())
	default:
		return message(o.Message)
	}
}

// conditions are changed one after the other.
type conditions struct {
	list       []metav1.Condition
	generation int64
	now        metav1.Time
}

func (c conditions) with(kind string, v *condition) conditions {
	if v != nil {
		meta.SetStatusCondition(&c.list, metav1.Condition{
			Type: kind, Status: v.status, Reason: v.reason, Message: v.message, ObservedGeneration: c.generation, LastTransitionTime: c.now,
		})
	}
	return c
}

// onlyWhenTrue is for a condition that must not be there otherwise.
func (c conditions) onlyWhenTrue(kind string, v *condition) conditions {
	if v == nil {
		meta.RemoveStatusCondition(&c.list, kind)
	}
	return c.with(kind, v)
}
