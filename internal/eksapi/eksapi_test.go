package eksapi_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	simulated "github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/eksapi"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	provider "github.com/norikae/norikae/internal/provider/eksctl"
)

const role = "arn:aws:iam::000000000000:role/eks"

// simulator of EKS, the adapter on it, and a plain client.
func simulator(t *testing.T) (*eksapi.API, *eks.Client) {
	t.Helper()
	clock := wiretest.NewClock(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	svc, err := simulated.New(simulated.Config{Seed: 1, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(svc.Close)
	url := wiretest.Serve(t, wire.Config{Resolve: func(string) string { return "000000000000" }}, svc.Registration())
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "token")}
	api := eksapi.New(func(context.Context, connection.Connection) (aws.Config, error) { return cfg, nil })
	return api, eks.NewFromConfig(cfg)
}

func create(t *testing.T, client *eks.Client, mode types.AuthenticationMode) {
	t.Helper()
	wiretest.Must(client.CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String("blue"), RoleArn: aws.String(role), AccessConfig: &types.CreateAccessConfigRequest{AuthenticationMode: mode},
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}, SecurityGroupIds: []string{"sg-2", "sg-1"}},
	}))(t)
}

func TestAClusterIsDescribed(t *testing.T) {
	api, client := simulator(t)
	if _, err := api.Describe(t.Context(), connection.Connection{}, "blue"); !errors.Is(err, fault.ErrNotFound) {
		t.Fatalf("of no cluster: %v", err)
	}
	create(t, client, types.AuthenticationModeApiAndConfigMap)
	c, err := api.Describe(t.Context(), connection.Connection{}, "blue")
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "blue" || c.Region != "us-east-1" || c.Status != "ACTIVE" || c.AuthMode != "API_AND_CONFIG_MAP" ||
		!strings.HasPrefix(c.Issuer, "https://oidc.eks.us-east-1.") || !strings.HasPrefix(string(c.CA), "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the cluster is %+v", c)
	}
	if len(c.SecurityGroups) != 3 || !slices.Equal(c.SecurityGroups[1:], []string{"sg-1", "sg-2"}) {
		t.Errorf("security groups %q: want the cluster's own, then the others", c.SecurityGroups)
	}
}

func TestManagedNodeGroupsAreListed(t *testing.T) {
	api, client := simulator(t)
	create(t, client, types.AuthenticationModeApi)
	for _, name := range []string{"web", "jobs"} {
		wiretest.Must(client.CreateNodegroup(t.Context(), &eks.CreateNodegroupInput{
			ClusterName: aws.String("blue"), NodegroupName: &name, NodeRole: aws.String(role), Subnets: []string{"subnet-1"},
		}))(t)
	}
	got, err := api.NodeGroups(t.Context(), connection.Connection{}, "blue")
	if err != nil || !slices.Equal(got, []string{"jobs", "web"}) {
		t.Errorf("node groups %q, %v", got, err)
	}
	if n, err := api.NodeGroup(t.Context(), connection.Connection{}, "blue", "web"); err != nil || n.Name != "web" {
		t.Errorf("web is %+v, %v", n, err)
	}
	if _, err := api.NodeGroup(t.Context(), connection.Connection{}, "blue", "none"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("of no node group: %v", err)
	}
}

func TestAccessIsGivenChangedAndTaken(t *testing.T) {
	api, client := simulator(t)
	create(t, client, types.AuthenticationModeApi)
	ctx, none := t.Context(), connection.Connection{}
	argocd := provider.AccessEntry{Principal: "arn:aws:iam::000000000000:role/argocd", Username: "argocd", Groups: []string{"deployers"}, Admin: true}
	find := func() []provider.AccessEntry {
		t.Helper()
		all, err := api.AccessEntries(ctx, none, "blue")
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(all, func(e provider.AccessEntry) bool { return e.Principal != argocd.Principal })
	}
	put := func(e provider.AccessEntry) {
		t.Helper()
		if err := api.PutAccessEntry(ctx, none, "blue", e); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]provider.AccessEntry{e}, find()); d != "" {
			t.Fatalf("entries (-want +got):\n%s", d)
		}
	}
	put(argocd)
	put(argocd)
	put(provider.AccessEntry{Principal: argocd.Principal, Username: "cd", Groups: []string{"a", "b"}})
	put(argocd)
	for range 2 {
		if err := api.DeleteAccessEntry(ctx, none, "blue", argocd.Principal); err != nil {
			t.Fatal(err)
		}
	}
	if got := find(); len(got) != 0 {
		t.Errorf("after the deletion: %+v", got)
	}
}

func TestTheVariablesOfAConnection(t *testing.T) {
	api, _ := simulator(t)
	for name, tc := range map[string]struct {
		c    connection.Connection
		want map[string]string
	}{
		"nothing of its own leaves the environment alone": {connection.Connection{}, map[string]string{}},
		"a profile at another address": {
			connection.Connection{Region: "eu-west-1", Profile: "ops", Address: "http://127.0.0.1:1"},
			map[string]string{"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_PROFILE": "ops", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, stop, err := api.Serve(t.Context(), tc.c)
			defer stop()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("variables (-want +got):\n%s", d)
			}
		})
	}
}
