package awssim_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	tagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
)

const (
	eksRole  = "arn:aws:iam::000000000000:role/eks"
	eksAdmin = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
)

// sdkClusters lives the life of a cluster and of what is in it.
func (f fixture) sdkClusters(t *testing.T) {
	t.Helper()
	c, name := eks.NewFromConfig(f.config("us-east-1", nil)), aws.String("blue")
	made := do(t, c.CreateCluster, &eks.CreateClusterInput{
		Name: name, RoleArn: aws.String(eksRole), Version: aws.String("1.34"),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}},
		AccessConfig:       &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApi},
		Tags:               map[string]string{"env": "prod"},
	}).Cluster
	if made.Status != types.ClusterStatusCreating {
		t.Errorf("a new cluster is %s", made.Status)
	}
	if l := do(t, c.ListClusters, &eks.ListClustersInput{}).Clusters; len(l) != 1 || l[0] != "blue" {
		t.Errorf("clusters %v", l)
	}
	do(t, c.DescribeClusterVersions, &eks.DescribeClusterVersionsInput{})
	update := do(t, c.UpdateClusterVersion, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.35")}).Update
	do(t, c.DescribeUpdate, &eks.DescribeUpdateInput{Name: name, UpdateId: update.Id})
	do(t, c.UpdateClusterConfig, &eks.UpdateClusterConfigInput{Name: name, DeletionProtection: aws.Bool(false)})
	if l := do(t, c.ListUpdates, &eks.ListUpdatesInput{Name: name}).UpdateIds; len(l) != 2 {
		t.Errorf("updates %v", l)
	}
	if x := do(t, c.DescribeCluster, &eks.DescribeClusterInput{Name: name}).Cluster; x.Status != types.ClusterStatusActive || *x.Version != "1.35" {
		t.Errorf("the cluster is %s at %s", x.Status, *x.Version)
	}
	do(t, c.TagResource, &eks.TagResourceInput{ResourceArn: made.Arn, Tags: map[string]string{"team": "web"}})
	do(t, c.UntagResource, &eks.UntagResourceInput{ResourceArn: made.Arn, TagKeys: []string{"env"}})
	if tags := do(t, c.ListTagsForResource, &eks.ListTagsForResourceInput{ResourceArn: made.Arn}).Tags; len(tags) != 1 || tags["team"] != "web" {
		t.Errorf("tags %v", tags)
	}
	f.sdkTagging(t, *made.Arn)
	sdkAccess(t, c, name)
	sdkNodes(t, c, name)
	sdkAddons(t, c, name)
	do(t, c.DeleteCluster, &eks.DeleteClusterInput{Name: name})
	if l := do(t, c.ListClusters, &eks.ListClustersInput{}).Clusters; len(l) != 0 {
		t.Errorf("clusters %v", l)
	}
}

// sdkTagging finds the cluster, which has the tag team=web, by it.
func (f fixture) sdkTagging(t *testing.T, arn string) {
	t.Helper()
	c := tagging.NewFromConfig(f.config("us-east-1", nil))
	if failed := do(t, c.TagResources, &tagging.TagResourcesInput{ResourceARNList: []string{arn}, Tags: map[string]string{"cell": "1"}}).FailedResourcesMap; len(failed) > 0 {
		t.Errorf("not tagged: %+v", failed)
	}
	if l := do(t, c.GetResources, &tagging.GetResourcesInput{ResourceTypeFilters: []string{"eks:cluster"}}).ResourceTagMappingList; len(l) != 1 || *l[0].ResourceARN != arn || len(l[0].Tags) != 2 {
		t.Errorf("resources %+v", l)
	}
	if keys := do(t, c.GetTagKeys, &tagging.GetTagKeysInput{}).TagKeys; len(keys) != 2 {
		t.Errorf("keys %v", keys)
	}
	if values := do(t, c.GetTagValues, &tagging.GetTagValuesInput{Key: aws.String("cell")}).TagValues; len(values) != 1 || values[0] != "1" {
		t.Errorf("values %v", values)
	}
	do(t, c.UntagResources, &tagging.UntagResourcesInput{ResourceARNList: []string{arn}, TagKeys: []string{"cell"}})
}

