package controller

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// brief is a note as "REASON NAME", with ! when it is a warning.
func brief(notes []note) (list []string) {
	for _, n := range notes {
		text := n.reason
		if _, name, ok := strings.Cut(n.arn, "cluster/"); ok {
			text += " " + name
		}
		if n.warning {
			text = "!" + text
		}
		list = append(list, text)
	}
	return list
}

func TestClustersAreToldOfWhenTheyChange(t *testing.T) {
	uncertain := answered(outcome("a", registry.Uncertain))
	uncertain.Scopes = []registry.ScopeResult{scope("us-east-1", errors.New("no"))}
	held := outcome("a", registry.Held)
	held.Reason = "SelectorLabel"
	marked := did("a", registry.Mark, registry.Missing)

	for name, tc := range map[string]struct {
		before []registrar.Outcome
		now    registrar.Result
		want   []string
	}{
		"a first pass":                      {nil, answered(created("a"), outcome("b", registry.Registered), outcome("c", registry.Conflict)), []string{"Created a", "!Because c"}},
		"nothing happened":                  {[]registrar.Outcome{outcome("a", registry.Held)}, answered(outcome("a", registry.Held)), nil},
		"another reason":                    {[]registrar.Outcome{outcome("a", registry.Held)}, answered(held), []string{"!SelectorLabel a"}},
		"another state":                     {[]registrar.Outcome{outcome("a", registry.Held)}, answered(outcome("a", registry.Conflict)), []string{"!Because a"}},
		"in order again":                    {[]registrar.Outcome{outcome("a", registry.Held)}, answered(outcome("a", registry.Registered)), []string{"InOrder a"}},
		"repaired":                          {[]registrar.Outcome{outcome("a", registry.Unwritten)}, answered(did("a", registry.Update, registry.Registered)), []string{"Updated a"}},
		"adopted, replaced, removed":        {nil, answered(did("a", registry.Adopt, registry.Registered), did("b", registry.Replace, registry.Registered), did("c", registry.Delete, registry.Missing)), []string{"Adopted a", "Replaced b", "Removed c"}},
		"the clock of a missing one starts": {nil, answered(marked), []string{"!Because a"}},
		"its clock runs":                    {[]registrar.Outcome{marked}, answered(outcome("a", registry.Missing)), nil},
		"being created is no warning":       {nil, answered(outcome("a", registry.Waiting)), []string{"Because a"}},
		"a whole region is told of as such": {nil, uncertain, nil},
		"a vanished problem is forgotten":   {[]registrar.Outcome{outcome("a", registry.Held)}, answered(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, before := clusterNotes(told{}, answered(tc.before...))
			got, after := clusterNotes(before, tc.now)
			if d := cmp.Diff(tc.want, brief(got)); d != "" {
				t.Error(d)
			}
			tc.now.Outcomes = slices.DeleteFunc(tc.now.Outcomes, func(o registrar.Outcome) bool { return o.Do == registry.Delete })
			for i := range tc.now.Outcomes {
				tc.now.Outcomes[i].Written = false
			}
			if again, _ := clusterNotes(after, tc.now); len(again) > 0 {
				t.Errorf("told again: %v", brief(again))
			}
			// What the next process reads from the status is what this one has told.
			status := nextStatus(v1alpha1.ClusterSetStatus{}, finding{result: tc.now}, t0)
			if again, _ := clusterNotes(toldBy(status), tc.now); len(again) > 0 {
				t.Errorf("told again by another process: %v", brief(again))
			}
		})
	}
}

func TestARemovalSaysWhatApplicationSetsDo(t *testing.T) {
	o := did("a", registry.Delete, registry.Missing)
	o.Effect = "ApplicationSet argocd/apps deletes its Application"
	notes, _ := clusterNotes(told{}, answered(o))
	if len(notes) != 1 || notes[0].text != `removed the cluster Secret of "a", `+id("a").ARN()+`; ApplicationSet argocd/apps deletes its Application` {
		t.Errorf("%+v", notes)
	}
}

