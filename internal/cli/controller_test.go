package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// callController runs the command line and returns what the controller was told, or what
// the command line said instead.
func callController(t *testing.T, args ...string) (got *ControllerOptions, said string, code int) {
	t.Helper()
	cmd := ControllerCommand(func(ctx context.Context, o ControllerOptions) error {
		o.Log.InfoContext(ctx, "runs")
		o.Log.DebugContext(ctx, "in detail")
		o.Log, got = nil, &o
		return nil
	})
	var out, errw bytes.Buffer
	code = Main(t.Context(), append([]string{"controller"}, args...), strings.NewReader(""), &out, &errw, Deps{Commands: []*cobra.Command{cmd}})
	return got, out.String() + errw.String(), code
}

func TestTheControllerIsToldWhatTheFlagsSay(t *testing.T) {
	defaults := ControllerOptions{
		Namespaces: []string{"argocd"}, ArgoCDNamespaces: []string{"argocd"}, Concurrency: 10, LeaderElect: true,
		MetricsAddress: ":8080", ProbeAddress: ":8081", GracePeriod: 25 * time.Second,
	}
	for name, tc := range map[string]struct {
		args   string
		change func(*ControllerOptions)
	}{
		"nothing":               {"", func(*ControllerOptions) {}},
		"two Argo CDs":          {"--argocd-namespace a,b", func(o *ControllerOptions) { o.ArgoCDNamespaces, o.Namespaces = []string{"a", "b"}, []string{"a", "b"} }},
		"namespaces, one flag":  {"-n a,b", func(o *ControllerOptions) { o.Namespaces = []string{"a", "b"} }},
		"namespaces, two flags": {"-n a --namespace b", func(o *ControllerOptions) { o.Namespaces = []string{"a", "b"} }},
		"all namespaces":        {"-A", func(o *ControllerOptions) { o.Namespaces, o.AllNamespaces = nil, true }},
		"a shard": {"-l shard=1 --leader-elect=false --concurrency 100", func(o *ControllerOptions) {
			o.Selector, o.LeaderElect, o.Concurrency = "shard=1", false, 100
		}},
		"outside of a cluster": {"--kubeconfig k --context c --lease-namespace l --metrics-address 0 --probe-address 127.0.0.1:0", func(o *ControllerOptions) {
			o.Kubeconfig, o.Context, o.LeaseNamespace, o.MetricsAddress, o.ProbeAddress = "k", "c", "l", "0", "127.0.0.1:0"
		}},
		"secure metrics": {"--metrics-secure --metrics-cert-dir /certs --grace-period 0s --events-queue-url https://sqs/q", func(o *ControllerOptions) {
			o.MetricsSecure, o.MetricsCertDir, o.GracePeriod, o.EventsQueueURL = true, "/certs", 0, "https://sqs/q"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			want := defaults
			tc.change(&want)
			got, said, code := callController(t, strings.Fields(tc.args)...)
			if d := cmp.Diff(&want, got); d != "" || code != ExitDone {
				t.Errorf("exit code %d, %s\n%s", code, said, d)
			}
			if !strings.Contains(said, "level=INFO msg=runs") || strings.Contains(said, "detail") {
				t.Errorf("the log is %q", said)
			}
		})
	}
}

func TestWrongFlagsOfTheControllerAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"--concurrency 0":                  "--concurrency 0: want 1–100",
		"--concurrency 101":                "--concurrency 101: want 1–100",
		"-A -n a":                          "--all-namespaces and --namespace a exclude each other",
		"--argocd-namespace=":              "--argocd-namespace is empty",
		"--argocd-namespace=a,,b":          `--argocd-namespace "a,,b" has an empty name in it`,
		"--namespace=a,":                   `--namespace "a," has an empty name in it`,
		"--grace-period 11m":               "--grace-period 11m0s: want 0s–10m",
		"--grace-period 25":                `invalid argument "25" for "--grace-period"`,
		"--metrics-cert-dir /certs":        "--metrics-cert-dir /certs without --metrics-secure",
		"--log-format xml":                 `--log-format "xml": want text or json`,
		"--log-level loud":                 `--log-level "loud": want debug, info, warn or error`,
		"--kubeconfg x":                    "Did you mean --kubeconfig?",
		"clusterset.yaml":                  `norikae controller takes no argument "clusterset.yaml"`,
		"--selector a --argocd-namespaces": "Did you mean --argocd-namespace?",
	} {
		got, said, code := callController(t, strings.Fields(args)...)
		if got != nil || code != ExitRefused || !strings.Contains(said, want) {
			t.Errorf("%s: exit code %d, said %q, want %q", args, code, said, want)
		}
	}
}

func TestTheControllersLog(t *testing.T) {
	if _, said, _ := callController(t, "--log-format", "json", "--log-level", "debug"); !strings.Contains(said, `"level":"DEBUG","msg":"in detail"`) {
		t.Errorf("%q", said)
	}
	if _, said, _ := callController(t, "--log-level", "error"); said != "" {
		t.Errorf("%q", said)
	}
}

func TestAControllerThatCannotRunSaysWhy(t *testing.T) {
	var errw bytes.Buffer
	cmd := ControllerCommand(func(context.Context, ControllerOptions) error {
		return errors.New("the API server does not know ClusterSet")
	})
	code := Main(t.Context(), []string{"controller"}, strings.NewReader(""), &errw, &errw, Deps{Commands: []*cobra.Command{cmd}})
	if code != ExitRefused || !strings.Contains(errw.String(), "error: the API server does not know ClusterSet") {
		t.Errorf("%d, %q", code, errw.String())
	}
}
