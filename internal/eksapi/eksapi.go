// Package eksapi is what the Terraform provider eksctl asks of AWS itself: clusters, their
// managed node groups and access entries, and credentials for a program that it runs.
package eksapi

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	provider "github.com/norikae/norikae/internal/provider/eksctl"
)

// Configure makes the AWS configuration of a connection; its credentials refresh
// themselves.
type Configure func(ctx context.Context, c connection.Connection) (aws.Config, error)

// API answers for EKS. It fills the provider's ports Clusters and Credentials.
type API struct{ configure Configure }

var (
	_ provider.Clusters    = (*API)(nil)
	_ provider.Credentials = (*API)(nil)
)

// New API.
func New(configure Configure) *API { return &API{configure} }

func (a *API) client(ctx context.Context, c connection.Connection) (*eks.Client, error) {
	cfg, err := a.configure(ctx, c)
	if err != nil {
		return nil, err
	}
	return eks.NewFromConfig(cfg), nil
}

// explain classifies an error of EKS.
func explain(doing string, err error) error {
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return fmt.Errorf("%s: %w", doing, fault.ErrNotFound)
	}
	return awsconf.Classify(doing, err)
}

// Describe implements provider.Clusters.
func (a *API) Describe(ctx context.Context, c connection.Connection, name string) (provider.Cluster, error) {
	client, err := a.client(ctx, c)
	if err != nil {
		return provider.Cluster{}, err
	}
	out, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		return provider.Cluster{}, explain("describing the cluster "+name, err)
	}
	if out.Cluster == nil {
		return provider.Cluster{}, fmt.Errorf("describing the cluster %s: EKS answered with no cluster", name)
	}
	return clusterOf(out.Cluster)
}

func clusterOf(c *types.Cluster) (provider.Cluster, error) {
	out := provider.Cluster{
		Name: aws.ToString(c.Name), ARN: aws.ToString(c.Arn), Status: string(c.Status), Version: aws.ToString(c.Version),
		Endpoint: aws.ToString(c.Endpoint), AuthMode: string(types.AuthenticationModeConfigMap),
	}
	if part := strings.Split(out.ARN, ":"); len(part) > 3 {
		out.Region = part[3]
	}
	if c.AccessConfig != nil && c.AccessConfig.AuthenticationMode != "" {
		out.AuthMode = string(c.AccessConfig.AuthenticationMode)
	}
	if c.Identity != nil && c.Identity.Oidc != nil {
		out.Issuer = aws.ToString(c.Identity.Oidc.Issuer)
	}
	if v := c.ResourcesVpcConfig; v != nil {
		if sg := aws.ToString(v.ClusterSecurityGroupId); sg != "" {
			out.SecurityGroups = append(out.SecurityGroups, sg)
		}
		out.SecurityGroups = append(out.SecurityGroups, slices.Sorted(slices.Values(v.SecurityGroupIds))...)
	}
	if c.CertificateAuthority != nil {
		ca, err := base64.StdEncoding.DecodeString(aws.ToString(c.CertificateAuthority.Data))
		if err != nil {
			return provider.Cluster{}, fmt.Errorf("describing the cluster %s: its certificate authority is no base64: %w", out.Name, err)
		}
		out.CA = ca
	}
	return out, nil
}

// NodeGroups implements provider.Clusters.
func (a *API) NodeGroups(ctx context.Context, c connection.Connection, cluster string) ([]string, error) {
	client, err := a.client(ctx, c)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for p := eks.NewListNodegroupsPaginator(client, &eks.ListNodegroupsInput{ClusterName: &cluster}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, explain("listing the node groups of "+cluster, err)
		}
		names = append(names, page.Nodegroups...)
	}
	live := names[:0]
	for _, name := range names {
		n, err := nodeGroup(ctx, client, cluster, name)
		switch {
		case errors.Is(err, fault.ErrNotFound):
			continue // it went between the two calls
		case err != nil:
			return nil, err
		}
		if s := types.NodegroupStatus(n.Status); s != types.NodegroupStatusDeleting && s != types.NodegroupStatusCreateFailed {
			live = append(live, name)
		}
	}
	slices.Sort(live)
	return live, nil
}

// NodeGroup implements provider.Clusters.
func (a *API) NodeGroup(ctx context.Context, c connection.Connection, cluster, name string) (provider.NodeGroup, error) {
	client, err := a.client(ctx, c)
	if err != nil {
		return provider.NodeGroup{}, err
	}
	return nodeGroup(ctx, client, cluster, name)
}

func nodeGroup(ctx context.Context, client *eks.Client, cluster, name string) (provider.NodeGroup, error) {
	out, err := client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	if err != nil {
		return provider.NodeGroup{}, explain("describing the node group "+name+" of "+cluster, err)
	}
	return provider.NodeGroup{Name: name, Status: string(out.Nodegroup.Status)}, nil
}

const profile = "AWS_PROFILE"

// place is where AWS is, and the profile.
func place(c connection.Connection) map[string]string {
	vars := map[string]string{}
	for name, v := range map[string]string{"AWS_REGION": c.Region, "AWS_DEFAULT_REGION": c.Region, profile: c.Profile, "AWS_ENDPOINT_URL": c.Address} {
		if v != "" {
			vars[name] = v
		}
	}
	return vars
}
