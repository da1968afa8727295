package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Where the stand-in for eksctl keeps what self-managed node groups are: tags of the
// cluster.
const (
	selfManaged  = "standin/nodegroup/"   // NAME → how many nodes
	targetGroups = "standin/targetgroup/" // NAME/NUMBER → ARN
)

// groupTag of an instance names its node group.
const groupTag = "eks:nodegroup-name"

// cloud does what Auto Scaling does: it has as many instances as a node group wants, and
// has them in its target groups.
type cloud struct{ key aws.CredentialsProvider }

func newCloud(env map[string]string) cloud {
	return cloud{credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], "")}
}

// config for a cluster's region, and the cluster's name.
func (c cloud) config(cluster string) (aws.Config, string, error) {
	a, err := arn.Parse(cluster)
	if err != nil {
		return aws.Config{}, "", fmt.Errorf("the cluster: %w", err)
	}
	return aws.Config{Region: a.Region, Credentials: c.key, BaseEndpoint: aws.String(endpoint)}, strings.TrimPrefix(a.Resource, "cluster/"), nil
}

// group of nodes that is wanted.
type group struct {
	name         string
	nodes        int
	subnets      []string
	kubeLabels   map[string]string
	targetGroups []string // ARNs
}

// groups of a cluster, EKS's own and self-managed ones.
func (c cloud) groups(ctx context.Context, cluster string) ([]group, error) {
	cfg, name, err := c.config(cluster)
	if err != nil {
		return nil, err
	}
	api := eks.NewFromConfig(cfg)
	d, err := api.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return nil, fmt.Errorf("describing the cluster: %w", err)
	}
	out, err := selfManagedGroups(d.Cluster.Tags, d.Cluster.ResourcesVpcConfig.SubnetIds)
	if err != nil {
		return nil, err
	}
	pages := eks.NewListNodegroupsPaginator(api, &eks.ListNodegroupsInput{ClusterName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing node groups: %w", err)
		}
		for _, n := range page.Nodegroups {
			d, err := api.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &name, NodegroupName: &n})
			if err != nil {
				return nil, fmt.Errorf("describing a node group: %w", err)
			}
			if s := d.Nodegroup.ScalingConfig; s != nil {
				out = append(out, group{name: n, nodes: int(aws.ToInt32(s.DesiredSize)), subnets: d.Nodegroup.Subnets, kubeLabels: d.Nodegroup.Labels})
			}
		}
	}
	return out, nil
}

// selfManagedGroups that a cluster's tags tell of.
func selfManagedGroups(tags map[string]string, subnets []string) ([]group, error) {
	var out []group
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		name, ok := strings.CutPrefix(tag, selfManaged)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(tags[tag])
		if err != nil {
			return nil, fmt.Errorf("the cluster's tag %s: %w", tag, err)
		}
		g := group{name: name, nodes: n, subnets: subnets}
		for _, t := range slices.Sorted(maps.Keys(tags)) {
			if strings.HasPrefix(t, targetGroups+name+"/") {
				g.targetGroups = append(g.targetGroups, tags[t])
			}
		}
		out = append(out, g)
	}
	return out, nil
}

// instance of EC2 that is a node.
type instance struct {
	id, zone, typ string
	addr          netip.Addr
	group         group
}

// labels of the node.
func (i instance) labels() map[string]string {
	out := maps.Clone(i.group.kubeLabels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, map[string]string{
		"eks.amazonaws.com/nodegroup": i.group.name, "topology.kubernetes.io/zone": i.zone, "node.kubernetes.io/instance-type": i.typ,
	})
	return out
}

