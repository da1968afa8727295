// Command terraform-provider-eksctl is the Terraform provider eksctl: EKS clusters by eksctl,
// and traffic that moves between them in judged steps.
package main

import (
	"context"
	"os"

	tfapp "github.com/norikae/norikae/internal/app/terraform"
)

// version is set by the build.
var version string

func main() {
	os.Exit(tfapp.EksctlMain(context.Background(), os.Args[1:], os.Stdout, os.Stderr, version))
}
