package courier_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// moved is a courier of a name, with these weights of blue and green.
func moved(blue, green int) values {
	return name53(values{"destination": []values{{"set_identifier": "blue", "weight": blue}, {"set_identifier": "green", "weight": green}}})
}

// Records are made by the same apply as often as not. What else stands in the way will
// stand there when they are made, too.
func TestOnlyRecordsThatAreNotThereYetMayComeWithTheApply(t *testing.T) {
	refusal := func(reason string) error {
		return fault.Terminal(reason, fmt.Errorf("what %s means", reason))
	}
	for what, c := range map[string]struct {
		blockers []error
		may      bool
	}{
		"no record at the name":                       {[]error{refusal("RecordsNotFound")}, true},
		"no record of a destination":                  {[]error{refusal("DestinationNotFound")}, true},
		"no record of a type":                         {[]error{refusal("NoTwin")}, true},
		"such a cause inside another":                 {[]error{fmt.Errorf("checking: %w", refusal("RecordsNotFound"))}, true},
		"a zone that does not exist":                  {[]error{refusal("HostedZoneNotFound")}, false},
		"a name of another zone":                      {[]error{refusal("NotInZone")}, false},
		"another routing policy":                      {[]error{refusal("NotWeighted")}, false},
		"unequal TTLs":                                {[]error{refusal("UnequalTTL")}, false},
		"types that disagree":                         {[]error{refusal("TypesDisagree")}, false},
		"all weights 0":                               {[]error{refusal("AllWeightsZero")}, false},
		"too many records":                            {[]error{refusal("TooManyDestinations")}, false},
		"too many changes":                            {[]error{refusal("TooManyChanges")}, false},
		"a load balancer that does not exist":         {[]error{refusal("LoadBalancerNotFound")}, false},
		"an alias of another load balancer":           {[]error{refusal("OtherLoadBalancer")}, false},
		"an unfinished shift of another declaration":  {[]error{&shift.UnfinishedError{Mark: shift.Mark{Name: "other"}}}, false},
		"a query that does not answer":                {[]error{errors.New("metric m: no such metric")}, false},
		"no record, and a query that does not answer": {[]error{refusal("RecordsNotFound"), errors.New("metric m: no such metric")}, false},
	} {
		t.Run(what, func(t *testing.T) {
			check := func(tf *terraform, when string) {
				t.Helper()
				if tf.failed() == c.may {
					t.Errorf("%s: failed is %t:\n%s", when, tf.failed(), tf.said())
				}
				for _, b := range c.blockers {
					if !strings.Contains(tf.said(), b.Error()) {
						t.Errorf("%s: %q is not said:\n%s", when, b, tf.said())
					}
				}
			}
			tf := start(t, record, &fakeShifts{blockers: c.blockers})
			tf.plan(tf.value(moved(1, 0)))
			check(tf, "to create")
			f := &fakeShifts{split: traffic.Split{{ID: "blue", Weight: 1}}}
			tf = start(t, record, f)
			tf.apply(name53(values{"destination": []values{{"set_identifier": "blue", "weight": 1}}}))
			tf.mustNot(tf.diags)
			f.blockers = c.blockers
			tf.plan(tf.value(moved(0, 1)))
			check(tf, "to add a destination")
		})
	}
}

// Files of the old provider need no metric. That nothing is judged then is said, not refused.
func TestANameWithNothingToJudgeByIsAcceptedAndSaysSo(t *testing.T) {
	const lb = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
	destinations := func(arn any) []values {
		return []values{{"set_identifier": "blue", "weight": 1, "load_balancer_arn": arn}, {"set_identifier": "green", "weight": 0, "load_balancer_arn": arn}}
	}
	for name, c := range map[string]struct {
		config values
		warned bool
	}{
		"the old provider's":               {values{"builtin_analysis": nil}, true},
		"load balancers that are not said": {values{"builtin_analysis": nil, "destination": destinations(nil)}, true},
		"the explicit way out":             {values{"builtin_analysis": false}, false},
		"a metric":                         {values{"builtin_analysis": nil, "cloudwatch_metric": metric(nil)}, false},
		"load balancers":                   {values{"builtin_analysis": nil, "destination": destinations(lb)}, false},
		"load balancers known after apply": {values{"builtin_analysis": nil, "destination": destinations(unknown)}, false},
		"destinations known after apply":   {values{"builtin_analysis": nil, "destination": unknown}, false},
		"metrics known after apply":        {values{"builtin_analysis": nil, "datadog_metric": unknown}, false},
		"a way out known after apply":      {values{"builtin_analysis": unknown}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeShifts{split: traffic.Split{{ID: "blue", Weight: 1}}}
			tf := start(t, record, f)
			config := name53(c.config)
			text := said(tf.validate(config))
			if got := strings.Contains(text, "WARNING: Nothing measures this shift"); got != c.warned || strings.Contains(text, "ERROR") {
				t.Fatalf("warned is %t, want %t:\n%s", got, c.warned, text)
			}
			if !c.warned {
				return
			}
			for _, say := range []string{"health checks", "load_balancer_arn", "cloudwatch_metric", "builtin_analysis = false"} {
				if !strings.Contains(text, say) {
					t.Errorf("%q is not said:\n%s", say, text)
				}
			}
			tf.apply(config)
			tf.mustNot(tf.diags)
			if b := f.opened[0].Spec.Analysis.Builtin; b == nil || *b {
				t.Error("the manifest does not say that nothing measures")
			}
		})
	}
	t.Run("what cannot be is still refused", func(t *testing.T) {
		tf := start(t, record, &fakeShifts{})
		if text := said(tf.validate(name53(values{"builtin_analysis": true}))); !strings.Contains(text, "ERROR at AttributeName(\"builtin_analysis\")") {
			t.Error(text)
		}
	})
}

// An apply that waits for requests says nothing while it waits.
func TestThePlanOfANameSaysThatStepsNeedRequests(t *testing.T) {
	const (
		lb   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
		want = "Note: a load balancer without requests reports nothing"
	)
	measured := func(weight int) values {
		return values{"builtin_analysis": nil, "destination": []values{
			{"set_identifier": "blue", "weight": weight, "load_balancer_arn": lb}, {"set_identifier": "green", "weight": 1 - weight, "load_balancer_arn": lb},
		}}
	}
	for name, c := range map[string]struct {
		config values
		said   bool
	}{
		"by metrics of load balancers": {measured(0), true},
		"settled":                      {measured(1), false},
		"by nothing":                   {values{"builtin_analysis": false, "destination": moved(0, 1)["destination"]}, false},
	} {
		t.Run(name, func(t *testing.T) {
			tf := start(t, record, &fakeShifts{split: traffic.Split{{ID: "blue", Weight: 1}, {ID: "green", Weight: 0}}})
			tf.plan(tf.value(name53(c.config)))
			tf.mustNot(tf.diags)
			if got := strings.Contains(tf.said(), want); got != c.said {
				t.Errorf("said is %t, want %t:\n%s", got, c.said, tf.said())
			}
		})
	}
}
