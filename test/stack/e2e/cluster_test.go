//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// patience is how long anything may take on a machine that is busy.
const patience = 180 * time.Second

// world is what all tests share: a VPC, and a role for clusters and nodes.
type world struct {
	aws     aws.Config
	vpc     string
	subnets []string
	role    string
}

var (
	once   sync.Once
	shared world
)

func open(t *testing.T) world {
	t.Helper()
	once.Do(func() { shared = newWorld(t) })
	if shared.role == "" {
		t.Fatal("the lab's VPC could not be made; see the first test")
	}
	return shared
}

func newWorld(t *testing.T) world {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := world{aws: cfg}
	api := ec2.NewFromConfig(cfg)
	vpc, err := api.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	w.vpc = *vpc.Vpc.VpcId
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		s, err := api.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: &w.vpc, AvailabilityZone: &zone, CidrBlock: aws.String(fmt.Sprintf("10.0.%d.0/24", i))})
		if err != nil {
			t.Fatal(err)
		}
		w.subnets = append(w.subnets, *s.Subnet.SubnetId)
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	role, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("eks"), AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	w.role = *role.Role.Arn
	return w
}

// cluster of EKS with nodes.
type cluster struct {
	world

	name       string
	kubeconfig string
}

// newCluster with a node group of so many nodes, all of which are ready.
func newCluster(t *testing.T, name string, nodes int32) *cluster {
	t.Helper()
	c := &cluster{world: open(t), name: name, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	api := eks.NewFromConfig(c.aws)
	timed(t, name+": CreateCluster until it is ACTIVE", func() {
		in := &eks.CreateClusterInput{Name: &name, RoleArn: &c.role, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: c.subnets}}
		if _, err := api.CreateCluster(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is active", func() error {
			d, err := api.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
			if err == nil && d.Cluster.Status != ekstypes.ClusterStatusActive {
				err = errors.New(string(d.Cluster.Status))
			}
			return err
		})
	})
	ran(t, "/usr/bin/aws", "--endpoint-url", os.Getenv("AWS_ENDPOINT_URL"), "eks", "update-kubeconfig", "--name", name, "--kubeconfig", c.kubeconfig)
	timed(t, fmt.Sprintf("%s: CreateNodegroup until %d nodes are Ready", name, nodes), func() {
		in := &eks.CreateNodegroupInput{
			ClusterName: &name, NodegroupName: aws.String("workers"), NodeRole: &c.role, Subnets: c.subnets,
			ScalingConfig: &ekstypes.NodegroupScalingConfig{DesiredSize: &nodes, MinSize: aws.Int32(1), MaxSize: aws.Int32(4)},
		}
		if _, err := api.CreateNodegroup(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the nodes are Ready", func() error { return c.hasNodes(t, int(nodes)) })
	})
	return c
}

// kubectl as a user runs it.
func (c *cluster) kubectl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return tried(t, "", c.command(args)...)
}

func (c *cluster) command(args []string) []string {
	return append([]string{filepath.Join(os.Getenv(stackVar), "kube", "kubectl"), "--kubeconfig", c.kubeconfig}, args...)
}

// must is kubectl that ends well.
func (c *cluster) must(t *testing.T, args ...string) string {
	t.Helper()
	return ran(t, c.command(args)...)
}

// apply manifests.
func (c *cluster) apply(t *testing.T, manifests string, args ...string) {
	t.Helper()
	if _, err := tried(t, manifests, c.command(append([]string{"apply", "-f", "-"}, args...))...); err != nil {
		t.Fatal(err)
	}
}

// hasNodes wants exactly so many nodes, all Ready.
func (c *cluster) hasNodes(t *testing.T, want int) error {
	t.Helper()
	out, err := c.kubectl(t, "get", "nodes", "-o", `jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
	if got := strings.Fields(out); err == nil && (len(got) != want || strings.Count(out, "True") != want) {
		err = fmt.Errorf("of %d nodes %d are Ready, want %d", len(got), strings.Count(out, "True"), want)
	}
	return err
}
