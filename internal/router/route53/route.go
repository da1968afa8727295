// Package route53 is the router for weighted records of one DNS name in one hosted zone
// of Route 53. A destination is a set identifier: its records of all types get one
// weight, in one change. Records are never created or deleted, and nothing but their
// weights is changed. Every write states what it replaces, so that it fails, and nothing
// changes, when somebody else was faster: Route 53 has no precondition, but the DELETE of
// a record set has to name all its values, and a batch of changes is all or nothing.
package route53

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// API is the part of the Route 53 client that a Name needs.
type API interface {
	ListResourceRecordSets(context.Context, *r53.ListResourceRecordSetsInput, ...func(*r53.Options)) (*r53.ListResourceRecordSetsOutput, error)
	ChangeResourceRecordSets(context.Context, *r53.ChangeResourceRecordSetsInput, ...func(*r53.Options)) (*r53.ChangeResourceRecordSetsOutput, error)
	GetChange(context.Context, *r53.GetChangeInput, ...func(*r53.Options)) (*r53.GetChangeOutput, error)
	GetHostedZone(context.Context, *r53.GetHostedZoneInput, ...func(*r53.Options)) (*r53.GetHostedZoneOutput, error)
	GetHealthCheck(context.Context, *r53.GetHealthCheckInput, ...func(*r53.Options)) (*r53.GetHealthCheckOutput, error)
	GetHealthCheckStatus(context.Context, *r53.GetHealthCheckStatusInput, ...func(*r53.Options)) (*r53.GetHealthCheckStatusOutput, error)
}

var (
	_ API            = (*r53.Client)(nil)
	_ engine.Router  = (*Name)(nil)
	_ engine.Lagging = (*Name)(nil)
	_ engine.Adviser = (*Name)(nil)
)

// Limits of weighted records: weights of 0–255, up to 100 records of a name and type.
func Limits() traffic.Limits { return traffic.Limits{MaxWeight: 255, MaxDestinations: 100} }

// maxSetIdentifier is the most characters of a set identifier.
const maxSetIdentifier = 128

// Config names a route.
type Config struct {
	API          API
	HostedZoneID string // Z…, with or without /hostedzone/
	Name         string // of the records, in any spelling
	// Types of the records; empty: every type that has weighted records at the name.
	Types []string
	// Destinations are the declared set identifiers, 1–100.
	Destinations []string
	// Owner is told in the mark: the name in the manifest's metadata.
	Owner string
	// LoadBalancers are the ARNs of those that destinations lead to, by set identifier, and
	// DNSNameOf asks for the DNS name of one (fault.ErrNotFound: there is none). Both may be
	// nil.
	LoadBalancers map[string]string
	DNSNameOf     func(ctx context.Context, loadBalancerARN string) (string, error)
	// AliasTTL of load balancers' aliases; 0: 60 s, as on AWS. A lab may be faster.
	AliasTTL time.Duration
}

// Name is a route in Route 53. Its methods may be called concurrently. What it remembers
// between calls: for reuseFor, the last reading (see reading); the mark, as it was told
// last, which is what the next change of it replaces; and the newest change, until it is
// in force.
type Name struct {
	api    API
	cfg    Config
	zone   string // ID
	name   fqdn
	markAt fqdn
	types  []types.RRType // declared; nil: all
	looks  bool           // takes a mark with whichever types it was declared

	mu      sync.Mutex
	last    *reading
	seen    *seen
	changes changes
	checks  map[string]checkConfig // health checks, by ID
}

// New checks the configuration, without any call.
func New(cfg Config) (*Name, error) {
	n, err := locate(cfg)
	if err != nil {
		return nil, err
	}
	if err := n.checkDestinations(); err != nil {
		return nil, err
	}
	return n, nil
}

