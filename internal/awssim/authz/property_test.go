package authz

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// glob is what a pattern means, by way of regular expressions.
func glob(pattern, s string) bool {
	re := regexp.QuoteMeta(pattern)
	re = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(re)
	return regexp.MustCompile(`^(?s:` + re + `)$`).MatchString(s)
}

func TestPatternsMatchAsRegularExpressionsDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.StringOfN(rapid.RuneFrom([]rune("ab:*?é")), 0, 8, -1).Draw(t, "pattern")
		s := rapid.StringOfN(rapid.RuneFrom([]rune("ab:*é")), 0, 10, -1).Draw(t, "text")
		compiled, ok := compile(p, true, true, nil)
		if got, want := compiled.match(s, false), glob(p, s); !ok || got != want {
			t.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
		}
	})
}

// A statement as a person would write it down.
type naive struct {
	deny          bool
	actions       []string
	notActions    bool
	resources     []string
	key, value    string // StringEquals, unless key is ""
	ifExistsOrNot bool
}

func (n naive) document() map[string]any {
	d := map[string]any{"Effect": map[bool]string{true: "Deny", false: "Allow"}[n.deny], "Resource": n.resources}
	d[map[bool]string{true: "NotAction", false: "Action"}[n.notActions]] = n.actions
	if n.key != "" {
		op := map[bool]string{true: "StringEqualsIfExists", false: "StringEquals"}[n.ifExistsOrNot]
		d["Condition"] = map[string]any{op: map[string]any{n.key: n.value}}
	}
	return d
}

func (n naive) applies(action, resource string, keys map[string]string) bool {
	some := func(patterns []string, s string) bool {
		for _, p := range patterns {
			if glob(p, s) {
				return true
			}
		}
		return false
	}
	v, present := keys[n.key]
	return some(n.actions, action) != n.notActions && some(n.resources, resource) &&
		(n.key == "" || present && v == n.value || !present && n.ifExistsOrNot)
}

func TestEvaluateAgreesWithANaiveModel(t *testing.T) {
	statements := rapid.Custom(func(t *rapid.T) naive {
		return naive{
			deny:       rapid.IntRange(0, 3).Draw(t, "deny") == 0,
			actions:    rapid.SliceOfN(rapid.SampledFrom([]string{"*", "s:A", "s:B", "s:*", "t:A", "?:B"}), 1, 2).Draw(t, "actions"),
			notActions: rapid.IntRange(0, 4).Draw(t, "not") == 0,
			resources:  rapid.SliceOfN(rapid.SampledFrom([]string{"*", "arn:aws:s:::x", "arn:aws:s:::x*", "arn:aws:s:::y/?"}), 1, 2).Draw(t, "resources"),
			key:        rapid.SampledFrom([]string{"", "", "k:a", "k:b"}).Draw(t, "key"), value: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value"),
			ifExistsOrNot: rapid.Bool().Draw(t, "if exists"),
		}
	})
	sets := rapid.SliceOfN(statements, 0, 3)
	parse := func(t *rapid.T, set []naive) []Policy {
		if len(set) == 0 {
			return []Policy{}
		}
		var list []any
		for _, n := range set {
			list = append(list, n.document())
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": list})
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse("p", string(text), Identity)
		if err != nil {
			t.Fatal(err)
		}
		return []Policy{p}
	}
	rapid.Check(t, func(t *rapid.T) {
		identity, session := sets.Draw(t, "identity"), sets.Draw(t, "session")
		limited := rapid.Bool().Draw(t, "has session policies")
		action := rapid.SampledFrom([]string{"s:A", "s:B", "t:A", "u:B"}).Draw(t, "action")
		resource := rapid.SampledFrom([]string{"*", "arn:aws:s:::x", "arn:aws:s:::xy", "arn:aws:s:::y/1"}).Draw(t, "resource")
		values := map[string]string{}
		keys := Keys{}
		for _, k := range []string{"k:a", "k:b"} {
			if v := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, k); v != "" {
				values[k] = v
				keys.Set(k, v)
			}
		}
		p := Policies{Identity: parse(t, identity)}
		all := identity
		if limited {
			p.Session = parse(t, session)
			all = append(append([]naive{}, identity...), session...)
		}
		allows := func(set []naive) bool {
			for _, n := range set {
				if !n.deny && n.applies(action, resource, values) {
					return true
				}
			}
			return false
		}
		want := ImplicitDeny
		if allows(identity) && (!limited || allows(session)) {
			want = Allowed
		}
		for _, n := range all {
			if n.deny && n.applies(action, resource, values) {
				want = ExplicitDeny
			}
		}
		if got := Evaluate(p, Request{Action: action, Resource: resource, Keys: keys}); got.Effect != want {
			t.Fatalf("%s, want %s", got.Effect, want)
		}
	})
}

func TestParseNeverPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{
			rapid.String().Draw(t, "text"),
			`{"Statement":` + rapid.StringMatching(`[\[\]{}":,aEAct0-9* ]{0,40}`).Draw(t, "statement") + `}`,
		}).Draw(t, "document")
		p, err := Parse("p", text, Identity)
		if err == nil && len(p.Statements) == 0 {
			t.Fatal("a policy without a statement was taken")
		}
	})
}
