package eksctl

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSpec is the longest spec, in bytes; CloudFormation's own limits are far below.
const maxSpec = 1 << 20

var lineOf = regexp.MustCompile(`line (\d+): (.*)`)

// parse reads a spec as it is written: scalars keep their style, because eksctl reads
// YAML 1.1, where yes is true.
func parse(spec string) (*yaml.Node, error) {
	empty := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	if len(spec) > maxSpec {
		return nil, &SpecError{Why: fmt.Sprintf("has %d bytes; at most %d are allowed", len(spec), maxSpec)}
	}
	d := yaml.NewDecoder(strings.NewReader(spec))
	var doc yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return empty, nil
	case err != nil:
		return nil, syntaxError(err)
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, &SpecError{Why: "holds more than one YAML document; one is needed"}
	}
	root := doc.Content[0]
	if isNull(root) {
		return empty, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &SpecError{Line: root.Line, Why: "must be a mapping, the rest of a ClusterConfig, such as \"nodeGroups: […]\""}
	}
	var errs []error
	check(root, "", &errs)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return root, nil
}

func syntaxError(err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := lineOf.FindStringSubmatch(msg); m != nil {
		n, _ := strconv.Atoi(m[1])
		return &SpecError{Line: n, Path: "", Why: "is no YAML: " + m[2]}
	}
	return &SpecError{Why: "is no YAML: " + msg}
}

// check refuses keys that are there twice or are no names, and takes comments off.
func check(n *yaml.Node, path string, errs *[]error) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch n.Kind {
	case yaml.MappingNode:
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			at := strings.TrimPrefix(path+"."+k.Value, ".")
			k.HeadComment, k.LineComment, k.FootComment = "", "", ""
			if k.Kind != yaml.ScalarNode {
				*errs = append(*errs, &SpecError{Line: k.Line, Path: path, Why: "has a key that is no name"})
				continue
			}
			if line, twice := seen[k.Value]; twice && k.Value != "<<" {
				*errs = append(*errs, &SpecError{Line: k.Line, Path: at, Why: fmt.Sprintf("is there already in line %d; say it once", line)})
			}
			seen[k.Value] = k.Line
			check(n.Content[i+1], at, errs)
		}
	case yaml.SequenceNode:
		for i, x := range n.Content {
			check(x, fmt.Sprintf("%s[%d]", path, i), errs)
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
}

// get the value of a key; nil when there is none. Aliases are followed.
func get(m *yaml.Node, key string) *yaml.Node {
	if m = follow(m); m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return follow(m.Content[i+1])
		}
	}
	return nil
}

func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func set(m *yaml.Node, key string, v *yaml.Node) { m.Content = append(m.Content, str(key), v) }

// words of YAML 1.1, which eksctl reads, that are no texts unless quoted.
var words = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|true|false|null|~)$`)

// str is a text that stays one: 1.30 and yes are quoted.
func str(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if words.MatchString(s) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

func isNull(n *yaml.Node) bool { return n != nil && n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
