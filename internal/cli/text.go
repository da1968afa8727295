package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/traffic"
)

// namer turns IDs into what people call them.
type namer map[string]string

// name of a destination; one that is not declared is named by the end of its ARN.
func (n namer) name(id string) string {
	if name, ok := n[id]; ok {
		return name
	}
	if _, tail, ok := strings.Cut(id, ":targetgroup/"); ok {
		name, _, _ := strings.Cut(tail, "/")
		return name
	}
	return clean(id)
}

// split is "blue 90 (90%), green 10 (10%)".
func (n namer) split(s traffic.Split) string {
	if len(s) == 0 {
		return "no target group"
	}
	parts := make([]string, len(s))
	for i, w := range s {
		parts[i] = n.name(w.ID) + " " + weight(s, w.ID)
	}
	return strings.Join(parts, ", ")
}

// weight of a destination and its share: "90 (90%)".
func weight(s traffic.Split, id string) string {
	if !s.Has(id) {
		return "–"
	}
	return fmt.Sprintf("%d (%s)", s.Weight(id), percent(s.Share(id)))
}

// percent of a share, without a fraction where there is none.
func percent(share float64) string {
	p := fmt.Sprintf("%.1f", 100*share)
	return strings.TrimSuffix(p, ".0") + "%"
}

// short is a duration without the zeros at its end, to the second when it is long.
func short(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return manifest.Duration(d)
}

// stamp is a moment as people read it, the same on every machine.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// clean keeps what others wrote (load balancers, journals) from steering the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// fit shortens a line to a width in characters.
func fit(s string, width int) string {
	if width <= 0 || utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:max(width-1, 0)]) + "…"
}

// pad fills up to a width in characters.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// table aligns rows in columns with two spaces between them.
func table(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = pad(cell, widths[i])
		}
		b.WriteString(strings.TrimRight(strings.Join(cells, "  "), " ") + "\n")
	}
	return b.String()
}

// list prints a titled list; nothing when it is empty.
func list(b *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	b.WriteString("\n" + title + "\n")
	for _, item := range items {
		b.WriteString("  - " + clean(item) + "\n")
	}
}
