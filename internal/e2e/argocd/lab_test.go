//go:build e2e

package argocd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim"
)

// lab is `norikae lab up` in a process of its own, with a real API server for every
// cluster, where IAM's policies hold. It begins empty.
type lab struct {
	awssim.World
}

func startLab(t *testing.T) *lab {
	t.Helper()
	var p *program
	t.Cleanup(func() { // after it was stopped
		if p != nil && p.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("the lab ended badly: %s\n%s", p.cmd.ProcessState, p.tail())
		}
	})
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	dir := t.TempDir()
	p = startPrinting(t, in, dir, []string{"HOME=" + dir}, os.Getenv(binaryVar),
		"lab", "up", "--seed=", "--authz", "--kubernetes", os.Getenv(kubeVar), "--listen=127.0.0.1:0", "--dns=", "-o", "json")
	in.Close()
	l := &lab{}
	if err := json.NewDecoder(out).Decode(&l.World); err != nil {
		t.Fatalf("what the lab prints: %v\n%s", err, p.tail())
	}
	return l
}

// world as it is by now.
func (l *lab) world(t *testing.T) awssim.World {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.Endpoint+awssim.ControlPrefix+"world", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var w awssim.World
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
		t.Fatalf("the lab's world: %v", err)
	}
	return w
}

// admin is a configuration of the SDK with the lab's own credentials.
func (l *lab) admin(region string) aws.Config {
	env := map[string]string{}
	for _, kv := range l.Env {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(l.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

// do an operation of the SDK, which must go well.
func do[In, Out any, Opt any](t *testing.T, op func(context.Context, *In, ...Opt) (*Out, error), in *In) *Out {
	t.Helper()
	out, err := op(t.Context(), in)
	if err != nil {
		t.Fatalf("%T: %v", in, err)
	}
	return out
}

// root of the account.
func (l *lab) root() string { return "arn:aws:iam::" + l.Account + ":root" }

// createRole that somebody may assume, and return its ARN. policy says what it may do; "":
// nothing.
func (l *lab) createRole(t *testing.T, name, trusted, policy string) string {
	t.Helper()
	trust := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":["sts:AssumeRole","sts:TagSession"]}]}`, trusted)
	arn := do(t, iam.NewFromConfig(l.admin(l.Region)).CreateRole, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}).Role.Arn
	if policy != "" {
		l.putPolicy(t, name, "may", policy)
	}
	return *arn
}

// putPolicy on a role; "" takes it away.
func (l *lab) putPolicy(t *testing.T, role, name, policy string) {
	t.Helper()
	c := iam.NewFromConfig(l.admin(l.Region))
	if policy == "" {
		do(t, c.DeleteRolePolicy, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &name})
		return
	}
	do(t, c.PutRolePolicy, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &policy})
}

// session of a role, as the variables that AWS clients read. There is no file and no
// instance that they could find others in.
func (l *lab) session(t *testing.T, role string) []string {
	t.Helper()
	c := do(t, sts.NewFromConfig(l.admin(l.Region)).AssumeRole, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("e2e")}).Credentials
	return []string{
		"AWS_ACCESS_KEY_ID=" + *c.AccessKeyId, "AWS_SECRET_ACCESS_KEY=" + *c.SecretAccessKey, "AWS_SESSION_TOKEN=" + *c.SessionToken,
		"AWS_REGION=" + l.Region, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
}

// eksCluster is a cluster of the lab, ACTIVE.
type eksCluster struct {
	*cluster

	name, arn, region string
	lab               *lab
}

// createCluster as a user does, and wait until it is ACTIVE.
func (l *lab) createCluster(t *testing.T, region, name string, tags map[string]string) *eksCluster {
	t.Helper()
	c := eks.NewFromConfig(l.admin(region))
	made := do(t, c.CreateCluster, &eks.CreateClusterInput{
		Name: &name, RoleArn: aws.String("arn:aws:iam::" + l.Account + ":role/eks"), Tags: tags,
		ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{"subnet-0a", "subnet-0b"}},
		AccessConfig:       &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApi},
	}).Cluster
	often := func(o *eks.ClusterActiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 200*time.Millisecond
	}
	if err := eks.NewClusterActiveWaiter(c, often).Wait(t.Context(), &eks.DescribeClusterInput{Name: &name}, patience); err != nil {
		t.Fatalf("waiting for the cluster %s: %v", name, err)
	}
	for _, s := range l.world(t).APIServers {
		if s.ClusterARN == *made.Arn {
			return &eksCluster{enter(t, s.Kubeconfig), name, *made.Arn, region, l}
		}
	}
	t.Fatalf("the cluster %s is ACTIVE and has no API server", name)
	return nil
}

// admit a role: it may do everything in the cluster.
func (c *eksCluster) admit(t *testing.T, role string) {
	t.Helper()
	api := eks.NewFromConfig(c.lab.admin(c.region))
	do(t, api.CreateAccessEntry, &eks.CreateAccessEntryInput{ClusterName: &c.name, PrincipalArn: &role})
	do(t, api.AssociateAccessPolicy, &eks.AssociateAccessPolicyInput{
		ClusterName: &c.name, PrincipalArn: &role, PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"),
		AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeCluster},
	})
}

// tag the cluster.
func (c *eksCluster) tag(t *testing.T, tags map[string]string) {
	t.Helper()
	do(t, eks.NewFromConfig(c.lab.admin(c.region)).TagResource, &eks.TagResourceInput{ResourceArn: &c.arn, Tags: tags})
}

// describe the cluster.
func (c *eksCluster) describe(t *testing.T) *ekstypes.Cluster {
	t.Helper()
	return do(t, eks.NewFromConfig(c.lab.admin(c.region)).DescribeCluster, &eks.DescribeClusterInput{Name: &c.name}).Cluster
}
