package labcli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awssim"
)

// command is `norikae ARGS` where lab is the only command; env is AWS_ENDPOINT_URL.
func command(endpoint string, args ...string) *cobra.Command {
	root := &cobra.Command{Use: "norikae", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().StringP("output", "o", "text", "")
	root.AddCommand(New(func(name string) string {
		if name == "AWS_ENDPOINT_URL" {
			return endpoint
		}
		return ""
	}))
	root.SetArgs(append([]string{"lab"}, args...))
	root.SetErr(io.Discard)
	return root
}

// run a command of a lab, and return what it prints.
func run(t *testing.T, endpoint string, args ...string) (string, error) {
	t.Helper()
	cmd := command(endpoint, args...)
	var out bytes.Buffer
	cmd.SetOut(&out)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// ran is run, and must succeed.
func ran(t *testing.T, endpoint string, args ...string) string {
	t.Helper()
	out, err := run(t, endpoint, args...)
	if err != nil {
		t.Fatalf("lab %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// up starts a lab by its command, on a free port. stop interrupts it.
func up(t *testing.T, args ...string) (w awssim.World, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, out := io.Pipe()
	done := make(chan error, 1)
	cmd := command("", append([]string{"up", "--listen", "127.0.0.1:0", "-o", "json"}, args...)...)
	cmd.SetOut(out)
	go func() {
		err := cmd.ExecuteContext(ctx)
		_ = out.CloseWithError(err) // never fails
		done <- err
	}()
	if err := json.NewDecoder(r).Decode(&w); err != nil {
		cancel()
		t.Fatalf("lab up %s: %v", strings.Join(args, " "), err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the command
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("lab up %s: %v", strings.Join(args, " "), err)
		}
	}
	t.Cleanup(stop)
	return w, stop
}

func TestUpRefusesByTheNameOfTheFlag(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"a world that is none":             {[]string{"--seed", "red"}, `--seed: "red" is not one of blue-green, nlb, route53, fleet`},
		"clusters of another world":        {[]string{"--clusters", "3"}, `--clusters: 3 clusters are for the world fleet, this one is "blue-green"`},
		"no clusters":                      {[]string{"--seed", "fleet", "--clusters", "0"}, "--clusters 0 is not in 1–10000"},
		"too many clusters":                {[]string{"--seed", "fleet", "--clusters", "10001"}, "--clusters: 10001 clusters are not in 0–10000"},
		"a propagation that is negative":   {[]string{"--propagation", "-1s"}, "--propagation: -1s is not in 0s–24h"},
		"an alias's TTL of half a second":  {[]string{"--alias-ttl", "500ms"}, "--alias-ttl: 500ms is not a number of whole seconds in 0s–1h"},
		"an index lag of two days":         {[]string{"--index-lag", "48h"}, "--index-lag: 48h0m0s is not in 0s–24h"},
		"a cluster delay that is negative": {[]string{"--cluster-delay", "-1m"}, "--cluster-delay: -1m0s is not in 0s–24h"},
		"a session that is negative":       {[]string{"--max-session", "-1s"}, "--max-session: -1s is not in 0s–24h"},
		"a metric period of half a second": {[]string{"--metric-period", "500ms"}, "--metric-period: 500ms is not a number of whole seconds in 1s–1h"},
		"a name server on another machine": {[]string{"--dns", "192.0.2.1:53"}, `--dns "192.0.2.1:53" is not an address on this machine`},
		"a name server without a port":     {[]string{"--dns", "127.0.0.1"}, `--dns "127.0.0.1" is not an address on this machine`},
		"a name server's port that is bad": {[]string{"--dns", "127.0.0.1:99999"}, "--dns: "},
		"records that nobody answers":      {[]string{"--seed", "route53", "--dns", ""}, `--dns "": the world route53 needs a name server`},
		"a state directory that is a file": {[]string{"--state-dir", "up_test.go"}, "state directory"},
		"more API servers than fit":        {[]string{"--seed", "fleet", "--clusters", "1000", "--kubernetes", "."}, "--clusters: 1000 clusters with real API servers are not in 0–8"},
		"API servers that would come back": {[]string{"--state-dir", "x", "--kubernetes", "."}, "--kubernetes: a state directory (x) cannot bring API servers back"},
		"a folder without their programs":  {[]string{"--kubernetes", "."}, "--kubernetes: the program etcd of Kubernetes is not in ."},
		"a fault that is none":             {[]string{"--fault", `{"kind":"x"}`}, `--fault {"kind":"x"}: kind: "x" is not one of`},
		"an address of another machine":    {[]string{"--listen", "192.0.2.1:1"}, "--listen 192.0.2.1:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := run(t, "", append([]string{"up", "--listen", "127.0.0.1:0"}, tc.args...)...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// kubeAssets is the folder of Kubernetes' programs.
func kubeAssets(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set, and this test runs a real API server: export KUBEBUILDER_ASSETS=$(make -s kube-assets), or run it by make test")
	}
	return dir
}

func TestUpAnnouncesWhatEachWorldNeeds(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"blue-green": {nil, []string{
			"\nexport AWS_ENDPOINT_URL=http://127.0.0.1:", "\nunset AWS_PROFILE ", `aws() { command aws --endpoint-url http://127.0.0.1:`,
			"# Its load balancer: curl -H 'Host: example.com' http://127.0.0.1:", "norikae lab manifest > shift.yaml", `eval "$(norikae lab env --endpoint http://127.0.0.1:`,
		}},
		"nlb":     {[]string{"--seed", "nlb"}, []string{"# Its load balancer: curl http://127.0.0.1:", "once there are hosted zones: dig @127.0.0.1 -p "}},
		"route53": {[]string{"--seed", "route53"}, []string{"# Its name server:    dig @127.0.0.1 -p ", ` +short api.example.com | head -n 1)" http://api.example.com:`, `curl --resolve "api.example.com:`}},
		"fleet": {[]string{"--seed", "fleet", "--clusters", "9"}, []string{
			"# Its 9 clusters are in the regions us-east-1, eu-west-1, ap-northeast-1.", "# Account 000000000000:  aws eks list-clusters --region us-east-1\n",
			`(eval "$(norikae lab env --role-arn arn:aws:iam::111111111111:role/discovery)"; aws eks list-clusters --region us-east-1)`, "arn:aws:iam::222222222222:role",
		}},
		"a fleet with API servers": {[]string{"--seed", "fleet", "--clusters", "1", "--kubernetes", kubeAssets(t)}, []string{
			"# API server of arn:aws:eks:us-east-1:000000000000:cluster/fleet-0001: kubectl --kubeconfig /",
		}},
		"a fleet with authorization": {[]string{"--seed", "fleet", "--authz"}, []string{
			"# Account 222222222222:  aws sts assume-role --role-session-name lab --role-arn arn:aws:iam::222222222222:role/discovery",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cmd := command("", append([]string{"up", "--listen", "127.0.0.1:0"}, tc.args...)...)
			out := announced{stop: cancel}
			cmd.SetOut(&out)
			if err := cmd.ExecuteContext(ctx); err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.text, want) {
					t.Errorf("it does not say %q:\n%s", want, out.text)
				}
			}
		})
	}
}

// announced is the output of a lab that is interrupted when it has said everything.
type announced struct {
	text string
	stop func()
}

func (a *announced) Write(b []byte) (int, error) {
	a.text += string(b)
	if strings.Contains(a.text, "Ctrl-C") {
		a.stop()
	}
	return len(b), nil
}

func TestALabThatIsStartedAgainHasItsResourcesAndAddresses(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	args := []string{"--state-dir", dir, "--seed", "route53", "--propagation", "0s"}
	before, stop := up(t, args...)
	if _, err := iamOf(before).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ann")}); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, "", append([]string{"up", "--listen", "127.0.0.1:0"}, args...)...); err == nil || !strings.Contains(err.Error(), "another lab runs there") {
		t.Errorf("a second lab in the same directory: %v", err)
	}
	stop()
	after, stop := up(t, args...)
	user, err := iamOf(after).GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("ann")})
	if err != nil || *user.User.Arn != "arn:aws:iam::000000000000:user/ann" {
		t.Errorf("%+v %v", user, err)
	}
	if after.URL != before.URL || after.DNS != before.DNS || after.HostedZoneID != before.HostedZoneID || after.TargetGroups[0].Targets[0] != before.TargetGroups[0].Targets[0] {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	stop()
	if _, err := run(t, "", "up", "--listen", "127.0.0.1:0", "--state-dir", dir, "--seed", "nlb"); err == nil || !strings.Contains(err.Error(), `--seed "route53"`) {
		t.Errorf("another world in the same directory: %v", err)
	}
}

func iamOf(w awssim.World) *iam.Client {
	return iam.NewFromConfig(aws.Config{
		Region: w.Region, BaseEndpoint: &w.Endpoint, Credentials: credentials.NewStaticCredentialsProvider("FAKEKEYOFTHELAB", "fake-secret-of-the-lab", ""),
	})
}

func TestWhatEvalGetsFailsWhenThereIsNoLab(t *testing.T) {
	var out strings.Builder
	cmd := New(func(string) string { return "" })
	cmd.SetArgs([]string{"env", "--endpoint", "http://127.0.0.1:1", "--shell", "bash"})
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(out.String(), "false\n") {
		t.Errorf("error %v, stdout %q", err, out.String())
	}
}
