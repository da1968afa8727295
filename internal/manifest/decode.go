package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/norikae/norikae/api/v1alpha1"
)

// MaxSize of a manifest, in bytes. A large one is some tens of kilobytes.
const MaxSize = 1 << 20

// maxValues bounds how many values aliases may unfold to.
const maxValues = 20_000

// Decode reads one TrafficShift strictly: fields that do not exist, double ones, wrong
// types, empty values and second documents are problems. They come as an *Error, all
// together, beside what could be read. name is the file's, for messages.
func Decode(name string, data []byte) (*v1alpha1.TrafficShift, *Lines, error) {
	ts, lines := &v1alpha1.TrafficShift{}, &Lines{at: map[string]int{}}
	roots, problem := documents(data, v1alpha1.KindTrafficShift)
	if problem == nil && len(roots) > 1 {
		problem = &Problem{
			Line:    roots[1].Line,
			Message: "a second document: a file declares one TrafficShift; put each into a file of its own",
		}
	}
	if problem != nil {
		return ts, lines, asError(name, []Problem{*problem})
	}
	d := decoder{lines: lines.at}
	d.value(roots[0], "", reflect.ValueOf(ts).Elem())
	return ts, lines, asError(name, d.problems)
}

// documents are the roots of the file's documents that are not empty, of which there must
// be one at least.
func documents(data []byte, kind string) ([]*yaml.Node, *Problem) {
	if len(data) > MaxSize {
		return nil, &Problem{Message: fmt.Sprintf("%d bytes: a manifest has at most %d (1 MiB); is it the right file?", len(data), MaxSize)}
	}
	var roots []*yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, syntaxProblem(err)
		}
		if c := doc.Content; len(c) > 0 && (c[0].Kind != yaml.ScalarNode || c[0].ShortTag() != "!!null") {
			roots = append(roots, c[0])
		}
	}
	if len(roots) == 0 {
		return nil, &Problem{Message: fmt.Sprintf("the file is empty: it must declare a %s of %s", kind, v1alpha1.GroupVersion)}
	}
	return roots, nil
}

var lineOfError = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func syntaxProblem(err error) *Problem {
	text := err.Error()
	m := lineOfError.FindStringSubmatch(text)
	p := &Problem{}
	if m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		text = strings.TrimPrefix(text, m[0])
	}
	p.Message = "not valid YAML: " + text + "; check the indentation, the quotes and the colons around this line"
	return p
}

// decoder walks a YAML document along the Go types.
type decoder struct {
	lines    map[string]int
	problems []Problem
	values   int
	// ignored are paths that may be there and say nothing.
	ignored map[string]bool
}

func (d *decoder) problem(n *yaml.Node, path, value, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		Path: path, Line: n.Line, Value: value,
		Message: fmt.Sprintf(format, args...), covers: []string{path},
	})
}

var durationType = reflect.TypeFor[v1alpha1.Duration]()

// value sets out, which is at path, to what n says.
func (d *decoder) value(n *yaml.Node, path string, out reflect.Value) {
	d.values++
	if d.values > maxValues {
		if d.values == maxValues+1 {
			d.problem(n, path, "", "the file has more than %d values, with its aliases unfolded: use fewer", maxValues)
		}
		return
	}
	if _, ok := d.lines[path]; !ok {
		d.lines[path] = n.Line
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		d.empty(n, path, out.Type())
		return
	}
	switch {
	case out.Kind() == reflect.Pointer:
		v := reflect.New(out.Type().Elem())
		before := len(d.problems)
		d.value(n, path, v.Elem())
		if len(d.problems) == before || v.Elem().Kind() == reflect.Struct {
			out.Set(v)
		}
	case out.Type() == durationType:
		d.duration(n, path, out)
	case out.Kind() == reflect.Struct:
		if d.isKind(n, path, yaml.MappingNode, "!!map", "fields") {
			d.fields(n, path, out)
		}
	case out.Kind() == reflect.Slice:
		if d.isKind(n, path, yaml.SequenceNode, "!!seq", "a list") {
			d.list(n, path, out)
		}
	case out.Kind() == reflect.Map:
		if d.isKind(n, path, yaml.MappingNode, "!!map", "fields") {
			d.texts(n, path, out)
		}
	default:
		d.scalar(n, path, out)
	}
}

func (d *decoder) empty(n *yaml.Node, path string, t reflect.Type) {
	if t == reflect.TypeFor[*v1alpha1.Pause]() {
		d.problem(n, path, "", "is empty: write `pause: {}` to wait for an approval, or `pause: {duration: 5m}`")
		return
	}
	d.problem(n, path, "", "is empty: give it a value or remove the line")
}

