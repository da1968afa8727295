package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/norikae/norikae"
	root   = "../.."
)

// goFile is a Go file of the project, whatever its build constraints.
type goFile struct {
	path   string // from the root, with slashes
	syntax *ast.File
	fset   *token.FileSet
	lines  int
}

// dir is the package's path inside the module.
func (f goFile) dir() string { return path.Dir(f.path) }

func (f goFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f goFile) isGenerated() bool { return ast.IsGenerated(f.syntax) }

// imports of the file: import path → line.
func (f goFile) imports() map[string]int {
	m := map[string]int{}
	for _, spec := range f.syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			m[p] = f.fset.Position(spec.Pos()).Line
		}
	}
	return m
}

// parse makes a goFile of a path and a text; the tests plant their violations so.
func parse(t *testing.T, name, text string) goFile {
	t.Helper()
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return goFile{path: name, syntax: syntax, fset: fset, lines: strings.Count(text, "\n")}
}

// What git, the Makefile, npm and the CDK make, by path and by name.
var (
	made         = []string{".git", "bin", "cdk/build", "cdk/dist", "examples/aws-cdk/build"}
	madeAnywhere = []string{"node_modules", "cdk.out"}
)

// texts are all text files of the tree by path from the root, but for what is made.
func texts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if slices.Contains(made, rel) || slices.Contains(madeAnywhere, d.Name()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if !slices.Contains(b, 0) {
			all[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := all["go.mod"]; !ok {
		t.Fatalf("%s is not the project's root: it has no go.mod", root)
	}
	return all
}

// goFiles parses every Go file of the tree that belongs to a package.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	for name, text := range texts(t) {
		if strings.HasSuffix(name, ".go") && !strings.Contains("/"+name, "/testdata/") {
			files = append(files, parse(t, name, text))
		}
	}
	slices.SortFunc(files, func(a, b goFile) int { return strings.Compare(a.path, b.path) })
	return files
}

// report fails the test with every problem found, one a line.
func report(t *testing.T, problems []string) {
	t.Helper()
	slices.Sort(problems)
	for _, p := range problems {
		t.Error(p)
	}
}

// wantCaught fails the test unless there is exactly one problem and it says what it
// must; an empty want means that there must be none.
func wantCaught(t *testing.T, problems []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(problems) > 0:
		t.Errorf("allowed, but reported: %q", problems)
	case want != "" && (len(problems) != 1 || !strings.Contains(problems[0], want)):
		t.Errorf("got %q, want one problem that says %q", problems, want)
	}
}
