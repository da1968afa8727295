package argocd

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/registry"
)

// generatorReader collects whom the cluster generators of an ApplicationSet select. It
// errs on the side of more: selectors that Argo CD applies together are told apart, so
// that a change of what any of them says is seen.
type generatorReader struct {
	selectors []registry.LabelSelector
	clusters  bool // there is a generator of clusters
}

// top reads one of spec.generators.
func (r *generatorReader) top(g any) error {
	generator, ok := g.(map[string]any)
	if !ok {
		return fmt.Errorf("is %T, want fields", g)
	}
	clusters, err := r.generator(generator)
	if err != nil || !clusters {
		return err
	}
	r.clusters = true
	if path, text := findTemplate(generator, ofLabels, "values", "template"); text != "" {
		return fmt.Errorf("%s = %q: what is generated depends on labels or annotations of the Secrets in a way that cannot be followed", strings.TrimPrefix(path, "."), text)
	}
	return nil
}

// generator reads one at any depth, and tells whether it generates from clusters.
func (r *generatorReader) generator(g map[string]any) (clusters bool, err error) {
	for _, kind := range slices.Sorted(maps.Keys(g)) {
		switch kind {
		case "clusters":
			clusters = true
			fields, err := object(g, kind)
			if err != nil {
				return false, err
			}
			sel, err := labelSelector(fields)
			if err != nil {
				return false, at(kind, err)
			}
			r.selectors = append(r.selectors, sel)
		case "matrix", "merge":
			nested, err := r.nested(g, kind)
			if err != nil {
				return false, at(kind, err)
			}
			clusters = clusters || nested
		case "clusterDecisionResource":
			// It names clusters in a resource of its own, whatever their labels.
			clusters = true
			r.selectors = append(r.selectors, registry.LabelSelector{})
		case "list", "git", "scmProvider", "pullRequest", "plugin", "selector":
		default:
			return false, fmt.Errorf("there is a generator %q, of which is not known whom it selects", kind)
		}
	}
	if clusters {
		err = r.postSelector(g)
	}
	return clusters, err
}

func (r *generatorReader) nested(g map[string]any, kind string) (clusters bool, err error) {
	fields, err := object(g, kind)
	if err != nil {
		return false, err
	}
	all, err := list(fields, "generators")
	if err != nil {
		return false, err
	}
	for i, n := range all {
		where := fmt.Sprintf("generators[%d]", i)
		nested, ok := n.(map[string]any)
		if !ok {
			return false, fmt.Errorf("%s is %T, want fields", where, n)
		}
		c, err := r.generator(nested)
		if err != nil {
			return false, at(where, err)
		}
		clusters = clusters || c
	}
	return clusters, nil
}

// postSelector reads the selector over what was generated, beside a generator. Each of its
// requirements on a label counts alone: the others may be about anything.
func (r *generatorReader) postSelector(g map[string]any) error {
	sel, err := labelSelector(g)
	if err != nil {
		return err
	}
	for _, req := range sel {
		if key, ok := strings.CutPrefix(req.Key, "metadata.labels."); ok {
			req.Key = key
			r.selectors = append(r.selectors, registry.LabelSelector{req})
			continue
		}
		word, _, _ := strings.Cut(req.Key, ".")
		if slices.Contains([]string{"metadata", "values", "project", "clusters"}, word) {
			return fmt.Errorf("selector: key %q: whom it selects depends on more than labels", req.Key)
		}
	}
	return nil
}

// names checks that a label is in no name of an Application: who changes it renames the
// Application, and Argo CD deletes the one of the old name. Generators may have templates
// of their own.
func (r *generatorReader) names(spec map[string]any, generators []any) error {
	if !r.clusters {
		return nil
	}
	_, values := findTemplate(generators, ofMetadata)
	return namesIn("", map[string]any{"template": spec["template"], "generators": spec["generators"]}, values != "")
}

