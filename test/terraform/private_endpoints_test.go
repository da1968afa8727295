package terraform

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"
)

// rule lets a security group in.
type rule struct {
	from     string
	protocol string
	ports    [2]int32
}

// ingress rules of a security group.
func (l *lab) ingress(t *testing.T, group string) (out []rule) {
	t.Helper()
	got, err := l.ec2().DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{
		Filters: []ec2types.Filter{{Name: aws.String("group-id"), Values: []string{group}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got.SecurityGroupRules {
		if aws.ToBool(r.IsEgress) {
			continue
		}
		from := "everybody"
		if g := r.ReferencedGroupInfo; g != nil {
			from = aws.ToString(g.GroupId)
		}
		out = append(out, rule{from, aws.ToString(r.IpProtocol), [2]int32{aws.ToInt32(r.FromPort), aws.ToInt32(r.ToPort)}})
	}
	return out
}

// Argo CD's nodes are let in at 443 of the control plane's own security group, and nowhere
// else; what was opened by hand is opened again, and closed in the end.
func privateEndpoints(t *testing.T, l *lab) {
	vpc := l.vpc(t)
	group := func(name string) string {
		t.Helper()
		out, err := l.ec2().CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: &vpc})
		if err != nil {
			t.Fatal(err)
		}
		return aws.ToString(out.GroupId)
	}
	controlPlane, nodes, others := group("additional"), group("argocd-nodes"), group("others")
	subnets, err := l.ec2().DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{vpc}}}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range subnets.Subnets {
		ids = append(ids, aws.ToString(s.SubnetId))
	}
	const name = "private-target"
	_, err = l.eks().CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String(name), RoleArn: aws.String("arn:aws:iam::000000000000:role/eks"),
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{
			SubnetIds: ids, SecurityGroupIds: []string{controlPlane}, EndpointPrivateAccess: aws.Bool(true), EndpointPublicAccess: aws.Bool(false),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := l.story(t, "private-endpoints", map[string]any{
		"region": l.Region, "targets": []string{name}, "argocd_node_security_groups": map[string]string{"shared": nodes},
	})
	s.apply(t)
	s.empty(t)
	want := []rule{{nodes, "tcp", [2]int32{443, 443}}}
	for group, want := range map[string][]rule{controlPlane: want, nodes: nil, others: nil} {
		if d := cmp.Diff(want, l.ingress(t, group), cmp.AllowUnexported(rule{})); d != "" {
			t.Errorf("rules of %s (-want +got):\n%s", group, d)
		}
	}
	_, err = l.ec2().RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &controlPlane, IpPermissions: []ec2types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(443), ToPort: aws.Int32(443), UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &nodes}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, s.apply(t).stdout, "1 added, 0 changed, 0 destroyed")
	s.ok(t, "destroy", "-auto-approve", "-no-color")
	if left := l.ingress(t, controlPlane); len(left) != 0 {
		t.Errorf("it is still open: %v", left)
	}
}
