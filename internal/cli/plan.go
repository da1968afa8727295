package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

func (s *session) planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show the exact writes that a shift would make, without making any",
		Long: `Plan reads the route, checks everything that shift checks before its first write, and
shows the writes, how long each is held and what stands in the way. It writes nothing.
It exits with 1 when shift would refuse to start.`,
		Example: `  norikae plan -f shift.yaml
  norikae plan -f shift.yaml -o json | jq '.writes[].split'
  generate-manifest | norikae plan -f -`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d, run, err := s.open(cmd, s.err, false)
			if err != nil {
				return err
			}
			defer closeRun(run, &err)
			pv, err := asking(cmd.Context(), s, "still reading the route and checking the queries", run.Preview)
			if err != nil {
				return fmt.Errorf("planning %q: %w", d.spec.Name, err)
			}
			pv.Warnings = once(pv.Warnings)
			if err := s.printPreview(d, pv); err != nil {
				return err
			}
			if len(pv.Blockers) > 0 {
				return hinted(errors.New(blocked(pv.Blockers)), "Nothing was written.")
			}
			return nil
		},
	}
	s.fileFlag(cmd)
	return cmd
}

// once leaves out what was said before.
func once(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

func blocked(blockers []string) string {
	if len(blockers) == 1 {
		return "a shift would refuse to start: " + clean(blockers[0])
	}
	text := fmt.Sprintf("a shift would refuse to start, for %d reasons:", len(blockers))
	var b strings.Builder
	for _, blocker := range blockers {
		b.WriteString("\n  - " + clean(blocker))
	}
	return text + b.String()
}

func (s *session) printPreview(d declared, pv engine.Preview) error {
	if s.json() {
		return s.printJSON(pv)
	}
	return s.print([]byte(previewText(d.spec, d.names, pv)))
}

// previewText is the plan for people.
func previewText(spec shift.Spec, names namer, pv engine.Preview) string {
	var b strings.Builder
	fmt.Fprintf(&b, "shift %q on %s\n\n", spec.Name, clean(pv.Route))
	rows := [][]string{{"live", liveText(spec, names, pv.Live)}}
	if !pv.From.Equal(pv.Live.Split) {
		rows = append(rows, []string{"from", names.split(pv.From)})
	}
	rows = append(rows, []string{"to", names.split(pv.To)})
	if m := pv.Unfinished; m != nil {
		rows = append(rows, []string{"unfinished", unfinished(*m)})
	}
	if !pv.Settled && pv.Ideal > 0 {
		rows = append(rows, []string{"takes", takes(spec, pv)})
	}
	rows = append(rows, []string{"policies", fmt.Sprintf("onFailure %s, onDrift %s, onInterrupt %s", spec.OnFailure, spec.OnDrift, spec.OnInterrupt)})
	b.WriteString(table(rows))
	switch {
	case pv.Settled:
		b.WriteString("\nThe declared weights are live: nothing to write.\n")
	case len(pv.Writes) > 0:
		b.WriteString("\n" + writesTable(names, pv))
	}
	if len(pv.Health) > 0 {
		b.WriteString("\nhealth\n" + indent(healthTable(names, pv.To, pv.Health)))
	}
	list(&b, "warnings", pv.Warnings)
	list(&b, "a shift would refuse to start", pv.Blockers)
	return b.String()
}

// serves says what serves the requests of a rule that is not there.
func serves(names namer, mirror traffic.Split) string {
	if len(mirror) == 0 {
		return "nothing forwards its requests today, so it is created with the declared weights"
	}
	return "its requests are served by " + names.split(mirror)
}

func unfinished(m shift.Mark) string {
	return fmt.Sprintf("shift %q, started %s, driven by %s until %s", clean(m.Name), stamp(m.Started), clean(m.Lease.Owner), stamp(m.Lease.Expires))
}

func takes(spec shift.Spec, pv engine.Preview) string {
	text := short(pv.Ideal)
	if p := spec.Timing.Period; p > 0 { // measurements are aligned to whole periods
		text += fmt.Sprintf(", up to %s more per step", short(p))
	}
	if slices.ContainsFunc(pv.Writes, func(w engine.PlannedWrite) bool { return w.Approval }) {
		text += " and the time until it is approved"
	}
	if pv.MaxDuration > 0 {
		text += ", at most " + short(pv.MaxDuration)
	}
	return text
}

func indent(block string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(block, "\n"), "\n", "\n  ") + "\n"
}

// writesTable has a row for each write, with the time from the start at the earliest.
func writesTable(names namer, pv engine.Preview) string {
	ids := pv.From.With(pv.To.IDs()...).IDs()
	for _, w := range pv.Writes {
		ids = traffic.Split{}.With(ids...).With(w.Split.IDs()...).IDs()
	}
	head := []string{"#", "at", "move", "write"}
	for _, id := range ids {
		head = append(head, names.name(id))
	}
	rows := [][]string{append(head, "then")}
	at, approved := time.Duration(0), false
	for i, w := range pv.Writes {
		when := "+" + short(at)
		if approved {
			when = "≥ " + when
		}
		row := []string{strconv.Itoa(i + 1), when, strconv.Itoa(w.Percent) + "%", w.Reason}
		for _, id := range ids {
			row = append(row, weight(w.Split, id))
		}
		rows = append(rows, append(row, afterwards(w)))
		at += w.Hold
		approved = approved || w.Approval
	}
	return table(rows)
}

func afterwards(w engine.PlannedWrite) string {
	var parts []string
	if hold := w.Hold - w.Drain; hold > 0 {
		parts = append(parts, "hold "+short(hold))
	}
	if w.Drain > 0 {
		parts = append(parts, "drain "+short(w.Drain))
	}
	if w.Approval {
		parts = append(parts, "wait for `norikae approve`")
	}
	return strings.Join(parts, ", ")
}

// healthTable has a row for each destination.
func healthTable(names namer, to traffic.Split, health map[string]shift.Health) string {
	var rows [][]string
	for _, id := range to.With(slices.Sorted(maps.Keys(health))...).IDs() {
		h, ok := health[id]
		if !ok {
			continue
		}
		rows = append(rows, []string{names.name(id), healthText(h)})
	}
	return table(rows)
}

func healthText(h shift.Health) string {
	switch {
	case h.Unused:
		return fmt.Sprintf("%d targets, not checked before the target group is attached", h.Total)
	case h.Total == 0:
		return "no targets"
	}
	text := fmt.Sprintf("%d of %d targets healthy", h.Healthy, h.Total)
	if h.Reason != "" {
		text += " (" + clean(h.Reason) + ")"
	}
	return text
}

// contextless adapts a call for asking.
type contextless = func(context.Context) (struct{}, error)

func nothing(fn func(context.Context) error) contextless {
	return func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }
}
