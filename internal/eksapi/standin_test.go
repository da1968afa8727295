package eksapi_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
)

// standIn builds the stand-in for eksctl, which acts on the simulator.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "eksctl")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = filepath.Join("..", "..", "test", "eksctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the stand-in for eksctl: %v\n%s", err, out)
	}
	return path
}

const document = `
vpc:
  subnets:
    private: {a: {id: subnet-1}, b: {id: subnet-2}}
managedNodeGroups:
- name: web
`

func TestTheProgramActsOnTheSimulatedEKS(t *testing.T) {
	api, client := simulator(t)
	binary := standIn(t)
	endpoint := *client.Options().BaseEndpoint
	record := filepath.Join(t.TempDir(), "record")
	environ := append(os.Environ(), "EKSCTL_RECORD="+record, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret")
	run := func(doc string, args ...string) (string, error) {
		env := eksctl.Environment(environ, map[string]string{"AWS_ENDPOINT_URL": endpoint, "AWS_CONFIG_FILE": os.DevNull})
		return eksctl.Runner{}.Run(t.Context(), eksctl.Command{Binary: binary, Args: args, Stdin: []byte(doc), Env: env})
	}
	must := func(doc string, args ...string) string {
		t.Helper()
		out, err := run(doc, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	generate := func(spec string) string {
		t.Helper()
		c, err := eksctl.Generate(eksctl.Cluster{Name: "blue", Region: "us-east-1", Tags: map[string]string{"a": "yes"}, Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		return c.YAML
	}
	groups := func(want ...string) {
		t.Helper()
		if got, err := api.NodeGroups(t.Context(), connection.Connection{}, "blue"); err != nil || !slices.Equal(got, want) {
			t.Errorf("node groups %q, %v; want %q", got, err, want)
		}
	}
	both := generate(document + "- name: jobs\n")
	must(generate(document), "create", "cluster", "-f", "-", "--write-kubeconfig=false", "--timeout", "5m", "--color=false")
	groups("web")
	must(both, "create", "nodegroup", "-f", "-")
	groups("jobs", "web")
	must(both, "delete", "nodegroup", "-f", "-", "--include", "web", "--drain", "--approve", "--wait")
	groups("jobs")
	must("", "create", "nodegroup", "--cluster=blue", "--name=late", "--region=us-east-1", "--nodes=1", "--spot")
	groups("jobs", "late")
	must("", "create", "iamidentitymapping", "--cluster", "blue", "--region", "us-east-1", "--arn", role, "--username", "x", "--group", "a", "--group", "b")
	if out := must("", "get", "iamidentitymapping", "--cluster", "blue", "--region", "us-east-1", "--output", "json"); !strings.Contains(out, `"groups":["a","b"]`) {
		t.Errorf("mappings: %s", out)
	}
	for name, bad := range map[string][]string{
		"an unknown field": {generate("nodegroups: []"), "create", "nodegroup", "-f", "-"},
		"an unknown flag":  {"", "delete", "cluster", "--name", "blue", "--region", "us-east-1", "--force-all"},
		"an unknown verb":  {"", "scale", "nodegroup"},
	} {
		if _, err := run(bad[0], bad[1:]...); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	must("", "delete", "cluster", "--name", "blue", "--region", "us-east-1", "--wait")
	if _, err := api.Describe(t.Context(), connection.Connection{}, "blue"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("after the deletion: %v", err)
	}
	lines, err := os.ReadFile(record)
	if n := strings.Count(string(lines), "\n"); err != nil || n != 8 {
		t.Errorf("%d runs are recorded, %v:\n%s", n, err, lines)
	}
	endpoint = "https://eks.us-east-1.amazonaws.com"
	if _, err := run("", "delete", "cluster", "--name", "blue", "--region", "us-east-1"); err == nil || !strings.Contains(err.Error(), "no address of this machine or of its labs") {
		t.Errorf("the stand-in would have called the real AWS: %v", err)
	}
}
