package eks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	lister = "arn:aws:iam::000000000000:role/team/lister"
	admin  = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	viewer = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
)

func TestARoleIsGivenAccess(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.add(t, "blue")
	name, who := aws.String("blue"), aws.String(lister)
	e := wiretest.Must(l.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{
		ClusterName: name, PrincipalArn: who, KubernetesGroups: []string{"listers"}, Tags: map[string]string{"a": "b"},
	}))(t).AccessEntry
	if *e.Type != "STANDARD" || *e.Username != "arn:aws:sts::000000000000:assumed-role/lister/{{SessionName}}" ||
		!slices.Equal(e.KubernetesGroups, []string{"listers"}) || e.Tags["a"] != "b" ||
		!strings.HasPrefix(*e.AccessEntryArn, "arn:aws:eks:us-east-1:000000000000:access-entry/blue/role/000000000000/lister/") {
		t.Errorf("the entry is %+v", e)
	}
	_, err := l.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: who})
	wiretest.Refused(t, err, "ResourceInUseException", "")

	l.clock.Add(time.Minute)
	wiretest.Must(l.UpdateAccessEntry(ctx, &sdk.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: who, KubernetesGroups: []string{"a", "b"}}))(t)
	e = wiretest.Must(l.DescribeAccessEntry(ctx, &sdk.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: who}))(t).AccessEntry
	if !slices.Equal(e.KubernetesGroups, []string{"a", "b"}) || !e.ModifiedAt.Equal(l.clock.Now()) || e.CreatedAt.Equal(l.clock.Now()) {
		t.Errorf("the updated entry is %+v", e)
	}

	associate := func(policy string, scope types.AccessScope) {
		t.Helper()
		wiretest.Must(l.AssociateAccessPolicy(ctx, &sdk.AssociateAccessPolicyInput{
			ClusterName: name, PrincipalArn: who, PolicyArn: &policy, AccessScope: &scope,
		}))(t)
	}
	associate(admin, types.AccessScope{Type: types.AccessScopeTypeCluster})
	associate(viewer, types.AccessScope{Type: types.AccessScopeTypeCluster})
	associate(viewer, types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: []string{"web"}}) // instead of the whole cluster
	listed := wiretest.Must(l.ListAssociatedAccessPolicies(ctx, &sdk.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: who}))(t).AssociatedAccessPolicies
	if len(listed) != 2 || *listed[0].PolicyArn != admin || listed[1].AccessScope.Namespaces[0] != "web" {
		t.Errorf("policies are %+v", listed)
	}
	wiretest.Must(l.DisassociateAccessPolicy(ctx, &sdk.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: who, PolicyArn: aws.String(viewer)}))(t)
	_, err = l.DisassociateAccessPolicy(ctx, &sdk.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: who, PolicyArn: aws.String(viewer)})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")

	byPolicy := wiretest.Must(l.ListAccessEntries(ctx, &sdk.ListAccessEntriesInput{ClusterName: name, AssociatedPolicyArn: aws.String(viewer)}))(t).AccessEntries
	var all []string
	for p := sdk.NewListAccessEntriesPaginator(l, &sdk.ListAccessEntriesInput{ClusterName: name, MaxResults: aws.Int32(1)}); p.HasMorePages(); {
		all = append(all, wiretest.Must(p.NextPage(ctx))(t).AccessEntries...)
	}
	if len(byPolicy) != 0 || !slices.Equal(all, []string{lister, "arn:aws:iam::000000000000:user/lab"}) {
		t.Errorf("entries are %v, with the policy %v", all, byPolicy)
	}
	wiretest.Must(l.DeleteAccessEntry(ctx, &sdk.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: who}))(t)
	_, err = l.DescribeAccessEntry(ctx, &sdk.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: who})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}