// locate finds out where the route is.
func locate(cfg Config) (*Name, error) {
	cfg.AliasTTL = cmp.Or(cfg.AliasTTL, aliasTTL)
	n := &Name{api: cfg.API, cfg: cfg, zone: strings.TrimPrefix(cfg.HostedZoneID, "/hostedzone/"), checks: map[string]checkConfig{}}
	if !regexp.MustCompile(`^[A-Z0-9]{1,32}$`).MatchString(n.zone) {
		return nil, fault.Terminal("InvalidHostedZone", fmt.Errorf("route.route53.hostedZoneID: %q: want the ID of a hosted zone, as in Z0123456789ABCDEFGHIJ", cfg.HostedZoneID))
	}
	var err error
	if n.name, err = parseName(cfg.Name); err != nil {
		return nil, fault.Terminal("InvalidName", fmt.Errorf("route.route53.name: %q: %w", cfg.Name, err))
	}
	if n.markAt, err = n.name.markName(); err != nil {
		return nil, fault.Terminal("NameTooLong", fmt.Errorf("route.route53.name: %q: no room for the TXT record of the shift beside it, _norikae.%s: %w", cfg.Name, n.name, err))
	}
	if err := n.checkTypes(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Name) checkTypes() error {
	for i, t := range n.cfg.Types {
		typ := types.RRType(t)
		known := slices.Contains(typ.Values(), typ) && !slices.Contains([]types.RRType{types.RRTypeSoa, types.RRTypeNs, types.RRTypeDs}, typ)
		switch {
		case !known:
			return fault.Terminal("InvalidType", fmt.Errorf("route.route53.types[%d]: %q is no type of weighted records; want A, AAAA, CNAME or another, in capitals", i, t))
		case slices.Contains(n.types, typ):
			return fault.Terminal("InvalidType", fmt.Errorf("route.route53.types[%d]: %q is named twice", i, t))
		}
		n.types = append(n.types, typ)
	}
	return nil
}

// destinationAt is where a destination's set identifier stands in the manifest.
func destinationAt(i int) string { return fmt.Sprintf("destinations[%d].setIdentifier", i) }

func (n *Name) checkDestinations() error {
	most := Limits().MaxDestinations
	if c := len(n.cfg.Destinations); c < 1 || c > most {
		return fault.Terminal("TooManyDestinations", fmt.Errorf("destinations: %d set identifiers; a name holds 1–%d weighted records of a type", c, most))
	}
	for i, d := range n.cfg.Destinations {
		switch c := utf8.RuneCountInString(d); {
		case c < 1 || c > maxSetIdentifier:
			return fault.Terminal("InvalidDestination", fmt.Errorf("%s: %q has %d characters, want 1–%d", destinationAt(i), d, c, maxSetIdentifier))
		case !utf8.ValidString(d):
			return fault.Terminal("InvalidDestination", fmt.Errorf("%s: %q is not UTF-8", destinationAt(i), d))
		case slices.Contains(n.cfg.Destinations[:i], d):
			return fault.Terminal("InvalidDestination", fmt.Errorf("%s: %q is named twice", destinationAt(i), d))
		}
	}
	return nil
}

// String identifies the route for people and for the journal.
func (n *Name) String() string { return n.zone + " " + n.name.String() }

// reuseFor is how old a reading may be to be used once more.
const reuseFor = 2 * time.Second

// pageSize of a listing of the name: a name seldom has more records, and what comes
// after them in the zone is of no interest.
const pageSize = 100

// reading is what ListResourceRecordSets said about the name.
//
// A write replaces what was read, and fails when that is not what is there any more, so
// the age of a reading is no danger; it only makes a write that fails likelier. The
// engine observes right before it writes: what an Observe has read within reuseFor
// serves the calls that follow it. Every write forgets it.
type reading struct {
	at    time.Time
	all   []types.ResourceRecordSet // of exactly this name
	parts []part                    // what is shifted
}

// part of a name: its weighted records of one type.
type part struct {
	typ  types.RRType
	sets []types.ResourceRecordSet
}

func (p part) split() traffic.Split {
	split := make(traffic.Split, len(p.sets))
	for i, s := range p.sets {
		split[i] = traffic.Weighted{ID: aws.ToString(s.SetIdentifier), Weight: int(aws.ToInt64(s.Weight))}
	}
	return split
}

// recent is the last reading when it may still be used, else a new one.
func (n *Name) recent(ctx context.Context) (*reading, error) {
	n.mu.Lock()
	last := n.last
	n.mu.Unlock()
	if last != nil && time.Since(last.at) < reuseFor {
		return last, nil
	}
	return n.read(ctx)
}

// read asks AWS, and remembers the answer as the last reading.
func (n *Name) read(ctx context.Context) (*reading, error) {
	n.forget()
	at := time.Now() // before the calls: age counts from the older end
	all, err := n.list(ctx, n.name, pageSize)
	if err != nil {
		return nil, err
	}
	rd := &reading{at: at, all: all, parts: n.partsOf(all)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = rd
	return rd, nil
}

func (n *Name) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = nil
}

// list all record sets of exactly one name. A listing starts at a name and goes on with
// those that follow it, as far as the zone has any.
func (n *Name) list(ctx context.Context, name fqdn, pageSize int32) ([]types.ResourceRecordSet, error) {
	var sets []types.ResourceRecordSet
	pages := r53.NewListResourceRecordSetsPaginator(n.api, &r53.ListResourceRecordSetsInput{
		HostedZoneId: aws.String(n.zone), StartRecordName: aws.String(string(name)), MaxItems: aws.Int32(pageSize),
	})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, n.gone(awsconf.Classify("reading the records of "+name.String(), err))
		}
		for _, s := range out.ResourceRecordSets {
			if !isNamed(s.Name, name) {
				return sets, nil
			}
			sets = append(sets, s)
		}
		if out.IsTruncated && !isNamed(out.NextRecordName, name) {
			return sets, nil
		}
	}
	return sets, nil
}

