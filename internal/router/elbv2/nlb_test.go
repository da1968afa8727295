package elbv2

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// network is a world with a dual-stack Network Load Balancer: a listener that forwards
// to ta, and the target groups ta to tf of its protocol.
type network struct {
	*world

	nlb, on string // the load balancer, and its listener
}

func newNetwork(t *testing.T, protocol types.ProtocolEnum) *network {
	t.Helper()
	n := &network{world: newWorld(t)}
	for _, name := range []string{"ta", "tb", "tc", "td", "te", "tf"} {
		n.groups[name] = n.tcp(name, func(in *elb.CreateTargetGroupInput) { in.Protocol = protocol })
	}
	n.nlb = n.balance("front")
	n.on = n.hear(n.nlb, 443, protocol, n.split("ta", 1))
	n.forget()
	return n
}

func (n *network) balance(name string) string {
	n.t.Helper()
	return *wiretest.Must(n.sdk.CreateLoadBalancer(n.t.Context(), &elb.CreateLoadBalancerInput{
		Name: &name, Subnets: []string{"subnet-1", "subnet-2"}, Type: types.LoadBalancerTypeEnumNetwork, IpAddressType: types.IpAddressTypeDualstack,
	}))(n.t).LoadBalancers[0].LoadBalancerArn
}

func (n *network) hear(lb string, port int32, protocol types.ProtocolEnum, to traffic.Split) string {
	n.t.Helper()
	in := &elb.CreateListenerInput{LoadBalancerArn: &lb, Port: &port, Protocol: protocol, DefaultActions: []types.Action{forward(to)}}
	if protocol == types.ProtocolEnumTls {
		in.Certificates = []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/1")}}
	}
	return *wiretest.Must(n.sdk.CreateListener(n.t.Context(), in))(n.t).Listeners[0].ListenerArn
}

// tcp makes a target group, of TCP and IPv4 addresses unless changed.
func (n *network) tcp(name string, change ...func(*elb.CreateTargetGroupInput)) string {
	n.t.Helper()
	return n.group(name, append([]func(*elb.CreateTargetGroupInput){func(in *elb.CreateTargetGroupInput) {
		in.Protocol = types.ProtocolEnumTcp
	}}, change...)...)
}

func (n *network) open(change ...func(*Config)) *Rule {
	n.t.Helper()
	return wiretest.Must(New(n.config(change...)))(n.t)
}

func (n *network) config(change ...func(*Config)) Config {
	return n.world.config(append([]func(*Config){func(c *Config) {
		c.ListenerARN, c.Numbered, c.Default = n.on, nil, true
		c.Destinations = []string{n.groups["ta"], n.groups["tb"]}
	}}, change...)...)
}

func (n *network) listener() types.Listener {
	n.t.Helper()
	return wiretest.Must(n.sdk.DescribeListeners(n.t.Context(), &elb.DescribeListenersInput{ListenerArns: []string{n.on}}))(n.t).Listeners[0]
}

// stickBy source address: an NLB takes no duration.
func stickBy(c *types.ForwardActionConfig) {
	c.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true)}
}

func (n *network) forwards(s traffic.Split, change ...func(*types.ForwardActionConfig)) {
	n.t.Helper()
	wiretest.Must(n.sdk.ModifyListener(n.t.Context(), &elb.ModifyListenerInput{ListenerArn: &n.on, DefaultActions: []types.Action{forward(s, change...)}}))(n.t)
	n.forget()
}

