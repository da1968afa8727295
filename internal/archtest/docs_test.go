package archtest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	backticked = regexp.MustCompile("`([^`\n]+)`")
	mdLink     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// mapSection of ARCHITECTURE.md: there every backticked word is a path.
func mapSection(text string) string {
	_, after, _ := strings.Cut(text, "\n## Map\n")
	section, _, _ := strings.Cut(after, "\n## ")
	return section
}

// checkMap lists the paths of ARCHITECTURE.md's map that are not there, and the
// packages that it leaves out. A path stands for everything below it.
func checkMap(text string, packages []string, exists func(string) bool) []string {
	section := mapSection(text)
	if section == "" {
		return []string{`ARCHITECTURE.md has no section "## Map"`}
	}
	var problems, named []string
	for _, m := range backticked.FindAllStringSubmatch(section, -1) {
		p := path.Clean(m[1])
		named = append(named, p)
		if !exists(p) {
			problems = append(problems, fmt.Sprintf("ARCHITECTURE.md: the map names %s, which is not there", p))
		}
	}
	for _, pkg := range packages {
		if !slices.ContainsFunc(named, func(p string) bool { return within(pkg, p+"/...") }) {
			problems = append(problems, fmt.Sprintf("ARCHITECTURE.md: the map leaves out %s", pkg))
		}
	}
	return problems
}

// checkLinks lists the relative links of a Markdown file that lead nowhere.
func checkLinks(name, text string, exists func(string) bool) []string {
	var problems []string
	for _, m := range mdLink.FindAllStringSubmatch(text, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target == "" || strings.Contains(target, "://") {
			continue
		}
		if p := path.Join(path.Dir(name), target); !exists(p) {
			problems = append(problems, fmt.Sprintf("%s: links to %s, which is not there", name, p))
		}
	}
	return problems
}

// existsInTree tells whether a path from the root is a file, or a folder that git would
// keep because a file is in it.
func existsInTree(t *testing.T, all map[string]string) func(string) bool {
	t.Helper()
	return func(p string) bool {
		if _, ok := all[p]; ok {
			return true
		}
		if info, err := os.Stat(filepath.Join(root, filepath.FromSlash(p))); err != nil || !info.IsDir() {
			return err == nil // a file that is not text
		}
		for name := range all {
			if strings.HasPrefix(name, p+"/") {
				return true
			}
		}
		return false
	}
}

func TestTheMapIsTheTree(t *testing.T) {
	all := texts(t)
	var packages []string
	for _, f := range goFiles(t) {
		packages = append(packages, f.dir())
	}
	slices.Sort(packages)
	report(t, checkMap(all["ARCHITECTURE.md"], slices.Compact(packages), existsInTree(t, all)))
}

func TestLinksLeadSomewhere(t *testing.T) {
	all := texts(t)
	var problems []string
	for name, text := range all {
		if strings.HasSuffix(name, ".md") {
			problems = append(problems, checkLinks(name, text, existsInTree(t, all))...)
		}
	}
	report(t, problems)
}

func TestDocsCatchViolations(t *testing.T) {
	exists := func(p string) bool { return p == "internal/a" || p == "docs/b.md" }
	t.Run("a path that is gone", func(t *testing.T) {
		text := "# A\n\n## Map\n\n- `internal/a/` is\n- `internal/b` was\n\n## Flow\n\n`internal/c` is not of the map\n"
		wantCaught(t, checkMap(text, []string{"internal/a/sub"}, exists), "names internal/b")
	})
	t.Run("a package that the map leaves out", func(t *testing.T) {
		wantCaught(t, checkMap("\n## Map\n\n`internal/a`\n", []string{"internal/ab"}, exists), "leaves out internal/ab")
	})
	t.Run("no map", func(t *testing.T) {
		wantCaught(t, checkMap("# A\n", nil, exists), "no section")
	})
	t.Run("a link that leads nowhere", func(t *testing.T) {
		text := "[b](b.md#part) [web](https://example.com) [here](#part) [c](../docs/c.md)"
		wantCaught(t, checkLinks("docs/a.md", text, exists), "docs/c.md")
	})
}
