package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// report prints the differences in helm-diff's form, and tells whether there are any.
func report(w io.Writer, have, want map[string]object, showSecrets bool) bool {
	ids := slices.Collect(maps.Keys(have))
	for id := range want {
		if _, ok := have[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	differ := false
	for _, id := range ids {
		h, old := have[id]
		n, stays := want[id]
		if !showSecrets {
			h, n = hide(h, n, "--------"), hide(n, h, "++++++++")
		}
		before, after := lines(h), lines(n)
		if slices.Equal(before, after) {
			continue
		}
		differ = true
		what := "has changed"
		if !old {
			what = "has been added"
		} else if !stays {
			what = "has been removed"
		}
		fmt.Fprintf(w, "%s %s:\n", id, what)
		for _, line := range unified(before, after) {
			fmt.Fprintln(w, line)
		}
	}
	return differ
}

func lines(o object) []string {
	if o == nil {
		return nil
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// hide the values in a Secret, but not that they differ from the other's: the sign of one
// side is not that of the other.
func hide(o, other object, sign string) object {
	if o["kind"] != "Secret" {
		return o
	}
	out := maps.Clone(o)
	values, _ := o["data"].(object)
	others, _ := other["data"].(object)
	hidden := object{}
	for k, v := range values {
		sign := sign
		if others[k] == v {
			sign = "REDACTED"
		}
		hidden[k] = fmt.Sprintf("%s # (%d bytes)", sign, len(fmt.Sprint(v)))
	}
	out["data"] = hidden
	return out
}

// unified diff with every line as context, by the longest common subsequence.
func unified(a, b []string) []string {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}
