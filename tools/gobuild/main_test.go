package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// folder of a module with a program.
func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, s := range map[string]string{"go.mod": "module example.com/hello\n\ngo 1.26.0\n", "main.go": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAProgramIsBuilt(t *testing.T) {
	dir := folder(t, "package main\n\nfunc main() {}\n")
	if err := run(t.Context(), []string{"hello", "-C", dir, "-o", "hello", "."}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hello")); err != nil {
		t.Error(err)
	}
}

func TestWhatTheCompilerSaysIsTold(t *testing.T) {
	dir := folder(t, "package main\n\nfunc main() { missing() }\n")
	err := run(t.Context(), []string{"hello", "-C", dir, "-o", "hello", "."}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "building hello") || !strings.Contains(err.Error(), "undefined: missing") {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"hello"}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "the package last") {
		t.Error(err)
	}
}

func TestHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	b := build{name: "Traefik", out: &out, began: time.Now(), total: 1432}
	if said := b.follow(strings.NewReader("a\nb/c\n# b/c\nx.go:1:2: wrong\n")); len(said) != 2 {
		t.Errorf("%q is said", said)
	}
	b.show(2, false)
	b.show(3, true)
	if got := out.String(); got != "building Traefik: 2 of at most 1432 packages compiled, 0s\n\r\x1b[Kbuilding Traefik: 3 of at most 1432 packages compiled, 0s" {
		t.Errorf("%q", got)
	}
}
