package eks_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// upgrade starts an update to a version.
func (l *lab) upgrade(t *testing.T, name, version string) (*types.Update, error) {
	t.Helper()
	out, err := l.UpdateClusterVersion(t.Context(), &sdk.UpdateClusterVersionInput{Name: &name, Version: &version})
	if err != nil {
		return nil, err //nolint:wrapcheck // it is looked at
	}
	return out.Update, nil
}

func (l *lab) update(t *testing.T, name string, u *types.Update) *types.Update {
	t.Helper()
	return wiretest.Must(l.DescribeUpdate(t.Context(), &sdk.DescribeUpdateInput{Name: &name, UpdateId: u.Id}))(t).Update
}

// addBlue makes an ACTIVE cluster of a version.
func (l *lab) addBlue(t *testing.T, version string) {
	t.Helper()
	wiretest.Must(l.service.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "blue", Version: version}))(t)
}

func TestAVersionUpdateTakesItsTimeAndTheClusterServesOn(t *testing.T) {
	l := newLab(t)
	l.addBlue(t, "1.34")
	u := wiretest.Must(l.upgrade(t, "blue", "1.35"))(t)
	if u.Status != types.UpdateStatusInProgress || u.Type != types.UpdateTypeVersionUpdate || *u.Params[0].Value != "1.35" || !u.CreatedAt.Equal(l.clock.Now()) {
		t.Errorf("the update is %+v", u)
	}
	l.clock.Add(8*time.Minute - time.Millisecond)
	c := l.cluster(t, "blue")
	if c.Status != types.ClusterStatusUpdating || *c.Version != "1.34" || c.Endpoint == nil || c.CertificateAuthority.Data == nil {
		t.Errorf("meanwhile it is %s %s at %v", c.Status, *c.Version, c.Endpoint)
	}
	_, err := l.upgrade(t, "blue", "1.35")
	wiretest.Refused(t, err, "ResourceInUseException", "")
	l.clock.Add(time.Millisecond)
	if c = l.cluster(t, "blue"); c.Status != types.ClusterStatusActive || *c.Version != "1.35" {
		t.Errorf("in the end it is %s %s", c.Status, *c.Version)
	}
	if u = l.update(t, "blue", u); u.Status != types.UpdateStatusSuccessful || len(u.Errors) != 0 {
		t.Errorf("in the end the update is %+v", u)
	}
	_, err = l.DescribeUpdate(t.Context(), &sdk.DescribeUpdateInput{Name: aws.String("blue"), UpdateId: aws.String("x")})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}

func TestVersionsThatAClusterCannotBeUpdatedTo(t *testing.T) {
	l := newLab(t)
	l.addBlue(t, "1.34")
	for name, version := range map[string]string{
		"two minors on":                   "1.36",
		"the same":                        "1.34",
		"one back, without having been":   "1.33",
		"one that does not exist":         "1.99",
		"one that is no version":          "latest",
		"one with a patch":                "1.35.1",
		"one with a superfluous zero":     "1.035",
		"one with a letter v before it":   "v1.35",
		"one of another major, 2 minors ": "2.35",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.upgrade(t, "blue", version)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	l.blueIs(t, types.ClusterStatusActive)
	_, err := l.upgrade(t, "ghost", "1.35")
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}

func TestAnUpdateCanBeRolledBackOnceWithinSevenDays(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for name, tc := range map[string]struct {
		wait time.Duration // since the update ended
		ok   bool
	}{
		"at once":                      {0, true},
		"after seven days":             {week, true},
		"a moment after seven days":    {week + time.Millisecond, false},
		"after a month it is too late": {30 * 24 * time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.addBlue(t, "1.34")
			wiretest.Must(l.upgrade(t, "blue", "1.35"))(t)
			l.clock.Add(8*time.Minute + tc.wait)
			u, err := l.upgrade(t, "blue", "1.34")
			if !tc.ok {
				wiretest.Refused(t, err, "InvalidParameterException", "")
				return
			}
			if err != nil || u.Type != types.UpdateTypeVersionRollback {
				t.Fatalf("the update is %+v: %v", u, err)
			}
			l.clock.Add(8 * time.Minute)
			if v := *l.cluster(t, "blue").Version; v != "1.34" {
				t.Errorf("it is at %s", v)
			}
			_, err = l.upgrade(t, "blue", "1.33")
			wiretest.Refused(t, err, "InvalidParameterException", "")
			wiretest.Must(l.upgrade(t, "blue", "1.35"))(t)
		})
	}
}

