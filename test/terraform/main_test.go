// Package terraform runs both providers under the real Terraform against `norikae lab`, each
// a process of its own, and judges by what the lab was asked and what it serves.

package terraform

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Where the programs are: `make acceptance` sets all.
const (
	terraformVar  = "TF_ACC_TERRAFORM_PATH" // the terraform binary
	terraformsVar = "NORIKAE_TERRAFORMS"    // others, and tofu: what PATH is a list of
	binVar        = "NORIKAE_BIN"           // the folder with norikae and the providers; below it test/
)

// programs that must be in the folder.
var programs = []string{
	"norikae", "terraform-provider-eksctl", "terraform-provider-helmfile", "test/terraform-provider-aws", "test/eksctl",
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for other processes, which wait for the clock: more at once than there
	// are cores.
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// prepare looks for every program, and takes from the process all that it knows of the
// real AWS, so that no mistake here can reach it.
func prepare() error {
	missing := []string{}
	if os.Getenv(terraformVar) == "" {
		missing = append(missing, "$"+terraformVar)
	}
	if len(terraforms()) < 2 {
		missing = append(missing, "two of $"+terraformsVar)
	}
	for _, p := range terraforms() {
		if _, err := os.Stat(p); err != nil {
			missing = append(missing, p)
		}
	}
	for _, p := range programs {
		if _, err := os.Stat(program(p)); err != nil {
			missing = append(missing, "$"+binVar+"/"+p)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("these tests run real programs, and some are not there: %s; run them with `make acceptance`, which builds all", strings.Join(missing, ", "))
	}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "DD_") || strings.HasPrefix(name, "DATADOG_") || strings.HasPrefix(name, "TF_") && name != terraformVar {
			_ = os.Unsetenv(name)
		}
	}
	// A signal that is ignored here, as under nohup, would be ignored by what is started too.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	return nil
}

// terraforms that run the lifecycle, besides the one that runs everything.
func terraforms() []string { return filepath.SplitList(os.Getenv(terraformsVar)) }

// program of the folder.
func program(name string) string { return filepath.Join(os.Getenv(binVar), filepath.FromSlash(name)) }
