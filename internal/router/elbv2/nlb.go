package elbv2

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// The default action of a Network Load Balancer's listener is read, written and marked as
// an ALB's is. Here is what differs: its protocols, what stickiness means, and that a
// weight moves new connections only.
//
// Sources: docs.aws.amazon.com/elasticloadbalancing/latest/network, "Listeners", "Update
// a listener" and "Target groups".

// network tells whether the route is on a Network Load Balancer.
func (r *Rule) network() bool { return r.listener.LoadBalancer.Type == arn.Network }

// Protocol of the listener (TCP, TLS, UDP, …) as the last Observe of a default action
// read it; "" while none has.
func (r *Rule) Protocol() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.protocol)
}

// field of the manifest, for messages; the route itself when name is empty.
func (r *Rule) field(name string) string {
	route := "route.alb"
	if r.network() {
		route = "route.nlb"
	}
	return strings.TrimSuffix(route+"."+name, ".")
}

// holder is what carries the weights, for messages.
func (r *Rule) holder() string {
	if r.network() {
		return "an NLB listener"
	}
	return "an ALB rule"
}

// checkType refuses load balancers without weights, and rules of a Network Load Balancer.
func (r *Rule) checkType() error {
	t := r.listener.LoadBalancer.Type
	switch {
	case t == arn.Application, t == arn.Network && r.cfg.Default:
		return nil
	case t == arn.Network:
		return fault.Terminal("NotAnALB", fmt.Errorf(
			"route.alb: %q belongs to a load balancer of type %q; a rule with conditions needs an Application Load Balancer's listener (listener/app/…), because a Network Load Balancer sees no requests, and its rules know source addresses only: give route.nlb.listenerARN: %s, whose default action is shifted",
			r.listener.ARN, t, r.listener.ARN))
	default:
		return fault.Terminal("NotAnALB", fmt.Errorf(
			"route.alb.listenerARN: %q belongs to a load balancer of type %q, which has no weights; this route needs a listener of an Application or a Network Load Balancer (listener/app/…, listener/net/…)", r.listener.ARN, t))
	}
}

// forwardsTo are the protocols of the target groups that a listener can forward to, by
// its own. QUIC listeners are not among those that AWS documents weights for.
func forwardsTo() map[types.ProtocolEnum][]types.ProtocolEnum {
	return map[types.ProtocolEnum][]types.ProtocolEnum{
		types.ProtocolEnumTcp:    {types.ProtocolEnumTcp, types.ProtocolEnumTcpUdp, types.ProtocolEnumTcpQuic},
		types.ProtocolEnumTls:    {types.ProtocolEnumTls, types.ProtocolEnumTcp},
		types.ProtocolEnumUdp:    {types.ProtocolEnumUdp, types.ProtocolEnumTcpUdp},
		types.ProtocolEnumTcpUdp: {types.ProtocolEnumTcpUdp},
	}
}

// checkListener refuses a listener whose protocol has no weights.
func (r *Rule) checkListener(rd *reading) error {
	if _, ok := forwardsTo()[rd.protocol]; ok {
		return nil
	}
	return fault.Terminal("UnsupportedProtocol", fmt.Errorf(
		"%s: %q has protocol %s, for which AWS has no weights; want TCP, TLS, UDP or TCP_UDP", r.field("listenerARN"), r.listener.ARN, rd.protocol))
}

// checkNetworkGroups checks that the declared groups are of a kind for this listener, and
// that they fit together with each other and with those that are on it.
func (r *Rule) checkNetworkGroups(listener types.ProtocolEnum, live traffic.Split, groups map[string]types.TargetGroup) error {
	beside := groups[live.With(r.cfg.Destinations...).IDs()[0]]
	for i, id := range r.cfg.Destinations {
		g := groups[id]
		switch {
		case g.TargetType == types.TargetTypeEnumLambda:
			return refused(i, id, "has a function for a target (target type lambda), which only an Application Load Balancer forwards to; want instance, ip or alb")
		case g.TargetType == types.TargetTypeEnumAlb && listener != types.ProtocolEnumTcp:
			return refused(i, id, "has load balancers for targets (target type alb), which only a TCP listener forwards to; this one is %s", listener)
		case !slices.Contains(forwardsTo()[listener], g.Protocol):
			return refused(i, id, "has protocol %s; a %s listener forwards to %s", g.Protocol, listener, list(forwardsTo()[listener]))
		case listener == types.ProtocolEnumTls && g.Protocol != beside.Protocol:
			return refused(i, id, "has protocol %s, %s beside it %s; all target groups of a TLS listener need the same one", g.Protocol, aws.ToString(beside.TargetGroupArn), beside.Protocol)
		case g.IpAddressType != beside.IpAddressType:
			return refused(i, id, "has IP address type %s, %s beside it %s; one action cannot mix them", g.IpAddressType, aws.ToString(beside.TargetGroupArn), beside.IpAddressType)
		}
	}
	return nil
}

