package lawtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	awsfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// stepsAt makes explicit steps at these percents.
func stepsAt(m *v1alpha1.TrafficShift, percents ...int) {
	m.Spec.Strategy.StepInterval = v1alpha1.Duration{}
	for _, p := range percents {
		m.Spec.Strategy.Steps = append(m.Spec.Strategy.Steps, v1alpha1.Step{SetWeight: new(p)})
	}
}

// writesOf lists what the shifts wrote, and all went well.
func writesOf(trace []Exchange, d Declared) []Split {
	var out []Split
	for i, a := range acts(trace, d) {
		if x := &trace[i]; a != nil && a.write != nil && x.Caller != Operator && x.OK() {
			out = append(out, a.write.split)
		}
	}
	return out
}

// endsAt checks where the weights are. Records stay, also those without any.
func (l *lab) endsAt(want ...Weight) {
	l.t.Helper()
	got, goal := l.live(), l.split(want...)
	if l.Ground.DNS() {
		got, goal = got.carries(), goal.carries()
	}
	if !got.equal(goal) {
		l.t.Errorf("ended at %s, want %s", got, goal)
	}
}

// writeCall is the operation that writes weights.
func (l *lab) writeCall() string {
	return map[Ground]string{
		OnALB: "ModifyRule", OnNLB: "ModifyListener", OnDNS: "ChangeResourceRecordSets", OnAliases: "ChangeResourceRecordSets",
	}[l.Ground]
}

// failedBy is the reason of a rollback after sick.
func (l *lab) failedBy() string {
	if l.Ground == OnDNS {
		return "HealthLost"
	}
	return "AnalysisFailed"
}

func TestS01AFailureAfterTheFirstStepIsOneWriteBack(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			first := 1
			if g == OnNLB { // its counts do not tell one percent of the connections from the others
				first = 5
			}
			l.onGreen(1, func() { l.sicken(1) })
			m := l.quick()
			stepsAt(m, first, 26, 51, 76, 100)
			d := l.declared(m)
			out := l.run(Setup{Manifest: m})
			l.ended(out, shift.RolledBack, l.failedBy())
			writes := writesOf(l.lawful(d), d)
			if len(writes) != 2 || !writes[0].equal(l.split(blueGreen(100-first, first)...)) || !writes[1].equal(l.split(blueGreen(100, 0)...)) {
				l.t.Errorf("wrote %s", writes)
			}
			l.endsAt(blueGreen(100, 0)...)
		})
	})
}

func TestS02AFailureAtAnyOddStepGoesAllTheWayBack(t *testing.T) {
	for _, at := range []int{33, 67, 100} {
		t.Run(fmt.Sprintf("at %d percent", at), func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					l.onGreen(at, func() { l.sicken(0.1) })
					m := l.quick()
					stepsAt(m, 33, 67, 100)
					l.ended(l.run(Setup{Manifest: m}), shift.RolledBack, l.failedBy())
					l.lawful(l.declared(m))
					l.endsAt(blueGreen(100, 0)...)
				})
			})
		})
	}
}

func TestS03AHealthyShiftWritesEachStepOnce(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			m := l.quick()
			l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
			d := l.declared(m)
			writes := writesOf(l.lawful(d), d)
			if len(writes) != 10 {
				l.t.Errorf("%d writes, want 10", len(writes))
			}
			for i, w := range writes {
				if want := l.split(blueGreen(90-10*i, 10+10*i)...); !w.equal(want) {
					l.t.Errorf("write %d is %s, want %s", i+1, w, want)
				}
			}
		})
	})
}

// S4, and S6: one to five destinations, and more where the route takes them.
func TestS04AndS06ItEndsExactlyAtWhatIsDeclared(t *testing.T) {
	names := []string{"blue", "green", "c", "d", "e", "f", "g"}
	for _, weights := range [][]int{
		{10, 90},
		{50, 50},
		{1, 2},
		{0, 1},
		{0, 999},
		{34, 33, 33},
		{0, 1, 2},
		{7, 0, 0, 1},
		{1, 1, 1, 1, 1},
		{0, 10, 20, 30, 40},
		{999, 998, 997, 996, 995},
		{5},
		{1, 2, 3, 4, 5, 6, 7},
	} {
		for _, g := range only(OnALB, OnNLB, OnDNS) {
			if len(weights) > 5 && g != OnDNS {
				continue
			}
			t.Run(fmt.Sprint(weights, " on ", g), func(t *testing.T) {
				t.Parallel()
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					var to []Weight
					for i, w := range weights {
						if i >= 2 {
							if err := l.AddGroup(l.t.Context(), names[i]); err != nil {
								l.t.Fatal(err)
							}
						}
						if g.DNS() && w > 255 {
							w -= 744 // as near to its limit
						}
						to = append(to, Weight{names[i], w})
					}
					m := l.quick()
					m.Spec.Destinations = l.Manifest(to...).Spec.Destinations
					m.Spec.Strategy.StepWeight = 30
					l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
					l.lawful(l.declared(m))
					l.endsAt(to...)

					l.Forget()
					l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Settled")
					l.lawful(l.declared(m))
				})
			})
		}
	}
}

