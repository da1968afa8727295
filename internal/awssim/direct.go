package awssim

import (
	"context"
	"fmt"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// AddCluster makes an EKS cluster that is ACTIVE at once, as eks.Service.AddCluster does,
// and lets the index of tags look.
func (l *Lab) AddCluster(ctx context.Context, n eks.NewCluster) (arn string, err error) {
	if arn, err = l.eks.AddCluster(ctx, n); err == nil {
		l.tagging.Observe(n.Account, n.Region)
	}
	return arn, err
}

// Do carries out a call of a service, EKS or ELBv2 by its signing name, in an account and
// a region as AWS itself would: out of the faults' reach, without credentials, not logged.
func (l *Lab) Do(ctx context.Context, service, account, region, operation string, p wire.Params) (wire.Struct, error) {
	s := map[string]wire.Service{"eks": l.eks, "elasticloadbalancing": l.elb}[service]
	if s == nil {
		return nil, fmt.Errorf("%s of %s: this service is not done directly", operation, service)
	}
	out, err := s.Serve(ctx, &wire.Request{Service: service, Operation: operation, Params: p, Region: region, AccountID: account})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	l.tagging.Observe(account, region)
	return out, nil
}

// CatchUp lets the index of tags see everything at once.
func (l *Lab) CatchUp(account, region string) { l.tagging.CatchUp(account, region) }
