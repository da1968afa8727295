package registry

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSelectorMatch(t *testing.T) {
	c := eks("prod-blue")
	c.Tags = map[string]string{"env": "prod", "tier": "gold", "empty": ""}
	for name, tc := range map[string]struct {
		sel  Selector
		want bool
	}{
		"the zero selector selects all":                 {Selector{}, true},
		"a tag with its value":                          {Selector{Tags: map[string]string{"env": "prod"}}, true},
		"a tag with another value":                      {Selector{Tags: map[string]string{"env": "stage"}}, false},
		"an empty value is not a missing tag":           {Selector{Tags: map[string]string{"team": ""}}, false},
		"an empty value is the tag with an empty value": {Selector{Tags: map[string]string{"empty": ""}}, true},
		"one of two tags is not enough":                 {Selector{Tags: map[string]string{"env": "prod", "team": "red"}}, false},
		"In with its value":                             {Selector{Requirements: []Requirement{{"env", In, []string{"a", "prod"}}}}, true},
		"In without the tag":                            {Selector{Requirements: []Requirement{{"team", In, []string{""}}}}, false},
		"NotIn without the tag":                         {Selector{Requirements: []Requirement{{"team", NotIn, []string{"red"}}}}, true},
		"NotIn with another value":                      {Selector{Requirements: []Requirement{{"env", NotIn, []string{"stage"}}}}, true},
		"NotIn with its value":                          {Selector{Requirements: []Requirement{{"env", NotIn, []string{"prod"}}}}, false},
		"Exists":                                        {Selector{Requirements: []Requirement{{Key: "empty", Operator: Exists}}}, true},
		"Exists without the tag":                        {Selector{Requirements: []Requirement{{Key: "team", Operator: Exists}}}, false},
		"DoesNotExist":                                  {Selector{Requirements: []Requirement{{Key: "team", Operator: DoesNotExist}}}, true},
		"DoesNotExist with the tag":                     {Selector{Requirements: []Requirement{{Key: "env", Operator: DoesNotExist}}}, false},
		"an operator that there is not matches nothing": {Selector{Requirements: []Requirement{{Key: "env", Operator: "Like"}}}, false},
		"a pattern of names":                            {Selector{Names: []string{"x", "prod-*"}}, true},
		"no pattern of names matches":                   {Selector{Names: []string{"x", "stage-*"}}, false},
		"a pattern that is none matches nothing":        {Selector{Names: []string{"[", "prod-[a-"}}, false},
		"excluded by name":                              {Selector{Exclude: Exclude{Names: []string{"*-blue"}}}, false},
		"excluded by ARN":                               {Selector{Exclude: Exclude{ARNs: []string{c.ARN()}}}, false},
		"excluded by one of two tags":                   {Selector{Exclude: Exclude{Tags: map[string]string{"a": "b", "tier": "gold"}}}, false},
		"not excluded by another value":                 {Selector{Exclude: Exclude{Tags: map[string]string{"tier": "tin"}}}, true},
		"an exclusion wins over a name":                 {Selector{Names: []string{"prod-blue"}, Exclude: Exclude{Names: []string{"prod-blue"}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.sel.Match(c); got != tc.want {
				t.Errorf("Match = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestSelectorFilters(t *testing.T) {
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for name, tc := range map[string]struct {
		sel    Selector
		want   map[string][]string
		tagged bool
	}{
		"names alone cannot be asked of the tagging API": {Selector{Names: []string{"a"}}, map[string][]string{}, false},
		"a tag that must not be there cannot either":     {Selector{Requirements: []Requirement{{"a", NotIn, []string{"b"}}, {Key: "c", Operator: DoesNotExist}}}, map[string][]string{}, false},
		"tags and conditions": {
			Selector{Tags: map[string]string{"a": "1"}, Requirements: []Requirement{{"b", In, []string{"3", "2", "3"}}, {Key: "c", Operator: Exists}}},
			map[string][]string{"a": {"1"}, "b": {"2", "3"}, "c": nil},
			true,
		},
		"the narrower of two conditions": {Selector{Requirements: []Requirement{{Key: "a", Operator: Exists}, {"a", In, []string{"1"}}, {Key: "a", Operator: Exists}}}, map[string][]string{"a": {"1"}}, true},
		"more values than a call takes":  {Selector{Requirements: []Requirement{{"a", In, many}}}, map[string][]string{"a": nil}, true},
		"an empty value":                 {Selector{Tags: map[string]string{"a": ""}}, map[string][]string{"a": nil}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.sel.Filters()); diff != "" || tc.sel.Tagged() != tc.tagged {
				t.Errorf("Tagged %v, want %v; Filters (-want +got):\n%s", tc.sel.Tagged(), tc.tagged, diff)
			}
		})
	}
}

// What the selector matches, the filters let through.
func TestFiltersNeverHideACluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "a", "b", "c"})
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("k", rapid.IntRange(0, 60).Draw(t, "key")) })
		tags := rapid.MapOfN(key, word, 0, 60)
		sel := Selector{Tags: tags.Draw(t, "tags")}
		for range rapid.IntRange(0, 6).Draw(t, "requirements") {
			sel.Requirements = append(sel.Requirements, Requirement{
				key.Draw(t, "key"), rapid.SampledFrom([]Operator{In, NotIn, Exists, DoesNotExist}).Draw(t, "op"), rapid.SliceOfN(word, 1, 25).Draw(t, "values"),
			})
		}
		c := Cluster{ID: id("a"), Tags: tags.Draw(t, "of the cluster")}
		for k, v := range sel.Tags {
			if rapid.Bool().Draw(t, "satisfied") {
				c.Tags[k] = v
			}
		}
		f := sel.Filters()
		if len(f) > 50 {
			t.Fatalf("%d keys", len(f))
		}
		for k, values := range f {
			if len(values) > 20 {
				t.Fatalf("%d values", len(values))
			}
			v, ok := c.Tags[k]
			if ok = ok && (len(values) == 0 || slices.Contains(values, v)); !ok && sel.Match(c) {
				t.Fatalf("%v hides %v", f, c.Tags)
			}
		}
	})
}
