package route53

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/router/marktext"
)

func TestTextsAreReadAsRoute53WritesThem(t *testing.T) {
	for in, want := range map[string][]string{
		`"a" "b"`:            {"a", "b"},
		`"a""b"`:             {"a", "b"},
		`""`:                 {""},
		`"say \"hi\" \\ "`:   {`say "hi" \ `},
		`"caf\303\251"`:      {"café"},
		`"not an octal \9x"`: {"not an octal 9x"},
		`bare words`:         {"bare words"},
	} {
		if got, err := parseText(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{`"open`, `"a" b`, `"a\`, `"a\"`} {
		if got, err := parseText(bad); err == nil {
			t.Errorf("%s was read as %q", bad, got)
		}
	}
}

// shuffled gives values and their strings another order, as DNS may.
func shuffled(t *rapid.T, values []string) []string {
	var texts []string
	for _, v := range values {
		parts, err := parseText(v)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, parts...)
	}
	texts = rapid.Permutation(texts).Draw(t, "order")
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = `"` + s + `"`
	}
	return out
}

func TestItemsOfAnyTextComeBackInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(rapid.StringMatching(`[a-z]{1,8}(-[0-9]{1,3})?`), rapid.OneOf(
			rapid.String(), rapid.StringN(0, 2000, -1), rapid.StringMatching(`[ "\\%=+a-c]{0,600}`)), 0, 40).Draw(t, "items")
		var items []marktext.Item
		for _, k := range slices.Sorted(maps.Keys(want)) {
			items = append(items, marktext.Item{Key: k, Value: want[k]})
		}
		values := encodeItems(items)
		for _, v := range values {
			if len(v) > maxValue {
				t.Fatalf("a value of %d characters", len(v))
			}
			texts, err := parseText(v)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range texts {
				if len(s) > maxText || strings.ContainsAny(s, "\"\\") {
					t.Fatalf("a string of %d characters: %s", len(s), s)
				}
			}
		}
		if len(slices.Compact(slices.Sorted(slices.Values(values)))) != len(values) {
			t.Fatal("Route 53 refuses a value that is there twice")
		}
		got, err := decodeItems(shuffled(t, values))
		if err != nil || !maps.Equal(got, want) {
			t.Fatalf("%q became %q, %v", want, got, err)
		}
	})
}

func TestItemsThatWereTamperedWithAreErrors(t *testing.T) {
	for name, tc := range map[string]struct{ value, why string }{
		"no equals sign":          {`"hello"`, "KEY=VALUE"},
		"an item twice":           {`"a=1" "a=2"`, "twice"},
		"the second part alone":   {`"a+2=1"`, "part 1 of 1 is missing"},
		"a part is missing":       {`"a=1" "a+3=1"`, "part 2 of 2 is missing"},
		"a first part by number":  {`"a+1=1"`, "N of 2 or more"},
		"a part that is a word":   {`"a=1" "a+x=1"`, "N of 2 or more"},
		"a part in another dress": {`"a=1" "a+02=1"`, "N of 2 or more"},
		"half an escape":          {`"a=1%2"`, "hexadecimal"},
		"an escape of no number":  {`"a=1%xy"`, "hexadecimal"},
		"a quote that stays open": {`"a=1`, "not closed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decodeItems([]string{tc.value}); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("read as %v, %v; want an error with %q", got, err, tc.why)
			}
		})
	}
}
