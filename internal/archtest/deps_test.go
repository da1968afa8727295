package archtest

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/deps.txt anew")

const depsHeader = `# Modules that are linked into cmd/norikae (linux/amd64), so that a new one shows in
# review. Write anew: go test ./internal/archtest -run Dependencies -update
`

// linkedModules of a command, sorted, without our own. Which they are must not depend
// on the machine that asks.
func linkedModules(t *testing.T, pkg string) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", pkg)
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("listing the dependencies of %s: %v\n%s", pkg, err, stderr.String())
	}
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	return slices.DeleteFunc(slices.Compact(modules), func(m string) bool { return m == module })
}

// checkDeps compares the modules with the golden file's text.
func checkDeps(got []string, golden string) string {
	return cmp.Diff(golden, depsHeader+strings.Join(got, "\n")+"\n")
}

func TestDependenciesOfTheCommand(t *testing.T) {
	const golden = "testdata/deps.txt"
	got := linkedModules(t, "./cmd/norikae")
	if *update {
		if err := os.WriteFile(golden, []byte(depsHeader+strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := checkDeps(got, string(want)); d != "" {
		t.Errorf("cmd/norikae links other modules than %s says; if that is meant, run with -update (-want +got):\n%s", golden, d)
	}
}

func TestDependenciesCatchViolations(t *testing.T) {
	golden := depsHeader + "example.com/a\nexample.com/b\n"
	if d := checkDeps([]string{"example.com/a", "example.com/b"}, golden); d != "" {
		t.Errorf("the same modules differ:\n%s", d)
	}
	if d := checkDeps([]string{"example.com/a", "example.com/b", "example.com/new"}, golden); !strings.Contains(d, "example.com/new") {
		t.Errorf("a new module is not shown:\n%s", d)
	}
	if d := checkDeps([]string{"example.com/a"}, golden); !strings.Contains(d, "example.com/b") {
		t.Errorf("a module that is gone is not shown:\n%s", d)
	}
}
