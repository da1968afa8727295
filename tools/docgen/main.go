// Command docgen writes the references of the manifests' fields from the comments of their
// Go types.
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
	docs := flag.String("docs", "docs", "folder of the pages to write")
	flag.Parse()
	for file, p := range pages() {
		text, err := generate(*types, p)
		if err == nil {
			err = os.WriteFile(filepath.Join(*docs, file), text, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}

// pageSpec is a page to write: its first type, and what stands above the types.
type pageSpec struct{ root, intro string }

// pages by their file.
func pages() map[string]pageSpec {
	return map[string]pageSpec{
		"trafficshift.md":      {"TrafficShift", trafficShiftIntro},
		"clusterset-fields.md": {"ClusterSet", clusterSetIntro},
	}
}

const trafficShiftIntro = `# TrafficShift

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

const clusterSetIntro = `# Fields of a ClusterSet

The custom resource ` + "`clustersets.norikae.dev`" + `, and the file that ` + "`norikae clusters`" + ` reads with ` + "`-f`" + `. What they mean together: [ClusterSet](clusterset.md).
A file may hold several ClusterSets, one in each YAML document, at most 1 MiB, decoded strictly: a field that does not exist, one that is set twice, an empty value
or a wrong type is an error with its line. What ` + "`kubectl get -o yaml`" + ` prints is such a file, too. Durations are texts such as ` + "`90s`, `10m`, `1h30m`" + `.

` + "```yaml" + `
apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: production, namespace: argocd}
spec:
  sources:
  - eks: {regions: [us-east-1, eu-west-1], selector: {matchTags: {env: production}}}
  template:
    labels: {env: '{{ index .Tags "env" }}', region: "{{ .Region }}"}
    targetGroups: {name: "{{ .Name }}-*"}
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

// generate a page from the Go files in dir.
func generate(dir string, spec pageSpec) ([]byte, error) {
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
	if p.types[spec.root] == nil {
		return nil, fmt.Errorf("no type %s in %s", spec.root, dir)
	}
	p.WriteString(spec.intro)
	p.todo = []string{spec.root}
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
		if options == "inline" {
			p.WriteString("| `apiVersion` | text | yes | norikae.dev/v1alpha1 |\n| `kind` | text | yes | " + name + " |\n")
			continue
		}
		required := "yes"
		if options != "" || marker(f.Doc, "+optional") {
			required = ""
		}
		meaning := sentence(strings.TrimSpace(f.Doc.Text() + " " + f.Comment.Text()))
		if meaning == "" {
			meaning = p.docs[p.element(f.Type)]
		}
		if def := markerValue(f.Doc, "+kubebuilder:default="); def != "" && def != "{}" {
			meaning += " Default: `" + strings.Trim(def, `"`) + "`."
		}
		kind := p.typeName(f.Type)
		if words := markerValue(f.Doc, "+kubebuilder:validation:Enum="); words != "" {
			kind = "`" + strings.ReplaceAll(words, ";", "`, `") + "`"
		}
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", field, kind, required, strings.NewReplacer("|", `\|`, "*", `\*`).Replace(meaning))
	}
}

// marker tells whether a comment has a line for the generator of the API's schema.
func marker(doc *ast.CommentGroup, line string) bool {
	return slices.Contains(strings.Split(doc.Text(), "\n"), line)
}

// markerValue is what a comment's line has after the prefix.
func markerValue(doc *ast.CommentGroup, prefix string) string {
	for line := range strings.Lines(doc.Text()) {
		if v, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
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
	if foreign, ok := e.(*ast.SelectorExpr); ok {
		return "Kubernetes' " + foreign.Sel.Name
	}
	switch name {
	case "string":
		return "text"
	case "int", "int32", "int64":
		return "whole number"
	case "float64":
		return "number"
	case "bool":
		return "true or false"
	case "Duration":
		return "duration"
	}
	if t := p.types[name]; t != nil {
		if word, ok := t.Type.(*ast.Ident); ok { // a type that is text under another name
			return p.typeName(word)
		}
	}
	if !slices.Contains(p.todo, name) {
		p.todo = append(p.todo, name)
	}
	return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
}

// sentence puts a comment on one line, without the lines for other generators.
func sentence(comment string) string {
	var words []string
	for line := range strings.Lines(comment) {
		if !strings.HasPrefix(line, "+") {
			words = append(words, strings.Fields(line)...)
		}
	}
	return strings.Join(words, " ")
}
