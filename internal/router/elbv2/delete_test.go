package elbv2

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	errs "github.com/norikae/norikae/internal/fault"
)

func TestT4_OnlyARuleThatIsOursAndCarriesNothingIsDeleted(t *testing.T) {
	const owner = "web"
	for name, tc := range map[string]struct {
		owner  string
		weight int // of a, and of b beside it always 0
		lease  time.Duration
		opts   DeleteOptions
		want   []string // of the refusal; nil: it is deleted
	}{
		"ours, without traffic":                           {owner: owner},
		"S12: somebody else's":                            {want: []string{"was not made by norikae", tagOwner}},
		"S12: somebody else's, by force":                  {opts: DeleteOptions{Force: true}, want: []string{"was not made by norikae"}},
		"the old provider's, as the state says":           {opts: DeleteOptions{Owned: true}},
		"ours, with traffic":                              {owner: owner, weight: 1, want: []string{"carries traffic", "targetgroup/a/", ": 1", "force_destroy"}},
		"the old provider's, with traffic":                {weight: 100, opts: DeleteOptions{Owned: true}, want: []string{"carries traffic"}},
		"ours, with traffic, by force":                    {owner: owner, weight: 1, opts: DeleteOptions{Force: true}},
		"while a shift is being run":                      {owner: owner, lease: time.Minute, want: []string{`"web" is being run`, "laptop/1/x", "abort"}},
		"while a shift is being run, by force":            {owner: owner, lease: time.Minute, opts: DeleteOptions{Force: true, Owned: true}, want: []string{"is being run"}},
		"after a shift that nobody runs any more":         {owner: owner, lease: -time.Second},
		"with traffic, after a shift that nobody runs on": {owner: owner, lease: -time.Second, weight: 5, want: []string{"carries traffic"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", tc.weight, "b", 0)))
			if tc.lease != 0 {
				if err := w.open().SetMark(t.Context(), w.marked(tc.lease)); err != nil {
					t.Fatal(err)
				}
			}
			if tc.owner != "" {
				w.tag(id, tagOwner, tc.owner)
			}
			w.forget()
			err := w.look(Config{ListenerARN: w.listener, Numbered: &Numbered{Priority: 10}}).Delete(t.Context(), tc.opts)
			left := w.exists(id)
			switch {
			case tc.want == nil && (err != nil || left):
				t.Errorf("not deleted: %v", err)
			case tc.want != nil:
				mentions(t, err, tc.want...)
				if !left || strings.Contains(w.made(), "DeleteRule") || !errs.IsTerminal(err) {
					t.Errorf("after %s it is there: %v; %v", w.made(), left, err)
				}
			}
		})
	}
}

// exists tells whether a rule is there.
func (w *world) exists(id string) bool {
	_, err := w.sdk.DescribeRules(w.t.Context(), &elb.DescribeRulesInput{RuleArns: []string{id}})
	return err == nil
}

func TestARuleThatIsGoneIsNoError(t *testing.T) {
	w := newWorld(t)
	id := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 0)))
	wiretest.Must(w.sdk.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: &id}))(t)
	for name, cfg := range map[string]Config{
		"by its ARN":      {RuleARN: id},
		"by its priority": {ListenerARN: w.listener, Numbered: &Numbered{Priority: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := w.look(cfg).Delete(t.Context(), DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOfADefaultActionOnlyTheMarkGoes(t *testing.T) {
	w := newWorld(t)
	set := func(left time.Duration) {
		t.Helper()
		r := w.open(func(c *Config) { c.Numbered, c.Default = nil, true })
		if err := r.SetMark(t.Context(), w.marked(left)); err != nil {
			t.Fatal(err)
		}
	}
	del := func() error {
		return w.look(Config{ListenerARN: w.listener, Default: true}).Delete(t.Context(), DeleteOptions{Force: true, Owned: true})
	}
	w.tag(w.listener, "team", "web")
	set(time.Minute)
	mentions(t, del(), "is being run")
	set(-time.Second)
	w.forget()
	if err := del(); err != nil {
		t.Fatal(err)
	}
	if ops := w.made(); ops != "DescribeListeners DescribeTags RemoveTags" {
		t.Errorf("it made %s", ops)
	}
	if tags := w.tagsOf(w.listener); len(tags) != 1 || tags["team"] != "web" {
		t.Errorf("left are the tags %v", tags)
	}
	w.forget()
	if err := del(); err != nil || strings.Contains(w.made(), "RemoveTags") {
		t.Errorf("a second time it made %s: %v", w.made(), err)
	}
}

func TestADeletionWhoseAnswerFailsIsBelievedByWhatIsThere(t *testing.T) {
	for name, tc := range map[string]struct {
		fail fault.Rule
		gone bool
		want []string // of the error; nil: none
	}{
		"S15: throttled":          {fault.Rule{Kind: fault.Throttle, Operation: "DeleteRule", Times: 1}, false, []string{"deleting rule", "Throttling"}},
		"denied":                  {fault.Rule{Kind: fault.AccessDenied, Operation: "DeleteRule", Times: 1}, false, []string{"access denied"}},
		"done, its answer lost":   {fault.Rule{Kind: fault.DropAfter, Operation: "DeleteRule", Times: 1}, true, nil},
		"done, answered by 500":   {fault.Rule{Kind: fault.ErrorAfter, Operation: "DeleteRule", Times: 1}, true, nil},
		"lost on its way":         {fault.Rule{Kind: fault.DropBefore, Operation: "DeleteRule", Times: 1}, false, []string{"deleting rule"}},
		"done by somebody faster": {fault.Rule{Kind: fault.Refusal, Operation: "DeleteRule", Code: "RuleNotFound", Times: 1}, false, []string{"is still there"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				id := w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 0)))
				w.fail(tc.fail)
				err := w.look(Config{RuleARN: id}).Delete(t.Context(), DeleteOptions{Owned: true})
				if tc.want == nil && err != nil {
					t.Error(err)
				}
				if tc.want != nil {
					mentions(t, err, tc.want...)
				}
				if left := w.exists(id); left == tc.gone {
					t.Errorf("it is there: %v", left)
				}
				if errors.Is(err, errs.ErrNotFound) {
					t.Errorf("taken for done: %v", err)
				}
			})
		})
	}
}
