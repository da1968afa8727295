package wire_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// awsCLI is Debian's awscli, a client that nobody here wrote. It ignores
// AWS_ENDPOINT_URL: without --endpoint-url it would dial the real AWS.
const awsCLI = "/usr/bin/aws"

// aws runs the AWS CLI against w and returns what it prints.
func (w *world) aws(t *testing.T, args ...string) (stdout, stderr string) {
	t.Helper()
	if _, err := os.Stat(awsCLI); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	c := exec.CommandContext(t.Context(), awsCLI, append([]string{"--endpoint-url", w.url, "--no-cli-pager", "--output", "json"}, args...)...)
	c.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_MAX_ATTEMPTS=1",
		"AWS_ACCESS_KEY_ID=AKIDLAB", "AWS_SECRET_ACCESS_KEY=secret-of-the-lab",
	}
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	_ = c.Run() // it tells by its output
	return out.String(), errs.String()
}

// The CLI signs each of these, and every signature is verified.
func TestTheAWSCLISpeaksEveryProtocol(t *testing.T) {
	w := start(t, verifying())
	for name, tc := range map[string]struct {
		args      []string
		operation string
		params    wire.Params // nil: whatever
		out, err  string      // parts of what is printed
	}{
		"rest xml": {
			args: []string{
				"route53", "change-resource-record-sets", "--hosted-zone-id", "/hostedzone/Z1", "--change-batch",
				`{"Changes":[{"Action":"DELETE","ResourceRecordSet":{"Name":"a.","Type":"A","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]}}]}`,
			},
			operation: "ChangeResourceRecordSets",
			params: wire.Params{"HostedZoneId": "Z1", "ChangeBatch": wire.Params{"Changes": []any{wire.Params{
				"Action":            "DELETE",
				"ResourceRecordSet": wire.Params{"Name": "a.", "Type": "A", "TTL": "60", "ResourceRecords": []any{wire.Params{"Value": "192.0.2.1"}}},
			}}}},
			out: `"SubmittedAt": "2026-11-23T10:00:00.250000+00:00"`,
		},
		"rest xml, a query": {
			args:      []string{"route53", "list-resource-record-sets", "--hosted-zone-id", "Z1", "--start-record-name", `\052.a b+c/~*`, "--no-paginate"},
			operation: "ListResourceRecordSets", params: wire.Params{"HostedZoneId": "Z1", "StartRecordName": `\052.a b+c/~*`},
			out: `"Weight": 0`,
		},
		"rest xml, refused": {args: []string{"route53", "get-hosted-zone", "--id", "Z9"}, operation: "GetHostedZone", err: "(NoSuchHostedZone)"},
		"rest json":         {args: []string{"eks", "describe-cluster", "--name", "blue"}, operation: "DescribeCluster", params: wire.Params{"name": "blue"}, out: `"env": "prod"`},
		"rest json, escaped": {
			args:      []string{"eks", "untag-resource", "--resource-arn", eksARN + "/*", "--tag-keys", "a b", "t/w&o"},
			operation: "UntagResource", params: wire.Params{"resourceArn": eksARN + "/*", "tagKeys": []any{"a b", "t/w&o"}},
		},
		"rest json, refused": {args: []string{"eks", "describe-cluster", "--name", "gone"}, operation: "DescribeCluster", err: "(ResourceNotFoundException)"},
		"ec2": {
			args: []string{"ec2", "describe-vpcs", "--vpc-ids", "vpc-1", "--filters", "Name=tag:Name,Values=blue,green"}, operation: "DescribeVpcs",
			params: wire.Params{"VpcId": []any{"vpc-1"}, "Filter": []any{wire.Params{"Name": "tag:Name", "Value": []any{"blue", "green"}}}},
			out:    `"Value": "blue"`,
		},
		"ec2, refused": {args: []string{"ec2", "describe-vpcs", "--vpc-ids", "vpc-gone"}, operation: "DescribeVpcs", err: "(InvalidVpcID.NotFound)"},
		"query":        {args: []string{"iam", "get-role", "--role-name", "blue"}, operation: "GetRole", out: `"RoleName": "blue"`},
		"json":         {args: []string{"resourcegroupstaggingapi", "get-resources"}, operation: "GetResources", out: eksARN},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs := w.aws(t, tc.args...)
			if !strings.Contains(out, tc.out) || !strings.Contains(errs, tc.err) || tc.err == "" && errs != "" {
				t.Errorf("it printed %s%s", out, errs)
			}
			got := w.last(t)
			if d := cmp.Diff(tc.params, got.Params); got.Operation != tc.operation || tc.params != nil && d != "" {
				t.Errorf("operation %s %s", got.Operation, d)
			}
		})
	}
	if _, errs := w.aws(t, "eks", "list-addons", "--cluster-name", "blue"); !strings.Contains(errs, "(NotSimulated)") {
		t.Errorf("an operation that has no route: %s", errs)
	}
}

// The token that the CLI makes for a cluster is a presigned URL of its own making.
func TestTokensOfTheAWSCLIAreVerified(t *testing.T) {
	w := start(t, verifying())
	out, errs := w.aws(t, "eks", "get-token", "--cluster-name", "blue")
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal([]byte(out), &credential); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	presigned, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(credential.Status.Token, "k8s-aws-v1."))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(presigned))
	if err != nil {
		t.Fatal(err)
	}
	s := sent{method: http.MethodGet, url: w.url + u.RequestURI(), host: u.Host, header: http.Header{"X-K8s-Aws-Id": {"blue"}}}
	if status := s.again(t, func(*sent) {}); status != http.StatusOK || w.last(t).Operation != "GetCallerIdentity" {
		t.Errorf("status %d, %+v", status, w.last(t))
	}
	if status := s.again(t, func(s *sent) { s.header.Set("X-K8s-Aws-Id", "green") }); status != http.StatusForbidden {
		t.Errorf("for another cluster: status %d", status)
	}
}
