package elbv2

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	sim "github.com/norikae/norikae/internal/awssim/elbv2"
	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

func TestPreflightFindsWhatAWriteWouldTripOver(t *testing.T) {
	ours := func(w *world) {
		w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100, "b", 0)))
	}
	none := func(*world, *Config) {}
	for name, tc := range map[string]struct {
		world  func(*world)
		config func(*world, *Config)
		reason string
		parts  []string
	}{
		"the listener does not exist": {
			func(*world) {},
			func(w *world, c *Config) { c.ListenerARN = w.listener[:len(w.listener)-16] + "0123456789abcdef" },
			"RouteNotFound",
			[]string{"route.alb.listenerARN", "does not exist", "check the ARN"},
		},
		"a target group does not exist": {
			ours,
			func(w *world, c *Config) {
				c.Destinations[1] = c.Destinations[1][:len(c.Destinations[1])-16] + "0123456789abcdef"
			},
			"DestinationNotFound",
			[]string{"destinations[1].targetGroupARN", "/b/0123456789abcdef", "does not exist"},
		},
		"a target group serves another load balancer (S16)": {
			func(w *world) {
				ours(w)
				other := w.listen(w.balancer("other"), 80, types.ProtocolEnumHttp)
				w.rule(other, 1, hosts("example.com"), forward(w.split("c", 1)))
			},
			func(w *world, c *Config) { c.Destinations[1] = w.groups["c"] },
			"InvalidDestination",
			[]string{"destinations[1].targetGroupARN", "another load balancer", "loadbalancer/app/other/", "loadbalancer/app/web/"},
		},
		"a target group is in another VPC": {
			ours,
			func(w *world, c *Config) {
				c.Destinations[1] = w.group("far", func(in *elb.CreateTargetGroupInput) { in.VpcId = aws.String("vpc-2") })
			},
			"InvalidDestination",
			[]string{"vpc-2", "vpc-1", "only within its VPC"},
		},
		"more groups than a rule holds, with the undeclared ones (S16)": {
			func(w *world) {
				w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 1, "c", 1, "d", 1, "e", 1, "f", 1)))
			},
			none,
			"TooManyDestinations",
			[]string{"make 6 target groups", "holds 5", "targetgroup/f/"},
		},
		"somebody else's rule has the priority (S12)": {
			func(w *world) { w.rule(w.listener, 10, hosts("shop.example.com"), forward(w.split("a", 100))) },
			none,
			"ForeignRule",
			[]string{"priority: 10", "not made by norikae", "shop.example.com", "declared: host-header example.com", "adopt: true"},
		},
		"another declaration's rule has the priority (S12)": {
			func(w *world) {
				w.tag(w.rule(w.listener, 10, hosts("shop.example.com"), forward(w.split("a", 100))), tagOwner, "shop")
			},
			none,
			"ForeignRule",
			[]string{`belongs to "shop"`},
		},
		"the rule would never be reached": {
			func(w *world) { w.rule(w.listener, 5, hosts("*.com"), forward(w.split("a", 1))) },
			none,
			"UnreachableRule",
			[]string{"rule 5"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.world(w)
			r := w.open(func(c *Config) { tc.config(w, c) })
			_, err := r.Preflight(t.Context())
			mentions(t, err, tc.parts...)
			if !isTerminal(err, tc.reason) {
				t.Errorf("want a terminal %s, got %T %v", tc.reason, err, err)
			}
		})
	}
}

func TestPreflightPassesWhatIsFineInThreeCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		world func(*world)
		opts  func(*world, *Config)
		warns []string
		calls string
	}{
		"a rule with the same conditions, made by somebody": {
			func(w *world) { w.rule(w.listener, 10, hosts("EXAMPLE.com"), forward(w.split("a", 100, "b", 0))) },
			nil, nil, "DescribeRules DescribeTargetGroups DescribeTags",
		},
		"our rule with other conditions": {
			func(w *world) {
				w.tag(w.rule(w.listener, 10, hosts("old.example.com"), forward(w.split("a", 100))), tagOwner, "web")
			},
			nil,
			[]string{"conditions (host-header old.example.com) become host-header example.com"},
			"DescribeRules DescribeTargetGroups DescribeTags",
		},
		"a foreign rule that shall be adopted": {
			func(w *world) { w.rule(w.listener, 10, hosts("old.example.com"), forward(w.split("a", 100))) },
			func(_ *world, c *Config) { c.Adopt = true },
			[]string{"become host-header example.com"},
			"DescribeRules DescribeTargetGroups DescribeTags",
		},
		"a rule that another declaration shifts too": {
			func(w *world) {
				w.tag(w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100))), tagOwner, "shop")
			},
			nil,
			[]string{`belongs to "shop"`},
			"DescribeRules DescribeTargetGroups DescribeTags",
		},
		"no rule yet": {
			func(*world) {},
			nil,
			[]string{"no rule at priority 10", "fixed-response"},
			"DescribeRules DescribeTargetGroups",
		},
		"S21_stickiness is told": {
			func(w *world) { w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 1, "b", 0), sticky)) },
			nil,
			[]string{"AWSALBTG", "1h0m0s"},
			"DescribeRules DescribeTargetGroups DescribeTags",
		},
		"a rule that exists and gets no traffic": {
			func(w *world) {
				w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 1, "b", 0)))
				w.rule(w.listener, 3, sdkConditions(Numbered{PathPatterns: []string{"/*"}}.conditions()), forward(w.split("c", 1)))
			},
			nil,
			[]string{"rule 3 matches every request", "no traffic"},
			"DescribeRules DescribeTargetGroups DescribeTags",
		},
		"the default action, of groups that serve nothing yet": {
			func(*world) {},
			func(_ *world, c *Config) { c.Numbered, c.Default = nil, true },
			[]string{"forwards nothing today", "fixed-response"},
			"DescribeRules DescribeTargetGroups",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.world(w)
			w.forget()
			r := w.open(func(c *Config) {
				if tc.opts != nil {
					tc.opts(w, c)
				}
			})
			warnings, err := r.Preflight(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := w.made(); got != tc.calls {
				t.Errorf("calls: %s, want %s", got, tc.calls)
			}
			all := strings.Join(warnings, "\n")
			for _, want := range tc.warns {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not in the warnings:\n%s", want, all)
				}
			}
			if len(tc.warns) == 0 && len(warnings) > 0 {
				t.Errorf("warnings for nothing:\n%s", all)
			}
		})
	}
}

func TestAnALBForwardsToItsKindOfGroups(t *testing.T) {
	r := newWorld(t).open()
	serves := func(c *types.TargetGroup) { c.LoadBalancerArns = []string{r.listener.LoadBalancer.ARN} }
	for name, tc := range map[string]struct {
		change func(*types.TargetGroup)
		part   string // of the message; "": it is fine
	}{
		"HTTP":                 {func(*types.TargetGroup) {}, ""},
		"HTTPS, in use here":   {func(g *types.TargetGroup) { g.Protocol = types.ProtocolEnumHttps; serves(g) }, ""},
		"TCP":                  {func(g *types.TargetGroup) { g.Protocol = types.ProtocolEnumTcp }, "has protocol TCP"},
		"load balancers":       {func(g *types.TargetGroup) { g.TargetType = types.TargetTypeEnumAlb }, "target type alb"},
		"a function, no VPC":   {func(g *types.TargetGroup) { g.TargetType, g.Protocol, g.VpcId = types.TargetTypeEnumLambda, "", nil }, ""},
		"another VPC":          {func(g *types.TargetGroup) { g.VpcId = aws.String("vpc-2") }, "is in VPC vpc-2"},
		"another balancer":     {func(g *types.TargetGroup) { g.LoadBalancerArns = []string{"other"} }, "another load balancer, other"},
		"another one and this": {func(g *types.TargetGroup) { serves(g); g.LoadBalancerArns = append(g.LoadBalancerArns, "x") }, ""},
	} {
		groups := map[string]types.TargetGroup{}
		for i, id := range r.cfg.Destinations {
			g := types.TargetGroup{Protocol: types.ProtocolEnumHttp, VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumIp}
			if i == 0 {
				serves(&g)
			} else {
				tc.change(&g)
			}
			groups[id] = g
		}
		err := r.checkGroups(groups)
		if err == nil {
			err = r.checkApplicationGroups(groups)
		}
		if tc.part == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if tc.part != "" {
			mentions(t, err, "destinations[1].targetGroupARN", tc.part)
		}
	}
}

