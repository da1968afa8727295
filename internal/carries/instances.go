package carries

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/registry"
)

// byInstances takes the target groups in which instances of the cluster are registered.
// Whose the addresses in a group of type ip are cannot be told (of pods they are, and
// pods do not say of which cluster): such a group in a VPC of the cluster that gets
// traffic is an error, unless the cluster gets some anyway. Groups of other VPCs are not
// looked at: an instance can only be registered in its own.
func (l *look) byInstances(ctx context.Context) ([]string, error) {
	instances, vpcs, err := l.instances(ctx)
	if err != nil {
		return nil, err
	}
	if len(instances) == 0 {
		if s := l.cluster.Status; s == "" || s == registry.Deleting {
			return nil, nil
		}
		return nil, fmt.Errorf("no EC2 instance has a tag that names the cluster (%s): its nodes have other tags, or are of Fargate; find its target groups by name or tags", strings.Join(tagsOfNodes(l.cluster.Name), ", "))
	}
	if l.cluster.VPC != "" {
		vpcs[l.cluster.VPC] = true
	}
	var mine, doubtful []types.TargetGroup
	for _, g := range l.attached {
		if !vpcs[aws.ToString(g.VpcId)] {
			continue
		}
		switch g.TargetType {
		case types.TargetTypeEnumInstance:
			has, err := l.registered(ctx, aws.ToString(g.TargetGroupArn), instances)
			if err != nil {
				return nil, err
			}
			if has {
				mine = append(mine, g)
			}
		case types.TargetTypeEnumIp:
			doubtful = append(doubtful, g)
		case types.TargetTypeEnumLambda, types.TargetTypeEnumAlb: // no nodes
		}
	}
	routes, err := l.weighted(ctx, mine)
	if err != nil || len(routes) > 0 {
		return routes, err
	}
	if routes, err = l.weighted(ctx, doubtful); err != nil || len(routes) == 0 {
		return nil, err
	}
	return nil, fmt.Errorf("%s; its targets are IP addresses in the cluster's VPC, and whose they are does not show: find the cluster's target groups by name or tags", routes[0])
}

// tagsOfNodes are what the nodes of a cluster carry: those of managed node groups all of
// them, those that other tools make the first.
func tagsOfNodes(cluster string) []string {
	return []string{"kubernetes.io/cluster/" + cluster, "aws:eks:cluster-name=" + cluster, "eks:cluster-name=" + cluster}
}

// instances of the cluster that are not terminated, by ID, and the VPCs that they are in.
func (l *look) instances(ctx context.Context) (ids, vpcs map[string]bool, err error) {
	ids, vpcs = map[string]bool{}, map[string]bool{}
	for _, tag := range tagsOfNodes(l.cluster.Name) {
		key, value, ok := strings.Cut(tag, "=")
		values := []string{value}
		if !ok {
			values = []string{"owned", "shared"}
		}
		in := &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
			{Name: aws.String("tag:" + key), Values: values},
			{Name: aws.String("instance-state-name"), Values: []string{"pending", "running", "shutting-down", "stopping", "stopped"}},
		}}
		err := paged("looking for the cluster's instances (ec2:DescribeInstances)", func(token *string) (*string, error) {
			in.NextToken = token
			out, err := l.ec2.DescribeInstances(ctx, in)
			if err != nil {
				return nil, err
			}
			for _, r := range out.Reservations {
				for _, i := range r.Instances {
					ids[aws.ToString(i.InstanceId)] = true
					vpcs[aws.ToString(i.VpcId)] = true
				}
			}
			return out.NextToken, nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return ids, vpcs, nil
}

// registered tells whether one of the instances is a target of the group, healthy or not.
func (l *look) registered(ctx context.Context, group string, instances map[string]bool) (bool, error) {
	out, err := l.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
	if err != nil {
		return false, awsconf.Classify("reading the targets of "+group+" (elasticloadbalancing:DescribeTargetHealth)", err)
	}
	for _, d := range out.TargetHealthDescriptions {
		if d.Target != nil && instances[aws.ToString(d.Target.Id)] {
			return true, nil
		}
	}
	return false, nil
}