func TestAccessEntriesAreRefusedWith(t *testing.T) {
	l := newLab(t)
	l.add(t, "blue")
	for name, change := range map[string]func(*sdk.CreateAccessEntryInput){
		"a group of Kubernetes's own": func(in *sdk.CreateAccessEntryInput) { in.KubernetesGroups = []string{"a", "system:masters"} },
		"a user name of Kubernetes":   func(in *sdk.CreateAccessEntryInput) { in.Username = aws.String("system:admin") },
		"a user name of EKS":          func(in *sdk.CreateAccessEntryInput) { in.Username = aws.String("eks:x") },
		"a session": func(in *sdk.CreateAccessEntryInput) {
			in.PrincipalArn = aws.String("arn:aws:sts::000000000000:assumed-role/a/b")
		},
		"a principal that is no ARN": func(in *sdk.CreateAccessEntryInput) { in.PrincipalArn = aws.String("me") },
		"an unknown type":            func(in *sdk.CreateAccessEntryInput) { in.Type = aws.String("NODE") },
		"a node's type and groups": func(in *sdk.CreateAccessEntryInput) {
			in.Type, in.KubernetesGroups = aws.String("EC2_LINUX"), []string{"a"}
		},
		"a node's type for a user": func(in *sdk.CreateAccessEntryInput) {
			in.Type, in.PrincipalArn = aws.String("EC2"), aws.String("arn:aws:iam::000000000000:user/a")
		},
		"a tag of AWS's own":            func(in *sdk.CreateAccessEntryInput) { in.Tags = map[string]string{"aws:a": "b"} },
		"a user name and a node's type": func(in *sdk.CreateAccessEntryInput) { in.Type, in.Username = aws.String("EC2"), aws.String("me") },
	} {
		t.Run(name, func(t *testing.T) {
			in := &sdk.CreateAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: aws.String(lister)}
			change(in)
			_, err := l.CreateAccessEntry(t.Context(), in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
}

func TestPoliciesAreRefusedWith(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.add(t, "blue")
	node := "arn:aws:iam::000000000000:role/node"
	for arn, kind := range map[string]string{lister: "STANDARD", node: "EC2_LINUX"} {
		wiretest.Must(l.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: &arn, Type: &kind}))(t)
	}
	all := &types.AccessScope{Type: types.AccessScopeTypeCluster}
	for name, tc := range map[string]struct {
		who, policy string
		scope       *types.AccessScope
		code        string
	}{
		"nobody's entry":              {role, admin, all, "ResourceNotFoundException"},
		"a node's entry":              {node, admin, all, "InvalidRequestException"},
		"an unknown policy":           {lister, admin + "X", all, "InvalidParameterException"},
		"an IAM policy":               {lister, "arn:aws:iam::aws:policy/AdministratorAccess", all, "InvalidParameterException"},
		"namespaces that are missing": {lister, admin, &types.AccessScope{Type: types.AccessScopeTypeNamespace}, "InvalidParameterException"},
		"superfluous namespaces":      {lister, admin, &types.AccessScope{Type: types.AccessScopeTypeCluster, Namespaces: []string{"a"}}, "InvalidParameterException"},
		"no scope":                    {lister, admin, &types.AccessScope{}, "InvalidParameterException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.AssociateAccessPolicy(ctx, &sdk.AssociateAccessPolicyInput{
				ClusterName: aws.String("blue"), PrincipalArn: &tc.who, PolicyArn: &tc.policy, AccessScope: tc.scope,
			})
			wiretest.Refused(t, err, tc.code, "")
		})
	}
	out := wiretest.Must(l.ListAccessPolicies(ctx, &sdk.ListAccessPoliciesInput{}))(t).AccessPolicies
	if !slices.ContainsFunc(out, func(p types.AccessPolicy) bool { return *p.Arn == admin }) {
		t.Errorf("policies are %+v", out)
	}
}

func TestAClusterWithAConfigMapHasNoAccessEntries(t *testing.T) {
	l := newLab(t, func(c *eks.Config) { c.CreateDelay = 0 })
	wiretest.Must(l.CreateCluster(t.Context(), creation("blue")))(t)
	_, err := l.CreateAccessEntry(t.Context(), &sdk.CreateAccessEntryInput{ClusterName: aws.String("blue"), PrincipalArn: aws.String(lister)})
	wiretest.Refused(t, err, "InvalidRequestException", "")
	_, err = l.ListAccessEntries(t.Context(), &sdk.ListAccessEntriesInput{ClusterName: aws.String("blue")})
	wiretest.Refused(t, err, "InvalidRequestException", "")
}

