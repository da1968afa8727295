package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/api/v1alpha1"
)

// draw fills a value of one of the API's types. Things that JSON and YAML leave out are
// left at their zero value or get another one.
func draw(t *rapid.T, v reflect.Value, depth string) {
	switch {
	case v.Type() == durationType:
		v.Set(reflect.ValueOf(v1alpha1.Duration{Duration: time.Duration(rapid.Int64Range(1, int64(maxDuration)).Draw(t, depth))}))
	case v.Kind() == reflect.Pointer:
		if rapid.Bool().Draw(t, depth+"?") {
			v.Set(reflect.New(v.Type().Elem()))
			draw(t, v.Elem(), depth)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			draw(t, v.Field(i), depth+"."+v.Type().Field(i).Name)
		}
	case v.Kind() == reflect.Slice:
		for i := range rapid.IntRange(1, 2).Draw(t, depth+"#") {
			item := reflect.New(v.Type().Elem()).Elem()
			draw(t, item, fmt.Sprint(depth, i))
			v.Set(reflect.Append(v, item))
		}
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(rapid.MapOfN(rapid.String(), rapid.String(), 1, 2).Draw(t, depth)))
	case v.Kind() == reflect.String:
		v.SetString(rapid.String().Draw(t, depth))
	case v.Kind() == reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, depth))
	case v.Kind() == reflect.Int, v.Kind() == reflect.Int32:
		v.SetInt(rapid.Int64Range(-1000, 1000).Filter(func(n int64) bool { return n != 0 }).Draw(t, depth))
	case v.Kind() == reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, depth))
	default:
		t.Fatalf("%s has the type %s: teach this test and the decoder", depth, v.Type())
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want v1alpha1.TrafficShift
		draw(t, reflect.ValueOf(&want).Elem(), "")
		for i := range want.Spec.Destinations { // required: null is refused
			if want.Spec.Destinations[i].Weight == nil {
				want.Spec.Destinations[i].Weight = new(1)
			}
		}
		asJSON, err := write(&want)
		if err != nil {
			t.Fatal(err)
		}
		asYAML := blockStyle(t, asJSON)
		for _, data := range [][]byte{asJSON, asYAML} {
			got, _, err := Decode("x", data)
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if d := cmp.Diff(&want, got); d != "" {
				t.Fatalf("(-want +got):\n%s\n%s", d, data)
			}
		}
	})
}

func TestAClusterSetThatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want v1alpha1.ClusterSet
		draw(t, reflect.ValueOf(&want.Spec).Elem(), "")
		want.Name, want.Namespace = rapid.String().Draw(t, "name"), rapid.String().Draw(t, "namespace")
		asJSON, err := write(&want)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{asJSON, blockStyle(t, asJSON)} {
			roots, problem := documents(data, v1alpha1.KindClusterSet)
			if problem != nil {
				t.Fatal(problem)
			}
			var file clusterSetFile
			d := decoder{lines: map[string]int{}, ignored: ofTheServer()}
			d.value(roots[0], "", reflect.ValueOf(&file).Elem())
			if len(d.problems) > 0 {
				t.Fatalf("%v\n%s", d.problems, data)
			}
			if d := cmp.Diff(&want, file.clusterSet()); d != "" {
				t.Fatalf("(-want +got):\n%s\n%s", d, data)
			}
		}
	})
}