func sdkAccess(t *testing.T, c *eks.Client, name *string) {
	t.Helper()
	who, policy := aws.String("arn:aws:iam::000000000000:role/lister"), aws.String(eksAdmin)
	do(t, c.CreateAccessEntry, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: who})
	do(t, c.UpdateAccessEntry, &eks.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: who, KubernetesGroups: []string{"listers"}})
	if e := do(t, c.DescribeAccessEntry, &eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: who}).AccessEntry; len(e.KubernetesGroups) != 1 {
		t.Errorf("entry %+v", e)
	}
	do(t, c.ListAccessEntries, &eks.ListAccessEntriesInput{ClusterName: name})
	do(t, c.ListAccessPolicies, &eks.ListAccessPoliciesInput{})
	do(t, c.AssociateAccessPolicy, &eks.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: who, PolicyArn: policy, AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster}})
	if l := do(t, c.ListAssociatedAccessPolicies, &eks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: who}).AssociatedAccessPolicies; len(l) != 1 {
		t.Errorf("policies %+v", l)
	}
	do(t, c.DisassociateAccessPolicy, &eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: who, PolicyArn: policy})
	do(t, c.DeleteAccessEntry, &eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: who})

	id := do(t, c.CreatePodIdentityAssociation, &eks.CreatePodIdentityAssociationInput{
		ClusterName: name, Namespace: aws.String("web"), ServiceAccount: aws.String("app"), RoleArn: aws.String(eksRole),
	}).Association.AssociationId
	do(t, c.UpdatePodIdentityAssociation, &eks.UpdatePodIdentityAssociationInput{ClusterName: name, AssociationId: id, RoleArn: aws.String(eksRole + "2")})
	if a := do(t, c.DescribePodIdentityAssociation, &eks.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: id}).Association; *a.RoleArn != eksRole+"2" {
		t.Errorf("pod identity %+v", a)
	}
	do(t, c.ListPodIdentityAssociations, &eks.ListPodIdentityAssociationsInput{ClusterName: name})
	do(t, c.DeletePodIdentityAssociation, &eks.DeletePodIdentityAssociationInput{ClusterName: name, AssociationId: id})
}

func sdkNodes(t *testing.T, c *eks.Client, name *string) {
	t.Helper()
	group := aws.String("workers")
	do(t, c.CreateNodegroup, &eks.CreateNodegroupInput{
		ClusterName: name, NodegroupName: group, NodeRole: aws.String(eksRole), Subnets: []string{"subnet-0a"}, Version: aws.String("1.34"),
	})
	do(t, c.UpdateNodegroupConfig, &eks.UpdateNodegroupConfigInput{
		ClusterName: name, NodegroupName: group, ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(9), DesiredSize: aws.Int32(5)},
	})
	do(t, c.UpdateNodegroupVersion, &eks.UpdateNodegroupVersionInput{ClusterName: name, NodegroupName: group})
	if g := do(t, c.DescribeNodegroup, &eks.DescribeNodegroupInput{ClusterName: name, NodegroupName: group}).Nodegroup; *g.Version != "1.35" || *g.ScalingConfig.DesiredSize != 5 {
		t.Errorf("node group %+v", g)
	}
	do(t, c.ListNodegroups, &eks.ListNodegroupsInput{ClusterName: name})
	do(t, c.DeleteNodegroup, &eks.DeleteNodegroupInput{ClusterName: name, NodegroupName: group})
}

func sdkAddons(t *testing.T, c *eks.Client, name *string) {
	t.Helper()
	addon := aws.String("vpc-cni")
	versions := do(t, c.DescribeAddonVersions, &eks.DescribeAddonVersionsInput{AddonName: addon, KubernetesVersion: aws.String("1.35")}).Addons[0].AddonVersions
	do(t, c.CreateAddon, &eks.CreateAddonInput{ClusterName: name, AddonName: addon, AddonVersion: versions[len(versions)-1].AddonVersion})
	do(t, c.UpdateAddon, &eks.UpdateAddonInput{ClusterName: name, AddonName: addon, AddonVersion: versions[0].AddonVersion})
	if a := do(t, c.DescribeAddon, &eks.DescribeAddonInput{ClusterName: name, AddonName: addon}).Addon; *a.AddonVersion != *versions[0].AddonVersion {
		t.Errorf("add-on %+v", a)
	}
	do(t, c.ListAddons, &eks.ListAddonsInput{ClusterName: name})
	do(t, c.DeleteAddon, &eks.DeleteAddonInput{ClusterName: name, AddonName: addon})
}
