package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestTheReferenceIsUpToDate(t *testing.T) {
	want, err := generate("../../api/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/trafficshift.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/trafficshift.md is not what the types say: run make generate")
	}
}

func TestEveryFieldIsExplained(t *testing.T) {
	page, err := generate("../../api/v1alpha1")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		rows++
		if strings.HasSuffix(strings.TrimSpace(line), "| |") || strings.HasSuffix(strings.TrimSpace(line), "|  |") {
			t.Errorf("no comment explains %s", line)
		}
	}
	if rows < 60 {
		t.Errorf("only %d fields were found", rows)
	}
}

func TestAFolderWithoutTheTypesIsRefused(t *testing.T) {
	if _, err := generate(t.TempDir()); err == nil {
		t.Error("a page was made of nothing")
	}
}