func TestNodesMustFitTheVersionsThatAControlPlaneGoesThrough(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.addBlue(t, "1.34")
	wiretest.Must(l.CreateNodegroup(ctx, group("blue", "a")))(t)
	l.clock.Add(time.Hour)
	wiretest.Must(l.upgrade(t, "blue", "1.35"))(t)
	l.clock.Add(time.Hour)
	_, err := l.upgrade(t, "blue", "1.36")
	wiretest.Refused(t, err, "InvalidRequestException", "")
	if !strings.Contains(err.Error(), "Nodegroups a must be updated to match cluster version 1.35") {
		t.Errorf("the reason is %v", err)
	}
	wiretest.Must(l.UpdateNodegroupVersion(ctx, &sdk.UpdateNodegroupVersionInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")}))(t)
	l.clock.Add(time.Hour)
	_, err = l.upgrade(t, "blue", "1.34") // the nodes would be newer
	wiretest.Refused(t, err, "InvalidRequestException", "")
	wiretest.Must(l.upgrade(t, "blue", "1.36"))(t)
	l.clock.Add(time.Hour)
	wiretest.Must(l.upgrade(t, "blue", "1.35"))(t) // the nodes stayed behind
}

func TestTheSameUpdateAgainIsAnsweredAgain(t *testing.T) {
	l := newLab(t)
	l.addBlue(t, "1.34")
	in := &sdk.UpdateClusterVersionInput{Name: aws.String("blue"), Version: aws.String("1.35"), ClientRequestToken: aws.String("token")}
	first := wiretest.Must(l.UpdateClusterVersion(t.Context(), in))(t).Update
	l.clock.Add(time.Hour)
	again := wiretest.Must(l.UpdateClusterVersion(t.Context(), in))(t).Update
	if *first.Id != *again.Id || again.Status != types.UpdateStatusSuccessful {
		t.Errorf("the update again is %+v", again)
	}
}

func TestConfigurationsCanBeUpdated(t *testing.T) {
	for name, tc := range map[string]struct {
		change sdk.UpdateClusterConfigInput
		kind   types.UpdateType
		show   func(*types.Cluster) string
		before string
		after  string
	}{
		"endpoint access": {
			sdk.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{
				EndpointPublicAccess: aws.Bool(false), EndpointPrivateAccess: aws.Bool(true), PublicAccessCidrs: []string{"10.0.0.0/8"},
			}},
			types.UpdateTypeEndpointAccessUpdate,
			func(c *types.Cluster) string {
				v := c.ResourcesVpcConfig
				return fmt.Sprint(v.EndpointPublicAccess, v.EndpointPrivateAccess, v.PublicAccessCidrs)
			},
			"true false [0.0.0.0/0]", "false true [10.0.0.0/8]",
		},
		"security groups": {
			sdk.UpdateClusterConfigInput{ResourcesVpcConfig: &types.VpcConfigRequest{SecurityGroupIds: []string{"sg-1", "sg-2"}}},
			types.UpdateTypeVpcConfigUpdate,
			func(c *types.Cluster) string {
				return fmt.Sprint(c.ResourcesVpcConfig.SubnetIds, c.ResourcesVpcConfig.SecurityGroupIds)
			},
			"[subnet-0a subnet-0b] []", "[subnet-0a subnet-0b] [sg-1 sg-2]",
		},
		"logging": {
			sdk.UpdateClusterConfigInput{Logging: &types.Logging{ClusterLogging: []types.LogSetup{
				{Enabled: aws.Bool(true), Types: []types.LogType{"api", "audit"}},
			}}},
			types.UpdateTypeLoggingUpdate,
			func(c *types.Cluster) string {
				return fmt.Sprint(*c.Logging.ClusterLogging[0].Enabled, c.Logging.ClusterLogging[0].Types)
			},
			"false [api audit authenticator controllerManager scheduler]", "true [api audit]",
		},
		"authentication mode": {
			sdk.UpdateClusterConfigInput{AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi}},
			types.UpdateTypeAccessConfigUpdate,
			func(c *types.Cluster) string { return string(c.AccessConfig.AuthenticationMode) },
			"API_AND_CONFIG_MAP", "API",
		},
		"deletion protection": {
			sdk.UpdateClusterConfigInput{DeletionProtection: aws.Bool(true)},
			types.UpdateTypeDeletionProtectionUpdate,
			func(c *types.Cluster) string { return fmt.Sprint(*c.DeletionProtection) },
			"false", "true",
		},
		"upgrade policy": {
			sdk.UpdateClusterConfigInput{UpgradePolicy: &types.UpgradePolicyRequest{SupportType: types.SupportTypeStandard}},
			types.UpdateTypeUpgradePolicyUpdate,
			func(c *types.Cluster) string {
				if c.UpgradePolicy == nil {
					return ""
				}
				return string(c.UpgradePolicy.SupportType)
			},
			"", "STANDARD",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.add(t, "blue")
			tc.change.Name = aws.String("blue")
			u := wiretest.Must(l.UpdateClusterConfig(t.Context(), &tc.change))(t).Update
			if got := tc.show(l.cluster(t, "blue")); got != tc.before || u.Type != tc.kind {
				t.Errorf("during the %s it is %q, want %q", u.Type, got, tc.before)
			}
			l.blueIs(t, types.ClusterStatusUpdating)
			l.clock.Add(8 * time.Minute)
			if got := tc.show(l.cluster(t, "blue")); got != tc.after {
				t.Errorf("after it is %q, want %q", got, tc.after)
			}
			if got := l.update(t, "blue", u).Status; got != types.UpdateStatusSuccessful {
				t.Errorf("the update is %s", got)
			}
		})
	}
}