// scale has as many instances as the groups want, and returns them all.
func (c cloud) scale(ctx context.Context, cluster string, groups []group) ([]instance, error) {
	cfg, name, err := c.config(cluster)
	if err != nil {
		return nil, err
	}
	api := ec2.NewFromConfig(cfg)
	there, err := instances(ctx, api, name)
	if err != nil {
		return nil, err
	}
	var out []instance
	for _, g := range groups {
		own := there[g.name]
		delete(there, g.name)
		for len(own) < g.nodes {
			i, err := run(ctx, api, name, g, g.subnets[len(own)%len(g.subnets)])
			if err != nil {
				return nil, err
			}
			own = append(own, i)
		}
		for n, i := range own {
			i.group = g
			if n < g.nodes {
				out = append(out, i)
				continue
			}
			if err := c.end(ctx, cluster, i.id, g.targetGroups); err != nil {
				return nil, err
			}
		}
	}
	for _, left := range there {
		for _, i := range left {
			if err := c.end(ctx, cluster, i.id, nil); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// owned is the tag of what belongs to a cluster.
func owned(cluster string) string { return "kubernetes.io/cluster/" + cluster }

// instances of a cluster that live, by node group.
func instances(ctx context.Context, api *ec2.Client, cluster string) (map[string][]instance, error) {
	out := map[string][]instance{}
	pages := ec2.NewDescribeInstancesPaginator(api, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:" + owned(cluster)), Values: []string{"owned"}},
		{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}},
	}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("describing instances: %w", err)
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				n, group, err := read(i)
				if err != nil {
					return nil, err
				}
				out[group] = append(out[group], n)
			}
		}
	}
	return out, nil
}

func read(i ec2types.Instance) (_ instance, group string, err error) {
	for _, t := range i.Tags {
		if aws.ToString(t.Key) == groupTag {
			group = aws.ToString(t.Value)
		}
	}
	n := instance{id: aws.ToString(i.InstanceId), typ: string(i.InstanceType)}
	if i.Placement != nil {
		n.zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	if n.addr, err = netip.ParseAddr(aws.ToString(i.PrivateIpAddress)); err != nil {
		return n, "", fmt.Errorf("the address of the instance %s: %w", n.id, err)
	}
	return n, group, nil
}

// run an instance for a group.
func run(ctx context.Context, api *ec2.Client, cluster string, g group, subnet string) (instance, error) {
	images, err := api.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"amazon"}})
	if err != nil || len(images.Images) == 0 {
		return instance{}, fmt.Errorf("finding an image for nodes: %w", errors.Join(err, errors.New("there may be none")))
	}
	out, err := api.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: images.Images[0].ImageId, InstanceType: ec2types.InstanceTypeM5Large, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{
			{Key: aws.String(owned(cluster)), Value: aws.String("owned")},
			{Key: aws.String(groupTag), Value: &g.name},
			{Key: aws.String("Name"), Value: aws.String(cluster + "-" + g.name)},
		}}},
	})
	if err != nil {
		return instance{}, fmt.Errorf("running an instance: %w", err)
	}
	i, _, err := read(out.Instances[0])
	return i, err
}

// register an instance in the target groups of its node group.
func (c cloud) register(ctx context.Context, cluster string, i instance) error {
	cfg, _, err := c.config(cluster)
	if err != nil {
		return err
	}
	for _, tg := range i.group.targetGroups {
		in := &elb.RegisterTargetsInput{TargetGroupArn: &tg, Targets: []elbtypes.TargetDescription{{Id: &i.id}}}
		if _, err := elb.NewFromConfig(cfg).RegisterTargets(ctx, in); err != nil {
			return fmt.Errorf("registering the node %s: %w", i.host(), err)
		}
	}
	return nil
}

// terminate an instance of a cluster that is gone.
func (c cloud) terminate(ctx context.Context, cluster, id string) error {
	return c.end(ctx, cluster, id, nil)
}

// end an instance, which leaves its target groups first.
func (c cloud) end(ctx context.Context, cluster, id string, groups []string) error {
	cfg, _, err := c.config(cluster)
	if err != nil {
		return err
	}
	for _, tg := range groups {
		in := &elb.DeregisterTargetsInput{TargetGroupArn: &tg, Targets: []elbtypes.TargetDescription{{Id: &id}}}
		if _, err := elb.NewFromConfig(cfg).DeregisterTargets(ctx, in); err != nil {
			return fmt.Errorf("deregistering the instance %s: %w", id, err)
		}
	}
	if _, err := ec2.NewFromConfig(cfg).TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		return fmt.Errorf("terminating the instance %s: %w", id, err)
	}
	return nil
}
