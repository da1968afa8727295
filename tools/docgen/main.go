// Command docgen writes the reference of the manifest's fields from the comments of
// its Go types.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	types := flag.String("types", "api/v1alpha1", "folder of the Go types")
	out := flag.String("out", "docs/trafficshift.md", "file to write")
	flag.Parse()
	page, err := generate(*types)
	if err == nil {
		err = os.WriteFile(*out, page, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const intro = `# TrafficShift

The file that ` + "`norikae plan`, `norikae shift`" + ` and the other commands read with ` + "`-f`" + `: one move of live traffic on one route.
YAML or JSON, one document, at most 1 MiB, decoded strictly: a field that does not exist, one that is set twice, an empty value
or a wrong type is an error with its line. Durations are texts such as ` + "`90s`, `10m`, `1h30m`" + `, at most 168h.

` + "```yaml" + `
apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: web}
spec:
  route:
    alb:
      listenerARN: arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef
      rule: {priority: 10, hosts: [example.com], pathPatterns: ["/*"]}
  destinations:
  - {name: blue, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef", weight: 0}
  - {name: green, targetGroupARN: "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef", weight: 100}
  strategy: {stepWeight: 10, stepInterval: 1m, bake: 5m}
` + "```" + `

This page is generated from the types in ` + "`api/v1alpha1`" + ` by ` + "`make generate`" + `; do not edit it.
`

// page is being written; each type once, in the order in which it is first met.
type page struct {
	bytes.Buffer

	types map[string]*ast.TypeSpec
	docs  map[string]string
	todo  []string
}

// generate the page from the Go files in dir.
func generate(dir string) ([]byte, error) {
	p := &page{types: map[string]*ast.TypeSpec{}, docs: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("reading the types: %w", err)
		}
		p.collect(f)
	}
	const root = "TrafficShift"
	if p.types[root] == nil {
		return nil, fmt.Errorf("no type %s in %s", root, dir)
	}
	p.WriteString(intro)
	p.todo = []string{root}
	for i := 0; i < len(p.todo); i++ { // write appends to it
		p.write(p.todo[i])
	}
	return p.Bytes(), nil
}

func (p *page) collect(f *ast.File) {
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				p.types[t.Name.Name] = t
				p.docs[t.Name.Name] = sentence(gen.Doc.Text())
			}
		}
	}
}

// write the section of one type.
func (p *page) write(name string) {
	st, ok := p.types[name].Type.(*ast.StructType)
	if !ok {
		return
	}
	fmt.Fprintf(p, "\n## %s\n\n%s\n\n| field | type | required | meaning |\n|---|---|---|---|\n", name, p.docs[name])
	for _, f := range st.Fields.List {
		if f.Tag == nil {
			continue
		}
		field, options, _ := strings.Cut(jsonTag(f.Tag.Value), ",")
		required := "yes"
		if options != "" {
			required = ""
		}
		meaning := sentence(strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text()))
		if meaning == "" {
			meaning = p.docs[p.element(f.Type)]
		}
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", field, p.typeName(f.Type), required, strings.NewReplacer("|", `\|`, "*", `\*`).Replace(meaning))
	}
}

// jsonTag of a field's raw tag.
func jsonTag(raw string) string {
	_, rest, _ := strings.Cut(raw, `json:"`)
	tag, _, _ := strings.Cut(rest, `"`)
	return tag
}

// element is the name of the type at the bottom of pointers and lists.
func (p *page) element(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return p.element(t.X)
	case *ast.ArrayType:
		return p.element(t.Elt)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// typeName in the words of a manifest's writer; the types it links to get a section.
func (p *page) typeName(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.ArrayType:
		return "list of " + p.typeName(t.Elt)
	case *ast.MapType:
		return "map of text"
	case *ast.StarExpr:
		return p.typeName(t.X)
	}
	name := p.element(e)
	switch name {
	case "string":
		return "text"
	case "int":
		return "whole number"
	case "float64":
		return "number"
	case "bool":
		return "true or false"
	case "Duration":
		return "duration"
	}
	if !slices.Contains(p.todo, name) {
		p.todo = append(p.todo, name)
	}
	return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
}

// sentence puts a comment on one line.
func sentence(comment string) string { return strings.Join(strings.Fields(comment), " ") }
