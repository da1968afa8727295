package cli

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// ControllerOptions say what a controller looks at, and how it runs.
type ControllerOptions struct {
	Kubeconfig, Context string // "": in the pod, else as kubectl finds them
	// Namespaces of the ClusterSets; none: those of Argo CD. AllNamespaces: every one.
	Namespaces    []string
	AllNamespaces bool
	// ArgoCDNamespaces are where cluster Secrets may be written, at least one.
	ArgoCDNamespaces []string
	Selector         string // of labels of ClusterSets, as kubectl takes it; "": all
	EventsQueueURL   string // of SQS; "": none
	Concurrency      int    // ClusterSets with a pass at the same time, 1–100
	LeaderElect      bool
	LeaseNamespace   string // "": the controller's own
	// Addresses to listen on; "0": do not.
	MetricsAddress, ProbeAddress string
	MetricsSecure                bool   // HTTPS
	MetricsCertDir               string // with tls.crt and tls.key; "": a certificate is made
	GracePeriod                  time.Duration
	Log                          *slog.Logger
}

const controllerLong = `The controller keeps ClusterSets: every spec.interval it asks AWS which clusters there are,
and keeps a cluster Secret in Argo CD's namespace for each of them. It tells what it does,
and what is not in order, in the ClusterSet's status, in Events and in metrics.

It takes no file: the ClusterSets are those that kubectl apply has put into the cluster. It
runs in the cluster of Argo CD, or, with --kubeconfig, anywhere. AWS is asked with the
credentials that the AWS CLI would use, and the roles of the ClusterSets.

A first SIGINT or SIGTERM lets the write that is under way end, then gives the lease up,
so that another replica takes over at once. docs/controller.md has the rest: permissions,
metrics, several controllers.`

// ControllerCommand runs a controller until its context ends.
func ControllerCommand(run func(context.Context, ControllerOptions) error) *cobra.Command {
	var o ControllerOptions
	var format string
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Keep ClusterSets: register EKS clusters with Argo CD as they come and go",
		Long:  controllerLong,
		Example: `  norikae controller                                       # in a pod beside Argo CD
  norikae controller --kubeconfig ~/.kube/config --leader-elect=false
  norikae controller --namespace team-a,team-b --selector shard=1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			var err error
			if o.Log, err = controllerLog(cmd, format); err != nil {
				return err
			}
			return run(cmd.Context(), o)
		},
	}
	o.setFlags(cmd)
	cmd.Flags().StringVar(&format, "log-format", outputText, "log as text or json; --log-level is info unless it is set")
	return cmd
}

func (o *ControllerOptions) setFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Kubeconfig, "kubeconfig", "", "`file` that leads to Argo CD's cluster (default: the pod's service account, else KUBECONFIG, ~/.kube/config)")
	f.StringVar(&o.Context, "context", "", "context `name` in the kubeconfig")
	f.StringSliceVar(&o.ArgoCDNamespaces, "argocd-namespace", []string{"argocd"}, "`namespaces` of Argo CDs: cluster Secrets are read and written there and nowhere else")
	f.StringSliceVarP(&o.Namespaces, "namespace", "n", nil, "`namespaces` whose ClusterSets are kept (default: those of --argocd-namespace)")
	f.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "keep the ClusterSets of all namespaces: who may make one anywhere decides which clusters Argo CD enters")
	f.StringVarP(&o.Selector, "selector", "l", "", "keep only ClusterSets whose labels match, such as shard=1; each selector has a lease of its own")
	f.StringVar(&o.EventsQueueURL, "events-queue-url", "", "`URL` of an SQS queue that gets CloudTrail's EKS events from EventBridge: changes are seen within seconds")
	f.IntVar(&o.Concurrency, "concurrency", 10, "how many ClusterSets have a pass at the same time, 1–100")
	f.BoolVar(&o.LeaderElect, "leader-elect", true, "wait for the lease, so that of several replicas one works")
	f.StringVar(&o.LeaseNamespace, "lease-namespace", "", "`namespace` of the lease (default: the pod's, else the kubeconfig's)")
	f.StringVar(&o.MetricsAddress, "metrics-address", ":8080", "`address` of /metrics; 0: none")
	f.BoolVar(&o.MetricsSecure, "metrics-secure", false, "serve /metrics by HTTPS")
	f.StringVar(&o.MetricsCertDir, "metrics-cert-dir", "", "`folder` with tls.crt and tls.key for /metrics (default: a certificate is made at each start)")
	f.StringVar(&o.ProbeAddress, "probe-address", ":8081", "`address` of /healthz and /readyz; 0: none")
	f.DurationVar(&o.GracePeriod, "grace-period", 25*time.Second, "how long a stop waits for what is under way; less than the pod's terminationGracePeriodSeconds")
	if err := cmd.MarkFlagFilename("kubeconfig"); err != nil {
		panic(err) // the flag stands above
	}
}

func (o *ControllerOptions) validate() error {
	switch {
	case o.Concurrency < 1 || o.Concurrency > 100:
		return usage("--concurrency %d: want 1–100", o.Concurrency)
	case o.AllNamespaces && len(o.Namespaces) > 0:
		return usage("--all-namespaces and --namespace %s exclude each other: give one of them", strings.Join(o.Namespaces, ","))
	case len(o.ArgoCDNamespaces) == 0:
		return usage("--argocd-namespace is empty: want at least one namespace")
	case o.GracePeriod < 0 || o.GracePeriod > 10*time.Minute:
		return usage("--grace-period %s: want 0s–10m", o.GracePeriod)
	case o.MetricsCertDir != "" && !o.MetricsSecure:
		return usage("--metrics-cert-dir %s without --metrics-secure: give both", o.MetricsCertDir)
	}
	for flag, list := range map[string][]string{"argocd-namespace": o.ArgoCDNamespaces, "namespace": o.Namespaces} {
		if slices.Contains(list, "") {
			return usage("--%s %q has an empty name in it: want names, separated by commas", flag, strings.Join(list, ","))
		}
	}
	if len(o.Namespaces) == 0 && !o.AllNamespaces {
		o.Namespaces = o.ArgoCDNamespaces
	}
	return nil
}

// controllerLog is at the level of --log-level, which for a controller is info unless it
// was given.
func controllerLog(cmd *cobra.Command, format string) (*slog.Logger, error) {
	level := slog.LevelInfo
	if f := cmd.Flag("log-level"); f != nil && f.Changed {
		if err := level.UnmarshalText([]byte(f.Value.String())); err != nil {
			return nil, fmt.Errorf("reading --log-level: %w", err)
		}
	}
	h := &slog.HandlerOptions{Level: level}
	switch format {
	case outputText:
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), h)), nil
	case outputJSON:
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), h)), nil
	default:
		return nil, usage("--log-format %q: want %s or %s", format, outputText, outputJSON)
	}
}
