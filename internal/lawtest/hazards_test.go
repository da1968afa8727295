package lawtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
func writesOf(trace []Exchange) []Split {
	var out []Split
	for _, x := range trace {
		if x.Caller != Operator && x.OK() && (x.Operation == "ModifyRule" || x.Operation == "CreateRule") {
			out = append(out, parseWrite(&x).split)
		}
	}
	return out
}

func (l *lab) endsAt(want ...Weight) {
	l.t.Helper()
	if got := l.live(); !got.equal(l.split(want...)) {
		l.t.Errorf("ended at %s, want %s", got, l.split(want...))
	}
}

func TestS01AFailureAfterTheFirstStepIsOneWriteBack(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		l.fault(awsfault.Rule{Kind: awsfault.TargetFailure, TargetGroup: "green", FailRate: 1})
		m := l.quick()
		stepsAt(m, 1, 26, 51, 76, 100)
		out := l.run(Setup{Manifest: m})
		l.ended(out, shift.RolledBack, "AnalysisFailed")
		writes := writesOf(l.lawful(l.declared(m)))
		if len(writes) != 2 || !writes[0].equal(l.split(blueGreen(99, 1)...)) || !writes[1].equal(l.split(blueGreen(100, 0)...)) {
			l.t.Errorf("wrote %s", writes)
		}
		l.endsAt(blueGreen(100, 0)...)
	})
}

func TestS02AFailureAtAnyOddStepGoesAllTheWayBack(t *testing.T) {
	for _, at := range []int{33, 67, 100} {
		t.Run(fmt.Sprintf("at %d percent", at), func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), nil, func(l *lab) {
				l.onGreen(at, func() { sick(l) })
				m := l.quick()
				stepsAt(m, 33, 67, 100)
				l.ended(l.run(Setup{Manifest: m}), shift.RolledBack, "AnalysisFailed")
				l.lawful(l.declared(m))
				l.endsAt(blueGreen(100, 0)...)
			})
		})
	}
}

func TestS03AHealthyShiftWritesEachStepOnce(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		m := l.quick()
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		for i, w := range writesOf(l.lawful(l.declared(m))) {
			if want := l.split(blueGreen(90-10*i, 10+10*i)...); !w.equal(want) {
				l.t.Errorf("write %d is %s, want %s", i+1, w, want)
			}
		}
	})
}

// S4, and S6: one to five destinations.
func TestS04AndS06ItEndsExactlyAtWhatIsDeclared(t *testing.T) {
	names := []string{"blue", "green", "c", "d", "e"}
	for _, weights := range [][]int{
		{10, 90}, {50, 50}, {1, 2}, {0, 1}, {0, 999}, {34, 33, 33}, {0, 1, 2}, {7, 0, 0, 1}, {1, 1, 1, 1, 1}, {0, 10, 20, 30, 40}, {999, 998, 997, 996, 995}, {5},
	} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), nil, func(l *lab) {
				var to []Weight
				for i, w := range weights {
					if i >= 2 {
						if err := l.AddGroup(l.t.Context(), names[i]); err != nil {
							l.t.Fatal(err)
						}
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

func TestS05ASettledRuleIsNotWrittenWhenThePaceIsEdited(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		if err := l.Meddle(l.t.Context(), blueGreen(0, 100)...); err != nil {
			l.t.Fatal(err)
		}
		l.Forget()
		m := l.quick()
		m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: time.Hour}
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Settled")
		for _, x := range l.lawful(l.declared(m)) {
			if !strings.HasPrefix(x.Operation, "Describe") && x.Service == ELB {
				l.t.Errorf("it called %s", &x)
			}
		}
	})
}