func TestAdoptionLeavesTheOwnersTag(t *testing.T) {
	w := newWorld(t)
	arn := w.rule(w.listener, 10, hosts("old.example.com"), forward(w.split("a", 100)))
	r := w.open(func(c *Config) { c.Adopt = true })
	if err := errors.Join(r.SetMark(t.Context(), markOf(w)), r.ClearMark(t.Context())); err != nil {
		t.Fatal(err)
	}
	if tags := w.tagsOf(arn); len(tags) != 1 || tags[tagOwner] != "web" {
		t.Errorf("tags %v", tags)
	}
}

func TestPreflightKeepsTheClassOfAFailure(t *testing.T) {
	for _, op := range []string{"DescribeRules", "DescribeTargetGroups", "DescribeTags"} {
		w := newWorld(t)
		w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100)))
		r := w.open()
		w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: op, Times: 1})
		if _, err := r.Preflight(t.Context()); !errors.Is(err, fault.ErrDenied) {
			t.Errorf("%s denied: %v", op, err)
		}
		if _, err := r.Preflight(t.Context()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func TestAdviceComesFromTheGroupsAttributes(t *testing.T) {
	w := newWorld(t)
	set := func(name, key, value string) {
		t.Helper()
		wiretest.Must(w.sdk.ModifyTargetGroupAttributes(t.Context(), &elb.ModifyTargetGroupAttributesInput{
			TargetGroupArn: aws.String(w.groups[name]), Attributes: []types.TargetGroupAttribute{{Key: &key, Value: &value}},
		}))(t)
	}
	w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 100)))
	r := w.open()
	if got := wiretest.Must(r.Advise(t.Context()))(t); len(got) != 1 || !strings.Contains(got[0], "WebSocket connections that are open stay") {
		t.Errorf("advice for nothing but WebSockets (S22): %v", got)
	}
	set("a", "stickiness.enabled", "true")
	set("a", "deregistration_delay.timeout_seconds", "0")
	set("b", "slow_start.duration_seconds", "60")
	all := strings.Join(wiretest.Must(r.Advise(t.Context()))(t), "\n")
	for _, want := range []string{"target stickiness on", "slow start (60 s)", "deregistration delay of 0 s"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in:\n%s", want, all)
		}
	}
}

