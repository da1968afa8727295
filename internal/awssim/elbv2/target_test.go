package elbv2_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func targets(arn string, ids ...string) params {
	var ts []any
	for _, id := range ids {
		ts = append(ts, params{"Id": id})
	}
	return params{"TargetGroupArn": arn, "Targets": ts}
}

func (l *lab) health(t *testing.T, arn string) (states []string) {
	t.Helper()
	out := l.do(t, "DescribeTargetHealth", params{"TargetGroupArn": arn})
	for _, d := range column(t, out, "TargetHealthDescriptions", "HealthCheckPort") {
		if d == "" {
			t.Error("no health check port")
		}
	}
	return column(t, out, "TargetHealthDescriptions", "TargetHealth.State")
}

func TestTargetsAreUnusedUntilARuleRefersToTheirGroup(t *testing.T) {
	l := newLab(t)
	l.do(t, "RegisterTargets", targets(l.blue, "127.0.0.1", "10.0.0.2"))
	out := l.do(t, "DescribeTargetHealth", params{"TargetGroupArn": l.blue})
	expect(t, out, map[string]any{
		"TargetHealthDescriptions.0.Target.Id": "127.0.0.1", "TargetHealthDescriptions.0.Target.Port": 80,
		"TargetHealthDescriptions.0.TargetHealth.State":       "unused",
		"TargetHealthDescriptions.0.TargetHealth.Reason":      "Target.NotInUse",
		"TargetHealthDescriptions.0.TargetHealth.Description": "Target group is not configured to receive traffic from the load balancer",
		"TargetHealthDescriptions.0.HealthCheckPort":          "80",
	})
	arn := l.rule(t, 10, split(l.blue, 0))
	out = l.do(t, "DescribeTargetHealth", params{"TargetGroupArn": l.blue, "Include": list("All")})
	expect(t, out, map[string]any{
		"TargetHealthDescriptions.0.TargetHealth.State":      "healthy",
		"TargetHealthDescriptions.0.TargetHealth.Reason":     nil,
		"TargetHealthDescriptions.1.AnomalyDetection.Result": "normal",
	})
	if tg := l.plane.last(t).TargetGroups[l.blue]; !tg.InUse || len(tg.Targets) != 2 {
		t.Errorf("the data plane was told %+v", tg)
	}
	l.do(t, "DeleteRule", params{"RuleArn": arn})
	if got := l.health(t, l.blue); !slices.Equal(got, []string{"unused", "unused"}) {
		t.Errorf("states are %v", got)
	}
	out = l.do(t, "DescribeTargetHealth", targets(l.blue, "10.9.9.9"))
	expect(t, out, map[string]any{"TargetHealthDescriptions.0.TargetHealth.Reason": "Target.NotRegistered"})
}

func TestTargetsDrainForTheDeregistrationDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.Close()
		l.rule(t, 10, split(l.blue, 1))
		l.do(t, "ModifyTargetGroupAttributes", params{"TargetGroupArn": l.blue, "Attributes": list(params{"Key": "deregistration_delay.timeout_seconds", "Value": "60"})})
		l.do(t, "RegisterTargets", targets(l.blue, "10.0.0.1", "10.0.0.2"))

		start := time.Now()
		l.do(t, "DeregisterTargets", targets(l.blue, "10.0.0.1", "10.9.9.9"))
		out := l.do(t, "DescribeTargetHealth", params{"TargetGroupArn": l.blue})
		expect(t, out, map[string]any{
			"TargetHealthDescriptions.0.TargetHealth.State":  "draining",
			"TargetHealthDescriptions.0.TargetHealth.Reason": "Target.DeregistrationInProgress",
			"TargetHealthDescriptions.1.TargetHealth.State":  "healthy",
		})
		if since := l.plane.last(t).TargetGroups[l.blue].Targets[0].DrainingSince; !since.Equal(start) {
			t.Errorf("the data plane was told it drains since %v, want %v", since, start)
		}
		time.Sleep(59 * time.Second)
		l.do(t, "DeregisterTargets", targets(l.blue, "10.0.0.1")) // does not begin anew
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := l.health(t, l.blue); !slices.Equal(got, []string{"healthy"}) {
			t.Errorf("states are %v, want the one target left", got)
		}
		if n := len(l.plane.last(t).TargetGroups[l.blue].Targets); n != 1 {
			t.Errorf("the data plane has %d targets, want 1", n)
		}
	})
}

func TestRegisteringADrainingTargetKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		defer l.Close()
		l.rule(t, 10, split(l.blue, 1))
		l.do(t, "RegisterTargets", targets(l.blue, "10.0.0.1"))
		l.do(t, "DeregisterTargets", targets(l.blue, "10.0.0.1"))
		time.Sleep(200 * time.Second)
		l.do(t, "RegisterTargets", targets(l.blue, "10.0.0.1"))
		time.Sleep(50 * time.Second)
		l.do(t, "DeregisterTargets", targets(l.blue, "10.0.0.1")) // 250 s after the first
		time.Sleep(100 * time.Second)                             // the first one's delay has passed
		synctest.Wait()
		if got := l.health(t, l.blue); !slices.Equal(got, []string{"draining"}) {
			t.Errorf("states are %v: the first deregistration removed the target of the second", got)
		}
		time.Sleep(201 * time.Second)
		synctest.Wait()
		if got := l.health(t, l.blue); len(got) != 0 {
			t.Errorf("states are %v, want none", got)
		}
	})
}

func TestTargetsLeaveAtOnceWithoutDelayOrUse(t *testing.T) {
	l := newLab(t)
	l.do(t, "RegisterTargets", targets(l.blue, "10.0.0.1"))
	l.do(t, "DeregisterTargets", targets(l.blue, "10.0.0.1"))
	if got := l.health(t, l.blue); len(got) != 0 {
		t.Errorf("states in an unused group are %v", got)
	}
}

func TestWeightsReachTheDataPlaneLateAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delay := time.Duration(0)
		l := newLab(t, func(c *elbv2.Config) { c.WeightsDelay = func() time.Duration { return delay } })
		defer l.Close()
		arn := l.rule(t, 10, split(l.blue, 100, l.green, 0))
		set := func(green int) {
			l.do(t, "ModifyRule", params{"RuleArn": arn, "Actions": list(split(l.blue, 100-green, l.green, green))})
		}
		applied := func() int { return greenWeight(l.plane.last(t)) }

		delay = 10 * time.Second
		set(10)
		delay = time.Second
		set(20) // must not overtake
		if applied() != 0 || greenWeight(l.Snapshot()) != 20 {
			t.Errorf("data plane has %d, control plane %d; want 0 and 20", applied(), greenWeight(l.Snapshot()))
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if applied() != 0 {
			t.Errorf("after 9 s the data plane has %d, want 0", applied())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if applied() != 20 {
			t.Errorf("after 10 s the data plane has %d, want 20", applied())
		}
		delay = time.Hour
		set(30)
		l.Close()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if applied() != 20 {
			t.Errorf("after Close the data plane has %d, want 20", applied())
		}
	})
}

func greenWeight(c model.Config) int {
	return c.Listeners[0].Rules[0].Actions[0].Forward.TargetGroups[1].Weight
}

func TestALoadBalancerIsProvisionedForTheActivationDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(c *elbv2.Config) { c.ActivationDelay = time.Minute })
		defer l.Close()
		state := func() any {
			return wiretest.At(l.do(t, "DescribeLoadBalancers", params{"Names": list("web")}), "LoadBalancers.0.State.Code")
		}
		if got := state(); got != "provisioning" {
			t.Errorf("state is %v", got)
		}
		time.Sleep(time.Minute)
		if got := state(); got != "active" {
			t.Errorf("after the delay the state is %v", got)
		}
	})
}
