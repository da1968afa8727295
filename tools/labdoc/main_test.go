package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
)

const (
	page   = "../../docs/lab.md"
	driven = "../../internal/awssim/testdata/driven"
)

func TestTheTablesAreUpToDate(t *testing.T) {
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want, err := generate(got, driven)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/lab.md is not what the simulator says: run make generate")
	}
}

func TestThePageTellsOfEveryOperationAndFault(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range awssim.Operations() {
		if !strings.Contains(string(text), "| `"+op.Name+"` | "+string(op.Fidelity)+" |") {
			t.Errorf("%s %s is missing", op.Service, op.Name)
		}
		if services[op.Service] == "" {
			t.Errorf("nothing is said about the service %s", op.Service)
		}
	}
	for _, k := range fault.Kinds() {
		if meanings[k] == "" {
			t.Errorf("nothing is said about the fault %s", k)
		}
	}
	for k := range meanings {
		if !slices.Contains(fault.Kinds(), k) {
			t.Errorf("the fault %s does not exist", k)
		}
	}
}

func TestWhatCannotBeTrueIsRefused(t *testing.T) {
	whole, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		page, list string
		want       string
	}{
		"a page without marks":                        {"# The lab\n", "", "no lines"},
		"a table without an end":                      {"<!-- begin operations, generated -->\n", "", "no lines"},
		"an operation that the simulator has not":     {string(whole), "elbv2 TurnOff\n", "TurnOff was driven"},
		"an operation that is another service's name": {string(whole), "sts CreateRule\n", "sts CreateRule was driven"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, client := range clients {
				if err := os.WriteFile(filepath.Join(dir, client+".txt"), []byte(tc.list), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := generate([]byte(tc.page), dir); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one that says %q", err, tc.want)
			}
		})
	}
	if _, err := generate(whole, t.TempDir()); err == nil {
		t.Error("a page was made without the lists")
	}
}