// uncounted warns of groups whose healthy targets are in no metric: HealthyHostCount "does
// not include any Application Load Balancers registered as targets".
func (r *Rule) uncounted(groups map[string]types.TargetGroup) []string {
	var out []string
	for _, id := range r.cfg.Destinations {
		if groups[id].TargetType == types.TargetTypeEnumAlb {
			out = append(out, fmt.Sprintf("%s has load balancers for targets, which AWS leaves out of HealthyHostCount: the built-in analysis would wait for it in vain; set analysis.builtin to false, and judge by analysis.metrics of those load balancers", id))
		}
	}
	return out
}

func list(ps []types.ProtocolEnum) string {
	words := make([]string, len(ps))
	for i, p := range ps {
		words[i] = string(p)
	}
	return strings.Join(words, ", ")
}

// networkNotes for people about a listener: what does not follow the weights.
func networkNotes(actions []types.Action) []string {
	out := []string{"connections that are open stay on their target until they close, whatever the weights; only new ones follow: retire what lost its weight only after they have drained (AWS does not show how many a target group has left)"}
	if _, on := stickiness(actions); on {
		out = append(out, "target group stickiness is on: clients stay on their target group by their source address, whatever the weights; only addresses that were not here before move")
	}
	return out
}

// leaving warns of the groups that the shift takes off the listener: what is open on
// them does not stay open.
func (r *Rule) leaving(live traffic.Split) []string {
	var out []string
	for _, id := range live.IDs() {
		if r.network() && !slices.Contains(r.cfg.Destinations, id) {
			out = append(out, fmt.Sprintf("%s is not declared, and leaves the listener at the end: AWS ends the connections that are still open on it within an hour; declare it with weight 0 to keep them", id))
		}
	}
	return out
}

// adviseNetwork says what the listener's other rules and the zones of the targets mean
// for a shift.
func (r *Rule) adviseNetwork(ctx context.Context, rd *reading) ([]string, error) {
	rules, err := r.listRules(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	if len(rules) > 1 {
		out = append(out, fmt.Sprintf("beside its default action the listener has %s: only what reaches the default action is shifted", conditionsInWords(rules)))
	}
	zones := map[string]zoneSet{}
	ids := splitOf(rd.actions).With(r.cfg.Destinations...).IDs()
	for _, id := range ids {
		got, err := r.api.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String(id)})
		if err != nil {
			return nil, awsconf.Classify("reading the targets of "+id, err)
		}
		zones[id] = zonesOf(got.TargetHealthDescriptions)
	}
	return append(out, zoneWarnings(ids, zones)...), nil
}

func conditionsInWords(rules []types.Rule) string {
	var out []string
	for _, rule := range inOrder(rules) {
		if !aws.ToBool(rule.IsDefault) {
			out = append(out, fmt.Sprintf("%s (%s)", ruleName(rule), describe(conditionsOf(rule.Conditions))))
		}
	}
	return strings.Join(out, ", ")
}

// zoneSet is where a target group's targets are.
type zoneSet struct {
	in map[string]bool
	// told: AWS gave the zone of every target (it does for addresses, not for instances).
	told bool
}

// allZones is how AWS names the zone of a target outside of the VPC: every zone uses it.
const allZones = "all"

func zonesOf(targets []types.TargetHealthDescription) zoneSet {
	z := zoneSet{in: map[string]bool{}, told: len(targets) > 0}
	for _, t := range targets {
		zone := ""
		if t.Target != nil {
			zone = aws.ToString(t.Target.AvailabilityZone)
		}
		if zone == "" {
			z.told = false
			continue
		}
		z.in[zone] = true
	}
	return z
}

// zoneWarnings tells which groups lack targets in a zone that others have them in.
// Without cross-zone load balancing, off by default, each zone uses only its own.
func zoneWarnings(ids []string, zones map[string]zoneSet) []string {
	const off = "with cross-zone load balancing off (the default), each zone of a Network Load Balancer uses only its own targets"
	union := map[string]bool{}
	for _, id := range ids {
		if !zones[id].told {
			return []string{off + ": make sure that every target group has targets in every zone; where one has none, the connections that it is given there are lost"}
		}
		for zone := range zones[id].in {
			union[zone] = true
		}
	}
	delete(union, allZones)
	var out []string
	for _, id := range ids {
		var missing []string
		for zone := range union {
			if !zones[id].in[zone] && !zones[id].in[allZones] {
				missing = append(missing, zone)
			}
		}
		if slices.Sort(missing); missing != nil {
			out = append(out, fmt.Sprintf("%s has no targets in %s, where others have: %s, and the connections that it is given there are lost", id, strings.Join(missing, ", "), off))
		}
	}
	return out
}
