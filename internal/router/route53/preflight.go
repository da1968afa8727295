package route53

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// Preflight checks, before anything is written, what a shift would trip over: that the
// zone has the name, that each destination has a weighted record of each type, alike in
// what makes weights true, and that mark and changes fit; and it looks for other writers.
// After an Observe and a Mark it makes three calls in a zone of some hundred records,
// and one for each declared load balancer.
func (n *Name) Preflight(ctx context.Context) (warnings []string, err error) {
	if _, err := n.hostedZone(ctx); err != nil {
		return nil, err
	}
	rd, err := n.recent(ctx)
	if err != nil {
		return nil, err
	}
	for _, check := range []func(*reading) error{n.checkRecords, n.checkTwins, n.checkPolicies, n.checkTTLs, n.checkRoom} {
		if err := check(rd); err != nil {
			return nil, err
		}
	}
	unfinished, err := n.recentMark(ctx)
	if err != nil {
		return nil, err
	}
	if unfinished == nil { // else it is for the shift to decide: somebody wrote meanwhile
		if err := n.checkStart(rd); err != nil {
			return nil, err
		}
	}
	if err := n.checkFollowing(ctx); err != nil {
		return nil, err
	}
	if warnings, err = n.checkBalancers(ctx, rd); err != nil {
		return nil, err
	}
	owners, err := n.registry(ctx, rd)
	if err != nil {
		return nil, err
	}
	warnings = append(append(warnings, n.registryWarnings(owners)...), append(n.leftAlone(rd), n.undeclared(rd)...)...)
	return append(warnings, n.live(rd).Notes...), nil
}

// hostedZone checks that the name is in it.
func (n *Name) hostedZone(ctx context.Context) (*r53.GetHostedZoneOutput, error) {
	out, err := n.api.GetHostedZone(ctx, &r53.GetHostedZoneInput{Id: aws.String(n.zone)})
	if err != nil {
		return nil, n.gone(awsconf.Classify("reading the hosted zone "+n.zone, err))
	}
	if out.HostedZone == nil {
		return nil, fmt.Errorf("reading the hosted zone %s: no zone in the answer", n.zone)
	}
	zone, err := parseName(aws.ToString(out.HostedZone.Name))
	if err != nil {
		return nil, fmt.Errorf("reading the hosted zone %s: its name %q: %w", n.zone, aws.ToString(out.HostedZone.Name), err)
	}
	if !n.name.within(zone) {
		return nil, fault.Terminal("NotInZone", fmt.Errorf("route.route53.name: %q is not in the hosted zone %s, which is %s; want a name that ends in it, or the zone of the name", n.cfg.Name, n.zone, zone))
	}
	return out, nil
}

// recentMark is the mark as told within reuseFor, else as it is now. It is not told so.
func (n *Name) recentMark(ctx context.Context) (*mark, error) {
	if known := n.known(); known != nil && time.Since(known.at) < reuseFor {
		return known.mark, nil
	}
	return n.readMark(ctx)
}

// refuse a destination.
func (n *Name) refuse(reason string, i int, why string, args ...any) error {
	return fault.Terminal(reason, fmt.Errorf("%s: %q: %s", destinationAt(i), n.cfg.Destinations[i], fmt.Sprintf(why, args...)))
}