func TestAnNLBListenerIsShifted(t *testing.T) {
	for _, protocol := range []types.ProtocolEnum{types.ProtocolEnumTcp, types.ProtocolEnumTls, types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp} {
		t.Run(string(protocol), func(t *testing.T) {
			n := newNetwork(t, protocol)
			before := n.listener()
			r := n.open()
			if _, err := r.Preflight(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r.Protocol() != "" {
				t.Errorf("a protocol that nobody read: %s", r.Protocol())
			}
			live := wiretest.Must(r.Observe(t.Context()))(t)
			if r.Protocol() != string(protocol) {
				t.Errorf("protocol %q, want %s", r.Protocol(), protocol)
			}
			if !live.Exists || !live.Conforms || live.Ref != n.on || !live.Split.Equal(n.split("ta", 1)) {
				t.Errorf("observed %+v", live)
			}
			mark := markOf(n.world)
			mark.From = live.Split
			if err := r.SetMark(t.Context(), mark); err != nil {
				t.Fatal(err)
			}
			if got, ok, err := n.open().Mark(t.Context()); err != nil || !ok || !got.From.Equal(mark.From) || n.tagsOf(n.on)[tagShift] != mark.ID {
				t.Errorf("mark %+v, %v, %v; tags %v", got, ok, err, n.tagsOf(n.on))
			}
			for _, s := range []traffic.Split{
				n.split("ta", 100, "tb", 0), n.split("ta", 0, "tb", 999), n.split("ta", 1, "tb", 2, "tc", 0, "td", 3, "te", 4), n.split("tb", 100),
			} {
				if err := r.Write(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				for _, g := range n.last("ModifyListener").List("DefaultActions")[0].Struct("ForwardConfig").List("TargetGroups") {
					if !g.Has("Weight") {
						t.Errorf("no weight for %s (S20)", g.Str("TargetGroupArn"))
					}
				}
				if got := wiretest.Must(r.Observe(t.Context()))(t); !got.Split.Equal(s) {
					t.Errorf("observed %s, want %s", got.Split, s)
				}
			}
			if after := n.listener(); after.Protocol != protocol || len(after.Certificates) != len(before.Certificates) || aws.ToString(after.SslPolicy) != aws.ToString(before.SslPolicy) {
				t.Errorf("more than the weights changed: %+v", after)
			}
			if err := r.ClearMark(t.Context()); err != nil || len(n.tagsOf(n.on)) != 0 {
				t.Errorf("%v; tags left: %v", err, n.tagsOf(n.on))
			}
		})
	}
}

func TestAnNLBShiftMakesAsManyCallsAsOneOfADefaultAction(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTcp)
	wiretest.Must(n.sdk.ModifyListener(t.Context(), &elb.ModifyListenerInput{
		ListenerArn: &n.world.listener, DefaultActions: []types.Action{forward(n.split("a", 1))},
	}))(t)
	alb := n.world.open(func(c *Config) { c.Numbered, c.Default = nil, true })
	calls := func(r *Rule, old, next string) string {
		n.forget()
		steps := []func() error{
			func() error { _, err := r.Preflight(t.Context()); return err },
			func() error { return r.SetMark(t.Context(), markOf(n.world)) },
		}
		for i := range 10 {
			steps = append(steps,
				func() error { _, err := r.Observe(t.Context()); return err },
				func() error { _, _, err := r.Mark(t.Context()); return err },
				func() error { return r.Write(t.Context(), n.split(old, 90-10*i, next, 10+10*i)) },
				func() error { _, err := r.Observe(t.Context()); return err },
				func() error { return r.Renew(t.Context(), markOf(n.world).Lease) },
				func() error { _, err := r.Health(t.Context(), []string{n.groups[old], n.groups[next]}); return err },
			)
		}
		for _, f := range append(steps, func() error { return r.ClearMark(t.Context()) }) {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}
		return n.made()
	}
	got, want := calls(n.open(), "ta", "tb"), calls(alb, "a", "b")
	// A preflight reads the listener itself, for its protocol; an ALB's its rules.
	if want = strings.Replace(want, "DescribeRules", "DescribeListeners", 1); got != want {
		t.Errorf("an NLB shift calls\n%s\nthat of an ALB's default action\n%s", got, want)
	}
}

func TestStickinessOfAnNLBIsKeptAndTold(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTcp)
	n.forwards(n.split("ta", 100, "tb", 0), stickBy)
	r := n.open()
	warnings := strings.Join(wiretest.Must(r.Preflight(t.Context()))(t), "\n")
	for _, want := range []string{"clients stay on their target group by their source address", "connections that are open stay on their target"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("%q is not in the warnings:\n%s", want, warnings)
		}
	}
	if strings.Contains(warnings, "AWSALBTG") {
		t.Errorf("an NLB has no cookie:\n%s", warnings)
	}
	if err := r.Write(t.Context(), n.split("ta", 50, "tb", 50)); err != nil {
		t.Fatal(err)
	}
	if _, on := stickiness(n.listener().DefaultActions); !on {
		t.Error("stickiness is lost")
	}
}

func TestS22_OpenConnectionsAreToldToStay(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTls)
	r := n.open()
	for name, notes := range map[string][]string{
		"Preflight": wiretest.Must(r.Preflight(t.Context()))(t),
		"Observe":   wiretest.Must(r.Observe(t.Context()))(t).Notes,
	} {
		all := strings.Join(notes, "\n")
		if len(notes) != 1 || !strings.Contains(all, "whatever the weights") || !strings.Contains(all, "retire what lost its weight only after they have drained") {
			t.Errorf("%s says:\n%s", name, all)
		}
	}
	// A group that leaves the action loses what is open on it.
	n.forwards(n.split("ta", 1, "tc", 1))
	if all := strings.Join(wiretest.Must(r.Preflight(t.Context()))(t), "\n"); !strings.Contains(all, "targetgroup/tc/") || !strings.Contains(all, "ends the connections that are still open on it within an hour") {
		t.Errorf("nothing is said of the group that leaves:\n%s", all)
	}
}

