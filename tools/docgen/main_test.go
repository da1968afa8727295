package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestTheReferencesAreUpToDate(t *testing.T) {
	for file, p := range pages() {
		want, err := generate("../../api/v1alpha1", p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("docs/%s is not what the types say: run make generate", file)
		}
	}
}

func TestEveryFieldIsExplained(t *testing.T) {
	least := map[string]int{"trafficshift.md": 60, "clusterset-fields.md": 55}
	for file, p := range pages() {
		page, err := generate("../../api/v1alpha1", p)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for line := range strings.Lines(string(page)) {
			if strings.Contains(line, "+kubebuilder") || strings.Contains(line, "+optional") {
				t.Errorf("%s: a line for another generator: %s", file, line)
			}
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			rows++
			if strings.HasSuffix(strings.TrimSpace(line), "| |") || strings.HasSuffix(strings.TrimSpace(line), "|  |") {
				t.Errorf("%s: no comment explains %s", file, line)
			}
		}
		if rows < least[file] {
			t.Errorf("%s: only %d fields were found, want %d", file, rows, least[file])
		}
	}
}

func TestAFolderWithoutTheTypesIsRefused(t *testing.T) {
	for file, p := range pages() {
		if _, err := generate(t.TempDir(), p); err == nil {
			t.Errorf("%s was made of nothing", file)
		}
	}
}