// checkRecords: each destination has a weighted record, and each declared type has some.
func (n *Name) checkRecords(rd *reading) error {
	if len(rd.all) == 0 {
		return fault.Terminal("RecordsNotFound", fmt.Errorf("route.route53.name: %q: there is no record at this name in the hosted zone %s; check the name, or create the weighted records first, one per destination and type", n.cfg.Name, n.zone))
	}
	for i, id := range n.cfg.Destinations {
		if slices.ContainsFunc(rd.parts, func(p part) bool { return p.split().Has(id) }) {
			continue
		}
		for _, s := range rd.all {
			if p := policyOf(s); aws.ToString(s.SetIdentifier) == id && p != weighted && n.wants(s.Type) {
				return n.refuse("NotWeighted", i, "its %s record at %s has the routing policy %s%s; a shift needs weighted records: make it one", s.Type, n.name, p, cannotChange(p))
			}
		}
		for _, s := range rd.all {
			if p := policyOf(s); s.SetIdentifier == nil && n.wants(s.Type) && isAddress(s.Type) {
				return n.refuse("NotWeighted", i, "there is no such record at %s; its %s record has the routing policy %s%s: replace it by weighted records, one per destination, with the weights of today", n.name, s.Type, p, cannotChange(p))
			}
		}
		return n.refuse("DestinationNotFound", i, "there is no weighted record with this set identifier at %s; there are %s; set identifiers are case-sensitive: correct it, or create the record first with weight 0", n.name, describeSets(rd.all))
	}
	for i, t := range n.types {
		if !slices.ContainsFunc(rd.parts, func(p part) bool { return p.typ == t }) {
			return fault.Terminal("RecordsNotFound", fmt.Errorf("route.route53.types[%d]: %q: there is no weighted record of this type at %s; there are %s: leave the type out, or create the records first", i, t, n.name, describeSets(rd.all)))
		}
	}
	return nil
}

func cannotChange(p policy) string {
	if p == trafficPolicy {
		return ", whose records only Route 53 itself changes"
	}
	return ""
}

// wants tells whether records of a type are to be shifted.
func (n *Name) wants(t types.RRType) bool { return n.types == nil || slices.Contains(n.types, t) }

func isAddress(t types.RRType) bool {
	return t == types.RRTypeA || t == types.RRTypeAaaa || t == types.RRTypeCname
}

// checkTwins: a destination that has a record of one type has one of each. Else the
// clients that ask for the type which it lacks would not follow.
func (n *Name) checkTwins(rd *reading) error {
	for i, id := range n.cfg.Destinations {
		for _, p := range rd.parts {
			if p.split().Has(id) {
				continue
			}
			return n.refuse("NoTwin", i, "it has no weighted %s record at %s, as others have (there are %s): clients that ask for %s would not follow the shift; create that record with weight 0, or declare the types to shift (route.route53.types) without %s",
				p.typ, n.name, describeSets(rd.all), p.typ, p.typ)
		}
	}
	return nil
}

// checkPolicies: where all types are shifted, no address is left that cannot be.
func (n *Name) checkPolicies(rd *reading) error {
	for _, s := range rd.all {
		p := policyOf(s)
		if p == trafficPolicy && n.wants(s.Type) {
			return fault.Terminal("NotWeighted", fmt.Errorf("route.route53.name: %q: its %s record belongs to a traffic policy instance, whose records only Route 53 itself changes; shift another name, or replace the instance by weighted records", n.cfg.Name, s.Type))
		}
		if p != weighted && n.wants(s.Type) && isAddress(s.Type) {
			return fault.Terminal("NotWeighted", fmt.Errorf("route.route53.name: %q: its %s record has the routing policy %s, so clients that ask for %s would not follow the shift; make it weighted, with a record for each destination, or declare the types to shift (route.route53.types) without %s", n.cfg.Name, s.Type, p, s.Type, s.Type))
		}
	}
	return nil
}

// checkTTLs: records of one type are kept by resolvers for the same time. A split whose
// answers are kept longer on one side is another one than its weights say.
func (n *Name) checkTTLs(rd *reading) error {
	for _, p := range rd.parts {
		first := p.sets[0]
		for _, s := range p.sets {
			if n.ttlOf(s) == n.ttlOf(first) {
				continue
			}
			return fault.Terminal("UnequalTTL", fmt.Errorf(
				"destinations: the %s record %q at %s has %s, and %q has %s: answers that are kept longer get more traffic than their weight says; give the records of a type the same TTL (that of an alias counts as %d s, and cannot be changed)",
				p.typ, aws.ToString(first.SetIdentifier), n.name, n.describeTTL(first), aws.ToString(s.SetIdentifier), n.describeTTL(s), int(n.cfg.AliasTTL/time.Second)))
		}
	}
	return nil
}

