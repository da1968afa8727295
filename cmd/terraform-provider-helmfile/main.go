// Command terraform-provider-helmfile is the Terraform provider helmfile: Helm releases by
// helmfile.
package main

import (
	"context"
	"os"

	tfapp "github.com/norikae/norikae/internal/app/terraform"
)

// version is set by the build.
var version string

func main() { os.Exit(tfapp.HelmfileMain(context.Background(), os.Args[1:], os.Stderr, version)) }
