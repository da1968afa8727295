package route53

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// aliasTTL is what resolvers see of an alias of a load balancer.
const aliasTTL = time.Minute

// Observe reads the weights of all weighted records of the name, declared or not, in one
// call, and asks for the newest change as long as it is not in force.
func (n *Name) Observe(ctx context.Context) (shift.Live, error) {
	why := n.pending(ctx)
	rd, err := n.read(ctx)
	if err != nil {
		return shift.Live{}, err
	}
	live := n.live(rd)
	if why != "" {
		live.Pending, live.Notes = true, append(live.Notes, why)
	}
	return live, nil
}

func (n *Name) live(rd *reading) shift.Live {
	if len(rd.parts) == 0 {
		return shift.Live{Conforms: true, Notes: []string{fmt.Sprintf("there are no weighted records at %s; norikae creates none", n)}}
	}
	live := shift.Live{Exists: true, Conforms: true, Ref: n.String(), Split: rd.parts[0].split(), Notes: n.notes(rd)}
	for _, p := range rd.parts[1:] {
		if split := p.split(); !sameWeights(split, live.Split) {
			live.Others = append(live.Others, split)
			live.Notes = append(live.Notes, fmt.Sprintf("the %s records have the weights %s, the %s records %s", rd.parts[0].typ, live.Split, p.typ, split))
		}
	}
	return live
}

// sameWeights tells whether both have the same integers. A record that is not there has
// as much traffic as one of weight 0.
func sameWeights(a, b traffic.Split) bool {
	return a.With(b.IDs()...).Equal(b.With(a.IDs()...))
}

// notes for people about what else the records do.
func (n *Name) notes(rd *reading) []string {
	out := []string{
		fmt.Sprintf(
			"DNS weights count per answer, not per request: a resolver keeps an answer for its TTL (%s here), some keep it longer, and clients stay with connections that they have; traffic follows later, and only roughly", n.lagOf(rd)),
		"a change takes up to a minute until all of Route 53's servers have it (INSYNC), at every step; the planned times do not count that",
	}
	unchecked := false
	for _, p := range rd.parts {
		for _, s := range p.sets {
			unchecked = unchecked || s.HealthCheckId == nil
		}
	}
	if unchecked {
		out = append(out, "Route 53 takes a record without a health check for healthy, always, and so does this shift")
	}
	return out
}

// Lag is how long resolvers may go on with the answers that they have: the largest TTL
// of the name's weighted records. The answer of an alias of another record of the zone
// has that record's.
func (n *Name) Lag(ctx context.Context) (time.Duration, error) {
	rd, err := n.recent(ctx)
	if err != nil {
		return 0, err
	}
	lag := n.lagOf(rd)
	asked := map[string]bool{} // by type and name
	for next := slices.Clone(rd.parts); len(next) > 0; next = next[1:] {
		for _, s := range next[0].sets {
			if s.AliasTarget == nil || aws.ToString(s.AliasTarget.HostedZoneId) != n.zone {
				continue
			}
			to, err := parseName(aws.ToString(s.AliasTarget.DNSName))
			key := string(s.Type) + " " + string(to)
			if err != nil || asked[key] {
				continue
			}
			asked[key] = true
			sets, err := n.list(ctx, to, pageSize)
			if err != nil {
				return 0, err
			}
			sets = slices.DeleteFunc(sets, func(t types.ResourceRecordSet) bool { return t.Type != s.Type })
			more := part{typ: s.Type, sets: sets}
			lag, next = max(lag, n.lagOf(&reading{parts: []part{more}})), append(next, more)
		}
	}
	return lag, nil
}

func (n *Name) lagOf(rd *reading) time.Duration {
	most := int64(0)
	for _, p := range rd.parts {
		for _, s := range p.sets {
			most = max(most, n.ttlOf(s))
		}
	}
	return time.Duration(most) * time.Second
}

// ttlOf a record set, in seconds.
func (n *Name) ttlOf(s types.ResourceRecordSet) int64 {
	if s.AliasTarget != nil {
		return int64(n.cfg.AliasTTL / time.Second)
	}
	return aws.ToInt64(s.TTL)
}
