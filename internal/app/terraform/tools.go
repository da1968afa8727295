package tfapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/ekstoken"
	"github.com/norikae/norikae/internal/kubeconfig"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/eksctl"
	"github.com/norikae/norikae/internal/provider/helmfile"
	"github.com/norikae/norikae/internal/release"
	"github.com/norikae/norikae/internal/workload"
)

// configure makes the configuration of a connection for those who ask AWS themselves.
func (s *shifts) configure(ctx context.Context, c connection.Connection) (aws.Config, error) {
	o := awsconf.Options{
		Region: c.Region, Profile: c.Profile, Endpoint: cmp.Or(c.Address, s.env.Endpoint), Version: s.env.Version,
		HTTPClient: s.env.HTTPClient, Credentials: s.env.Credentials,
	}
	if a := c.AssumeRole; a != nil {
		o.AssumeRole = awsconf.AssumeRole{RoleARN: a.RoleARN, ExternalID: a.ExternalID, SessionName: a.SessionName, Session: sessionOf(a)}
	}
	return s.configs.load(ctx, o)
}

func sessionOf(a *connection.AssumeRole) *awsconf.Session {
	return &awsconf.Session{Duration: a.Duration, Policy: a.Policy, PolicyARNs: a.PolicyARNs, Tags: a.Tags, TransitiveTagKeys: a.TransitiveTagKeys}
}

// releases fetches programs of an exact version.
type releases struct{}

// Eksctl implements eksctl.Releases.
func (releases) Eksctl(ctx context.Context, version string) (string, error) {
	return fetch(ctx, release.Eksctl, version)
}

// Path implements helmfile.Releases.
func (releases) Path(ctx context.Context, program, version string) (string, error) {
	tool, ok := map[string]string{helmfile.Helmfile: release.Helmfile, helmfile.Helm: release.Helm, helmfile.HelmDiff: release.HelmDiff}[program]
	if !ok {
		return "", fmt.Errorf("%s %s: there is no place to fetch it from", program, version)
	}
	return fetch(ctx, tool, version)
}

func fetch(ctx context.Context, program, version string) (string, error) {
	f, err := release.New(release.Config{})
	if err != nil {
		return "", err
	}
	tflog.Info(ctx, "fetching a program, unless it is there", map[string]any{"program": program, "version": version})
	return f.Fetch(ctx, program, version, nil)
}

// tokenCommand is the first argument of what a kubeconfig calls for a token.
const tokenCommand = "eks"

// tokenProgram is what kubeconfigs call for tokens. Whoever uses one needs it there:
// norikae where it is on PATH, which outlives this provider's version; else the program
// that this is, which is as near as the working directory's .terraform.
func tokenProgram() string {
	const onPath = "norikae"
	if _, err := exec.LookPath(onPath); err == nil {
		return onPath
	}
	if self, err := os.Executable(); err == nil {
		return self
	}
	return onPath
}

// kubeconfigs writes files that lead to clusters; `eks get-token` of tokenProgram makes the
// tokens.
type kubeconfigs struct{}

// Write implements eksctl.Kubeconfigs.
func (kubeconfigs) Write(path string, t eksctl.Target) error {
	c := kubeconfig.Cluster{
		Name: t.Cluster.Name, ARN: t.Cluster.ARN, Endpoint: t.Cluster.Endpoint, CA: t.Cluster.CA, Region: t.Cluster.Region,
		Profile: t.Connection.Profile, Address: t.Connection.Address, Command: tokenProgram(),
	}
	if a := t.Connection.AssumeRole; a != nil {
		c.RoleARN, c.ExternalID = a.RoleARN, a.ExternalID
	}
	return kubeconfig.Write(path, c, false)
}

// Remove implements eksctl.Kubeconfigs.
func (kubeconfigs) Remove(path string, t eksctl.Target) error {
	return kubeconfig.Remove(path, kubeconfig.Cluster{Name: t.Cluster.Name, Region: t.Cluster.Region})
}

// deletion is how long the deletion of an object, finalizers and all, may take where nothing
// ends it sooner: a load balancer behind a Service takes minutes.
const deletion = 10 * time.Minute

// workloads of clusters, with the identity that a connection leads to.
type workloads struct {
	configure func(context.Context, connection.Connection) (aws.Config, error)
}

func (w workloads) in(ctx context.Context, t eksctl.Target) (*workload.Client, error) {
	if t.Cluster.Endpoint == "" {
		return nil, errors.New("the cluster " + t.Cluster.Name + " has no endpoint yet (" + t.Cluster.Status + ")")
	}
	c := t.Connection
	c.Region = cmp.Or(t.Cluster.Region, c.Region) // tokens are signed for the cluster's
	cfg, err := w.configure(ctx, c)
	if err != nil {
		return nil, err
	}
	return workload.Connect(workload.Cluster{Endpoint: t.Cluster.Endpoint, CA: t.Cluster.CA, Token: ekstoken.NewSource(cfg, t.Cluster.Name).Token})
}

// Ready implements eksctl.Workloads.
func (w workloads) Ready(ctx context.Context, t eksctl.Target, namespace string, labels map[string]string, timeout time.Duration) error {
	c, err := w.in(ctx, t)
	if err != nil {
		return err
	}
	return c.WaitReady(ctx, namespace, labels, timeout, told(ctx))
}

// Apply implements eksctl.Workloads.
func (w workloads) Apply(ctx context.Context, t eksctl.Target, manifests []string) error {
	c, err := w.in(ctx, t)
	if err != nil {
		return err
	}
	return c.Apply(ctx, manifests, told(ctx))
}

// Delete implements eksctl.Workloads.
func (w workloads) Delete(ctx context.Context, t eksctl.Target, namespace, kind, name string) error {
	c, err := w.in(ctx, t)
	if err != nil {
		return err
	}
	return c.Delete(ctx, namespace, kind, name, deletion, told(ctx))
}

// told writes progress to Terraform's log.
func told(ctx context.Context) func(string) {
	return func(line string) { tflog.Info(ctx, line) }
}