func TestHealthCountsWhatCanServe(t *testing.T) {
	target := func(state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum) types.TargetHealthDescription {
		return types.TargetHealthDescription{TargetHealth: &types.TargetHealth{State: state, Reason: reason}}
	}
	healthy := target(types.TargetHealthStateEnumHealthy, "")
	unused := target(types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumNotInUse)
	timeout := target(types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumTimeout)
	code := target(types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumResponseCodeMismatch)
	type list = []types.TargetHealthDescription
	for name, tc := range map[string]struct {
		targets list
		want    shift.Health
	}{
		"no targets":                      {list{}, shift.Health{}},
		"all healthy":                     {list{healthy, healthy}, shift.Health{Healthy: 2, Total: 2}},
		"the commonest reason is given":   {list{healthy, timeout, code, timeout}, shift.Health{Healthy: 1, Total: 4, Reason: "Target.Timeout"}},
		"the first by name among equals":  {list{timeout, code}, shift.Health{Total: 2, Reason: "Target.ResponseCodeMismatch"}},
		"draining targets do not count":   {list{healthy, target(types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress), target(types.TargetHealthStateEnumUnhealthyDraining, "")}, shift.Health{Healthy: 1, Total: 1}},
		"only draining targets":           {list{target(types.TargetHealthStateEnumDraining, "")}, shift.Health{}},
		"not attached to a rule":          {list{unused, unused}, shift.Health{Total: 2, Unused: true, Reason: "Target.NotInUse"}},
		"a zone that is not enabled":      {list{unused, healthy}, shift.Health{Healthy: 1, Total: 2, Reason: "Target.NotInUse"}},
		"an unusable address is no pause": {list{target(types.TargetHealthStateEnumUnused, types.TargetHealthReasonEnumIpUnusable)}, shift.Health{Total: 1, Reason: "Target.IpUnusable"}},
		"health checks are off":           {list{target(types.TargetHealthStateEnumUnavailable, types.TargetHealthReasonEnumHealthCheckDisabled)}, shift.Health{Healthy: 1, Total: 1}},
		"just registered":                 {list{target(types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumRegistrationInProgress)}, shift.Health{Total: 1, Reason: "Elb.RegistrationInProgress"}},
		"a state without a reason":        {list{target(types.TargetHealthStateEnumUnhealthy, "")}, shift.Health{Total: 1, Reason: "unhealthy"}},
		"nothing is said of a target":     {list{{}}, shift.Health{Total: 1, Reason: "unknown"}},
	} {
		if got := healthOf(tc.targets); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestHealthIsAskedPerGroup(t *testing.T) {
	w := newWorld(t)
	register := func(name string, ids ...string) {
		t.Helper()
		for _, id := range ids {
			wiretest.Must(w.sdk.RegisterTargets(t.Context(), &elb.RegisterTargetsInput{
				TargetGroupArn: aws.String(w.groups[name]), Targets: []types.TargetDescription{{Id: &id}},
			}))(t)
		}
	}
	register("a", "10.0.0.1", "10.0.0.2")
	register("b", "10.0.1.1")
	w.health["10.0.0.2"] = model.TargetHealth{State: "unhealthy", Reason: "Target.Timeout"}
	w.rule(w.listener, 10, hosts("example.com"), forward(w.split("a", 1)))
	r := w.open()
	w.forget()
	got := wiretest.Must(r.Health(t.Context(), []string{w.groups["a"], w.groups["b"], w.groups["a"]}))(t)
	if a := got[w.groups["a"]]; a != (shift.Health{Healthy: 1, Total: 2, Reason: "Target.Timeout"}) {
		t.Errorf("a: %+v", a)
	}
	if b := got[w.groups["b"]]; !b.Unused || b.Total != 1 || b.Healthy != 0 {
		t.Errorf("b is not attached yet, and is said to be %+v", b)
	}
	if w.made() != "DescribeTargetHealth DescribeTargetHealth" {
		t.Errorf("made %s", w.made())
	}
	gone := strings.Replace(w.groups["a"], "targetgroup/a/", "targetgroup/z/", 1)
	if _, err := r.Health(t.Context(), []string{gone}); !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), gone) {
		t.Errorf("health of a group that is not there: %v", err)
	}
}

