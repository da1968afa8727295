package eks_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/eks"
)

// awsCLI is Debian's awscli, a client that nobody here wrote. It ignores
// AWS_ENDPOINT_URL: without --endpoint-url it would dial the real AWS.
const awsCLI = "/usr/bin/aws"

// aws runs the AWS CLI against the lab and decodes what it prints into out.
func (l *lab) aws(t *testing.T, out any, args ...string) (stderr string) {
	t.Helper()
	if _, err := os.Stat(awsCLI); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	c := exec.CommandContext(t.Context(), awsCLI, append([]string{"--endpoint-url", l.url, "--no-cli-pager", "--output", "json", "eks"}, args...)...)
	c.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	var stdout, errs bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &errs
	if err := c.Run(); err != nil {
		return errs.String()
	}
	if out != nil {
		if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
			t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, &stdout)
		}
	}
	return ""
}

func TestTheAWSCLIDrivesAClusterFromCreatingToGone(t *testing.T) {
	t.Parallel() // each call takes the CLI a second
	l := newLab(t, func(c *eks.Config) {
		c.CreateDelay, c.UpdateDelay, c.DeleteDelay, c.InnerDelay = 0, 0, 0, 0
		c.MaxPageSize = 1 // the CLI follows the pages
	})
	run := func(out any, args ...string) {
		t.Helper()
		if errs := l.aws(t, out, args...); errs != "" {
			t.Fatalf("aws eks %s: %s", strings.Join(args, " "), errs)
		}
	}
	var described struct {
		Cluster struct{ Arn, Status, Version, Endpoint string }
	}
	l.add(t, "other")
	run(&described, "create-cluster", "--name", "blue", "--kubernetes-version", "1.34", "--role-arn", role,
		"--resources-vpc-config", "subnetIds=subnet-1,subnet-2,endpointPrivateAccess=true", "--tags", "env=prod")
	if described.Cluster.Status != "CREATING" {
		t.Errorf("the cluster is %+v", described)
	}
	var clusters struct{ Clusters []string }
	run(&clusters, "list-clusters")
	if !slices.Equal(clusters.Clusters, []string{"blue", "other"}) {
		t.Errorf("clusters are %v", clusters)
	}
	var updated struct{ Update struct{ Status string } }
	run(&updated, "update-cluster-version", "--name", "blue", "--kubernetes-version", "1.35")
	run(&described, "describe-cluster", "--name", "blue")
	if updated.Update.Status != "InProgress" || described.Cluster.Version != "1.35" || described.Cluster.Endpoint == "" {
		t.Errorf("the update is %+v, the cluster %+v", updated, described)
	}
	run(nil, "tag-resource", "--resource-arn", described.Cluster.Arn, "--tags", "team=a,role=web")
	run(nil, "untag-resource", "--resource-arn", described.Cluster.Arn, "--tag-keys", "env", "role")
	if tags := l.service.Resources(account, region)[0].Tags; len(tags) != 1 || tags["team"] != "a" {
		t.Errorf("tags are %v", tags)
	}
	run(nil, "delete-cluster", "--name", "blue")
	if errs := l.aws(t, nil, "describe-cluster", "--name", "blue"); !strings.Contains(errs, "(ResourceNotFoundException)") {
		t.Errorf("describing a cluster that is gone: %s", errs)
	}
}