// TestWhichGroupsAnNLBListenerTakes holds our rules against what the API refuses.
func TestWhichGroupsAnNLBListenerTakes(t *testing.T) {
	all := []types.ProtocolEnum{types.ProtocolEnumTcp, types.ProtocolEnumTls, types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp, types.ProtocolEnumHttp, types.ProtocolEnumHttps}
	takes := map[types.ProtocolEnum]string{"TCP": "TCP TCP_UDP", "TLS": "TLS", "UDP": "UDP TCP_UDP", "TCP_UDP": "TCP_UDP"} // beside one of its own
	for listener, want := range takes {
		n := newNetwork(t, listener)
		n.groups["old"] = n.groups["ta"]
		var got []string
		for _, p := range all {
			n.groups["x"] = n.tcp("x-"+strings.ReplaceAll(string(p), "_", "-"), func(in *elb.CreateTargetGroupInput) { in.Protocol = p })
			if n.agree(fmt.Sprintf("%s beside %s", p, listener)) == nil {
				got = append(got, string(p))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("a %s listener takes %v, want %s", listener, got, want)
		}
		for name, change := range map[string]func(*elb.CreateTargetGroupInput){
			"v6": func(in *elb.CreateTargetGroupInput) {
				in.Protocol, in.IpAddressType = listener, types.TargetGroupIpAddressTypeEnumIpv6
			},
			"alb": func(in *elb.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumAlb },
		} {
			n.groups["x"] = n.tcp("x-"+name, change)
			err := n.agree(name + " beside " + string(listener))
			if name == "v6" {
				mentions(t, err, "destinations[1].targetGroupARN", "IP address type ipv6", "beside it ipv4", "cannot mix")
			}
			if name == "alb" && listener != types.ProtocolEnumTcp {
				mentions(t, err, "target type alb", "only a TCP listener", "this one is "+string(listener))
			} else if name == "alb" && err != nil {
				t.Errorf("alb behind TCP: %v", err)
			}
		}
	}
}

// agree holds Preflight's word on the group x, beside old, against that of the API.
func (n *network) agree(what string) error {
	n.t.Helper()
	ids := []string{n.groups["old"], n.groups["x"]}
	_, err := n.open(func(c *Config) { c.Destinations = ids }).Preflight(n.t.Context())
	if err != nil && !isTerminal(err, "InvalidDestination") {
		n.t.Errorf("%s: want a terminal error, got %v", what, err)
	}
	n.forget()
	_, api := n.sdk.ModifyListener(n.t.Context(), &elb.ModifyListenerInput{ListenerArn: &n.on, DefaultActions: []types.Action{forward(n.split("old", 1, "x", 0))}})
	if (api == nil) != (err == nil) {
		n.t.Errorf("%s: we say %v, the API says %v", what, err, api)
	}
	if api == nil {
		n.forwards(n.split("old", 1))
	}
	return err
}

func TestATLSListenerMixesNoProtocols(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTls)
	n.groups["old"], n.groups["x"] = n.groups["ta"], n.tcp("plain")
	mentions(t, n.agree("TCP beside TLS"), "destinations[1].targetGroupARN", "has protocol TCP", "targetgroup/ta/", "all target groups of a TLS listener need the same one")
	// Held against what is on the listener, declared or not.
	_, err := n.open(func(c *Config) { c.Destinations = []string{n.groups["x"]} }).Preflight(t.Context())
	mentions(t, err, "destinations[0].targetGroupARN", "beside it TLS")
}

// odd is an API whose listener has a protocol that the simulator refuses.
type odd struct {
	API

	protocol types.ProtocolEnum
}

func (o odd) DescribeListeners(ctx context.Context, in *elb.DescribeListenersInput, opts ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	out, err := o.API.DescribeListeners(ctx, in, opts...)
	if err == nil {
		out.Listeners[0].Protocol = o.protocol
	}
	return out, err
}

