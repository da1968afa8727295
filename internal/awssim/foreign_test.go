package awssim_test

import (
	"cmp"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/clitest"
	"github.com/norikae/norikae/internal/awssim/wire"
)

var update = flag.Bool("update", false, "write the lists of operations in testdata/driven anew")

// checkDriven compares the operations that a client has driven with success in this lab
// with the list in testdata/driven, which docs/lab.md is made from.
func (f fixture) checkDriven(t *testing.T, client string) {
	t.Helper()
	services := map[string]string{"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"} // others have one name
	var driven []string
	calls, _ := f.Calls().Since(0)
	for _, c := range calls {
		if c.Status/100 == 2 {
			driven = append(driven, cmp.Or(services[c.Service], c.Service)+" "+c.Operation)
		}
	}
	slices.Sort(driven)
	got := strings.Join(slices.Compact(driven), "\n") + "\n"
	file := filepath.Join("testdata", "driven", client+".txt")
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(string(want), got); d != "" {
		t.Errorf("what %s drove is not what %s says; run this test with -update, then make generate (-want +got):\n%s", client, file, d)
	}
}

// A client that leaves something out proves less than it could.
func TestEveryOperationIsDrivenByBothClients(t *testing.T) {
	// What Debian 12's awscli, 2.9.19, does not know yet; SQS it speaks in the query
	// protocol, which the lab does not have there.
	unknown := map[string][]string{"awscli": {
		"elbv2 DescribeListenerAttributes", "elbv2 ModifyListenerAttributes",
		"eks AssociateAccessPolicy", "eks CreateAccessEntry", "eks CreatePodIdentityAssociation", "eks DeleteAccessEntry",
		"eks DeletePodIdentityAssociation", "eks DescribeAccessEntry", "eks DescribeClusterVersions", "eks DescribePodIdentityAssociation",
		"eks DisassociateAccessPolicy", "eks ListAccessEntries", "eks ListAccessPolicies", "eks ListAssociatedAccessPolicies",
		"eks ListPodIdentityAssociations", "eks UpdateAccessEntry", "eks UpdatePodIdentityAssociation",
		"sqs CreateQueue", "sqs DeleteMessage", "sqs DeleteMessageBatch", "sqs DeleteQueue", "sqs GetQueueAttributes", "sqs GetQueueUrl",
		"sqs ListQueues", "sqs PurgeQueue", "sqs ReceiveMessage", "sqs SendMessage",
	}}
	for _, client := range []string{"aws-sdk-go-v2", "awscli"} {
		text, err := os.ReadFile(filepath.Join("testdata", "driven", client+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		driven := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, op := range awssim.Operations() {
			name := op.Service + " " + op.Name
			if want := op.Fidelity != wire.Absent && !slices.Contains(unknown[client], name); want != slices.Contains(driven, name) {
				t.Errorf("%s drove %s: %v, want %v", client, name, !want, want)
			}
		}
	}
}

// shell drives the AWS CLI and keeps its answers' members for later commands.
type shell struct {
	fixture
	*testing.T

	cli *clitest.CLI
}

// run a command that must succeed; see clitest.CLI.Run.
func (s shell) run(path string, args ...string) string {
	s.Helper()
	return s.cli.Run(path, args...)
}

// want runs a command and wants a text at a path of its answer.
func (s shell) want(text, path string, args ...string) {
	s.Helper()
	s.cli.Want(text, path, args...)
}

const certificate = "arn:aws:acm:us-east-1:000000000000:certificate/01234567-89ab-cdef-0123-456789abcdef"

// The life of everything that the lab has, by a client that nobody here wrote.
func TestTheAWSCLIDrivesEveryOperation(t *testing.T) {
	t.Parallel() // some 220 calls take it 40 s
	f, pod := foreignLab(t)
	s := shell{f, t, clitest.Start(t, clitest.Config{Endpoint: f.Endpoint(), Region: awssim.Region, Key: "FAKEKEYOFTHELAB", Secret: "fake-secret-of-the-lab"})}
	s.credentials(pod)
	s.identities()
	s.metrics()
	s.balancer()
	s.names()
	s.clusters()
	s.network()
	f.checkDriven(t, "awscli")
}

func (s shell) metrics() {
	s.Helper()
	at := time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute)
	from, to := at.Format(time.RFC3339), at.Add(5*time.Minute).Format(time.RFC3339)
	s.run("", "cloudwatch", "put-metric-data", "--namespace", "shop", "--metric-name", "orders", "--value", "3", "--timestamp", from)
	s.run("", "cloudwatch", "get-metric-statistics", "--namespace", "shop", "--metric-name", "orders", "--period", "60", "--statistics", "Sum", "--start-time", from, "--end-time", to)
	s.want("Complete", "MetricDataResults.0.StatusCode", "cloudwatch", "get-metric-data", "--start-time", from, "--end-time", to,
		"--metric-data-queries", `[{"Id":"m","MetricStat":{"Metric":{"Namespace":"shop","MetricName":"orders"},"Period":60,"Stat":"Sum"}}]`)
	s.want("orders", "Metrics.0.MetricName", "cloudwatch", "list-metrics", "--namespace", "shop")
}

func (s shell) balancer() {
	s.Helper()
	elb := func(op string, args ...string) []string { return append([]string{"elbv2", op}, args...) }
	lb := s.run("LoadBalancers.0.LoadBalancerArn", elb("create-load-balancer", "--name", "web", "--subnets", "subnet-0a", "subnet-0b")...)
	s.want(lb, "LoadBalancers.0.LoadBalancerArn", elb("describe-load-balancers", "--names", "web")...)
	s.run("", elb("modify-load-balancer-attributes", "--load-balancer-arn", lb, "--attributes", "Key=idle_timeout.timeout_seconds,Value=30")...)
	s.run("Attributes.0.Key", elb("describe-load-balancer-attributes", "--load-balancer-arn", lb)...)
	s.want("sg-0c", "SecurityGroupIds.0", elb("set-security-groups", "--load-balancer-arn", lb, "--security-groups", "sg-0c")...)
	s.run("AvailabilityZones.0.SubnetId", elb("set-subnets", "--load-balancer-arn", lb, "--subnets", "subnet-0a", "subnet-0d")...)
	s.want("dualstack", "IpAddressType", elb("set-ip-address-type", "--load-balancer-arn", lb, "--ip-address-type", "dualstack")...)

	group := func(name string) string {
		return s.run("TargetGroups.0.TargetGroupArn", elb("create-target-group", "--name", name, "--protocol", "HTTP", "--port", "80", "--vpc-id", "vpc-01ab", "--target-type", "ip")...)
	}
	blue, green := group("blue"), group("green")
	s.want("/live", "TargetGroups.0.HealthCheckPath", elb("modify-target-group", "--target-group-arn", green, "--health-check-path", "/live")...)
	s.want(green, "TargetGroups.0.TargetGroupArn", elb("describe-target-groups", "--names", "green")...)
	s.run("", elb("modify-target-group-attributes", "--target-group-arn", green, "--attributes", "Key=deregistration_delay.timeout_seconds,Value=10")...)
	s.run("Attributes.0.Key", elb("describe-target-group-attributes", "--target-group-arn", green)...)
	s.run("", elb("register-targets", "--target-group-arn", green, "--targets", "Id=10.0.0.1,Port=8080")...)
	s.want("unused", "TargetHealthDescriptions.0.TargetHealth.State", elb("describe-target-health", "--target-group-arn", green)...)

	listener := s.run("Listeners.0.ListenerArn", elb("create-listener", "--load-balancer-arn", lb, "--protocol", "HTTPS", "--port", "443",
		"--certificates", "CertificateArn="+certificate, "--default-actions", "Type=forward,TargetGroupArn="+blue)...)
	s.want(listener, "Listeners.0.ListenerArn", elb("describe-listeners", "--load-balancer-arn", lb)...)
	s.run("Listeners.0.ListenerArn", elb("modify-listener", "--listener-arn", listener, "--default-actions", "Type=forward,TargetGroupArn="+green)...)
	more := strings.Replace(certificate, "0123", "4567", 1)
	s.run("", elb("add-listener-certificates", "--listener-arn", listener, "--certificates", "CertificateArn="+more)...)
	s.run("Certificates.0.CertificateArn", elb("describe-listener-certificates", "--listener-arn", listener)...)
	s.run("", elb("remove-listener-certificates", "--listener-arn", listener, "--certificates", "CertificateArn="+more)...)

	rule := s.run("Rules.0.RuleArn", elb("create-rule", "--listener-arn", listener, "--priority", "10", "--actions", "Type=forward,TargetGroupArn="+blue,
		"--conditions", "Field=host-header,Values=example.com")...)
	s.run("", elb("modify-rule", "--rule-arn", rule, "--actions",
		`[{"Type":"forward","ForwardConfig":{"TargetGroups":[{"TargetGroupArn":"`+blue+`","Weight":90},{"TargetGroupArn":"`+green+`","Weight":10}]}}]`)...)
	s.want("20", "Rules.0.Priority", elb("set-rule-priorities", "--rule-priorities", "RuleArn="+rule+",Priority=20")...)
	s.want(rule, "Rules.0.RuleArn", elb("describe-rules", "--rule-arns", rule)...)
	s.run("", elb("add-tags", "--resource-arns", rule, "--tags", "Key=team,Value=a")...)
	s.want("a", "TagDescriptions.0.Tags.0.Value", elb("describe-tags", "--resource-arns", rule)...)
	s.run("", elb("remove-tags", "--resource-arns", rule, "--tag-keys", "team")...)
	s.run("Limits.0.Name", elb("describe-account-limits")...)
	s.run("SslPolicies.0.Name", elb("describe-ssl-policies")...)

	s.run("", elb("deregister-targets", "--target-group-arn", green, "--targets", "Id=10.0.0.1,Port=8080")...)
	s.run("", elb("delete-rule", "--rule-arn", rule)...)
	s.run("", elb("delete-listener", "--listener-arn", listener)...)
	s.run("", elb("delete-load-balancer", "--load-balancer-arn", lb)...)
	s.run("", elb("delete-target-group", "--target-group-arn", blue)...)
	s.run("", elb("delete-target-group", "--target-group-arn", green)...)
	if out := s.run("", elb("describe-load-balancers")...); strings.Contains(out, "web") {
		s.Errorf("the load balancer is still there: %s", out)
	}
}
