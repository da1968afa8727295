package elbv2

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
)

// BalancerAPI is the part of the ELBv2 client that DNSName needs.
type BalancerAPI interface {
	DescribeLoadBalancers(context.Context, *elb.DescribeLoadBalancersInput, ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error)
}

// DNSName of a load balancer, which alias records lead to; fault.ErrNotFound when there
// is no such load balancer.
func DNSName(ctx context.Context, api BalancerAPI, loadBalancerARN string) (string, error) {
	out, err := api.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{loadBalancerARN}})
	if err != nil {
		return "", awsconf.Classify("reading load balancer "+loadBalancerARN, err)
	}
	if len(out.LoadBalancers) != 1 {
		return "", fmt.Errorf("reading load balancer %s: %d load balancers in the answer: %w", loadBalancerARN, len(out.LoadBalancers), fault.ErrNotFound)
	}
	return aws.ToString(out.LoadBalancers[0].DNSName), nil
}
