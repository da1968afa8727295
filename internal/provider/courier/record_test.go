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
