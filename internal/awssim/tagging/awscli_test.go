package tagging_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// awsCLI is Debian's awscli, a client that nobody here wrote. It ignores
// AWS_ENDPOINT_URL: without --endpoint-url it would dial the real AWS.
const awsCLI = "/usr/bin/aws"

func TestTheAWSCLIFindsResources(t *testing.T) {
	if _, err := os.Stat(awsCLI); err != nil {
		t.Fatalf("%v: install it with apt-get install awscli", err)
	}
	l := newLab(t)
	for _, name := range []string{"a", "b", "c"} {
		l.set(prefix+name, "env", "prod")
	}
	l.set(prefix+"d", "env", "test")
	aws := func(out any, args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), awsCLI,
			append([]string{"--endpoint-url", l.url, "--no-cli-pager", "--output", "json", "resourcegroupstaggingapi"}, args...)...)
		c.Env = []string{
			"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
			"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
		}
		var stdout, errs bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("%v: %s", err, &errs)
		}
		if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
			t.Fatalf("%v: %s", err, &stdout)
		}
	}
	var failed struct{ FailedResourcesMap map[string]any }
	aws(&failed, "tag-resources", "--resource-arn-list", prefix+"a", prefix+"ghost", "--tags", "team=x")
	if len(failed.FailedResourcesMap) != 1 {
		t.Errorf("failed are %v", failed)
	}
	var found struct {
		ResourceTagMappingList []struct{ ResourceARN string }
	}
	aws(&found, "get-resources", "--resource-type-filters", "eks:cluster", "--tag-filters", "Key=env,Values=prod", "--page-size", "2")
	if len(found.ResourceTagMappingList) != 3 {
		t.Errorf("found are %v", found)
	}
	var keys struct{ TagKeys []string }
	aws(&keys, "get-tag-keys")
	if len(keys.TagKeys) != 2 || keys.TagKeys[1] != "team" {
		t.Errorf("keys are %v", keys)
	}
}