func TestWrongConfigurationsAreRefusedWithoutACall(t *testing.T) {
	w := newWorld(t)
	rule := w.rule(w.listener, 10, hosts("example.com"), notFound())
	w.forget()
	nlb := strings.Replace(w.listener, "listener/app/", "listener/net/", 1)
	away := strings.Replace(w.groups["a"], "us-east-1", "eu-west-1", 1)
	for name, tc := range map[string]struct {
		change func(*Config)
		parts  []string
	}{
		"neither rule, ruleARN nor default": {func(c *Config) { c.Numbered = nil }, []string{"route.alb: 0 of", "exactly one"}},
		"rule and default":                  {func(c *Config) { c.Default = true }, []string{"route.alb: 2 of"}},
		"no listener":                       {func(c *Config) { c.ListenerARN = "" }, []string{"route.alb.listenerARN", "listener/(app|net|gwy)/"}},
		"a target group for a listener":     {func(c *Config) { c.ListenerARN = w.groups["a"] }, []string{"route.alb.listenerARN", "it names a target group"}},
		"an NLB's listener":                 {func(c *Config) { c.ListenerARN = nlb }, []string{nlb, `type "net"`, "Application Load Balancer"}},
		"a listener for a ruleARN":          {func(c *Config) { c.Numbered, c.RuleARN = nil, w.listener }, []string{"route.alb.ruleARN", "it names a listener"}},
		"another listener than the rule's":  {func(c *Config) { c.Numbered, c.RuleARN, c.ListenerARN = nil, rule, w.https }, []string{"not the listener of ruleARN", w.listener}},
		"no destination":                    {func(c *Config) { c.Destinations = nil }, []string{"destinations: 0", "1–5"}},
		"six destinations": {func(c *Config) {
			c.Destinations = []string{w.groups["a"], w.groups["b"], w.groups["c"], w.groups["d"], w.groups["e"], w.groups["f"]}
		}, []string{"destinations: 6", "1–5"}},
		"one destination twice":           {func(c *Config) { c.Destinations[1] = c.Destinations[0] }, []string{"destinations[1].targetGroupARN", "twice"}},
		"a name for an ARN":               {func(c *Config) { c.Destinations[0] = "blue" }, []string{"destinations[0].targetGroupARN", `"blue"`, "targetgroup/NAME/ID"}},
		"a destination in another region": {func(c *Config) { c.Destinations[0] = away }, []string{"destinations[0]", "eu-west-1", "us-east-1"}},
		"no owner":                        {func(c *Config) { c.Owner = "" }, []string{"metadata.name"}},
		"a wrong rule":                    {func(c *Config) { c.Numbered = &Numbered{Priority: 0} }, []string{"route.alb.rule.priority", `"0"`, "1–50000"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(w.config(tc.change))
			mentions(t, err, tc.parts...)
			if !fault.IsTerminal(err) {
				t.Errorf("not terminal: %v", err)
			}
		})
	}
	if w.made() != "" {
		t.Errorf("calls were made: %s", w.made())
	}
}

