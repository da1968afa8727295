package registry

import (
	"fmt"
	"maps"
	"slices"
)

// marked are the labels of a Secret that carries the set's mark, which ApplicationSets may
// select by as well.
func (p *pass) marked(labels map[string]string) map[string]string {
	out := maps.Clone(nonNil(labels))
	maps.Copy(out, MarkLabels(p.Set.Owner))
	return out
}

// MarkLabels are the labels by which a cluster Secret is known as one, and as a set's.
func MarkLabels(o Owner) map[string]string {
	return map[string]string{
		"argocd.argoproj.io/secret-type":   "cluster",
		"app.kubernetes.io/managed-by":     "norikae",
		"norikae.dev/clusterset":           o.Name,
		"norikae.dev/clusterset-namespace": o.Namespace,
	}
}

// drops tells whether one of its cluster generators selects a Secret with the labels
// before, and does not with the labels after; nil: there is no Secret. Each generator
// counts alone, as each makes Applications of its own.
func (s ApplicationSet) drops(before, after map[string]string) bool {
	return before != nil && slices.ContainsFunc(s.Selectors, func(sel LabelSelector) bool {
		return sel.Match(before) && (after == nil || !sel.Match(after))
	})
}

func (s ApplicationSet) String() string { return s.Namespace + "/" + s.Name }

// losing are the ApplicationSets that delete their Applications when the labels of a Secret
// change so.
func (p *pass) losing(before, after map[string]string) []ApplicationSet {
	var lost []ApplicationSet
	for _, s := range p.ApplicationSets {
		if !s.Keeps && s.drops(before, after) {
			lost = append(lost, s)
		}
	}
	return lost
}

func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// loses says what ApplicationSets do when they no longer select a Secret with these
// labels: because it goes (after is nil), or because its labels change, and then Argo CD
// still reaches the cluster and deletes the workloads too.
func (p *pass) loses(before, after map[string]string, reached bool) string {
	var with, without, keep []string
	for _, s := range p.ApplicationSets {
		switch {
		case !s.drops(nonNil(before), after):
		case s.Keeps:
			keep = append(keep, s.String())
		case s.Preserves:
			without = append(without, s.String())
		default:
			with = append(with, s.String())
		}
	}
	text := ""
	if len(with) > 0 {
		how := "workloads that are there stay or go, by which Argo CD does first"
		if reached {
			how = "with their workloads"
		}
		text = join(text, fmt.Sprintf("%s would delete their Applications of it, %s", sets(with), how))
	}
	if len(without) > 0 {
		text = join(text, fmt.Sprintf("%s would delete their Applications of it, the workloads stay", sets(without)))
	}
	if len(keep) > 0 {
		text = join(text, fmt.Sprintf("%s would keep their Applications of it, which nobody looks after then", sets(keep)))
	}
	if p.ApplicationSetsErr != nil {
		text = join(text, fmt.Sprintf("which ApplicationSets would delete Applications is not known: %v", p.ApplicationSetsErr))
	}
	return text
}

// gains says which ApplicationSets newly select a Secret.
func (p *pass) gains(before, after map[string]string) string {
	var gained []string
	for _, s := range p.ApplicationSets {
		if s.drops(nonNil(after), before) {
			gained = append(gained, s.String())
		}
	}
	if len(gained) == 0 {
		return ""
	}
	return sets(gained) + " would make Applications of it"
}

func sets(names []string) string {
	if len(names) == 1 {
		return "ApplicationSet " + names[0]
	}
	return "ApplicationSets " + some(names)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