func (n *Name) describeTTL(s types.ResourceRecordSet) string {
	if s.AliasTarget != nil {
		return fmt.Sprintf("an alias's TTL (%d s)", n.ttlOf(s))
	}
	return fmt.Sprintf("a TTL of %d s", n.ttlOf(s))
}

// checkRoom: destinations, changes and mark fit into what Route 53 takes.
func (n *Name) checkRoom(rd *reading) error {
	var batch []types.Change
	from := traffic.Split{}
	for _, p := range rd.parts {
		from = from.With(p.split().IDs()...)
		for _, s := range p.sets {
			batch = append(batch, types.Change{ResourceRecordSet: &s}, types.Change{ResourceRecordSet: &s})
		}
	}
	if most := Limits().MaxDestinations; len(from) > most {
		return fault.Terminal("TooManyDestinations", fmt.Errorf("route.route53.name: %q has weighted records with %d set identifiers; a shift takes %d: remove those that get no traffic, or declare fewer types to shift (route.route53.types)", n.cfg.Name, len(from), most))
	}
	if err := checkBatch(batch); err != nil {
		return fault.Terminal("TooManyChanges", fmt.Errorf("route.route53.name: %q: all its records could not be changed at once: %w: remove records that get no traffic, or declare fewer types to shift (route.route53.types)", n.cfg.Name, err))
	}
	for i := range from {
		from[i].Weight = Limits().MaxWeight
	}
	far := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	return n.compose(&mark{
		owner: n.cfg.Owner, signal: "approve 100 " + strings.Repeat("x", 32),
		Mark: shift.Mark{
			ID: strings.Repeat("x", 32), Name: n.cfg.Owner, Plan: strings.Repeat("x", 64), From: from, Started: far,
			Lease: shift.Lease{Owner: strings.Repeat("x", 255), Expires: far, Course: shift.CourseFailed},
		},
	})
}

// checkStart: there is a split to start from.
func (n *Name) checkStart(rd *reading) error {
	first := rd.parts[0]
	for _, p := range rd.parts[1:] {
		if !sameWeights(p.split(), first.split()) {
			return fault.Terminal("TypesDisagree", fmt.Errorf("route.route53.name: %q: its records of type %s have the weights %s, those of type %s %s: a shift starts from one split; give the records of a set identifier the same weight in each type, or declare the types to shift (route.route53.types)",
				n.cfg.Name, first.typ, first.split(), p.typ, p.split()))
		}
	}
	if first.split().Sum() == 0 {
		return fault.Terminal("AllWeightsZero", fmt.Errorf("route.route53.name: %q: all its weights are 0, which Route 53 takes for equal ones: set the weights that you mean (1 each for equal shares), then run this again", n.cfg.Name))
	}
	return nil
}

// leftAlone tells of weighted records, and of addresses, that were not declared to be
// shifted.
func (n *Name) leftAlone(rd *reading) []string {
	var out []string
	var done []types.RRType
	for _, s := range rd.all {
		p := policyOf(s)
		if (p == weighted || isAddress(s.Type)) && !n.wants(s.Type) && !isRegistry(s) && !slices.Contains(done, s.Type) {
			done = append(done, s.Type)
			out = append(out, fmt.Sprintf("the %s %s records of %s are not shifted with the others (route.route53.types): clients that ask for %s stay where they are", p, s.Type, n.name, s.Type))
		}
	}
	return out
}

// undeclared tells of records that lose their traffic because they are not declared.
func (n *Name) undeclared(rd *reading) []string {
	var out []string
	for _, w := range rd.parts[0].split() {
		if w.Weight > 0 && !slices.Contains(n.cfg.Destinations, w.ID) {
			out = append(out, fmt.Sprintf("%q has the weight %d and is not declared: it ends at weight 0; declare it too if it is to keep a part of the traffic", w.ID, w.Weight))
		}
	}
	return out
}
