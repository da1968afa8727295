//go:build e2e

package leader

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/norikae/norikae/internal/kubetest"
)

// kubernetes is a real API server, which all stories share.
var kubernetes kubetest.Server

// binaryVar names a binary that is built already.
const binaryVar = "NORIKAE_E2E_BINARY"

// atOnce is how many stories run at the same time: they wait for the lease and the grace,
// which is hardly any work. Each is two processes of some 50 MB, most of it shared.
const atOnce = "54"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atOnce); err != nil { // before it is parsed: -parallel wins
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(binaryVar) == "" {
		dir, err := os.MkdirTemp("", "norikae-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Setenv(binaryVar, filepath.Join(dir, "norikae"))
		build := exec.CommandContext(context.Background(), "go", "build", "-o", os.Getenv(binaryVar), "github.com/norikae/norikae/cmd/norikae")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building norikae: %v\n%s", err, out)
			return 1
		}
	}
	return kubernetes.Main(m)
}
