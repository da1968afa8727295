// Command norikae shifts live traffic between clusters in judged steps, and runs the lab
// to try it in.
package main

import (
	"context"
	"os"

	"github.com/norikae/norikae/internal/app"
)

// version is set by the build.
var version string

func main() {
	os.Exit(app.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, app.OSEnvironment(version)))
}
