package carries

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/registry"
)

const (
	home  = awssim.Account
	other = "111111111111"
)

// world is a lab, and the real SDK in it as administrator of the lab's account.
type world struct {
	*testing.T
	lab  *awssim.Lab
	elb  *elb.Client
	ec2  *ec2.Client
	base awsconf.Options
}

// inLab runs a test in an empty lab, in virtual time.
func inLab(t *testing.T, cfg awssim.Config, test func(w *world)) {
	t.Helper()
	for _, k := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(k, "/dev/null")
	}
	synctest.Test(t, func(t *testing.T) {
		cfg.DataPlane = awssim.PlaneSynth
		lab := wiretest.Must(awssim.New(cfg))(t)
		defer func() {
			if err := lab.Close(); err != nil {
				t.Error(err)
			}
		}()
		w := &world{T: t, lab: lab, base: awsconf.Options{
			Endpoint: "http://127.0.0.1:1", HTTPClient: direct{wiretest.Direct{Handler: lab.Handler()}},
			Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "fake-secret-of-the-lab", ""),
		}}
		w.elb, w.ec2 = w.as(registry.Account{})
		test(w)
	})
}

// direct sends requests to the lab without a network, with the host that was signed.
type direct struct{ wiretest.Direct }

func (d direct) Do(r *http.Request) (*http.Response, error) {
	r = r.WithContext(r.Context())
	r.Host = r.URL.Host
	return d.Direct.Do(r)
}

func (w *world) config(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
	o := w.base
	o.Region, o.AssumeRole = region, awsconf.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID}
	return awsconf.Load(ctx, o)
}

// as are clients of an account.
func (w *world) as(a registry.Account) (*elb.Client, *ec2.Client) {
	w.Helper()
	cfg := wiretest.Must(w.config(w.Context(), awssim.Region, a))(w.T)
	return elb.NewFromConfig(cfg), ec2.NewFromConfig(cfg)
}

func role(account string) registry.Account {
	return registry.Account{RoleARN: "arn:aws:iam::" + account + ":role/norikae"}
}

// template makes one, in which NAME is the cluster's.
func (w *world) template(text string) *registry.Text {
	w.Helper()
	return wiretest.Must(registry.ParseText(strings.ReplaceAll(text, "NAME", "{{ .Name }}")))(w.T)
}

// named finds target groups by their names.
func (w *world) named(pattern string) *registry.TargetGroups {
	return &registry.TargetGroups{Name: w.template(pattern)}
}

func cluster(name string) registry.Cluster {
	return registry.Cluster{ID: registry.ID{Partition: "aws", Account: home, Region: awssim.Region, Name: name}, Status: registry.Active}
}

// gone is a cluster that EKS does not have any more.
func gone(name string) registry.Cluster {
	c := cluster(name)
	c.Status = ""
	return c
}

// look for the traffic of a cluster, with accounts as the set's only source has them.
func (w *world) look(way *registry.TargetGroups, c registry.Cluster, accounts ...registry.Account) registry.Traffic {
	w.Helper()
	f := wiretest.Must(New(Config{AWS: w.config}))(w.T)
	if accounts == nil {
		accounts = []registry.Account{{}}
	}
	return f.Routes(w.Context(), &registry.Set{
		Sources: []registry.Source{{Regions: []string{"eu-west-1", awssim.Region}, Accounts: accounts}}, TargetGroups: way,
	}, c)
}

// wantRoutes wants the routes that contain these, one each, in this order.
func (w *world) wantRoutes(got registry.Traffic, want ...string) {
	w.Helper()
	if got.Err != nil {
		w.Errorf("cannot be known: %v", got.Err)
	}
	if !slices.EqualFunc(got.Routes, want, strings.Contains) {
		w.Errorf("routes\n  %s\nwant\n  %s", strings.Join(got.Routes, "\n  "), strings.Join(want, "\n  "))
	}
}

// wantUnknown wants an error with all of these in it.
func (w *world) wantUnknown(got registry.Traffic, parts ...string) {
	w.Helper()
	if got.Err == nil || got.Routes != nil {
		w.Fatalf("routes %q, error %v; want an error alone", got.Routes, got.Err)
	}
	for _, p := range parts {
		if !strings.Contains(got.Err.Error(), p) {
			w.Errorf("%q is not in: %v", p, got.Err)
		}
	}
}

func (w *world) fail(r fault.Rule) {
	w.Helper()
	wiretest.Must(w.lab.Faults().Add(r))(w.T)
}