func TestNLBPreflightFindsWhatAWriteWouldTripOver(t *testing.T) {
	for name, tc := range map[string]struct {
		world  func(*network)
		config func(*network, *Config)
		reason string
		parts  []string
	}{
		"QUIC": {
			nil, func(n *network, c *Config) { c.API = odd{n.sdk, types.ProtocolEnumQuic} }, "UnsupportedProtocol",
			[]string{"route.nlb.listenerARN", "protocol QUIC", "no weights", "TCP, TLS, UDP or TCP_UDP"},
		},
		"TCP_QUIC": {
			nil, func(n *network, c *Config) { c.API = odd{n.sdk, types.ProtocolEnumTcpQuic} }, "UnsupportedProtocol", []string{"protocol TCP_QUIC"},
		},
		"a target group of an ALB": {
			nil, func(n *network, c *Config) { c.Destinations[1] = n.groups["a"] }, "InvalidDestination",
			[]string{"destinations[1].targetGroupARN", "has protocol HTTP", "a TCP listener forwards to TCP, TCP_UDP"},
		},
		"a target group of another load balancer (S16)": {
			func(n *network) { n.hear(n.balance("other"), 1, types.ProtocolEnumTcp, n.split("tb", 1)) }, nil, "InvalidDestination",
			[]string{"destinations[1].targetGroupARN", "another load balancer", "loadbalancer/net/other/", "loadbalancer/net/front/"},
		},
		"another VPC": {
			nil, func(n *network, c *Config) {
				c.Destinations[1] = n.tcp("far", func(in *elb.CreateTargetGroupInput) { in.VpcId = aws.String("vpc-2") })
			}, "InvalidDestination", []string{"vpc-2", "vpc-1"},
		},
		"a function": {
			nil, func(n *network, c *Config) { c.API = lambda{n.sdk} }, "InvalidDestination", []string{"target type lambda", "only an Application Load Balancer"},
		},
		"a listener that does not exist": {
			nil, func(n *network, c *Config) { c.ListenerARN = n.on[:len(n.on)-16] + "0123456789abcdef" }, "RouteNotFound",
			[]string{"route.nlb.listenerARN: it does not exist"},
		},
		"a target group that does not exist": {
			nil, func(_ *network, c *Config) {
				c.Destinations[1] = c.Destinations[1][:len(c.Destinations[1])-16] + "0123456789abcdef"
			},
			"DestinationNotFound",
			[]string{"destinations[1].targetGroupARN", "does not exist"},
		},
		"more groups than a listener holds, with the undeclared ones": {
			func(n *network) { n.forwards(n.split("ta", 1, "tc", 1, "td", 1, "te", 1, "tf", 1)) }, nil, "TooManyDestinations",
			[]string{"make 6 target groups", "an NLB listener holds 5"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, types.ProtocolEnumTcp)
			if tc.world != nil {
				tc.world(n)
			}
			r := n.open(func(c *Config) {
				if tc.config != nil {
					tc.config(n, c)
				}
			})
			n.forget()
			_, err := r.Preflight(t.Context())
			mentions(t, err, tc.parts...)
			if !isTerminal(err, tc.reason) {
				t.Errorf("want a terminal %s, got %T %v", tc.reason, err, err)
			}
			if strings.Contains(n.made(), "Modify") || strings.Contains(n.made(), "Tags") {
				t.Errorf("something was written: %s", n.made())
			}
		})
	}
}

// lambda is an API whose target groups hold functions.
type lambda struct{ API }

func (l lambda) DescribeTargetGroups(ctx context.Context, in *elb.DescribeTargetGroupsInput, opts ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error) {
	out, err := l.API.DescribeTargetGroups(ctx, in, opts...)
	if err == nil {
		for i := range out.TargetGroups {
			out.TargetGroups[i].TargetType = types.TargetTypeEnumLambda
		}
	}
	return out, err
}

func TestAnNLBHasNoRulesToShift(t *testing.T) {
	n := newNetwork(t, types.ProtocolEnumTcp)
	six := []string{n.groups["ta"], n.groups["tb"], n.groups["tc"], n.groups["td"], n.groups["te"], n.groups["tf"]}
	for name, tc := range map[string]struct {
		change func(*Config)
		parts  []string
	}{
		"a numbered rule": {
			func(c *Config) { c.Default, c.Numbered = false, &Numbered{Priority: 1, Hosts: []string{"a.b"}} },
			[]string{n.on, "sees no requests", "its rules know source addresses only", "route.nlb.listenerARN", "default action"},
		},
		"a rule by its ARN": {
			func(c *Config) {
				c.Default, c.ListenerARN = false, ""
				c.RuleARN = strings.Replace(n.on, ":listener/", ":listener-rule/", 1) + "/0123456789abcdef"
			}, []string{"its rules know source addresses only", n.on},
		},
		"a gateway load balancer": {
			func(c *Config) { c.ListenerARN = strings.Replace(n.on, "/net/", "/gwy/", 1) }, []string{`type "gwy"`, "has no weights"},
		},
		"six destinations":                {func(c *Config) { c.Destinations = six }, []string{"destinations: 6", "an NLB listener holds 1–5"}},
		"a destination in another region": {func(c *Config) { c.Destinations[0] = strings.Replace(six[0], "us-east-1", "eu-west-1", 1) }, []string{"an NLB listener forwards only within its own"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(n.config(tc.change))
			mentions(t, err, tc.parts...)
			if !fault.IsTerminal(err) {
				t.Errorf("not terminal: %v", err)
			}
		})
	}
	if n.made() != "" {
		t.Errorf("calls were made: %s", n.made())
	}
}

// deny an operation once.
func (n *network) deny(op string) {
	n.t.Helper()
	n.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: op, Times: 1})
}
