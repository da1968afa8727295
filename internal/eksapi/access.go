package eksapi

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	provider "github.com/norikae/norikae/internal/provider/eksctl"
)

// standard is the type of entries for people and programs; the others are for nodes.
const standard = "STANDARD"

// adminPolicy of the partition that a principal is in.
func adminPolicy(principal string) string {
	part := strings.SplitN(principal, ":", 3)
	if len(part) < 3 {
		return "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
	}
	return "arn:" + part[1] + ":eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
}

// AccessEntries implements provider.Clusters.
func (a *API) AccessEntries(ctx context.Context, c connection.Connection, cluster string) ([]provider.AccessEntry, error) {
	client, err := a.client(ctx, c)
	if err != nil {
		return nil, err
	}
	var principals []string
	for p := eks.NewListAccessEntriesPaginator(client, &eks.ListAccessEntriesInput{ClusterName: &cluster}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, explain("listing the access entries of "+cluster, err)
		}
		principals = append(principals, page.AccessEntries...)
	}
	slices.Sort(principals)
	var out []provider.AccessEntry
	for _, who := range principals {
		e, ok, err := entry(ctx, client, cluster, who)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, e)
		}
	}
	return out, nil
}

// entry of a principal; ok is false when it is a node's or there is none.
func entry(ctx context.Context, client *eks.Client, cluster, who string) (provider.AccessEntry, bool, error) {
	got, err := client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &cluster, PrincipalArn: &who})
	if err != nil {
		if err = explain("describing the access entry of "+who, err); errors.Is(err, fault.ErrNotFound) {
			return provider.AccessEntry{}, false, nil
		}
		return provider.AccessEntry{}, false, err
	}
	if aws.ToString(got.AccessEntry.Type) != standard {
		return provider.AccessEntry{}, false, nil
	}
	e := provider.AccessEntry{Principal: who, Username: aws.ToString(got.AccessEntry.Username), Groups: got.AccessEntry.KubernetesGroups}
	in := &eks.ListAssociatedAccessPoliciesInput{ClusterName: &cluster, PrincipalArn: &who}
	for p := eks.NewListAssociatedAccessPoliciesPaginator(client, in); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return e, false, explain("listing the access policies of "+who, err)
		}
		for _, x := range page.AssociatedAccessPolicies {
			e.Admin = e.Admin || aws.ToString(x.PolicyArn) == adminPolicy(who) && x.AccessScope != nil && x.AccessScope.Type == types.AccessScopeTypeCluster
		}
	}
	return e, true, nil
}

// AccessEntry implements provider.Clusters.
func (a *API) AccessEntry(ctx context.Context, c connection.Connection, cluster, principal string) (provider.AccessEntry, bool, error) {
	client, err := a.client(ctx, c)
	if err != nil {
		return provider.AccessEntry{}, false, err
	}
	return entry(ctx, client, cluster, principal)
}

// PutAccessEntry implements provider.Clusters.
func (a *API) PutAccessEntry(ctx context.Context, c connection.Connection, cluster string, e provider.AccessEntry) error {
	client, err := a.client(ctx, c)
	if err != nil {
		return err
	}
	groups := append([]string{}, e.Groups...) // not nil: an empty list takes groups away
	who := &e.Principal
	_, err = client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: &cluster, PrincipalArn: who, Username: &e.Username, KubernetesGroups: groups})
	if _, there := errors.AsType[*types.ResourceInUseException](err); there {
		_, err = client.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: &cluster, PrincipalArn: who, Username: &e.Username, KubernetesGroups: groups})
	}
	if err != nil {
		return explain("writing the access entry of "+e.Principal, err)
	}
	policy := adminPolicy(e.Principal)
	if e.Admin {
		_, err = client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
			ClusterName: &cluster, PrincipalArn: who, PolicyArn: &policy, AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster},
		})
	} else {
		_, err = client.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: &cluster, PrincipalArn: who, PolicyArn: &policy})
		if _, none := errors.AsType[*types.ResourceNotFoundException](err); none {
			err = nil
		}
	}
	if err != nil {
		return explain("writing the access policy of "+e.Principal, err)
	}
	return nil
}

// DeleteAccessEntry implements provider.Clusters.
func (a *API) DeleteAccessEntry(ctx context.Context, c connection.Connection, cluster, principal string) error {
	client, err := a.client(ctx, c)
	if err != nil {
		return err
	}
	if _, people, err := entry(ctx, client, cluster, principal); err != nil || !people {
		return err
	}
	_, err = client.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: &cluster, PrincipalArn: &principal})
	if err != nil {
		if err = explain("deleting the access entry of "+principal, err); errors.Is(err, fault.ErrNotFound) {
			return nil
		}
		return err
	}
	return nil
}
