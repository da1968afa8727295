package eks_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// group is the creation of a node group with what it must have.
func group(cluster, name string) *sdk.CreateNodegroupInput {
	return &sdk.CreateNodegroupInput{
		ClusterName: &cluster, NodegroupName: &name, NodeRole: aws.String(role), Subnets: []string{"subnet-1"},
	}
}

func (l *lab) groupA(t *testing.T) *types.Nodegroup {
	t.Helper()
	in := &sdk.DescribeNodegroupInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")}
	return wiretest.Must(l.DescribeNodegroup(t.Context(), in))(t).Nodegroup
}

func TestANodeGroupLivesFromCreatingToGone(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.addBlue(t, "1.35")
	in := group("blue", "a")
	in.Labels, in.Tags = map[string]string{"role": "web", "old": "1"}, map[string]string{"env": "prod"}
	in.Taints = []types.Taint{{Key: aws.String("spot"), Value: aws.String("yes"), Effect: types.TaintEffectNoSchedule}}
	n := wiretest.Must(l.CreateNodegroup(ctx, in))(t).Nodegroup
	if n.Status != types.NodegroupStatusCreating || *n.Version != "1.35" || !strings.HasPrefix(*n.ReleaseVersion, "1.35.") ||
		*n.ScalingConfig.DesiredSize != 2 || *n.ScalingConfig.MinSize != 1 || *n.ScalingConfig.MaxSize != 2 || n.AmiType != types.AMITypesAl2023X8664Standard ||
		n.CapacityType != types.CapacityTypesOnDemand || !slices.Equal(n.InstanceTypes, []string{"t3.medium"}) || *n.DiskSize != 20 ||
		*n.UpdateConfig.MaxUnavailable != 1 || n.Tags["env"] != "prod" || *n.Taints[0].Key != "spot" || len(n.Resources.AutoScalingGroups) != 1 {
		t.Errorf("the node group is %+v", n)
	}
	_, err := l.CreateNodegroup(ctx, group("blue", "a"))
	wiretest.Refused(t, err, "ResourceInUseException", "")
	l.clock.Add(3 * time.Minute)
	if n = l.groupA(t); n.Status != types.NodegroupStatusActive {
		t.Errorf("the node group is %s", n.Status)
	}
	u := wiretest.Must(l.UpdateNodegroupConfig(ctx, &sdk.UpdateNodegroupConfigInput{
		ClusterName: aws.String("blue"), NodegroupName: aws.String("a"),
		ScalingConfig: &types.NodegroupScalingConfig{MaxSize: aws.Int32(9), DesiredSize: aws.Int32(5)},
		Labels:        &types.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"role": "db", "new": "1"}, RemoveLabels: []string{"old"}},
		Taints: &types.UpdateTaintsPayload{
			AddOrUpdateTaints: []types.Taint{{Key: aws.String("new"), Effect: types.TaintEffectNoExecute}},
			RemoveTaints:      []types.Taint{{Key: aws.String("spot"), Effect: types.TaintEffectNoSchedule}},
		},
		UpdateConfig: &types.NodegroupUpdateConfig{MaxUnavailablePercentage: aws.Int32(50)},
	}))(t).Update
	_, err = l.DeleteNodegroup(ctx, &sdk.DeleteNodegroupInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")})
	wiretest.Refused(t, err, "ResourceInUseException", "")
	l.blueIs(t, types.ClusterStatusActive) // only the node group is updating
	if n = l.groupA(t); n.Status != types.NodegroupStatusUpdating || *n.ScalingConfig.DesiredSize != 2 {
		t.Errorf("meanwhile the node group is %s", n.Status)
	}
	l.clock.Add(3 * time.Minute)
	n = l.groupA(t)
	if *n.ScalingConfig.MinSize != 1 || *n.ScalingConfig.MaxSize != 9 || *n.ScalingConfig.DesiredSize != 5 || !n.ModifiedAt.Equal(l.clock.Now()) ||
		!maps.Equal(n.Labels, map[string]string{"role": "db", "new": "1"}) || len(n.Taints) != 1 || *n.Taints[0].Key != "new" || *n.UpdateConfig.MaxUnavailablePercentage != 50 {
		t.Errorf("the updated node group is %+v", n)
	}
	done := wiretest.Must(l.DescribeUpdate(ctx, &sdk.DescribeUpdateInput{Name: aws.String("blue"), NodegroupName: aws.String("a"), UpdateId: u.Id}))(t).Update
	if done.Status != types.UpdateStatusSuccessful {
		t.Errorf("the update is %s", done.Status)
	}
	wiretest.Must(l.DeleteNodegroup(ctx, &sdk.DeleteNodegroupInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")}))(t)
	if n = l.groupA(t); n.Status != types.NodegroupStatusDeleting {
		t.Errorf("the node group is %s", n.Status)
	}
	l.clock.Add(3 * time.Minute)
	_, err = l.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}

func TestNodeGroupsAreRefusedWith(t *testing.T) {
	l := newLab(t)
	l.addBlue(t, "1.35")
	size := func(least, desired, most int32) func(*sdk.CreateNodegroupInput) {
		return func(in *sdk.CreateNodegroupInput) {
			in.ScalingConfig = &types.NodegroupScalingConfig{MinSize: &least, DesiredSize: &desired, MaxSize: &most}
		}
	}
	for name, change := range map[string]func(*sdk.CreateNodegroupInput){
		"a name with a slash":      func(in *sdk.CreateNodegroupInput) { in.NodegroupName = aws.String("a/b") },
		"a name of 64 characters":  func(in *sdk.CreateNodegroupInput) { in.NodegroupName = aws.String(strings.Repeat("a", 64)) },
		"a role that is none":      func(in *sdk.CreateNodegroupInput) { in.NodeRole = aws.String("role") },
		"no subnets":               func(in *sdk.CreateNodegroupInput) { in.Subnets = []string{} },
		"a subnet that is none":    func(in *sdk.CreateNodegroupInput) { in.Subnets = []string{"x"} },
		"a newer version":          func(in *sdk.CreateNodegroupInput) { in.Version = aws.String("1.36") },
		"a version four behind":    func(in *sdk.CreateNodegroupInput) { in.Version = aws.String("1.31") },
		"less nodes than allowed":  size(3, 2, 5),
		"more nodes than allowed":  size(0, 6, 5),
		"room for no nodes":        size(0, 0, 0),
		"a negative size":          size(-1, 0, 1),
		"a taint without effect":   func(in *sdk.CreateNodegroupInput) { in.Taints = []types.Taint{{Key: aws.String("a")}} },
		"an unknown capacity type": func(in *sdk.CreateNodegroupInput) { in.CapacityType = "CHEAP" },
		"a template without name":  func(in *sdk.CreateNodegroupInput) { in.LaunchTemplate = &types.LaunchTemplateSpecification{} },
		"a template and a disk": func(in *sdk.CreateNodegroupInput) {
			in.LaunchTemplate, in.DiskSize = &types.LaunchTemplateSpecification{Id: aws.String("lt-1")}, aws.Int32(20)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := group("blue", "a")
			change(in)
			_, err := l.CreateNodegroup(t.Context(), in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	_, err := l.CreateNodegroup(t.Context(), group("ghost", "a"))
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
	wiretest.Must(l.CreateCluster(t.Context(), creation("green")))(t)
	_, err = l.CreateNodegroup(t.Context(), group("green", "a")) // it is being created
	wiretest.Refused(t, err, "InvalidRequestException", "")
	for i := range 30 {
		wiretest.Must(l.CreateNodegroup(t.Context(), group("blue", fmt.Sprintf("g%02d", i))))(t)
	}
	_, err = l.CreateNodegroup(t.Context(), group("blue", "a"))
	wiretest.Refused(t, err, "ResourceLimitExceededException", "")
	for size := range int32(31) {
		var got []string
		for p := sdk.NewListNodegroupsPaginator(l, &sdk.ListNodegroupsInput{ClusterName: aws.String("blue"), MaxResults: aws.Int32(size + 1)}); p.HasMorePages(); {
			got = append(got, wiretest.Must(p.NextPage(t.Context()))(t).Nodegroups...)
		}
		if len(got) != 30 || !slices.IsSorted(got) || len(slices.Compact(got)) != 30 {
			t.Errorf("maxResults %d gives %v", size+1, got)
		}
	}
}

func TestNodesFollowTheControlPlane(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.addBlue(t, "1.35")
	in := group("blue", "a")
	in.Version = aws.String("1.33")
	wiretest.Must(l.CreateNodegroup(ctx, in))(t)
	to := func(version, release string) error {
		u := &sdk.UpdateNodegroupVersionInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")}
		if version != "" {
			u.Version = &version
		}
		if release != "" {
			u.ReleaseVersion = &release
		}
		_, err := l.UpdateNodegroupVersion(ctx, u)
		return err //nolint:wrapcheck // it is looked at
	}
	wiretest.Refused(t, to("", ""), "ResourceInUseException", "") // it is being created
	l.clock.Add(time.Hour)
	wiretest.Refused(t, to("1.36", ""), "InvalidParameterException", "")
	wiretest.Refused(t, to("1.32", ""), "InvalidParameterException", "")
	wiretest.Refused(t, to("1.34", "1.35.0-20260101"), "InvalidParameterException", "")
	if err := to("1.34", "1.34.7-20260101"); err != nil {
		t.Error(err)
	}
	l.clock.Add(time.Hour)
	if n := l.groupA(t); *n.Version != "1.34" || *n.ReleaseVersion != "1.34.7-20260101" {
		t.Errorf("the nodes are at %s, %s", *n.Version, *n.ReleaseVersion)
	}
	if err := to("", ""); err != nil {
		t.Error(err)
	}
	l.clock.Add(time.Hour)
	if n := l.groupA(t); *n.Version != "1.35" {
		t.Errorf("the nodes are at %s", *n.Version)
	}
}

func TestAnAddonLivesFromCreatingToGone(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.addBlue(t, "1.35")
	name, addon := aws.String("blue"), aws.String("kube-proxy")
	versions := wiretest.Must(l.DescribeAddonVersions(ctx, &sdk.DescribeAddonVersionsInput{AddonName: addon, KubernetesVersion: aws.String("1.35")}))(t).Addons
	if len(versions) != 1 || len(versions[0].AddonVersions) != 2 || !versions[0].AddonVersions[0].Compatibilities[0].DefaultVersion {
		t.Fatalf("versions are %+v", versions)
	}
	newest, older := versions[0].AddonVersions[0].AddonVersion, versions[0].AddonVersions[1].AddonVersion
	describe := func() (*types.Addon, error) {
		out, err := l.DescribeAddon(ctx, &sdk.DescribeAddonInput{ClusterName: name, AddonName: addon})
		if err != nil {
			return nil, err //nolint:wrapcheck // it is looked at
		}
		return out.Addon, nil
	}
	_, err := describe()
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
	for what, in := range map[string]sdk.CreateAddonInput{
		"an unknown add-on":   {AddonName: aws.String("x")},
		"an unknown version":  {AddonName: addon, AddonVersion: aws.String("v1.0.0")},
		"an unknown conflict": {AddonName: addon, ResolveConflicts: "FIGHT"},
		"no role":             {AddonName: addon, ServiceAccountRoleArn: aws.String("x")},
	} {
		t.Run(what, func(t *testing.T) {
			in.ClusterName = name
			_, err := l.CreateAddon(ctx, &in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	a := wiretest.Must(l.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: addon, AddonVersion: older, ServiceAccountRoleArn: aws.String(role)}))(t).Addon
	if a.Status != types.AddonStatusCreating || *a.AddonVersion != *older || *a.Owner != "aws" {
		t.Errorf("the add-on is %+v", a)
	}
	_, err = l.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: addon})
	wiretest.Refused(t, err, "ResourceInUseException", "")
	_, err = l.DeleteAddon(ctx, &sdk.DeleteAddonInput{ClusterName: name, AddonName: addon})
	wiretest.Refused(t, err, "InvalidRequestException", "")
	l.clock.Add(3 * time.Minute)
	wiretest.Must(l.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: addon, AddonVersion: newest, ConfigurationValues: aws.String("{}")}))(t)
	if a = wiretest.Must(describe())(t); a.Status != types.AddonStatusUpdating || *a.AddonVersion != *older {
		t.Errorf("meanwhile the add-on is %+v", a)
	}
	_, err = l.UpdateAddon(ctx, &sdk.UpdateAddonInput{ClusterName: name, AddonName: addon, AddonVersion: newest})
	wiretest.Refused(t, err, "ResourceInUseException", "")
	l.clock.Add(3 * time.Minute)
	if a = wiretest.Must(describe())(t); a.Status != types.AddonStatusActive || *a.AddonVersion != *newest || *a.ConfigurationValues != "{}" || *a.ServiceAccountRoleArn != role {
		t.Errorf("the updated add-on is %+v", a)
	}
	if got := wiretest.Must(l.ListAddons(ctx, &sdk.ListAddonsInput{ClusterName: name}))(t).Addons; !slices.Equal(got, []string{*addon}) {
		t.Errorf("add-ons are %v", got)
	}
	wiretest.Must(l.DeleteAddon(ctx, &sdk.DeleteAddonInput{ClusterName: name, AddonName: addon}))(t)
	l.clock.Add(3 * time.Minute)
	_, err = describe()
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}
