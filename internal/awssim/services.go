package awssim

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/kubeapi"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/sqs"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/tagging"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// services of a lab. Each keeps the worlds of all accounts and regions.
type services struct {
	metrics *cloudwatch.Service
	elb     *elbv2.Service
	route53 *route53.Service
	eks     *eks.Service
	ec2     *ec2.Service
	iam     *iam.Service
	sts     *sts.Service
	tagging *tagging.Service
	sqs     *sqs.Service
	kube    *kubeapi.ControlPlane // nil: the clusters' endpoints are made up
}

// newRoute53 comes before the data plane, whose made-up traffic follows DNS.
func (l *Lab) newRoute53() *route53.Service {
	cfg := l.cfg
	rc := route53.Config{
		Seed: cfg.Seed, Now: l.state.Now, MaxPageSize: min(cfg.MaxPageSize, 300), Aliases: l.aliases,
		PropagationDelay: func() time.Duration { return cfg.Propagation + l.faults.PropagationDelay() },
		AliasTTL:         int(cfg.AliasTTL / time.Second),
		Unhealthy:        l.faults.Unhealthy, HealthInterval: cfg.HealthInterval,
	}
	if cfg.DataPlane != PlaneSynth { // else there is nothing that a health check could reach
		rc.Dial = cfg.Dial
	}
	return route53.New(rc)
}

// newServices makes all services but CloudWatch, which the data planes report to, and
// Route 53.
func (l *Lab) newServices() (err error) {
	cfg, now := l.cfg, l.state.Now
	l.elb = elbv2.New(elbv2.Config{
		DataPlane: watched{l.plane.DataPlane, l}, Seed: cfg.Seed, Now: now,
		WeightsDelay: l.faults.WeightsDelay, MaxPageSize: cfg.MaxPageSize,
	})
	l.ec2 = ec2.New(ec2.Config{Seed: cfg.Seed, Now: now, Delay: cfg.ClusterDelay / 5, MaxPageSize: cfg.MaxPageSize})
	l.iam = iam.New(iam.Config{Seed: cfg.Seed, Now: now})
	l.sqs = sqs.New(sqs.Config{Seed: cfg.Seed, Now: now, MaxPageSize: cfg.MaxPageSize})
	l.sts = sts.New(sts.Config{Seed: cfg.Seed, Now: now, IAM: l.iam, Authz: cfg.Authz, MaxSession: cfg.MaxSession, JWKS: l.jwks()})
	plane, err := l.newControlPlane()
	if err != nil {
		return err
	}
	l.eks, err = eks.New(eks.Config{
		ControlPlane: plane,
		Seed:         cfg.Seed, Now: now, CreateDelay: cfg.ClusterDelay, UpdateDelay: cfg.ClusterDelay, DeleteDelay: cfg.ClusterDelay,
		InnerDelay: cfg.ClusterDelay / 2, MoreDelay: l.faults.ClusterDelay, Fail: l.failCluster, Caller: l.principal, Subnet: l.subnet, MaxPageSize: min(cfg.MaxPageSize, 100), Clusters: max(cfg.Fleet, 100),
	})
	if err != nil {
		return fmt.Errorf("the lab's EKS: %w", err)
	}
	l.tagging = tagging.New(tagging.Config{
		Sources: []tagging.Source{l.elb, l.eks, l.ec2}, Now: now,
		Lag: func() time.Duration { return cfg.IndexLag + l.faults.IndexLag() },
	})
	return nil
}

// register puts the services behind one front door: the state directory closest to them,
// then the faults of reads.
func (l *Lab) register() *wire.Mux {
	cfg := wire.Config{
		Region: Region, Resolve: l.sts.Resolve, Check: l.sts.Check, Logger: l.cfg.Logger,
		Hooks: []wire.Hook{l.faults.Hook}, Observe: l.observe,
	}
	if l.cfg.Authz {
		cfg.VerifySignatures, cfg.Secret, cfg.Unsigned = true, l.sts.Secret, sts.Unsigned
		cfg.Authorize = authz.New(authz.Config{Caller: l.sts.Caller, Tags: l.tagsOf, Names: l.iam.ARN}).Authorize
	}
	mux := wire.NewMux(cfg)
	kept := l.state.Services(fault.IsRead)
	for _, r := range []wire.Registration{
		l.sts.Registration(), l.iam.Registration(), l.ec2.Registration(), l.eks.Registration(), l.route53.Registration(), l.tagging.Registration(),
		{
			Name: "elasticloadbalancing", Version: "2015-12-01",
			Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/", Service: l.elb,
		},
	} {
		r.Service = fault.NewReads(kept(r.Service), l.faults, time.Now)
		mux.Register(r)
	}
	for _, r := range []wire.Registration{l.metrics.Registration(), l.sqs.Registration()} { // data and messages are not kept
		r.Service = fault.NewReads(r.Service, l.faults, time.Now)
		mux.Register(r)
	}
	return mux
}

// observe notes every call, lets the index of tags look for what it changed, and tells
// the queues for events.
func (l *Lab) observe(c wire.Call) {
	l.calls.observe(c)
	if c.Effect && !fault.IsRead(c.Request.Operation) {
		l.tagging.Observe(c.Request.AccountID, c.Request.Region)
		if event, ok := eventOf(c); ok {
			l.sqs.Send(EventsTag, event)
		}
	}
}

// tagsOf a resource, for policies that speak of them.
func (l *Lab) tagsOf(arn string) map[string]string {
	account, region, _ := strings.Cut(model.Scope(arn), "/")
	all := l.iam.Resources(account)
	for _, s := range []tagging.Source{l.elb, l.eks, l.ec2} {
		all = append(all, s.Resources(account, region)...)
	}
	for _, r := range all {
		if r.ARN == arn {
			return r.Tags
		}
	}
	return nil
}

// principal behind a call: the role of a session, the user of a key.
func (l *Lab) principal(r *wire.Request) string {
	p, ok := l.sts.Caller(r.AccessKeyID)
	if !ok {
		return sts.CallerARN(r.Region, r.AccountID)
	}
	return cmp.Or(p.RoleARN, p.ARN)
}

// subnet of a cluster. Those that nobody made are in one VPC, each in a zone of its own,
// so that a lab needs no network to be laid out first.
func (l *Lab) subnet(account, region, id string) (vpc, zone string, ok bool) {
	if vpc, zone, ok = l.ec2.Subnet(account, region, id); ok {
		return vpc, zone, true
	}
	return "vpc-01ab", region + "-" + id, true
}

// failCluster carries out the fault of that kind.
func (l *Lab) failCluster(operation, arn string) error {
	_, name, _ := strings.Cut(arn, ":cluster/")
	if operation == "CreateCluster" && l.faults.ClusterFails(name) {
		return fmt.Errorf("the lab's fault %s", fault.ClusterFailure)
	}
	return nil
}

func (s *services) close() {
	if s.elb != nil {
		s.elb.Close()
	}
	if s.route53 != nil {
		s.route53.Close()
	}
	if s.eks != nil {
		s.eks.Close()
	}
}
