// Package carries tells whether a cluster gets traffic: which target groups are its own,
// and which actions of listeners and rules give those a weight above 0. It only reads.
//
// It errs on the side of traffic, because nothing is removed that gets some, or of which
// that cannot be known:
//
//   - Every rule counts, also one whose conditions no request can meet.
//   - Every load balancer counts, also one that gets no requests. What leads to it (weighted
//     names of Route 53, Global Accelerator, another load balancer) is not looked at.
//   - A target group that is the only one of its action counts whatever its weight.
//   - A way to find target groups that finds none is an error, because a typing error must
//     not read as "no traffic"; for when it is none, see Finder.Routes.
//
// What it cannot see: VPC Lattice, load balancers of other accounts and regions, Classic
// Load Balancers, what enters by node ports or host addresses, and clients that stay on a
// target group of weight 0, by stickiness or by connections that are still open.
package carries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Config of a Finder.
type Config struct {
	// AWS is the configuration of clients in a region of an account; one without a role is
	// the caller's own. Required.
	AWS func(ctx context.Context, region string, account registry.Account) (aws.Config, error)
}

// Finder finds the routes that send traffic to clusters.
type Finder struct{ cfg Config }

var _ registrar.Traffic = (*Finder)(nil)

// New makes a Finder.
func New(cfg Config) (*Finder, error) {
	if cfg.AWS == nil {
		return nil, errors.New("carries: AWS is required")
	}
	return &Finder{cfg}, nil
}

// Routes that give a weight above 0 to a target group of the cluster, by the set's way of
// finding these in the account and region of the cluster. A cluster without a Status is
// one that EKS does not have (any more).
//
// That no target group is the cluster's is only taken for an answer when it cannot be the
// way's fault: when no target group of the account and region is behind a load balancer
// at all; and, where the way is registered instances, when there are instances and none
// is registered, or when there are none because the cluster is gone or being deleted (EKS
// deletes no cluster that has node groups or Fargate profiles).
func (f *Finder) Routes(ctx context.Context, set *registry.Set, c registry.Cluster) registry.Traffic {
	routes, err := f.routes(ctx, set, c)
	if err != nil {
		return registry.Traffic{Err: err}
	}
	return registry.Traffic{Routes: routes}
}

func (f *Finder) routes(ctx context.Context, set *registry.Set, c registry.Cluster) ([]string, error) {
	way := set.TargetGroups
	switch {
	case way == nil:
		return nil, errors.New("template.targetGroups does not say which target groups are a cluster's; set name, tags, registeredInstances or none")
	case way.None:
		return nil, nil
	}
	cfg, err := f.enter(ctx, set, c.ID)
	if err != nil {
		return nil, err
	}
	l := &look{elb: elb.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg), cluster: c}
	if err := l.list(ctx); err != nil {
		return nil, err
	}
	if len(l.attached) == 0 {
		return nil, nil // nothing here gets any traffic
	}
	switch {
	case way.Name != nil:
		return l.byName(ctx, way.Name)
	case len(way.Tags) > 0:
		return l.byTags(ctx, way.Tags)
	case way.Instances:
		return l.byInstances(ctx)
	default:
		return nil, errors.New("template.targetGroups is empty; set one of name, tags, registeredInstances and none")
	}
}

// enter the cluster's account in its region, by a source of the set that covers both. The
// first that lets us in is taken.
func (f *Finder) enter(ctx context.Context, set *registry.Set, id registry.ID) (aws.Config, error) {
	var failed []error
	for _, account := range covering(set, id) {
		cfg, err := f.cfg.AWS(ctx, id.Region, account)
		if err == nil && account.RoleARN == "" {
			err = ownAccount(ctx, cfg, id.Account)
		}
		if err == nil {
			return cfg, nil
		}
		failed = append(failed, err)
	}
	if failed == nil {
		return aws.Config{}, fmt.Errorf("no source of the set has a role of account %s for %s (any more)", id.Account, id.Region)
	}
	return aws.Config{}, errors.Join(failed...)
}

// covering are the ways into the cluster's account and region: roles of that account,
// then the caller's own credentials, which may be of that account.
func covering(set *registry.Set, id registry.ID) []registry.Account {
	var roles, own []registry.Account
	for _, s := range set.Sources {
		if !slices.Contains(s.Regions, id.Region) {
			continue
		}
		for _, a := range s.Accounts {
			if a.RoleARN == "" {
				own = append(own, a)
			} else if n, err := arn.Parse(a.RoleARN); err == nil && n.Account == id.Account {
				roles = append(roles, a)
			}
		}
	}
	return append(roles, own[:min(len(own), 1)]...)
}

// ownAccount checks that the caller's credentials are of the cluster's account: in
// another one, an empty list of target groups says nothing.
func ownAccount(ctx context.Context, cfg aws.Config, want string) error {
	me, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return awsconf.Classify("asking whose credentials these are (sts:GetCallerIdentity)", err)
	}
	if got := aws.ToString(me.Account); got != want {
		return fault.Terminal("WrongAccount", fmt.Errorf(
			"the caller's own credentials are of account %s, the cluster is in %s: give a role of that account in sources[].eks.accounts", got, want,
		))
	}
	return nil
}

// matches tells whether s is like a pattern, in which * is any text.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[last])
}