func TestConditionsAreHeldToAWSsLimits(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 129)
	for name, tc := range map[string]struct {
		rule  Numbered
		parts []string // of the message; none: it is fine
		sim   bool     // the simulator is laxer, or cannot be asked
	}{
		"everything together":      {rule: Numbered{Hosts: []string{"*.example.com"}, PathPatterns: []string{"/a*"}, Methods: []string{"GET"}, SourceIPs: []string{"10.0.0.0/8"}, QueryStrings: []Query{{"k", `\*`}}}},
		"priority 50001":           {rule: Numbered{Priority: 50001, Hosts: []string{"a.b"}}, parts: []string{"priority", `"50001"`, "1–50000"}},
		"no conditions":            {rule: Numbered{}, parts: []string{"route.alb.rule:", "at least one of", "default: true"}},
		"six values":               {rule: Numbered{Hosts: []string{"a.b", "b.b", "c.b"}, PathPatterns: []string{"/1", "/2", "/3"}}, parts: []string{"6 condition values", "at most 5"}},
		"six wildcards":            {rule: Numbered{PathPatterns: []string{"/*/*/*/*/*/?"}}, parts: []string{"6 wildcards", "at most 5"}},
		"a host without a dot":     {rule: Numbered{Hosts: []string{"localhost"}}, parts: []string{"hosts[0]", "needs a dot"}},
		"a host with a port":       {rule: Numbered{Hosts: []string{"a.b:80"}}, parts: []string{"hosts[0]", `"a.b:80"`}},
		"a host that is too long":  {rule: Numbered{Hosts: []string{long + ".com"}}, parts: []string{"133 characters", "1–128"}},
		"a host that is a number":  {rule: Numbered{Hosts: []string{"10.0.0.1"}}, parts: []string{"after the last dot"}},
		"a host twice":             {rule: Numbered{Hosts: []string{"a.b", "a.b"}}, parts: []string{"hosts[1]", "twice"}, sim: true},
		"an empty path":            {rule: Numbered{PathPatterns: []string{""}}, parts: []string{"pathPatterns[0]", "1–128"}},
		"a path with a space":      {rule: Numbered{PathPatterns: []string{"/a b"}}, parts: []string{"pathPatterns[0]"}},
		"a method in small":        {rule: Numbered{Methods: []string{"get"}}, parts: []string{"methods[0]", "capital"}},
		"an address for a CIDR":    {rule: Numbered{SourceIPs: []string{"10.0.0.1"}}, parts: []string{"sourceIPs[0]", "192.0.2.0/24"}},
		"a CIDR with host bits":    {rule: Numbered{SourceIPs: []string{"10.0.0.1/8"}}, parts: []string{"write 10.0.0.0/8"}, sim: true},
		"the Host header":          {rule: Numbered{Headers: []Header{{"HOST", []string{"x"}}}}, parts: []string{"headers[0].name", "use hosts"}},
		"a header with a wildcard": {rule: Numbered{Headers: []Header{{"X-*", []string{"x"}}}}, parts: []string{"headers[0].name", "no wildcards"}},
		"a header without values":  {rule: Numbered{Headers: []Header{{"X-A", nil}}}, parts: []string{"headers[0].values"}},
		"a header that is too long": {
			rule: Numbered{Headers: []Header{{strings.Repeat("x", 41), []string{"x"}}}}, parts: []string{"1–40"},
		},
		"a query without a value": {rule: Numbered{QueryStrings: []Query{{"k", ""}}}, parts: []string{"queryStrings[0].value"}},
		"a query key too long":    {rule: Numbered{QueryStrings: []Query{{long, "v"}}}, parts: []string{"queryStrings[0].key"}, sim: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := tc.rule
			if n.Priority == 0 {
				n.Priority = 10
			}
			err := n.Validate()
			if len(tc.parts) > 0 {
				mentions(t, err, append(tc.parts, "route.alb.rule")...)
			} else if err != nil {
				t.Error(err)
			}
			if tc.sim {
				return
			}
			in := &elb.CreateRuleInput{ListenerArn: &w.listener, Priority: aws.Int32(int32(n.Priority)), Conditions: sdkConditions(n.conditions()), Actions: []types.Action{notFound()}}
			out, simErr := w.sdk.CreateRule(t.Context(), in)
			if (simErr == nil) != (err == nil) {
				t.Errorf("we say %v, the API says %v", err, simErr)
			}
			if simErr == nil {
				wiretest.Must(w.sdk.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: out.Rules[0].RuleArn}))(t)
			}
		})
	}
}

func TestARouteIsNamedForPeopleAndTheJournal(t *testing.T) {
	w := newWorld(t, func(c *sim.Config) { c.Seed = 1 })
	id := w.rule(w.listener, 10, hosts("example.com"), notFound())
	names := []string{
		w.open().String(),
		w.open(func(c *Config) { c.Numbered, c.Default = nil, true }).String(),
		w.open(func(c *Config) { c.Numbered, c.RuleARN = nil, id }).String(),
	}
	if want := []string{w.listener + " rule 10", w.listener + " default", id}; !slices.Equal(names, want) {
		t.Errorf("got %v", names)
	}
}
