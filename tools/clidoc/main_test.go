package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestTheReferenceIsUpToDate(t *testing.T) {
	got, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(reference(commands())), string(got)); d != "" {
		t.Errorf("docs/cli.md is not what the commands say: run make generate (-want +got):\n%s", d)
	}
}

func TestTheReferenceIsTheSameEachTime(t *testing.T) {
	if !bytes.Equal(reference(commands()), reference(commands())) {
		t.Error("two references of the same commands differ")
	}
}

func TestEveryCommandAndFlagIsExplained(t *testing.T) {
	page := string(reference(commands()))
	seen := 0
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		seen++
		if !strings.Contains(page, "\n## "+c.CommandPath()+"\n") {
			t.Errorf("%s has no section", c.CommandPath())
		}
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s has no short description or no example", c.CommandPath())
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || f.Name != "help" && !f.Hidden && !strings.Contains(page, "`--"+f.Name+"`") {
				t.Errorf("%s --%s is not explained", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			look(sub)
		}
	}
	look(commands())
	if seen < 15 {
		t.Errorf("only %d commands were found", seen)
	}
}

func TestWhatIsIndentedBecomesABlock(t *testing.T) {
	c := &cobra.Command{Use: "x", Long: "A list:\n  one\n  two\n\nThe end."}
	const want = "A list:\n\n```text\none\ntwo\n```\n\nThe end."
	if d := cmp.Diff(want, prose(c)); d != "" {
		t.Error(d)
	}
}