func TestEventsOfOnePassAreBounded(t *testing.T) {
	var all []registrar.Outcome
	for i := range 1000 {
		all = append(all, created(fmt.Sprintf("c%04d", i)))
	}
	all = append(all, outcome("held", registry.Held), did("old", registry.Delete, registry.Missing))
	notes, _ := clusterNotes(told{}, answered(all...))
	got := brief(notes)
	if len(got) != maxEvents+1 || got[0] != "Removed old" || got[1] != "!Because held" || got[2] != "Created c0000" {
		t.Errorf("%d: %v", len(got), got)
	}
	if last := notes[maxEvents]; last.warning || last.text != "and for more clusters, each not shown: 982 Created" {
		t.Errorf("%+v", last)
	}
}

func TestProblemsBeyondTheStatusAreNotToldAgainAfterARestart(t *testing.T) {
	var all []registrar.Outcome
	for i := range 150 {
		all = append(all, outcome(fmt.Sprintf("c%03d", i), registry.Held))
	}
	status := nextStatus(v1alpha1.ClusterSetStatus{}, finding{result: answered(all...)}, t0)
	if notes, _ := clusterNotes(toldBy(status), answered(all...)); len(notes) > 0 {
		t.Errorf("%v", brief(notes))
	}
}

func TestTheSetIsToldOfWhenItChanges(t *testing.T) {
	partial := func(texts ...string) finding {
		res := answered()
		for _, text := range texts {
			res.Scopes = append(res.Scopes, scope("eu-"+text, errors.New(text)))
		}
		return finding{result: res}
	}
	held := finding{result: answered(outcome("a", registry.Held))}
	stopped := finding{result: registrar.Result{Stopped: "too many", StoppedReason: "BlastRadius"}}
	fine := finding{result: answered(outcome("a", registry.Registered))}
	for name, tc := range map[string]struct {
		before, now finding
		want        []string
	}{
		"all stays well":          {fine, fine, nil},
		"more clusters":           {fine, finding{result: answered(outcome("a", registry.Registered), outcome("b", registry.Registered))}, nil},
		"some not in order":       {fine, held, []string{"!ClustersNotInOrder"}},
		"more not in order":       {held, finding{result: answered(outcome("a", registry.Held), outcome("b", registry.Held))}, nil},
		"stopped":                 {held, stopped, []string{"!BlastRadius"}},
		"on again":                {stopped, fine, []string{"Succeeded"}},
		"an account fails":        {fine, partial("a"), []string{"!PartialDiscovery"}},
		"it fails on":             {partial("a"), partial("a"), nil},
		"another fails, too":      {partial("a"), partial("a", "b"), []string{"!PartialDiscovery"}},
		"both answer":             {partial("a", "b"), fine, []string{"Discovered", "Succeeded"}},
		"suspended":               {fine, finding{suspended: true}, []string{"Suspended"}},
		"not usable":              {fine, finding{invalid: errors.New("a")}, []string{"!InvalidSpec"}},
		"not usable otherwise":    {finding{invalid: errors.New("a")}, finding{invalid: errors.New("b")}, []string{"!InvalidSpec"}},
		"failed":                  {fine, finding{failed: errors.New("a")}, []string{"!PassFailed"}},
		"failed in another way":   {finding{failed: errors.New("a")}, finding{failed: errors.New("b")}, nil},
		"failed, then not usable": {finding{failed: errors.New("a")}, finding{invalid: errors.New("b")}, []string{"!InvalidSpec"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := nextStatus(v1alpha1.ClusterSetStatus{}, tc.before, t0)
			if d := cmp.Diff(tc.want, brief(setNotes(before, nextStatus(before, tc.now, t0)))); d != "" {
				t.Error(d)
			}
		})
	}
}
