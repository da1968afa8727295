package courier

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
)

// yamlOf is the manifest of a shift, as `norikae plan -f` reads it. Scalars are
// written as JSON, which YAML reads alike.
func yamlOf(ts *v1alpha1.TrafficShift) (string, error) {
	data, err := json.Marshal(ts)
	if err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	var b strings.Builder
	err = writeYAML(&b, v, "")
	return b.String(), err
}

// writeYAML writes v, whose lines begin with indent.
func writeYAML(b *strings.Builder, v any, indent string) error {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(indent + k + ":")
			if err := writeUnder(b, v[k], indent); err != nil {
				return err
			}
		}
	case []any:
		for _, e := range v {
			var inner strings.Builder
			if err := writeYAML(&inner, e, indent+"  "); err != nil {
				return err
			}
			b.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+"  "))
		}
	default:
		text, err := scalar(v)
		if err != nil {
			return err
		}
		b.WriteString(indent + text + "\n")
	}
	return nil
}

// writeUnder writes v behind its key.
func writeUnder(b *strings.Builder, v any, indent string) error {
	switch inner := v.(type) {
	case map[string]any:
		if len(inner) == 0 {
			b.WriteString(" {}\n")
			return nil
		}
		b.WriteString("\n")
		return writeYAML(b, v, indent+"  ")
	case []any:
		b.WriteString("\n")
		return writeYAML(b, v, indent)
	}
	text, err := scalar(v)
	b.WriteString(" " + text + "\n")
	return err
}

func scalar(v any) (string, error) {
	if m, ok := v.(map[string]any); ok && len(m) == 0 {
		return "{}", nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}