// write is the manifest in JSON, with YAML's escapes for what YAML does not allow to
// stand in a file as it is (DEL, C1 controls, byte order marks).
func write(object any) ([]byte, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for _, r := range string(data) {
		if r > '~' {
			fmt.Fprintf(&out, `\U%08x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return []byte(out.String()), nil
}

// blockStyle writes JSON as people write YAML, with indented blocks.
func blockStyle(t *rapid.T, data []byte) []byte {
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err != nil {
		t.Fatal(err)
	}
	var block func(*yaml.Node)
	block = func(n *yaml.Node) {
		n.Style &^= yaml.FlowStyle
		for _, c := range n.Content {
			block(c)
		}
	}
	block(&n)
	out, err := yaml.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWholeFilesThatAreRefused(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 'b'; i < 'j'; i++ {
		p := i - 1
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", p), 10), ", "))
	}
	wide := "spec: {destinations: &d [" + strings.Repeat("{name: x}, ", 200) + "]}\n"
	wide = strings.Replace(wide, "spec: {", "spec: {route: {alb: {rule: {headers: ["+strings.Repeat("&h {name: x, values: ["+strings.Repeat("x, ", 200)+"]}, ", 1)+strings.Repeat("*h, ", 200)+"]}}}, ", 1)
	for name, tc := range map[string]struct{ in, want string }{
		"nothing":             {"", "x: the file is empty: it must declare a TrafficShift of norikae.dev/v1alpha1"},
		"only a comment":      {"# later\n---\n", "x: the file is empty: it must declare a TrafficShift of norikae.dev/v1alpha1"},
		"a list":              {"- a\n", "x:1: […]: want fields here"},
		"a word":              {"web\n", "x:1: \"web\": want fields here"},
		"more than 1 MiB":     {strings.Repeat("#", MaxSize+1), "x: 1048577 bytes: a manifest has at most 1048576 (1 MiB); is it the right file?"},
		"a tab":               {"a:\n\tb: 1\n", "x:2: not valid YAML: found character that cannot start any token; check the indentation, the quotes and the colons around this line"},
		"an unknown alias":    {"a: *b\n", "x: not valid YAML: unknown anchor 'b' referenced; check the indentation, the quotes and the colons around this line"},
		"aliases that unfold": {wide, "x:1: spec.route.alb.rule.headers[98].values[95]: the file has more than 20000 values, with its aliases unfolded: use fewer"},
		"an alias in itself":  {"metadata: &m {labels: *m}\n", "x:1: metadata.labels[labels] = {…}: want text here"},
		"a tag of one's own":  {"metadata: !web {name: x}\n", "x:1: metadata = {…}: want fields here"},
		"a list as a key":     {"{[a]: b}\n", "x:1: […]: a field's name must be a word"},
		"an empty label":      {"metadata: {labels: {a: }}", "x:1: metadata.labels[a]: is empty: give it a value or remove the line"},
		"a number as a label": {"metadata: {labels: {a: 1}}", "x:1: metadata.labels[a] = 1: want text: put it in quotes, \"1\""},
		"a key that is a bool": {
			"metadata: {labels: {true: a}}",
			"x:1: metadata.labels = true: a key must be text: put it in quotes",
		},
		"one label twice": {"metadata: {labels: {a: b, a: c}}", "x:1: metadata.labels[a]: is set twice: keep one"},
		"a number beyond all bounds": {
			"spec: {destinations: [{weight: 99999999999999999999}]}",
			"x:1: spec.destinations[0].weight = 99999999999999999999: want a whole number",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Decode("x", []byte(tc.in))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, tc.want)
			}
		})
	}
	t.Run("a bomb of aliases ends quickly", func(t *testing.T) {
		start := time.Now()
		if _, _, err := Decode("x", []byte(bomb)); err == nil {
			t.Error("it was taken")
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAliasesAndEmptyDocumentsAreTaken(t *testing.T) {
	ts, lines, err := Decode("x", []byte("---\nmetadata:\n  name: &n web\n  labels:\n    app: *n\n---\n"))
	if err != nil {
		t.Fatal(err)
	}
	if ts.Metadata.Name != "web" || ts.Metadata.Labels["app"] != "web" {
		t.Errorf("read %+v", ts.Metadata)
	}
	for path, want := range map[string]int{
		"metadata.name": 3, "metadata.labels[app]": 5, "metadata.labels[none]": 4,
		"metadata.namespace": 2, "spec.route": 2, "": 2,
	} {
		if got := lines.Of(path); got != want {
			t.Errorf("%q is on line %d, want %d", path, got, want)
		}
	}
}

func TestNearestSuggestsOnlyWhatIsNear(t *testing.T) {
	words := []string{"stepWeight", "stepInterval", "steps", "bake", "max", "min"}
	for in, want := range map[string]string{
		"stepweight": "stepWeight", "setpWeight": "stepWeight", "step": "steps", "bkae": "bake",
		"mx": "max", "zzz": "", "": "", "b": "", "strategy": "",
	} {
		if got := Nearest(in, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("metadata: {name: !!binary aGk=}\n---\n...\n"))
	f.Add([]byte("{\"spec\": {\"destinations\": [null, 1, {\"weight\": 1e3}]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		ts, err := Load("x", data)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a word")
			}
			return
		}
		// What is taken survives being written and read again.
		out, err := write(ts)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load("x", out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if d := cmp.Diff(ts, again); d != "" {
			t.Errorf("(-first +second):\n%s", d)
		}
		if _, err := Compile(ts, cloudWatch); err != nil {
			t.Error(err)
		}
	})
}
