package cli

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/registry"
)

// maxAlike is how many clusters of one state and reason are shown for people; a fleet whose
// namespace or credentials are missing has as many as clusters.
const maxAlike = 10

// fewAlike keeps the first clusters of each state and reason, and says how many more there
// are. Those whose account and region did not answer are only counted: why is said of the
// place.
func fewAlike[T any](list []T, scopes []scopeView, view func(T) clusterView) (kept []T, more []string) {
	type kind struct{ state, why string }
	type place struct{ account, region string }
	silent := map[place]bool{}
	for _, s := range unasked(scopes) {
		silent[place{s.Account, s.Region}] = true
	}
	counts, unknown := map[kind]int{}, 0
	var kinds []kind
	for _, item := range list {
		v := view(item)
		if v.State == registry.Uncertain && silent[place{v.Account, v.Region}] {
			unknown++
			continue
		}
		k := kind{string(v.State), v.why()}
		if counts[k]++; counts[k] <= maxAlike {
			kept = append(kept, item)
		} else if counts[k] == maxAlike+1 {
			kinds = append(kinds, k)
		}
	}
	for _, k := range kinds {
		text := fmt.Sprintf("and %d more that are %s", counts[k]-maxAlike, k.state)
		if k.why != "" {
			text += " (" + k.why + ")"
		}
		more = append(more, text+": -o json has them all")
	}
	if unknown > 0 {
		more = append(more, count(unknown, "cluster")+" Uncertain, because nobody answered for the account and region; the Secrets stay as they are")
	}
	return kept, more
}

// noneSelected says what to look at when everybody answered and there is no cluster: a tag
// or a region is mistyped, perhaps.
func noneSelected(discovered, clusters int, scopes []scopeView) string {
	if discovered+clusters+len(unasked(scopes)) > 0 {
		return ""
	}
	return "no cluster is selected: look at the regions, the accounts and the selector; `norikae clusters explain NAME` tells which requirement one fails\n"
}

// unasked are the accounts and regions that did not answer.
func unasked(scopes []scopeView) []scopeView {
	return slices.DeleteFunc(slices.Clone(scopes), func(s scopeView) bool { return s.Error == "" })
}

// requestID is another in each answer of AWS.
var requestID = regexp.MustCompile(`(?i)\brequest ?id:? ?[0-9a-z-]+`)

// cause is what the errors of several accounts and regions have in common.
func (s scopeView) cause() string {
	text := requestID.ReplaceAllString(s.Error, "")
	for _, own := range []string{s.RoleARN, s.Account, s.Region} {
		if own != "" {
			text = strings.ReplaceAll(text, own, "…")
		}
	}
	return text
}

// place is where nobody answered, for some regions of one account.
func (s scopeView) place(regions []string) string {
	text := "account " + cmp.Or(s.Account, "unknown") + ", region"
	if len(regions) > 1 {
		text += "s"
	}
	text += " " + strings.Join(regions, ", ")
	if s.RoleARN != "" {
		text += ", as " + s.RoleARN
	}
	return text
}

// unaskedText tells who did not answer. Credentials that are missing keep all regions of
// all accounts from answering: that is said once.
func unaskedText(scopes []scopeView) string {
	failed := unasked(scopes)
	var causes []string
	for _, s := range failed {
		causes = append(causes, s.cause())
	}
	if len(failed) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\ncould not be asked\n")
	for i, cause := range causes {
		if slices.Contains(causes[:i], cause) {
			continue
		}
		places := sameCause(failed, func(j int) bool { return causes[j] == cause })
		b.WriteString("  - " + strings.Join(places, "\n  - "))
		if len(places) > 1 {
			b.WriteString("\n   ")
		} else {
			b.WriteString(":")
		}
		b.WriteString(" " + clean(failed[i].Error) + "\n")
	}
	return b.String()
}

// sameCause names the places of those scopes that have the cause.
func sameCause(failed []scopeView, has func(int) bool) []string {
	type way struct{ account, role string }
	regions := map[way][]string{}
	var ways []scopeView
	for i, s := range failed {
		if !has(i) {
			continue
		}
		w := way{s.Account, s.RoleARN}
		if regions[w] == nil {
			ways = append(ways, s)
		}
		regions[w] = append(regions[w], s.Region)
	}
	var places []string
	for _, s := range ways {
		places = append(places, clean(s.place(regions[way{s.Account, s.RoleARN}])))
	}
	return places
}