func (d *decoder) isKind(n *yaml.Node, path string, kind yaml.Kind, tag, want string) bool {
	if n.Kind == kind && n.ShortTag() == tag {
		return true
	}
	d.problem(n, path, found(n), "want %s here", want)
	return false
}

// found is how a message shows what a node holds.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "{…}"
	case yaml.SequenceNode:
		return "[…]"
	default:
		if n.ShortTag() == "!!str" {
			return quote(n.Value)
		}
		return strings.Trim(quote(n.Value), `"`)
	}
}

// fields decodes a mapping into a struct.
func (d *decoder) fields(n *yaml.Node, path string, out reflect.Value) {
	byName, names := fieldsOf(out.Type())
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		name := key.Value
		switch line, twice := first[name]; {
		case key.Kind != yaml.ScalarNode:
			d.problem(key, path, found(key), "a field's name must be a word")
			continue
		case key.ShortTag() == "!!merge":
			d.problem(key, path, "", "merge keys (<<) are not supported: write the fields out")
			continue
		case twice:
			d.problem(key, join(path, name), "", "is set twice, first on line %d: keep one", line)
			continue
		}
		first[name] = key.Line
		index, ok := byName[name]
		if !ok && d.ignored[join(path, name)] {
			continue
		}
		if !ok {
			d.unknown(key, path, names)
			continue
		}
		child := join(path, name)
		d.lines[child] = key.Line
		d.value(val, child, out.Field(index))
		d.unsetByZero(val, child, out.Field(index))
	}
}

// unknown reports a field that does not exist.
func (d *decoder) unknown(key *yaml.Node, path string, names []string) {
	p := Problem{Path: join(path, key.Value), Line: key.Line}
	if near := Nearest(key.Value, names); near != "" {
		p.Message = fmt.Sprintf("there is no such field; did you mean %q?", near)
		p.covers = []string{join(path, near)}
	} else {
		p.Message = "there is no such field; here may stand: " + strings.Join(names, ", ")
	}
	d.problems = append(d.problems, p)
}

// fieldsOf a struct by their JSON names, and the names in the order of the type.
func fieldsOf(t reflect.Type) (byName map[string]int, names []string) {
	byName = make(map[string]int, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		byName[name] = i
		names = append(names, name)
	}
	return byName, names
}

// unsetByZero refuses a written 0 where 0 stands for "not set": it would silently
// become the default.
func (d *decoder) unsetByZero(n *yaml.Node, path string, v reflect.Value) {
	if want, unset := zeroUnset(path); want != "" && v.IsZero() && !d.reported(path) {
		d.problem(n, path, found(n), "want %s; without the line it is %s", want, unset)
	}
}

// zeroUnset is what the field at path takes, if its 0 means the default, and that
// default.
func zeroUnset(path string) (want, unset string) {
	const some = "a duration above 0s"
	if metric, ok := strings.CutPrefix(path, "spec.analysis.metrics["); ok && strings.HasSuffix(metric, "].interval") {
		return "1s or more", "1m"
	}
	switch path {
	case "spec.strategy.stepWeight":
		return "1–100 (percent of the move)", "10"
	case "spec.strategy.stepInterval":
		return some, "1m"
	case "spec.strategy.maxDuration":
		return some, "3 × the planned time + 1h"
	case "spec.strategy.rollbackTimeout":
		return some, "15m"
	case "spec.analysis.maxHold":
		return some, "10m"
	}
	return clusterSetZero(path)
}

func (d *decoder) reported(path string) bool {
	for _, p := range d.problems {
		if p.Path == path {
			return true
		}
	}
	return false
}

func (d *decoder) list(n *yaml.Node, path string, out reflect.Value) {
	if len(n.Content) == 0 {
		d.problem(n, path, "[]", "an empty list: name at least one, or remove the line")
		return
	}
	for i, item := range n.Content {
		v := reflect.New(out.Type().Elem()).Elem()
		d.value(item, at(path, i), v)
		if d.values > maxValues {
			return
		}
		out.Set(reflect.Append(out, v))
	}
}

// texts decodes a mapping of text to text (labels, annotations).
func (d *decoder) texts(n *yaml.Node, path string, out reflect.Value) {
	m := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			d.problem(key, path, found(key), "a key must be text: put it in quotes")
			continue
		}
		child := path + "[" + key.Value + "]"
		if _, twice := m[key.Value]; twice {
			d.problem(key, child, "", "is set twice: keep one")
			continue
		}
		var text string
		d.value(val, child, reflect.ValueOf(&text).Elem())
		m[key.Value] = text
		if d.values > maxValues {
			return
		}
	}
	out.Set(reflect.ValueOf(m))
}
