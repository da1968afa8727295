// The skeleton of mumoshu/helmfile as a program, for Terraform to start.
package main

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/plugin"

	"github.com/norikae/norikae/test/sdkv2/old"
)

func main() {
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: old.Helmfile, ProviderAddr: "registry.terraform.io/mumoshu/helmfile"})
}