// namesIn looks at every template in v, which is at path. values: those that generators
// make are of labels or annotations.
func namesIn(path string, v any, values bool) error {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			if err := namesIn(fmt.Sprintf("%s[%d]", path, i), item, values); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			inner := strings.TrimPrefix(path+"."+k, ".")
			check := namesIn
			if k == "template" {
				check = nameOf
			}
			if err := check(inner, v[k], values); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameOf the Applications of a template.
func nameOf(path string, v any, values bool) error {
	template, ok := v.(map[string]any)
	if !ok {
		return nil // a list's element may be called so, too
	}
	metadata, err := object(template, "metadata")
	if err != nil {
		return at(path, err)
	}
	for _, field := range []string{"name", "namespace"} {
		text, _ := metadata[field].(string)
		if ofMetadata.MatchString(text) || ofValues.MatchString(text) && values {
			return at(path+".metadata", fmt.Errorf("%s = %q: it is made of labels or annotations of the Secrets, so that changing one renames Applications", field, text))
		}
	}
	return nil
}

// Templates that mention what a change of a Secret may change.
var (
	ofMetadata = regexp.MustCompile(`\{\{[^}]*\bmetadata\b`)
	ofValues   = regexp.MustCompile(`\{\{[^}]*\bvalues\b`)
	ofLabels   = regexp.MustCompile(`\{\{[^}]*\b(metadata|values)\b`)
)

// findTemplate looks for the first text that re matches, in fields that are not skipped.
func findTemplate(v any, re *regexp.Regexp, skip ...string) (path, text string) {
	switch v := v.(type) {
	case string:
		if re.MatchString(v) {
			return "", v
		}
	case []any:
		for i, item := range v {
			if p, s := findTemplate(item, re, skip...); s != "" {
				return fmt.Sprintf("[%d]%s", i, p), s
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if slices.Contains(skip, k) {
				continue
			}
			if p, s := findTemplate(v[k], re, skip...); s != "" {
				return "." + k + p, s
			}
		}
	}
	return "", ""
}

// labelSelector is the field selector; one that is not there selects everything.
func labelSelector(fields map[string]any) (registry.LabelSelector, error) {
	sel, err := object(fields, "selector")
	if err != nil {
		return nil, err
	}
	out := registry.LabelSelector{}
	for field := range sel {
		if field != "matchLabels" && field != "matchExpressions" {
			return nil, fmt.Errorf("selector has a field %q, want matchLabels and matchExpressions", field)
		}
	}
	labels, err := object(sel, "matchLabels")
	if err != nil {
		return nil, at("selector", err)
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		v, ok := labels[k].(string)
		if !ok {
			return nil, fmt.Errorf("selector.matchLabels[%s] is %T, want text", k, labels[k])
		}
		out = append(out, registry.Requirement{Key: k, Operator: registry.In, Values: []string{v}})
	}
	expressions, err := list(sel, "matchExpressions")
	if err != nil {
		return nil, at("selector", err)
	}
	for i, e := range expressions {
		req, err := requirement(e)
		if err != nil {
			return nil, at(fmt.Sprintf("selector.matchExpressions[%d]", i), err)
		}
		out = append(out, req)
	}
	for _, req := range out {
		if text := strings.Join(append(req.Values, req.Key), " "); strings.Contains(text, "{{") {
			return nil, fmt.Errorf("selector: %q is a template: whom it selects cannot be known", text)
		}
	}
	return out, nil
}

func requirement(e any) (registry.Requirement, error) {
	fields, ok := e.(map[string]any)
	if !ok {
		return registry.Requirement{}, fmt.Errorf("is %T, want fields", e)
	}
	key, _ := fields["key"].(string)
	operator, _ := fields["operator"].(string)
	req := registry.Requirement{Key: key, Operator: registry.Operator(operator)}
	values, err := list(fields, "values")
	if err != nil {
		return req, err
	}
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return req, fmt.Errorf("values has a %T, want text", v)
		}
		req.Values = append(req.Values, s)
	}
	switch req.Operator {
	case registry.In, registry.NotIn:
		ok = len(req.Values) > 0
	case registry.Exists, registry.DoesNotExist:
		ok = len(req.Values) == 0
	default:
		ok = false
	}
	if key == "" || !ok {
		return req, fmt.Errorf("%q %q with %d values is no requirement: want a key and In or NotIn with values, or Exists or DoesNotExist without", key, operator, len(values))
	}
	return req, nil
}

// object is the fields at key; none when it is not there or null.
func object(fields map[string]any, key string) (map[string]any, error) {
	switch v := fields[key].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	default:
		return nil, fmt.Errorf("%s is %T, want fields", key, v)
	}
}

// list at key; none when it is not there or null.
func list(fields map[string]any, key string) ([]any, error) {
	switch v := fields[key].(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	default:
		return nil, fmt.Errorf("%s is %T, want a list", key, v)
	}
}

// pathError tells where in an object something is wrong.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// at puts a field's path before what is wrong in it: a: b: wrong is a.b: wrong.
func at(path string, err error) error {
	if inner, ok := errors.AsType[*pathError](err); ok {
		return &pathError{path + "." + inner.path, inner.err}
	}
	return &pathError{path, err}
}
