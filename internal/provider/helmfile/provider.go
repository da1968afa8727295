// Package helmfile is the Terraform provider that installs Helm releases with helmfile:
// what a plan shows is what `helmfile diff` says. It knows ports only.
package helmfile

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/norikae/norikae/internal/helmfile"
	"github.com/norikae/norikae/internal/provider/connection"
)

// Runner runs helmfile.
type Runner interface {
	Diff(ctx context.Context, s helmfile.Spec) (helmfile.Difference, error)
	Apply(ctx context.Context, s helmfile.Spec) (output string, err error)
	Destroy(ctx context.Context, s helmfile.Spec) (output string, err error)
}

// Programs that Releases can fetch.
const (
	Helmfile = "helmfile"
	Helm     = "helm"
	HelmDiff = "helm-diff" // a folder of helm plugins
)

// Releases fetches exactly one release of a program.
type Releases interface {
	// Path of a program of a version, "v" before the number or not.
	Path(ctx context.Context, program, version string) (string, error)
}

// Credentials are of AWS, for programs that are started.
type Credentials interface {
	// Serve gives the variables that say who is calling, and where, which hold until stop is
	// called, however long that is. stop is never nil.
	Serve(ctx context.Context, c connection.Connection) (vars map[string]string, stop func(), err error)
}

// Ports of the provider.
type Ports struct {
	Runner      Runner
	Releases    Releases
	Credentials Credentials
}

// New is the provider, of a version.
func New(version string, ports Ports) func() provider.Provider {
	return func() provider.Provider { return &plugin{version: version, ports: ports} }
}

type plugin struct {
	version string
	ports   Ports
	diffs   differences
}

func (p *plugin) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "helmfile", p.version
}

func (p *plugin) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{MarkdownDescription: "Installs Helm releases with [helmfile](https://helmfile.readthedocs.io): a plan shows what `helmfile diff` says. It needs no configuration."}
}

func (p *plugin) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (p *plugin) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return newReleaseSet(p.ports, &p.diffs) },
		func() resource.Resource { return newRelease(p.ports, &p.diffs) },
	}
}

func (p *plugin) DataSources(context.Context) []func() datasource.DataSource { return nil }