func TestS05ASettledRouteIsNotWrittenWhenThePaceIsEdited(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			if err := l.Meddle(l.t.Context(), blueGreen(0, 100)...); err != nil {
				l.t.Fatal(err)
			}
			l.Forget()
			m := l.quick()
			m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: time.Hour}
			l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Settled")
			if n := l.changes(l.declared(m)); n > 0 {
				l.t.Errorf("%d changes", n)
			}
		})
	})
}

func TestS07ConditionsChangeAtTheLiveWeightsFirst(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		otherHost(l)
		m := l.quick()
		m.Spec.Route.ALB.Adopt = true
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		d := l.declared(m)
		writes := writesOf(l.lawful(d), d)
		if len(writes) != 11 || !writes[0].sameShares(l.split(blueGreen(100, 0)...)) {
			l.t.Errorf("wrote %s", writes)
		}
	})
}

func TestS08ConditionsInAnotherOrderAreTheSame(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		l.modify(&elb.ModifyRuleInput{Conditions: []types.RuleCondition{
			{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/b/*", "/a/*"}}},
			{Field: aws.String("host-header"), HostHeaderConfig: &types.HostHeaderConditionConfig{Values: []string{"B.example.com", "a.example.com"}}},
		}})
		l.Forget()
		m := l.quick()
		m.Spec.Route.ALB.Rule.Hosts = []string{"a.example.com", "b.example.com"}
		m.Spec.Route.ALB.Rule.PathPatterns = []string{"/a/*", "/b/*"}
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		trace := l.lawful(l.declared(m))
		for _, x := range trace {
			if x.In.Has("Conditions") {
				l.t.Errorf("conditions were written: %s", &x)
			}
		}
		if n := len(writesOf(trace, l.declared(m))); n != 10 {
			l.t.Errorf("%d writes, want 10", n)
		}
	})
}

// S9, and S21: sticky clients do not follow the weights, which a person is told.
func TestS09AndS21StickinessIsKeptAndTold(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		sticky(l)
		m := l.quick()
		out := l.run(Setup{Manifest: m})
		l.ended(out, shift.Succeeded, "Succeeded")
		for _, x := range l.lawful(l.declared(m)) {
			if x.Operation == "ModifyRule" && !strings.Contains(parseWrite(&x).rest, "3600") {
				l.t.Errorf("stickiness is lost: %s", parseWrite(&x).rest)
			}
		}
		told := false
		for _, e := range out.Events {
			told = told || strings.Contains(e.Message, "AWSALBTG")
		}
		if !told {
			l.t.Error("nobody was told that sticky clients stay")
		}
	})
}

func TestS11ARuleOnTheLastPageIsFound(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), func(c *awssim.Config) { c.MaxPageSize = 1 }, func(l *lab) {
		for p := int32(1); p < 6; p++ {
			if _, err := l.ELBClient().CreateRule(l.t.Context(), &elb.CreateRuleInput{
				ListenerArn: &l.Listener, Priority: &p, Actions: []types.Action{l.Forward(blueGreen(1, 0)...)},
				Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{fmt.Sprintf("/%d", p)}}}},
			}); err != nil {
				l.t.Fatal(err)
			}
		}
		l.Forget()
		m := l.quick()
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		for _, x := range l.lawful(l.declared(m)) {
			if x.Operation == "CreateRule" {
				l.t.Errorf("%s, although the rule is there", &x)
			}
		}
		l.endsAt(blueGreen(0, 100)...)
	})
}

func TestS12AForeignRuleAtThePriorityIsRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		otherHost(l)
		l.Forget()
		m := l.quick()
		out := l.run(Setup{Manifest: m})
		if !fault.IsTerminal(out.Err) || !strings.Contains(out.Err.Error(), "adopt") {
			l.t.Errorf("%+v, %v", out.Result, out.Err)
		}
		for _, x := range l.lawful(l.declared(m)) {
			if x.Service == ELB && !strings.HasPrefix(x.Operation, "Describe") {
				l.t.Errorf("it called %s", &x)
			}
		}
	})
}

func TestS14AnInterruptAtAnySecondEndsByPolicy(t *testing.T) {
	for _, policy := range []string{"rollback", "hold"} {
		t.Run(policy, func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				every, first, last := time.Second, 1, 32
				switch g {
				case OnAliases:
					every = 17 * time.Second
				case OnDNS:
					first, last = 4, 30 // it has begun, and has not ended
				case OnALB, OnNLB:
				}
				for second := first; second < last; second += 5 {
					inWorldOf(t, g, LabPace(), nil, func(l *lab) {
						m := l.quick()
						m.Spec.Strategy.OnInterrupt = policy
						ctx, cancel := context.WithTimeout(l.t.Context(), time.Duration(second)*every+300*time.Millisecond)
						defer cancel()
						end := time.Now().Add(time.Duration(second)*every + 300*time.Millisecond)
						out := l.Run(ctx, Setup{Manifest: m})
						want, phase := l.split(blueGreen(100, 0)...), shift.RolledBack
						if policy == "hold" {
							want, phase = l.lastBefore(end.Add(inHand), l.declared(m)), shift.Held
						}
						l.lawful(l.declared(m))
						l.ended(out, phase, "Interrupted")
						if got := l.live(); !got.equal(want) {
							l.t.Errorf("interrupted at second %d: %s, want %s", second, got, want)
						}
					})
				}
			})
		})
	}
}

// inHand is how long a write may take that was decided on before an interrupt: the client
// keeps to a rate.
const inHand = 400 * time.Millisecond

// lastBefore is what was written last before a moment; From, if nothing was.
func (l *lab) lastBefore(end time.Time, d Declared) Split {
	l.t.Helper()
	trace, last := l.lawful(d), l.split(blueGreen(100, 0)...)
	for i, a := range acts(trace, d) {
		if a != nil && a.write != nil && trace[i].OK() && trace[i].Done.Before(end) {
			last = a.write.split
		}
	}
	return last
}

func TestS15AWriteIsTriedAgainAndAnUnknownOutcomeIsReadFirst(t *testing.T) {
	for _, kind := range []awsfault.Kind{awsfault.Throttle, awsfault.ErrorAfter, awsfault.DropAfter} {
		t.Run(string(kind), func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					// More often than the SDK tries: the engine itself has to go on.
					l.fault(awsfault.Rule{Kind: kind, Operation: l.writeCall(), Skip: 3, Times: 7})
					m := l.quick()
					l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
					l.lawful(l.declared(m))
					l.endsAt(blueGreen(0, 100)...)
				})
			})
		})
	}
}

func TestS16SixTargetGroupsAreRefusedBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		to := []Weight{{"green", 100}}
		for _, name := range []string{"c", "d", "e", "f"} {
			if err := l.AddGroup(l.t.Context(), name); err != nil {
				l.t.Fatal(err)
			}
			to = append(to, Weight{name, 1})
		}
		l.Forget()
		m := l.Manifest(to...)
		out := l.run(Setup{Manifest: m})
		if !fault.IsTerminal(out.Err) || !strings.Contains(out.Err.Error(), "6") {
			l.t.Errorf("%+v, %v", out.Result, out.Err)
		}
		trace, err := l.Trace()
		if n := weightWrites(trace, l.declared(m)); n > 0 || err != nil {
			l.t.Errorf("%d weight writes, %v", n, err)
		}
	})
}

func TestS17ARuleWithTheSameTargetGroupsIsLeftAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		other, err := l.ELBClient().CreateRule(l.t.Context(), &elb.CreateRuleInput{
			ListenerArn: &l.Listener, Priority: aws.Int32(9), Actions: []types.Action{l.Forward(blueGreen(100, 0)...)},
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), PathPatternConfig: &types.PathPatternConditionConfig{Values: []string{"/other"}}}},
		})
		if err != nil {
			l.t.Fatal(err)
		}
		l.Forget()
		m := l.quick()
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		for _, x := range l.lawful(l.declared(m)) {
			if x.In.Str("RuleArn") == *other.Rules[0].RuleArn {
				l.t.Errorf("%s was to another rule", &x)
			}
		}
		l.endsAt(blueGreen(0, 100)...)
	})
}
