package registry

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"
)

// maxText is how long in bytes what a Text renders may be, and each step on the way.
const maxText = 4096

// Text is a template over a cluster: a Go template over .Name, .ARN, .Partition, .Account,
// .Region, .Version, .VPC, .Endpoint and .Tags. It has no loops, and these functions:
//
//	lower S, upper S             in lower, in upper case
//	trimPrefix P S, trimSuffix P S
//	replace OLD NEW S            every OLD in S is NEW
//	trunc N S                    at most N characters
//	index .Tags "a/b"            a tag; it is an error that it is missing
//	get .Tags "a/b"              a tag; "" if it is missing
//	default D S                  S, or D if S is ""
//	print, printf, len, and, or, not, eq, ne, lt, le, gt, ge
type Text struct {
	source string
	tmpl   *template.Template
	// beyondID: it asks for more than a cluster's ID says.
	beyondID bool
}

// view is what a Text sees of a cluster.
type view struct {
	Name, ARN, Partition, Account, Region string // from its ID
	Version, VPC, Endpoint                string
	Tags                                  map[string]string
}

var (
	idFields    = []string{"Name", "ARN", "Partition", "Account", "Region"}
	otherFields = []string{"Version", "VPC", "Endpoint", "Tags"}
)

func viewOf(c Cluster) view {
	tags := c.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return view{
		Name: c.Name, ARN: c.ARN(), Partition: c.Partition, Account: c.Account, Region: c.Region,
		Version: c.Version, VPC: c.VPC, Endpoint: c.Endpoint, Tags: tags,
	}
}

// ParseText reads a template. What is wrong with every cluster is found here: a field or
// function that there is not, a wrong argument.
func ParseText(source string) (*Text, error) {
	tmpl, err := template.New("text").Option("missingkey=error").Funcs(textFuncs(false)).Parse(source)
	if err != nil {
		hint := ""
		if strings.Contains(err.Error(), "bad character") && strings.Contains(source, ".Tags.") {
			hint = `; a tag whose key is not one word is {{ index .Tags "the-key" }}`
		}
		return nil, fmt.Errorf("template %#q: %s%s", source, plain(err), hint)
	}
	t := &Text{source: source, tmpl: tmpl}
	if tmpl.Tree != nil {
		w := walk{text: t}
		if w.node(tmpl.Root); w.err != nil {
			return nil, fmt.Errorf("template %#q: %w", source, w.err)
		}
	}
	if len(tmpl.Templates()) > 1 {
		return nil, fmt.Errorf("template %#q: define is not there: a text is one template", source)
	}
	if err := t.try(); err != nil {
		return nil, err
	}
	return t, nil
}

// try renders for a cluster that has every tag.
func (t *Text) try() error {
	tmpl, err := template.New("text").Option("missingkey=zero").Funcs(textFuncs(true)).Parse(t.source)
	if err == nil {
		sample := ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "sample"}
		err = tmpl.Execute(&bounded{}, viewOf(Cluster{ID: sample, Version: "1.36", VPC: "vpc-0a1b2c3d", Endpoint: "https://sample.eks.example"}))
	}
	if err != nil {
		return fmt.Errorf("template %#q: %s", t.source, plain(err))
	}
	return nil
}

// String is the template's source.
func (t *Text) String() string {
	if t == nil {
		return ""
	}
	return t.source
}

// Equal tells whether both say the same.
func (t *Text) Equal(o *Text) bool {
	return (t == nil) == (o == nil) && t.String() == o.String()
}

// Render what the template says of the cluster, at most 4096 bytes; nil renders "". A
// cluster without a Status is one of which only the ID is known, and it is an error to
// ask for more.
func (t *Text) Render(c Cluster) (string, error) {
	if t == nil {
		return "", nil
	}
	if t.beyondID && c.Status == "" {
		return "", fmt.Errorf("template %#q: of a cluster that EKS does not have, only .%s are known", t.source, strings.Join(idFields, ", ."))
	}
	var out bounded
	if err := t.tmpl.Execute(&out, viewOf(c)); err != nil {
		if _, key, ok := strings.Cut(err.Error(), "map has no entry for key "); ok {
			err = missingTag(key)
		}
		return "", fmt.Errorf("template %#q: %s", t.source, plain(err))
	}
	if !utf8.Valid(out.b) {
		return "", fmt.Errorf("template %#q: the result is not UTF-8", t.source)
	}
	return string(out.b), nil
}

// missingTag of a key in Go's quotes.
func missingTag(key string) error {
	return fmt.Errorf("the cluster has no tag %s; give it one, or write {{ get .Tags %s }} if it may be missing", key, key)
}

// plain is an error of text/template without its positions.
func plain(err error) string {
	msg := err.Error()
	if _, after, ok := strings.Cut(msg, ">: "); ok && strings.HasPrefix(msg, "template: ") {
		msg = after
	}
	msg = strings.TrimPrefix(msg, "template: text:")
	if _, after, ok := strings.Cut(msg, ": "); ok && strings.HasPrefix(msg, "error calling ") {
		msg = after
	}
	return strings.ReplaceAll(msg, "registry.view", "a cluster")
}

