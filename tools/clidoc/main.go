// Command clidoc writes the reference of the commands from the commands themselves.
package main

//go:generate go run . -out ../../docs/cli.md

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/norikae/norikae/internal/app"
)

func main() {
	out := flag.String("out", "docs/cli.md", "file to write")
	flag.Parse()
	if err := os.WriteFile(*out, reference(commands()), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const intro = `# Commands

What each command of norikae takes, as ` + "`norikae COMMAND --help`" + ` prints it, too. The files that ` + "`-f`" + ` names are explained field by field
in [trafficshift.md](trafficshift.md) and [clusterset.md](clusterset-fields.md); how a shift works in [shifting.md](shifting.md), and how clusters are registered in [clusterset.md](clusterset.md).

This page is generated from the commands by ` + "`make generate`" + `; do not edit it.
`

// commands is the whole tree. Nothing in it depends on the environment.
func commands() *cobra.Command {
	return app.Command(app.Environment{Getenv: func(string) string { return "" }})
}

// reference has a section for each command that does something, in the order of the
// tree; the root's says what holds for all of them.
func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(intro)
	write(&b, root)
	return b.Bytes()
}

func write(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", c.CommandPath(), prose(c))
	if c.Runnable() {
		fence(b, "Usage", c.UseLine())
	}
	fence(b, "Examples", dedent(c.Example))
	title := "Flags"
	if !c.HasParent() {
		title = "Flags of every command"
	}
	flags(b, title, c.NonInheritedFlags())
	for p := c.Parent(); p != nil && p.HasParent(); p = p.Parent() {
		flags(b, "Flags of `"+p.CommandPath()+"`", p.PersistentFlags())
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			write(b, sub)
		}
	}
}

// prose is the long description; what is indented in it becomes a block.
func prose(c *cobra.Command) string {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	var out []string
	inside := false
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != inside {
			inside = indented
			if inside {
				out = append(out, "", "```text")
			} else {
				out = append(out, "```")
			}
		}
		out = append(out, strings.TrimPrefix(line, "  "))
	}
	if inside {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

func fence(b *bytes.Buffer, title, text string) {
	if text != "" {
		fmt.Fprintf(b, "\n%s:\n\n```bash\n%s\n```\n", title, text)
	}
}

func dedent(text string) string {
	return strings.TrimPrefix(strings.ReplaceAll(text, "\n  ", "\n"), "  ")
}

func flags(b *bytes.Buffer, title string, set *pflag.FlagSet) {
	var rows strings.Builder
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		value, meaning := pflag.UnquoteUsage(f)
		byDefault := f.DefValue
		if value == "" || byDefault == "[]" {
			byDefault = "" // a switch that is off, a list that is empty
		}
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", name, value, byDefault, strings.ReplaceAll(meaning, "|", `\|`))
	})
	if rows.Len() > 0 {
		fmt.Fprintf(b, "\n%s:\n\n| flag | value | default | meaning |\n|---|---|---|---|\n%s", title, rows.String())
	}
}
