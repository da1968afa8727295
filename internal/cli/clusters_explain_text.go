package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// explainText is an explanation for people.
func explainText(e explanation, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s, ClusterSet %s\n\n", e.ARN, e.ClusterSet)
	b.WriteString(indent(table(explainRows(e, now))))
	b.WriteString("\nselection\n")
	for _, s := range e.Sources {
		verdict := "does not select it"
		switch {
		case s.Selected:
			verdict = "selects it"
		case e.EKSStatus == "" && !slices.ContainsFunc(s.Checks, func(c check) bool { return !c.Satisfied }):
			verdict = "looks where it is; its tags are not known"
		}
		fmt.Fprintf(&b, "  spec.sources[%d] %s\n", s.Index, verdict)
		for _, c := range s.Checks {
			sign, found := "✓", ""
			if !c.Satisfied {
				sign, found = "✗", "; it has "+c.Found
			}
			fmt.Fprintf(&b, "    %s %s%s\n", sign, clean(c.Requirement), found)
		}
	}
	if len(e.Template) > 0 || e.TemplateError != "" {
		b.WriteString("\ntemplate\n")
	}
	if e.TemplateError != "" {
		b.WriteString("  " + e.TemplateError + "\n")
	}
	for _, k := range slices.SortedFunc(maps.Keys(e.Template), byField) {
		fmt.Fprintf(&b, "  %s: %s\n", k, e.Template[k])
	}
	if len(e.Changes) > 0 {
		b.WriteString("\nthe next pass changes\n" + changeLines(e.Changes))
	}
	if len(e.Held) > 0 {
		b.WriteString("\nthe next pass does not change\n" + changeLines(e.Held))
	}
	b.WriteString("\nApplicationSets\n" + appSetLines(e))
	b.WriteString("\ntraffic\n" + trafficLines(e.Traffic))
	list(&b, "next", e.Next)
	return b.String()
}

func explainRows(e explanation, now time.Time) [][]string {
	state := string(e.State)
	switch {
	case state == "" && e.Selected:
		state = "selected, and not listed yet"
	case state == "":
		state = "not selected, and no Secret of this ClusterSet"
	}
	if why := e.why(); why != "" {
		state += " (" + why + ")"
	}
	rows := [][]string{{"state", state}}
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, []string{name, text})
		}
	}
	add("", e.Message)
	if e.MissingSince != nil {
		add("missing", fmt.Sprintf("since %s (%s)", stamp(*e.MissingSince), age(*e.MissingSince, now)))
	}
	if e.UnselectedSince != nil {
		add("unselected", fmt.Sprintf("since %s (%s)", stamp(*e.UnselectedSince), age(*e.UnselectedSince, now)))
	}
	eks := "not known"
	if e.EKSStatus != "" {
		eks = fmt.Sprintf("%s, version %s, VPC %s", e.EKSStatus, cmp.Or(e.Version, "not known"), cmp.Or(e.VPC, "not known"))
	}
	add("EKS", eks)
	add("endpoint", e.Endpoint)
	add("access", e.Access)
	if e.EKSStatus != "" {
		add("API server", cmp.Or(e.Probe, "answers from here"))
	}
	add("Secret", cmp.Or(e.Secret, "none"))
	add("name", clean(e.ArgoCDName))
	return rows
}

func changeLines(list []fieldChange) string {
	var b strings.Builder
	for _, f := range list {
		if f.From != nil {
			fmt.Fprintf(&b, "-   %s: %s\n", f.Field, *f.From)
		}
		if f.To != nil {
			fmt.Fprintf(&b, "+   %s: %s\n", f.Field, *f.To)
		}
	}
	return b.String()
}

// heldLines are changes that are not made.
func heldLines(list []fieldChange) string {
	var b strings.Builder
	for _, f := range list {
		from, to := "nothing", "nothing"
		if f.From != nil {
			from = *f.From
		}
		if f.To != nil {
			to = *f.To
		}
		fmt.Fprintf(&b, "    held back: %s: %s → %s\n", f.Field, from, to)
	}
	return b.String()
}

func appSetLines(e explanation) string {
	if e.AppSetsError != "" {
		return "  could not be read: " + e.AppSetsError + "\n"
	}
	var b strings.Builder
	for _, a := range e.ApplicationSets {
		if !a.Selects {
			continue
		}
		fmt.Fprintf(&b, "  %s selects it\n    if the Secret is deleted: %s\n", a.Name, a.IfDeleted)
		if a.IfDeselected != a.IfDeleted {
			fmt.Fprintf(&b, "    if a label no longer matches: %s\n", a.IfDeselected)
		}
	}
	if b.Len() == 0 {
		return "  none selects it\n"
	}
	return b.String()
}

func trafficLines(t trafficView) string {
	if t.Error != "" {
		return "  not known: " + t.Error + "\n"
	}
	if len(t.Routes) == 0 {
		return "  no route sends it any\n"
	}
	return "  " + strings.Join(t.Routes, "\n  ") + "\n"
}
