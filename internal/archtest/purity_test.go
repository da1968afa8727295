package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// impure is what a pure package may not import, with everything below it, and why.
var impure = map[string]string{
	"context":     "nothing here waits or can be cancelled",
	"log":         "reasons are returned, not logged",
	"os":          "no files, environment or signals",
	"net":         "facts are fetched by adapters",
	"sync":        "no shared state",
	"math/rand":   "the same question has the same answer",
	"crypto/rand": "the same question has the same answer",
	"runtime":     "the machine is not an input",
	"syscall":     "the machine is not an input",
}

// clock is what of package time depends on when it is called.
var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}

// checkPurity lists what makes a pure package's code depend on more than its input.
func checkPurity(files []goFile) []string {
	var problems []string
	for _, f := range files {
		if f.isTest() || !slices.Contains(pure, f.dir()) {
			continue
		}
		add := func(pos token.Pos, format string, args ...any) {
			at := fmt.Sprintf("%s:%d: ", f.path, f.fset.Position(pos).Line)
			problems = append(problems, at+fmt.Sprintf(format, args...)+"; this package is pure")
		}
		for _, spec := range f.syntax.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			for pkg, why := range impure {
				if within(imported, pkg+"/...") {
					add(spec.Pos(), "imports %s: %s", imported, why)
				}
			}
			if imported == "time" && spec.Name != nil && spec.Name.Name == "." {
				add(spec.Pos(), "imports time into its own scope: time is data, name the package")
			}
		}
		clockName := localName(f.syntax, "time")
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				add(n.Pos(), "starts a goroutine")
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == clockName && slices.Contains(clock, n.Sel.Name) {
					add(n.Pos(), "uses time.%s: time is data, take it as an argument", n.Sel.Name)
				}
			}
			return true
		})
	}
	return problems
}

// localName is what a file calls an imported package.
func localName(f *ast.File, imported string) string {
	for _, spec := range f.Imports {
		if strings.Trim(spec.Path.Value, `"`) == imported && spec.Name != nil {
			return spec.Name.Name
		}
	}
	return path.Base(imported)
}

func TestPurePackagesDependOnTheirInputAlone(t *testing.T) {
	files := goFiles(t)
	report(t, checkPurity(files))
	for _, pkg := range []string{"internal/traffic", "internal/shift", "internal/analysis"} {
		if !slices.ContainsFunc(files, func(f goFile) bool { return f.dir() == pkg && !f.isTest() }) {
			t.Errorf("%s has no Go file: was it renamed? Then rename it in internal/archtest too", pkg)
		}
	}
}

func TestPurityCatchesViolations(t *testing.T) {
	for name, tc := range map[string]struct {
		path, text string
		want       string // empty: allowed
	}{
		"the clock":                      {"internal/shift/x.go", "import \"time\"\nvar x = time.Now()", "time.Now"},
		"the clock under another name":   {"internal/shift/x.go", "import clk \"time\"\nfunc f() { clk.Sleep(1) }", "time.Sleep"},
		"the clock without a name":       {"internal/shift/x.go", "import . \"time\"\nvar x = Now()", "own scope"},
		"the clock as a value":           {"internal/traffic/x.go", "import \"time\"\nvar now = time.Since", "time.Since"},
		"a timer":                        {"internal/analysis/x.go", "import \"time\"\nvar x = time.NewTimer(1)", "time.NewTimer"},
		"durations and moments are fine": {"internal/analysis/x.go", "import \"time\"\nvar x = time.Unix(0, 0).Add(time.Minute)", ""},
		"a method of that name is fine":  {"internal/shift/x.go", "import \"time\"\ntype o struct{ Now time.Time }\nfunc f(o o) time.Time { return o.Now }", ""},
		"a context":                      {"internal/shift/x.go", "import \"context\"\nvar x context.Context", "imports context"},
		"a logger":                       {"internal/shift/x.go", "import \"log/slog\"\nvar x = slog.Default()", "imports log/slog"},
		"the network":                    {"internal/analysis/x.go", "import \"net/http\"\nvar x http.Client", "imports net/http"},
		"the environment":                {"internal/traffic/x.go", "import \"os\"\nvar x = os.Args", "imports os"},
		"chance":                         {"internal/traffic/x.go", "import \"math/rand/v2\"\nvar x = rand.Int()", "imports math/rand/v2"},
		"a goroutine":                    {"internal/shift/x.go", "func f() { go f() }", "goroutine"},
		"the engine lives by the clock":  {"internal/engine/x.go", "import \"time\"\nvar x = time.Now()", ""},
		"a pure package's tests may too": {"internal/shift/x_test.go", "import \"time\"\nvar x = time.Now()", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, tc.path, "package x\n\n"+tc.text+"\n")
			wantCaught(t, checkPurity([]goFile{f}), tc.want)
		})
	}
}
