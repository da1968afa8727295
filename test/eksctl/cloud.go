package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// pause between looks at what is being made.
const pause = 100 * time.Millisecond

// cloud is the simulated AWS.
type cloud struct {
	eks  *eks.Client
	ec2  *ec2.Client
	role string // of clusters and nodes
}

func connect(ctx context.Context, region string) (*cloud, error) {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if err := loopback(endpoint); err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region), config.WithBaseEndpoint(endpoint))
	if err != nil {
		return nil, err
	}
	return &cloud{eks: eks.NewFromConfig(cfg), ec2: ec2.NewFromConfig(cfg), role: "arn:aws:iam::000000000000:role/eksctl-standin"}, nil
}

// subnets of a new cluster.
func (a *cloud) subnets(ctx context.Context, v vpc) ([]string, error) {
	var ids []string
	for _, m := range []map[string]subnet{v.Subnets.Private, v.Subnets.Public} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if m[k].ID != "" {
				ids = append(ids, m[k].ID)
			}
		}
	}
	if len(ids) > 0 {
		return ids, nil
	}
	if v.ID == "" {
		return a.newVPC(ctx)
	}
	out, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{v.ID}}}})
	if err != nil {
		return nil, err
	}
	for _, s := range out.Subnets {
		ids = append(ids, *s.SubnetId)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("the VPC %s has no subnets", v.ID)
	}
	return ids, nil
}

// newVPC makes a VPC with a public and a private subnet in each of two zones, tagged as
// load balancers look for them.
func (a *cloud) newVPC(ctx context.Context) (ids []string, err error) {
	made, err := a.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("192.168.0.0/16")})
	if err != nil {
		return nil, err
	}
	zones, err := a.ec2.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, err
	}
	for i, role := range []string{"elb", "internal-elb"} {
		for j, z := range zones.AvailabilityZones[:2] {
			s, err := a.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{
				VpcId: made.Vpc.VpcId, AvailabilityZone: z.ZoneName, CidrBlock: aws.String(fmt.Sprintf("192.168.%d.0/24", 2*i+j)),
				TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeSubnet, Tags: []ec2types.Tag{
					{Key: aws.String("kubernetes.io/role/" + role), Value: aws.String("1")},
				}}},
			})
			if err != nil {
				return nil, err
			}
			ids = append(ids, *s.Subnet.SubnetId)
		}
	}
	return ids, nil
}

