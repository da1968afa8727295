// Command terraform-provider-aws stands in for hashicorp/aws in tests, on the lab: the few
// resources and data sources that the examples use, with the same names and attributes. It
// is no substitute for the real one: what an example does not use, it does not know.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
)

func main() {
	err := providerserver.Serve(context.Background(), newProvider, providerserver.ServeOpts{
		Address: "registry.terraform.io/hashicorp/aws",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