// isNamed tells whether a name of an answer is this one, however it is spelt.
func isNamed(got *string, want fqdn) bool {
	name, err := parseName(aws.ToString(got))
	return err == nil && name == want
}

// gone makes the absence of the hosted zone an error that no retry heals.
func (n *Name) gone(err error) error {
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return fault.Terminal("HostedZoneNotFound", fmt.Errorf(
		"route.route53.hostedZoneID: %q does not exist in this account; check the ID, and that the credentials (aws.profile, aws.assumeRole) are those of the account that has the zone: %w", n.cfg.HostedZoneID, err))
}

// partsOf a name: its weighted records by type, in the order of the declared types, or
// of the listing. Records in which external-dns keeps who owns a name (they copy the
// weight of what they speak of) carry no traffic and are no part.
func (n *Name) partsOf(all []types.ResourceRecordSet) []part {
	var parts []part
	for _, s := range all {
		if policyOf(s) != weighted || isRegistry(s) || n.types != nil && !slices.Contains(n.types, s.Type) {
			continue
		}
		at := slices.IndexFunc(parts, func(p part) bool { return p.typ == s.Type })
		if at < 0 {
			parts, at = append(parts, part{typ: s.Type}), len(parts)
		}
		parts[at].sets = append(parts[at].sets, s)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return slices.Index(n.types, a.typ) - slices.Index(n.types, b.typ) })
	return parts
}

// policy is a routing policy.
type policy string

const (
	simple        policy = "simple"
	weighted      policy = "weighted"
	trafficPolicy policy = "traffic policy"
)

// policyOf a record set.
func policyOf(s types.ResourceRecordSet) policy {
	switch {
	case s.TrafficPolicyInstanceId != nil:
		return trafficPolicy
	case s.Weight != nil:
		return weighted
	case s.Region != "":
		return "latency"
	case s.Failover != "":
		return "failover"
	case s.GeoLocation != nil:
		return "geolocation"
	case s.GeoProximityLocation != nil:
		return "geoproximity"
	case s.CidrRoutingConfig != nil:
		return "IP-based (CIDR)"
	case s.MultiValueAnswer != nil:
		return "multivalue answer"
	}
	return simple
}