func TestUpdateClusterConfigRefuses(t *testing.T) {
	l := newLab(t)
	l.add(t, "blue")
	vpc := func(v types.VpcConfigRequest) sdk.UpdateClusterConfigInput {
		return sdk.UpdateClusterConfigInput{ResourcesVpcConfig: &v}
	}
	mode := func(m types.AuthenticationMode) sdk.UpdateClusterConfigInput {
		return sdk.UpdateClusterConfigInput{AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: m}}
	}
	for name, in := range map[string]sdk.UpdateClusterConfigInput{
		"nothing":              {},
		"two kinds":            {DeletionProtection: aws.Bool(true), UpgradePolicy: &types.UpgradePolicyRequest{SupportType: "STANDARD"}},
		"access and subnets":   vpc(types.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}, EndpointPrivateAccess: aws.Bool(true)}),
		"one subnet":           vpc(types.VpcConfigRequest{SubnetIds: []string{"subnet-1"}}),
		"no access":            vpc(types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(false)}),
		"the access it has":    vpc(types.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true)}),
		"the logging it has":   {Logging: &types.Logging{ClusterLogging: []types.LogSetup{{Enabled: aws.Bool(false), Types: []types.LogType{"api"}}}}},
		"a mode back":          mode(types.AuthenticationModeConfigMap),
		"the mode that it has": mode(types.AuthenticationModeApiAndConfigMap),
	} {
		t.Run(name, func(t *testing.T) {
			in.Name = aws.String("blue")
			_, err := l.UpdateClusterConfig(t.Context(), &in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	_, err := l.UpdateClusterConfig(t.Context(), &sdk.UpdateClusterConfigInput{Name: aws.String("blue"), ComputeConfig: &types.ComputeConfigRequest{Enabled: aws.Bool(true)}})
	wiretest.Refused(t, err, "NotSimulated", "")
	l.blueIs(t, types.ClusterStatusActive)
}

func TestAuthenticationModesGoOneWayStepByStep(t *testing.T) {
	modes := types.AuthenticationMode("").Values()
	next := map[types.AuthenticationMode]types.AuthenticationMode{
		types.AuthenticationModeConfigMap:       types.AuthenticationModeApiAndConfigMap,
		types.AuthenticationModeApiAndConfigMap: types.AuthenticationModeApi,
	}
	for _, from := range modes {
		for _, to := range modes {
			t.Run(string(from)+" to "+string(to), func(t *testing.T) {
				l := newLab(t)
				wiretest.Must(l.service.AddCluster(t.Context(), eks.NewCluster{
					Account: account, Region: region, Name: "blue", AuthenticationMode: string(from),
				}))(t)
				_, err := l.UpdateClusterConfig(t.Context(), &sdk.UpdateClusterConfigInput{
					Name: aws.String("blue"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: to},
				})
				if next[from] == to && err != nil {
					t.Error(err)
				}
				if next[from] != to {
					wiretest.Refused(t, err, "InvalidParameterException", "")
				}
			})
		}
	}
}

func TestWorkFailsWhereItIsToldTo(t *testing.T) {
	l := newLab(t, func(c *eks.Config) {
		c.Fail = func(operation, arn string) error {
			if strings.HasSuffix(arn, "/blue") || strings.Contains(arn, "/doomed") {
				return errors.New(operation + " was told to fail")
			}
			return nil
		}
	})
	ctx := t.Context()
	wiretest.Must(l.CreateCluster(ctx, creation("blue")))(t)
	l.clock.Add(time.Hour)
	c := l.cluster(t, "blue")
	if c.Status != types.ClusterStatusFailed || c.Endpoint != nil || len(c.Health.Issues) != 1 || *c.Health.Issues[0].Message != "CreateCluster was told to fail" {
		t.Errorf("the cluster is %s with %+v", c.Status, c.Health)
	}
	_, err := l.upgrade(t, "blue", "1.36")
	wiretest.Refused(t, err, "InvalidRequestException", "")
	_, err = l.CreateNodegroup(ctx, group("blue", "a"))
	wiretest.Refused(t, err, "InvalidRequestException", "")
	wiretest.Must(l.DeleteCluster(ctx, &sdk.DeleteClusterInput{Name: aws.String("blue")}))(t)
	l.clock.Add(time.Hour)
	l.blueIs(t, types.ClusterStatusFailed) // the deletion failed, too

	l.add(t, "green")
	wiretest.Must(l.CreateNodegroup(ctx, group("green", "doomed")))(t)
	l.clock.Add(time.Hour)
	n := wiretest.Must(l.DescribeNodegroup(ctx, &sdk.DescribeNodegroupInput{ClusterName: aws.String("green"), NodegroupName: aws.String("doomed")}))(t).Nodegroup
	if n.Status != types.NodegroupStatusCreateFailed || len(n.Health.Issues) != 1 {
		t.Errorf("the node group is %s with %+v", n.Status, n.Health)
	}
}

func TestAnUpdateThatFailsChangesNothing(t *testing.T) {
	l := newLab(t, func(c *eks.Config) {
		c.Fail = func(operation, _ string) error {
			if operation == "UpdateClusterVersion" {
				return errors.New("no addresses left")
			}
			return nil
		}
	})
	l.addBlue(t, "1.34")
	u := wiretest.Must(l.upgrade(t, "blue", "1.35"))(t)
	l.clock.Add(time.Hour)
	if u = l.update(t, "blue", u); u.Status != types.UpdateStatusFailed || *u.Errors[0].ErrorMessage != "no addresses left" {
		t.Errorf("the update is %+v", u)
	}
	if c := l.cluster(t, "blue"); c.Status != types.ClusterStatusActive || *c.Version != "1.34" {
		t.Errorf("the cluster is %s at %s", c.Status, *c.Version)
	}
}

func TestUpdatesAreListedForWhatTheyBelongTo(t *testing.T) {
	l := newLab(t, func(c *eks.Config) { c.UpdateDelay, c.InnerDelay = 0, 0 })
	ctx := t.Context()
	l.addBlue(t, "1.31")
	var want []string
	for minor := 32; minor < 37; minor++ {
		want = append(want, *wiretest.Must(l.upgrade(t, "blue", fmt.Sprintf("1.%d", minor)))(t).Id)
	}
	wiretest.Must(l.CreateNodegroup(ctx, group("blue", "a")))(t)
	wiretest.Must(l.UpdateNodegroupConfig(ctx, &sdk.UpdateNodegroupConfigInput{ClusterName: aws.String("blue"), NodegroupName: aws.String("a")}))(t)
	slices.Reverse(want) // the newest first
	var got []string
	for p := sdk.NewListUpdatesPaginator(l, &sdk.ListUpdatesInput{Name: aws.String("blue"), MaxResults: aws.Int32(2)}); p.HasMorePages(); {
		got = append(got, wiretest.Must(p.NextPage(ctx))(t).UpdateIds...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("updates are %v, want %v", got, want)
	}
	ids := wiretest.Must(l.ListUpdates(ctx, &sdk.ListUpdatesInput{Name: aws.String("blue"), NodegroupName: aws.String("a")}))(t).UpdateIds
	if len(ids) != 1 || slices.Contains(want, ids[0]) {
		t.Errorf("updates of the node group are %v", ids)
	}
}

func TestVersionsAreDescribed(t *testing.T) {
	l := newLab(t)
	out := wiretest.Must(l.DescribeClusterVersions(t.Context(), &sdk.DescribeClusterVersionsInput{}))(t).ClusterVersions
	if len(out) != 6 || *out[0].ClusterVersion != "1.36" || !out[0].DefaultVersion || out[1].DefaultVersion || out[5].VersionStatus != types.VersionStatusExtendedSupport {
		t.Errorf("versions are %+v", out)
	}
	for name, tc := range map[string]struct {
		in   sdk.DescribeClusterVersionsInput
		want int
	}{
		"the default":       {sdk.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)}, 1},
		"two by name":       {sdk.DescribeClusterVersionsInput{ClusterVersions: []string{"1.31", "1.33", "1.99"}}, 2},
		"extended support":  {sdk.DescribeClusterVersionsInput{VersionStatus: types.VersionStatusExtendedSupport}, 2},
		"standard support":  {sdk.DescribeClusterVersionsInput{VersionStatus: types.VersionStatusStandardSupport}, 4},
		"nothing supported": {sdk.DescribeClusterVersionsInput{VersionStatus: types.VersionStatusUnsupported}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wiretest.Must(l.DescribeClusterVersions(t.Context(), &tc.in))(t).ClusterVersions; len(got) != tc.want {
				t.Errorf("%d versions, want %d", len(got), tc.want)
			}
		})
	}
	for _, versions := range [][]string{{"1.35", "1.37"}, {"1.35", "1.34"}, {"latest"}} {
		if _, err := eks.New(eks.Config{Versions: versions}); err == nil {
			t.Errorf("versions %v are accepted", versions)
		}
	}
}