var errTooLong = fmt.Errorf("the result is longer than %d bytes", maxText)

// bounded takes at most maxText bytes.
type bounded struct{ b []byte }

func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > maxText {
		return 0, errTooLong
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// within keeps a value from growing without bounds on its way to the result.
func within(s string) (string, error) {
	if len(s) > maxText {
		return "", errTooLong
	}
	return s, nil
}

// textFuncs are the functions of a Text. A sample has every tag.
func textFuncs(sample bool) template.FuncMap {
	return template.FuncMap{
		"lower":      func(s string) (string, error) { return within(strings.ToLower(s)) },
		"upper":      func(s string) (string, error) { return within(strings.ToUpper(s)) },
		"trimPrefix": func(p, s string) string { return strings.TrimPrefix(s, p) },
		"trimSuffix": func(p, s string) string { return strings.TrimSuffix(s, p) },
		"replace": func(from, to, s string) (string, error) {
			if n := strings.Count(s, from); len(s)+n*(len(to)-len(from)) > maxText {
				return "", errTooLong
			}
			return strings.ReplaceAll(s, from, to), nil
		},
		"trunc": func(n int, s string) (string, error) {
			if n < 0 {
				return "", fmt.Errorf("trunc %d: want 0 or more characters", n)
			}
			if r := []rune(s); len(r) > n {
				return string(r[:n]), nil
			}
			return s, nil
		},
		"index": func(tags map[string]string, key string) (string, error) {
			v, ok := tags[key]
			if !ok && !sample {
				return "", missingTag(strconv.Quote(key))
			}
			return v, nil
		},
		"get": func(tags map[string]string, key string) string { return tags[key] },
		"default": func(d, s string) string {
			if s == "" {
				return d
			}
			return s
		},
		"print":  func(args ...any) (string, error) { return within(fmt.Sprint(args...)) },
		"printf": printf,
	}
}

// longVerb is a verb with which a short template makes a long text.
var longVerb = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{4})`)

func printf(format string, args ...any) (string, error) {
	if longVerb.MatchString(format) {
		return "", fmt.Errorf("printf %q: a width has at most 3 digits, and is no *", format)
	}
	return within(fmt.Sprintf(format, args...))
}

// textWords are the functions that a Text may use.
var textWords = []string{
	"and", "default", "eq", "ge", "get", "gt", "index", "le", "len", "lower", "lt", "ne", "not", "or",
	"print", "printf", "replace", "trimPrefix", "trimSuffix", "trunc", "upper",
}

// walk looks at every node of a template, those of branches that the sample does not take
// too.
type walk struct {
	text *Text
	err  error
	// within a with, the dot is something else.
	with int
}

func (w *walk) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *walk) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				w.node(c)
			}
		}
	case *parse.ActionNode:
		w.pipe(n.Pipe)
	case *parse.IfNode:
		w.branch(&n.BranchNode)
	case *parse.WithNode:
		w.pipe(n.Pipe)
		w.with++
		w.node(n.List)
		w.with--
		w.node(n.ElseList)
	case *parse.RangeNode, *parse.TemplateNode, *parse.BreakNode, *parse.ContinueNode:
		w.fail("range, template and block are not there: a text has no loops")
	case *parse.PipeNode:
		w.pipe(n)
	case *parse.ChainNode:
		w.node(n.Node)
	case *parse.IdentifierNode:
		if !slices.Contains(textWords, n.Ident) {
			w.fail("function %q is not there; there are %s", n.Ident, strings.Join(textWords, ", "))
		}
	case *parse.FieldNode:
		w.field(n.Ident[0], w.with == 0)
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			w.field(n.Ident[1], true)
		} else if n.Ident[0] == "$" {
			w.text.beyondID = true
		}
	case *parse.DotNode:
		w.text.beyondID = true
	}
}

func (w *walk) branch(b *parse.BranchNode) {
	w.pipe(b.Pipe)
	w.node(b.List)
	w.node(b.ElseList)
}

func (w *walk) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for _, a := range c.Args {
			w.node(a)
		}
	}
}

// field of the cluster, or, if it is not sure, of something that came from one.
func (w *walk) field(name string, sure bool) {
	switch {
	case slices.Contains(idFields, name):
	case slices.Contains(otherFields, name) || !sure:
		w.text.beyondID = true
	default:
		w.fail("a cluster has no .%s; it has .%s", name, strings.Join(slices.Concat(idFields, otherFields), ", ."))
	}
}

// MustParseText is ParseText for what is written in the source; it panics on an error.
func MustParseText(source string) *Text {
	t, err := ParseText(source)
	if err != nil {
		panic(errors.Join(errors.New("registry: a text in the source has an error"), err))
	}
	return t
}
