package manifest

import (
	"reflect"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/norikae/norikae/api/v1alpha1"
)

// scalar decodes text, a truth value or a number.
func (d *decoder) scalar(n *yaml.Node, path string, out reflect.Value) {
	tag := n.ShortTag()
	if n.Kind != yaml.ScalarNode {
		tag = ""
	}
	switch out.Kind() {
	case reflect.String:
		d.text(n, tag, path, out)
	case reflect.Bool:
		if tag != "!!bool" {
			d.problem(n, path, found(n), "want true or false")
			return
		}
		out.SetBool(n.Value == "true" || n.Value == "True" || n.Value == "TRUE")
	case reflect.Int, reflect.Int32:
		var v int64
		if tag != "!!int" || n.Decode(&v) != nil || out.OverflowInt(v) {
			d.problem(n, path, found(n), "want a whole number%s", unquoteHint(n, tag))
			return
		}
		out.SetInt(v)
	case reflect.Float64:
		var v float64
		if tag != "!!float" && tag != "!!int" || n.Decode(&v) != nil {
			d.problem(n, path, found(n), "want a number%s", unquoteHint(n, tag))
			return
		}
		out.SetFloat(v)
	default:
		// Only a new Go type of a field can lead here; the tests walk all of them.
		d.problem(n, path, found(n), "a %s cannot be read", out.Type())
	}
}

func (d *decoder) text(n *yaml.Node, tag, path string, out reflect.Value) {
	switch tag {
	case "!!str":
		out.SetString(n.Value)
	case "!!int", "!!float", "!!bool", "!!timestamp":
		d.problem(n, path, found(n), "want text: put it in quotes, %q", n.Value)
	default:
		d.problem(n, path, found(n), "want text here")
	}
}

// unquoteHint helps who wrote a number as text.
func unquoteHint(n *yaml.Node, tag string) string {
	var f float64
	if tag == "!!str" && yaml.Unmarshal([]byte(n.Value), &f) == nil {
		return ", without quotes"
	}
	return ""
}

func (d *decoder) duration(n *yaml.Node, path string, out reflect.Value) {
	const form = `write it with a unit, such as 90s, 10m or 1h30m`
	if n.Kind != yaml.ScalarNode {
		d.problem(n, path, found(n), "want a duration here: %s", form)
		return
	}
	if tag := n.ShortTag(); tag == "!!int" || tag == "!!float" {
		d.problem(n, path, found(n), "a duration needs a unit: %s", form)
		return
	}
	v, err := time.ParseDuration(n.Value)
	if err != nil || n.ShortTag() != "!!str" {
		d.problem(n, path, found(n), "not a duration: %s", form)
		return
	}
	out.Set(reflect.ValueOf(v1alpha1.Duration{Duration: v}))
}
