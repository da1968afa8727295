package tfapp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"k8s.io/klog/v2"

	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/eksapi"
	runeksctl "github.com/norikae/norikae/internal/eksctl"
	runhelmfile "github.com/norikae/norikae/internal/helmfile"
	"github.com/norikae/norikae/internal/provider/eksctl"
	"github.com/norikae/norikae/internal/provider/helmfile"
)

// The providers' addresses: source in required_providers.
const (
	EksctlAddress   = "registry.terraform.io/norikae/eksctl"
	HelmfileAddress = "registry.terraform.io/norikae/helmfile"
)

// EksctlProvider is the provider eksctl of a version.
func EksctlProvider(version string) func() provider.Provider {
	return eksctlIn(app.OSEnvironment(version))
}

func eksctlIn(env app.Environment) func() provider.Provider {
	s := newShifts(env)
	api := eksapi.New(s.configure)
	return func() provider.Provider {
		return eksctl.New(eksctl.Config{
			Version: env.Version, Shifts: s, Eksctl: runeksctl.Runner{}, Clusters: api, Credentials: api,
			Releases: releases{}, Kubeconfigs: kubeconfigs{}, Workloads: workloads{s.configure}, Environ: os.Environ(),
		})
	}
}

// HelmfileProvider is the provider helmfile of a version.
func HelmfileProvider(version string) func() provider.Provider {
	s := newShifts(app.OSEnvironment(version))
	return helmfile.New(version, helmfile.Ports{Runner: runhelmfile.Runner{}, Releases: releases{}, Credentials: eksapi.New(s.configure)})
}

// EksctlMain is the program terraform-provider-eksctl: it returns the exit code. It is what
// the kubeconfigs that it writes call, too: with eks get-token it makes a token.
func EksctlMain(ctx context.Context, args []string, out, errw io.Writer, version string) int {
	if len(args) > 0 && args[0] == tokenCommand {
		return app.EKSMain(ctx, args, strings.NewReader(""), out, errw, app.OSEnvironment(version))
	}
	return serve(ctx, args, errw, EksctlAddress, EksctlProvider(version))
}

// HelmfileMain is the program terraform-provider-helmfile: it returns the exit code.
func HelmfileMain(ctx context.Context, args []string, errw io.Writer, version string) int {
	return serve(ctx, args, errw, HelmfileAddress, HelmfileProvider(version))
}

// serve a provider to the Terraform that started this program.
func serve(ctx context.Context, args []string, errw io.Writer, address string, p func() provider.Provider) int {
	klog.SetLogger(logr.Discard()) // client-go talks to stderr; what matters comes back as an error
	flags := flag.NewFlagSet(address, flag.ContinueOnError)
	flags.SetOutput(errw)
	debug := flags.Bool("debug", false, "wait for a debugger: prints what TF_REATTACH_PROVIDERS is to be, and serves until it is interrupted")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(errw, "error: there is no argument %q; Terraform starts this program, see https://developer.hashicorp.com/terraform/cli/config/config-file#provider-installation\n", flags.Arg(0))
		return 2
	}
	if err := providerserver.Serve(ctx, p, providerserver.ServeOpts{Address: address, Debug: *debug, ProtocolVersion: 6}); err != nil {
		fmt.Fprintf(errw, "error: serving the provider: %v\n", err)
		return 1
	}
	return 0
}