func (w *world) balancer(name string, kind types.LoadBalancerTypeEnum) string {
	w.Helper()
	return *wiretest.Must(w.elb.CreateLoadBalancer(w.Context(), &elb.CreateLoadBalancerInput{
		Name: &name, Type: kind, Subnets: []string{"subnet-0a", "subnet-0b"},
	}))(w.T).LoadBalancers[0].LoadBalancerArn
}

func (w *world) listener(balancer string, port int32, protocol types.ProtocolEnum, actions ...types.Action) string {
	w.Helper()
	return *wiretest.Must(w.elb.CreateListener(w.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: &balancer, Port: &port, Protocol: protocol, DefaultActions: actions,
	}))(w.T).Listeners[0].ListenerArn
}

func (w *world) rule(listener string, priority int32, actions ...types.Action) {
	w.Helper()
	wiretest.Must(w.elb.CreateRule(w.Context(), &elb.CreateRuleInput{
		ListenerArn: &listener, Priority: &priority, Actions: actions,
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{fmt.Sprintf("/%d/*", priority)}}},
	}))(w.T)
}

func (w *world) group(name string, change ...func(*elb.CreateTargetGroupInput)) string {
	w.Helper()
	in := &elb.CreateTargetGroupInput{Name: &name, Protocol: types.ProtocolEnumHttp, Port: aws.Int32(80), VpcId: aws.String("vpc-1"), TargetType: types.TargetTypeEnumInstance}
	for _, f := range change {
		f(in)
	}
	return *wiretest.Must(w.elb.CreateTargetGroup(w.Context(), in))(w.T).TargetGroups[0].TargetGroupArn
}

func tcp(in *elb.CreateTargetGroupInput)       { in.Protocol = types.ProtocolEnumTcp }
func addresses(in *elb.CreateTargetGroupInput) { in.TargetType = types.TargetTypeEnumIp }

func inVPC(vpc string) func(*elb.CreateTargetGroupInput) {
	return func(in *elb.CreateTargetGroupInput) { in.VpcId = &vpc }
}

func withTags(pairs ...string) func(*elb.CreateTargetGroupInput) {
	return func(in *elb.CreateTargetGroupInput) {
		for p := range slices.Chunk(pairs, 2) {
			in.Tags = append(in.Tags, types.Tag{Key: &p[0], Value: &p[1]})
		}
	}
}

func notFound() types.Action {
	return types.Action{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("404")}}
}

// to forwards to groups with weights: ARN, weight, ARN, weight.
func to(pairs ...any) types.Action {
	f := &types.ForwardActionConfig{}
	for p := range slices.Chunk(pairs, 2) {
		id, _ := p[0].(string)
		weight, _ := p[1].(int)
		f.TargetGroups = append(f.TargetGroups, types.TargetGroupTuple{TargetGroupArn: &id, Weight: aws.Int32(int32(weight))})
	}
	return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: f}
}

// only forwards to one group in the short form, without a weight.
func only(group string) types.Action {
	return types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}
}

// network makes a VPC with a subnet.
func (w *world) network() (vpc, subnet string) {
	w.Helper()
	vpc = *wiretest.Must(w.ec2.CreateVpc(w.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")}))(w.T).Vpc.VpcId
	subnet = *wiretest.Must(w.ec2.CreateSubnet(w.Context(), &ec2.CreateSubnetInput{VpcId: &vpc, CidrBlock: aws.String("10.0.0.0/24")}))(w.T).Subnet.SubnetId
	return vpc, subnet
}

// instance with one tag.
func (w *world) instance(subnet, key, value string) string {
	w.Helper()
	image := wiretest.Must(w.ec2.DescribeImages(w.Context(), &ec2.DescribeImagesInput{Owners: []string{"amazon"}}))(w.T).Images[0].ImageId
	return *wiretest.Must(w.ec2.RunInstances(w.Context(), &ec2.RunInstancesInput{
		ImageId: image, SubnetId: &subnet, MinCount: aws.Int32(1), MaxCount: aws.Int32(1),
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: []ec2types.Tag{{Key: &key, Value: &value}}}},
	}))(w.T).Instances[0].InstanceId
}

func (w *world) register(group string, targets ...string) {
	w.Helper()
	in := &elb.RegisterTargetsInput{TargetGroupArn: &group}
	for _, id := range targets {
		in.Targets = append(in.Targets, types.TargetDescription{Id: aws.String(id)})
	}
	wiretest.Must(w.elb.RegisterTargets(w.Context(), in))(w.T)
}