func TestTheCreatorOfAClusterIsItsAdministratorUnlessDeclined(t *testing.T) {
	const session = "arn:aws:sts::000000000000:assumed-role/builder/run-1"
	for name, tc := range map[string]struct {
		bootstrap *bool
		want      []string
	}{
		"by default":    {nil, []string{"arn:aws:iam::000000000000:role/builder"}},
		"if asked to":   {aws.Bool(true), []string{"arn:aws:iam::000000000000:role/builder"}},
		"not otherwise": {aws.Bool(false), nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *eks.Config) { c.Caller = func(*wire.Request) string { return session } })
			in := creation("blue")
			in.AccessConfig = &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi, BootstrapClusterCreatorAdminPermissions: tc.bootstrap}
			wiretest.Must(l.CreateCluster(t.Context(), in))(t)
			got := wiretest.Must(l.ListAccessEntries(t.Context(), &sdk.ListAccessEntriesInput{ClusterName: aws.String("blue"), AssociatedPolicyArn: aws.String(admin)}))(t).AccessEntries
			if !slices.Equal(got, tc.want) {
				t.Errorf("administrators are %v, want %v", got, tc.want)
			}
		})
	}
}

func TestPodsOfAServiceAccountActAsARole(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	l.add(t, "blue")
	name := aws.String("blue")
	create := func(namespace, account string) *sdk.CreatePodIdentityAssociationInput {
		return &sdk.CreatePodIdentityAssociationInput{ClusterName: name, Namespace: &namespace, ServiceAccount: &account, RoleArn: aws.String(role)}
	}
	a := wiretest.Must(l.CreatePodIdentityAssociation(ctx, create("web", "app")))(t).Association
	if !strings.HasPrefix(*a.AssociationId, "a-") || *a.AssociationArn != "arn:aws:eks:us-east-1:000000000000:podidentityassociation/blue/"+*a.AssociationId {
		t.Errorf("the association is %+v", a)
	}
	_, err := l.CreatePodIdentityAssociation(ctx, create("web", "app"))
	wiretest.Refused(t, err, "ResourceInUseException", "")
	bad := create("web", "other")
	bad.RoleArn = aws.String("other")
	_, err = l.CreatePodIdentityAssociation(ctx, bad)
	wiretest.Refused(t, err, "InvalidParameterException", "")
	wiretest.Must(l.CreatePodIdentityAssociation(ctx, create("web", "other")))(t)
	wiretest.Must(l.CreatePodIdentityAssociation(ctx, create("db", "app")))(t)
	for in, want := range map[*sdk.ListPodIdentityAssociationsInput]int{
		{ClusterName: name}: 3,
		{ClusterName: name, Namespace: aws.String("web")}:                                    2,
		{ClusterName: name, Namespace: aws.String("web"), ServiceAccount: aws.String("app")}: 1,
	} {
		n := 0
		in.MaxResults = aws.Int32(1)
		for p := sdk.NewListPodIdentityAssociationsPaginator(l, in); p.HasMorePages(); {
			n += len(wiretest.Must(p.NextPage(ctx))(t).Associations)
		}
		if n != want {
			t.Errorf("%d associations, want %d", n, want)
		}
	}
	wiretest.Must(l.UpdatePodIdentityAssociation(ctx, &sdk.UpdatePodIdentityAssociationInput{
		ClusterName: name, AssociationId: a.AssociationId, TargetRoleArn: aws.String(lister), DisableSessionTags: aws.Bool(true),
	}))(t)
	got := wiretest.Must(l.DescribePodIdentityAssociation(ctx, &sdk.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: a.AssociationId}))(t).Association
	if *got.RoleArn != role || *got.TargetRoleArn != lister || !*got.DisableSessionTags || got.ExternalId == nil {
		t.Errorf("the updated association is %+v", got)
	}
	wiretest.Must(l.DeletePodIdentityAssociation(ctx, &sdk.DeletePodIdentityAssociationInput{ClusterName: name, AssociationId: a.AssociationId}))(t)
	_, err = l.DescribePodIdentityAssociation(ctx, &sdk.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: a.AssociationId})
	wiretest.Refused(t, err, "ResourceNotFoundException", "")
}
