package lawtest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func (r Route) is(rule wire.Params) bool {
	switch {
	case r.Default:
		return rule.Str("IsDefault") == "true"
	case r.Rule != "":
		return rule.Str("RuleArn") == r.Rule
	}
	return rule.Str("Priority") == strconv.Itoa(r.Priority)
}

// readRoute finds the route in an answer of DescribeRules or DescribeListeners.
func readRoute(route Route, x *Exchange) (reading, bool) {
	if x.Operation == "DescribeListeners" {
		for _, l := range x.Out.List("Listeners") {
			if route.Default && l.Str("ListenerArn") == route.Listener {
				return readActions(x.Done, l.List("DefaultActions"), nil), true
			}
		}
		return reading{}, false
	}
	for _, rule := range x.Out.List("Rules") {
		if route.is(rule) {
			return readActions(x.Done, rule.List("Actions"), rule.List("Conditions")), true
		}
	}
	return reading{}, false
}

func readActions(at time.Time, actions, conditions []wire.Params) reading {
	r := reading{at: at, exists: true, split: Split{}, conditions: canonical(conditionsOf(conditions))}
	var rest []string
	for _, a := range actions {
		keep := map[string]any{}
		maps.Copy(keep, a)
		switch a.Str("Type") {
		case "forward":
			r.readForward(a, keep)
		case "authenticate-oidc":
			keep["AuthenticateOidcConfig"] = withoutSecret(a.Struct("AuthenticateOidcConfig"))
		}
		rest = append(rest, canonical(keep))
	}
	slices.Sort(rest)
	r.rest = strings.Join(rest, "\n")
	return r
}

// readForward takes the weights off the action that is kept.
func (r *reading) readForward(a wire.Params, keep map[string]any) {
	delete(keep, "TargetGroupArn")
	config := map[string]any{}
	maps.Copy(config, a.Struct("ForwardConfig"))
	delete(config, "TargetGroups")
	if off, ok := asMap(config["TargetGroupStickinessConfig"]); ok && (off.Str("Enabled") == "false" || off.Str("Enabled") == "") {
		delete(config, "TargetGroupStickinessConfig") // absent and off are the same
	}
	keep["ForwardConfig"] = config
	groups := a.Struct("ForwardConfig").List("TargetGroups")
	for _, g := range groups {
		w, ok, err := g.Int("Weight")
		if !ok || err != nil {
			w, r.nilWeights = 1, true
		}
		r.split[g.Str("TargetGroupArn")] = w
	}
	if id := a.Str("TargetGroupArn"); id != "" && len(groups) == 0 {
		r.split[id], r.nilWeights = 1, true
	}
}

func asMap(v any) (wire.Params, bool) {
	switch v := v.(type) {
	case wire.Params:
		return v, true
	case map[string]any:
		return v, true
	}
	return nil, false
}

// withoutSecret leaves out what AWS never shows, and how a write says "as it was".
func withoutSecret(p wire.Params) map[string]any {
	out := map[string]any{}
	for k, v := range p {
		if k != "ClientSecret" && k != "UseExistingClientSecret" {
			out[k] = v
		}
	}
	return out
}

// conditionsOf a rule as a set of sets, without the short form that repeats the long one.
func conditionsOf(conditions []wire.Params) []string {
	var out []string
	for _, c := range conditions {
		values := c.Strings("Values")
		var header []string
		for k, v := range c {
			if config, ok := asMap(v); ok && strings.HasSuffix(k, "Config") {
				values = append(values, config.Strings("Values")...)
				if h := config.Str("HttpHeaderName"); h != "" {
					header = append(header, h)
				}
				for _, q := range config.List("Values") {
					values = append(values, q.Str("Key")+"="+q.Str("Value"))
				}
			}
		}
		slices.Sort(values)
		out = append(out, strings.Join(append([]string{c.Str("Field")}, header...), " ")+" "+strings.Join(slices.Compact(values), "|"))
	}
	slices.Sort(out)
	return out
}

// canonical text of a tree: map keys are sorted, empty members left out.
func canonical(v any) string {
	b, err := json.Marshal(prune(v))
	if err != nil {
		return err.Error() // text, lists and maps always marshal
	}
	return string(b)
}

func prune(v any) any {
	if m, ok := asMap(v); ok {
		out := map[string]any{}
		for k, e := range m {
			if p := prune(e); p != nil {
				out[k] = p
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
	}
	return v
}

const tagPrefix = "norikae.dev/"

func readMark(tags []wire.Params) mark {
	m, count := mark{from: Split{}}, ""
	for _, t := range tags {
		value := t.Str("Value")
		switch name, _ := strings.CutPrefix(t.Str("Key"), tagPrefix); {
		case name == "shift":
			m.shift = value
		case name == "from":
			m.hasFrom, count = true, value
		case name == "lease":
			owner, expires, _ := strings.Cut(value, " ")
			expires, _, _ = strings.Cut(expires, " ")
			if at, err := time.Parse(time.RFC3339Nano, expires); err == nil {
				m.owner, m.expires = owner, at
			}
		case strings.HasPrefix(name, "from-"):
			weight, id, _ := strings.Cut(value, " ")
			if n, err := strconv.Atoi(weight); err == nil {
				m.from[id] = n
			}
		}
	}
	m.hasFrom = m.hasFrom && count == strconv.Itoa(len(m.from))
	return m
}