func (a *cloud) createCluster(ctx context.Context, c *clusterConfig) error {
	subnets, err := a.subnets(ctx, c.VPC)
	if err != nil {
		return err
	}
	mode := types.AuthenticationMode(c.AccessConfig.AuthenticationMode)
	if mode == "" {
		mode = types.AuthenticationModeApiAndConfigMap
	}
	in := &eks.CreateClusterInput{
		Name: &c.Metadata.Name, RoleArn: &a.role, Tags: c.Metadata.Tags, AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: mode},
		ResourcesVpcConfig: &types.VpcConfigRequest{
			SubnetIds: subnets, SecurityGroupIds: c.VPC.ControlPlaneSecurityGroupIDs,
			EndpointPrivateAccess: c.VPC.ClusterEndpoints.PrivateAccess, EndpointPublicAccess: c.VPC.ClusterEndpoints.PublicAccess,
		},
	}
	if v := c.Metadata.Version; v != "" {
		in.Version = &v
	}
	if _, err := a.eks.CreateCluster(ctx, in); err != nil {
		return err
	}
	if err := a.settled(ctx, c.Metadata.Name); err != nil {
		return err
	}
	for _, p := range c.IAM.PodIdentityAssociations {
		_, err := a.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
			ClusterName: &c.Metadata.Name, Namespace: &p.Namespace, ServiceAccount: &p.ServiceAccountName, RoleArn: &p.RoleARN,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settled waits until a cluster is neither made nor changed.
func (a *cloud) settled(ctx context.Context, name string) error {
	for {
		out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
		if err != nil {
			return err
		}
		switch s := out.Cluster.Status; s { //nolint:exhaustive // the others end
		case types.ClusterStatusActive:
			return nil
		case types.ClusterStatusFailed:
			return fmt.Errorf("the cluster %s is %s", name, s)
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return errors.New("interrupted")
	}
}

func missing(err error) bool {
	var gone *types.ResourceNotFoundException
	return errors.As(err, &gone)
}

// createNodegroup makes a managed one; it is no error when it is there.
func (a *cloud) createNodegroup(ctx context.Context, cluster string, n nodeGroup) error {
	_, err := a.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &n.Name})
	if err == nil {
		fmt.Printf("nodegroup %q will be excluded: it exists\n", n.Name)
		return nil
	}
	if !missing(err) {
		return err
	}
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return err
	}
	in := &eks.CreateNodegroupInput{
		ClusterName: &cluster, NodegroupName: &n.Name, NodeRole: &a.role, Subnets: out.Cluster.ResourcesVpcConfig.SubnetIds, Labels: n.Labels, Tags: n.Tags,
	}
	if n.DesiredCapacity != nil {
		desired := *n.DesiredCapacity
		least, most := min(value(n.MinSize, desired), desired), max(value(n.MaxSize, desired), desired, 1)
		in.ScalingConfig = &types.NodegroupScalingConfig{DesiredSize: &desired, MinSize: &least, MaxSize: &most}
	}
	if _, err := a.eks.CreateNodegroup(ctx, in); err != nil {
		return err
	}
	for {
		got, err := a.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &n.Name})
		if err != nil {
			return err
		}
		switch s := got.Nodegroup.Status; s { //nolint:exhaustive // the others end
		case types.NodegroupStatusActive:
			return nil
		case types.NodegroupStatusCreateFailed:
			return fmt.Errorf("the node group %s is %s", n.Name, s)
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

// value of a pointer, or another.
func value(p *int32, other int32) int32 {
	if p != nil {
		return *p
	}
	return other
}

// defaultCapacity of a node group, in nodes.
const defaultCapacity = 2

// recordGroup keeps what a self-managed node group is where the Auto Scaling group would
// be: how many nodes, and which target groups they are in.
func (a *cloud) recordGroup(ctx context.Context, cluster string, n nodeGroup) error {
	tags := map[string]string{"standin/nodegroup/" + n.Name: strconv.Itoa(int(value(n.DesiredCapacity, defaultCapacity)))}
	for i, arn := range n.TargetGroupARNs {
		tags[fmt.Sprintf("standin/targetgroup/%s/%d", n.Name, i)] = arn
	}
	return a.tag(ctx, cluster, tags)
}

func (a *cloud) forgetGroup(ctx context.Context, cluster, name string) error {
	keys := []string{"standin/nodegroup/" + name}
	numbers, err := a.tagged(ctx, cluster, "standin/targetgroup/"+name+"/")
	if err != nil {
		return err
	}
	for _, n := range numbers {
		keys = append(keys, "standin/targetgroup/"+name+"/"+n)
	}
	return a.untag(ctx, cluster, keys...)
}

func (a *cloud) deleteNodegroup(ctx context.Context, cluster, name string) error {
	if _, err := a.eks.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: &cluster, NodegroupName: &name}); err != nil {
		if missing(err) {
			return a.forgetGroup(ctx, cluster, name)
		}
		return err
	}
	for {
		if _, err := a.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name}); err != nil {
			if missing(err) {
				return nil
			}
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

func (a *cloud) deleteCluster(ctx context.Context, name string) error {
	if _, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name}); missing(err) {
		return fmt.Errorf("cluster %q does not exist", name) // so says eksctl where there is no stack either
	}
	groups, err := a.eks.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &name})
	if err != nil {
		return err
	}
	for _, n := range groups.Nodegroups {
		if err := a.deleteNodegroup(ctx, name, n); err != nil {
			return err
		}
	}
	if _, err := a.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: &name}); err != nil {
		return err
	}
	for {
		if _, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name}); err != nil {
			if missing(err) {
				return nil
			}
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
	}
}

func (a *cloud) upgrade(ctx context.Context, name, version string) error {
	if _, err := a.eks.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: &name, Version: &version}); err != nil {
		return err
	}
	return a.settled(ctx, name)
}

func (a *cloud) tag(ctx context.Context, cluster string, tags map[string]string) error {
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return err
	}
	_, err = a.eks.TagResource(ctx, &eks.TagResourceInput{ResourceArn: out.Cluster.Arn, Tags: tags})
	return err
}

func (a *cloud) untag(ctx context.Context, cluster string, keys ...string) error {
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return err
	}
	_, err = a.eks.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: out.Cluster.Arn, TagKeys: keys})
	return err
}

// tagged are the ends of the cluster's tags that begin so, sorted.
func (a *cloud) tagged(ctx context.Context, cluster, prefix string) ([]string, error) {
	out, err := a.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, k := range slices.Sorted(maps.Keys(out.Cluster.Tags)) {
		if n, ok := strings.CutPrefix(k, prefix); ok {
			names = append(names, n)
		}
	}
	return names, nil
}

func (a *cloud) nodegroups(ctx context.Context, cluster string) ([]string, error) {
	out, err := a.eks.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: &cluster})
	if err != nil {
		return nil, err
	}
	return out.Nodegroups, nil
}