func TestS07ConditionsChangeAtTheLiveWeightsFirst(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		otherHost(l)
		m := l.quick()
		m.Spec.Route.ALB.Adopt = true
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		writes := writesOf(l.lawful(l.declared(m)))
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
		if n := len(writesOf(trace)); n != 10 {
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
			t.Parallel()
			for second := 1; second < 32; second += 5 {
				inWorld(t, LabPace(), nil, func(l *lab) {
					m := l.quick()
					m.Spec.Strategy.OnInterrupt = policy
					ctx, cancel := context.WithTimeout(l.t.Context(), time.Duration(second)*time.Second+300*time.Millisecond)
					defer cancel()
					var at Split
					context.AfterFunc(ctx, func() { at = l.live() })
					out := l.Run(ctx, Setup{Manifest: m})
					l.lawful(l.declared(m))
					want, phase := l.split(blueGreen(100, 0)...), shift.RolledBack
					if policy == "hold" {
						want, phase = at, shift.Held
					}
					l.ended(out, phase, "Interrupted")
					if got := l.live(); !got.equal(want) {
						l.t.Errorf("interrupted at second %d: %s, want %s", second, got, want)
					}
				})
			}
		})
	}
}

func TestS15AWriteIsTriedAgainAndAnUnknownOutcomeIsReadFirst(t *testing.T) {
	for _, kind := range []awsfault.Kind{awsfault.Throttle, awsfault.ErrorAfter, awsfault.DropAfter} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), nil, func(l *lab) {
				// More often than the SDK tries: the engine itself has to go on.
				l.fault(awsfault.Rule{Kind: kind, Operation: "ModifyRule", Skip: 3, Times: 7})
				m := l.quick()
				l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
				l.lawful(l.declared(m))
				l.endsAt(blueGreen(0, 100)...)
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
		if n := weightWrites(trace); n > 0 || err != nil {
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

// liar answers one write with success and keeps it from the world.
type liar struct {
	aws.HTTPClient

	lies int
	told int
}

func (c *liar) Do(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	if strings.Contains(string(b), "Action=ModifyRule") && c.told < c.lies {
		c.told++
		body := `<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	return c.HTTPClient.Do(r)
}

func TestS18AWriteThatDidNotTakeEffectIsNotBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		lies  int
		phase shift.Phase
		goal  []Weight
	}{
		"once":   {1, shift.Succeeded, blueGreen(0, 100)},
		"always": {1 << 30, shift.RolledBack, blueGreen(100, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), nil, func(l *lab) {
				m := l.quick()
				m.Spec.Analysis.MaxHold = v1alpha1.Duration{Duration: time.Minute}
				var c *liar
				out := l.run(Setup{Manifest: m, Client: func(h aws.HTTPClient) aws.HTTPClient {
					c = &liar{HTTPClient: h, lies: tc.lies}
					return c
				}})
				if out.Err != nil || out.Phase != tc.phase || c.told == 0 {
					l.t.Errorf("%s %s (%s), %v after %d lies", out.Phase, out.Reason, out.Message, out.Err, c.told)
				}
				l.lawful(l.declared(m))
				l.endsAt(tc.goal...)
			})
		})
	}
}

func TestS19SomebodyElsesWeightsAreNamedAndHeld(t *testing.T) {
	for second := 2; second < 30; second += 9 {
		t.Run(fmt.Sprintf("second %d", second), func(t *testing.T) {
			t.Parallel()
			inWorld(t, LabPace(), nil, func(l *lab) {
				meddleAt(time.Duration(second)*time.Second+500*time.Millisecond, 3, 97)(l)
				m := l.quick()
				m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 2 * time.Minute}
				out := l.run(Setup{Manifest: m})
				l.ended(out, shift.Held, "MaxDuration")
				if !strings.Contains(out.Message, "blue=3 green=97") {
					l.t.Errorf("the message does not name the weights: %s", out.Message)
				}
				l.lawful(l.declared(m))
				l.endsAt(blueGreen(3, 97)...)
			})
		})
	}
}

// An active run keeps another process out, which says who it is.
func TestS19AnotherActiveRunIsRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, LabPace(), nil, func(l *lab) {
		m := l.quick()
		m.Spec.Strategy.Bake = &v1alpha1.Duration{Duration: 2 * time.Minute}
		var second Outcome
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(10 * time.Second)
			second = l.Run(l.t.Context(), Setup{Manifest: m, Machine: "m2"})
		}()
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		<-done
		if !errors.Is(second.Err, fault.ErrConflict) || !strings.Contains(second.Err.Error(), "m1/") {
			l.t.Errorf("%+v, %v", second.Result, second.Err)
		}
		l.lawful(l.declared(m))
	})
}
