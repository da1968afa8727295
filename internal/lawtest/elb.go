package lawtest

import (
	"fmt"
	"slices"
	"strings"
)

// elbReader reads ELBv2: rules, default actions, and the tags on them.
type elbReader struct {
	route Route
	found map[string]bool // callers that were told the route on a page of the listing they are at
}

func (r *elbReader) read(x *Exchange) (a act, ok bool) {
	if x.Service != ELB {
		return a, false
	}
	switch x.Operation {
	case "DescribeRules", "DescribeListeners":
		r.lists(x, &a)
	case "DescribeTags":
		a.asksMark = true
		for _, d := range x.Out.List("TagDescriptions") {
			a.marks = append(a.marks, readMark(d.List("Tags")))
		}
	case "DescribeTargetHealth":
		a.health = []health{targetHealth(x)}
	case "AddTags", "RemoveTags":
		r.tags(x, &a)
	case "ModifyRule", "ModifyListener", "CreateRule":
		a.write = parseWrite(x)
		a.write.off = !r.about(x)
		if a.write.creates {
			a.marking = &marking{mark: readMark(x.In.List("Tags")), adds: true}
		}
	default:
		if !strings.HasPrefix(x.Operation, "Describe") {
			a.strays = []string{x.Operation + " is no call that a shift needs"}
		}
		a.page = &page{next: x.Out.Str("NextMarker")}
	}
	return a, true
}

// lists reads a page of rules or listeners.
func (r *elbReader) lists(x *Exchange, a *act) {
	a.readsIt = true
	if !x.OK() {
		return
	}
	a.page = &page{asked: x.In.Str("Marker"), next: x.Out.Str("NextMarker")}
	before := r.found[x.Caller] && a.page.asked != ""
	got, found := readRoute(r.route, x)
	r.found[x.Caller] = before || found
	switch {
	case found:
		a.route = &got
		if r.route.Rule != "" || r.route.Default || len(x.In.Strings("RuleArns")) > 0 {
			a.page.next = "" // else what serves a route may stand on any page
		}
	case before, a.page.next != "", x.Operation == "DescribeListeners", len(x.Out.List("Rules")) == 0:
	default:
		a.route = &reading{at: x.Done}
	}
}

// tags reads a change of tags.
func (r *elbReader) tags(x *Exchange, a *act) {
	var keys []string
	for _, t := range x.In.List("Tags") {
		keys = append(keys, t.Str("Key"))
	}
	keys = append(keys, x.In.Strings("TagKeys")...)
	for _, k := range keys {
		if !strings.HasPrefix(k, tagPrefix) {
			a.strays = append(a.strays, fmt.Sprintf("%s changes the tag %s, which is not the shift's", x.Operation, k))
		}
	}
	a.marking = &marking{
		mark: readMark(x.In.List("Tags")), adds: x.Operation == "AddTags",
		shift: slices.Contains(keys, tagPrefix+"shift"), lease: slices.Contains(keys, tagPrefix+"lease"),
	}
}

// about tells whether a write is to the route.
func (r *elbReader) about(x *Exchange) bool {
	switch x.Operation {
	case "CreateRule":
		return r.route.Priority > 0 && x.In.Str("Priority") == fmt.Sprint(r.route.Priority)
	case "ModifyListener":
		return r.route.Default && x.In.Str("ListenerArn") == r.route.Listener
	}
	return r.route.Rule == "" && !r.route.Default || x.In.Str("RuleArn") == r.route.Rule
}

func parseWrite(x *Exchange) *write {
	w := &write{x: x, text: x.Operation + canonical(x.In), withConditions: x.In.Has("Conditions"), creates: x.Operation == "CreateRule"}
	actions := x.In.List("Actions")
	if x.Operation == "ModifyListener" {
		actions = x.In.List("DefaultActions")
	}
	w.reading = readActions(x.Done, actions, x.In.List("Conditions"))
	return w
}

func targetHealth(x *Exchange) health {
	h := health{id: x.In.Str("TargetGroupArn")}
	for _, t := range x.Out.List("TargetHealthDescriptions") {
		switch state := t.Struct("TargetHealth"); state.Str("State") {
		case "draining":
		case "healthy":
			h.healthy++
			h.total++
		default:
			h.total++
		}
	}
	return h
}
