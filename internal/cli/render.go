package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// leastWidth of a terminal for the block.
const leastWidth = 40

// live tells whether a block is redrawn on a terminal.
func (s *session) live(plain bool) bool {
	kind := s.deps.Getenv("TERM")
	if plain || s.json() || kind == "" || kind == "dumb" {
		return false
	}
	width, ok := s.deps.Terminal(s.out)
	return ok && width >= leastWidth
}

func (s *session) renderer(plain bool) renderer {
	switch {
	case s.json():
		return &jsonLines{out: s.out, err: s.err}
	case s.live(plain):
		return &block{
			out: s.out, color: s.deps.Getenv("NO_COLOR") == "",
			width: func() int { w, _ := s.deps.Terminal(s.out); return w },
		}
	default:
		return &lines{out: s.out, err: s.err}
	}
}

// terminalWidth is the width of w if it is a terminal.
func terminalWidth(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil
}

// jsonLines prints each event as it is.
type jsonLines struct{ out, err io.Writer }

func (j *jsonLines) event(_ *view, e engine.Event) {
	if line, err := json.Marshal(e); err == nil {
		fmt.Fprintf(j.out, "%s\n", line)
	}
}
func (j *jsonLines) note(_ *view, text string) { fmt.Fprintln(j.err, text) }
func (*jsonLines) tick(*view, time.Time)       {}
func (*jsonLines) end(*view)                   {}

// lines prints a line for each event, and one now and then while nothing happens.
type lines struct {
	out, err io.Writer
	printed  time.Time
}

func (l *lines) event(v *view, e engine.Event) {
	l.printed = e.At
	fmt.Fprintln(l.out, eventLine(v, e))
}

func (l *lines) note(_ *view, text string) { fmt.Fprintln(l.err, text) }

func (l *lines) tick(v *view, now time.Time) {
	if l.printed.IsZero() {
		l.printed = now // nothing has happened yet: give it the same time
	}
	if now.Sub(l.printed) < nudge {
		return
	}
	l.printed = now
	fmt.Fprintln(l.out, heartbeat(v, now))
}

func (*lines) end(*view) {}

// eventLine is "TIME KIND PHASE STEP SPLIT: MESSAGE".
func eventLine(v *view, e engine.Event) string {
	parts := []string{stamp(e.At), pad(string(e.Kind), len(engine.EventFinished))}
	parts = append(parts, pad(string(e.Phase), len(shift.RollingBack)))
	if step := v.step(); step != "" {
		parts = append(parts, step)
	}
	if len(e.Split) > 0 {
		parts = append(parts, v.names.split(e.Split))
	}
	if e.Message != "" {
		parts = append(parts, clean(e.Message))
	}
	line := strings.TrimRight(strings.Join(parts, "  "), " ")
	if e.Kind == engine.EventJudged && e.Report != nil {
		var verdicts []string
		for _, m := range e.Report.Metrics {
			verdicts = append(verdicts, fmt.Sprintf("%s %s %s", mark(m.Last.Verdict), m.Name, sides(m.Last)))
		}
		for _, id := range declaredFirst(v.spec, v.split) {
			if rate := v.rate(id); rate != "" {
				verdicts = append(verdicts, v.names.name(id)+" "+strings.TrimSpace(rate))
			}
		}
		line += " [" + strings.Join(verdicts, ", ") + "]"
	}
	return line
}

// heartbeat says that the run still works, and what it waits for.
func heartbeat(v *view, now time.Time) string {
	if v.last.Kind == "" {
		return stamp(now) + "  still checking the route, the targets and the queries"
	}
	parts := []string{stamp(now), pad("waiting", len(engine.EventFinished)), pad(string(v.last.Phase), len(shift.RollingBack))}
	for _, p := range []string{v.step(), v.next(now), v.leftText(now), clean(v.said.Message)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "  ")
}

// block is redrawn in place on a terminal.
type block struct {
	out   io.Writer
	color bool
	width func() int
	drawn int // lines on the screen
}

// Control sequences (ECMA-48).
const (
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	eraseLine   = "\x1b[2K"
	eraseBelow  = "\x1b[J"
	styleBold   = "\x1b[1m"
	styleRed    = "\x1b[31m"
	styleGreen  = "\x1b[32m"
	styleYellow = "\x1b[33m"
	styleReset  = "\x1b[0m"
)

func (b *block) event(v *view, e engine.Event) { b.draw(v, e.At, "") }
func (b *block) tick(v *view, now time.Time)   { b.draw(v, now, "") }
func (b *block) note(v *view, text string)     { b.draw(v, time.Now(), text) }
func (b *block) end(v *view) {
	b.draw(v, time.Now(), "")
	fmt.Fprint(b.out, showCursor)
}

// draw the block anew, under text if there is any. It is one write, so that it does not
// flicker.
func (b *block) draw(v *view, now time.Time, text string) {
	var s strings.Builder
	s.WriteString(hideCursor)
	if b.drawn > 0 {
		fmt.Fprintf(&s, "\x1b[%dA\r", b.drawn)
	}
	if text != "" {
		s.WriteString(eraseBelow)
		for line := range strings.SplitSeq(text, "\n") {
			s.WriteString(clean(line) + "\n")
		}
	}
	rows := blockRows(v, now, max(b.width(), leastWidth))
	for _, row := range rows {
		s.WriteString(eraseLine + b.paint(row) + "\n")
	}
	s.WriteString(eraseBelow)
	b.drawn = len(rows)
	fmt.Fprint(b.out, s.String())
}

// row of the block, in one colour.
type row struct{ text, style string }

func (b *block) paint(r row) string {
	if !b.color || r.style == "" {
		return r.text
	}
	return r.style + r.text + styleReset
}

// blockRows are the lines of the block, none wider than width.
func blockRows(v *view, now time.Time, width int) []row {
	title := fmt.Sprintf("%s · %s", v.spec.Name, v.last.Phase)
	if v.last.Kind == "" {
		title = v.spec.Name + " · checking the route, the targets and the queries"
	}
	if step := v.step(); step != "" {
		title += " · " + step
	}
	if left := v.leftText(now); left != "" {
		title += " · " + left
	}
	rows := []row{{title, styleBold}, {shortRoute(v.spec.Route), ""}}
	rows = append(rows, bars(v, width)...)
	rows = append(rows, verdicts(v)...)
	if e := v.said; e.Message != "" {
		rows = append(rows, row{e.At.UTC().Format("15:04:05Z ") + clean(e.Message), kindStyle(e)})
	}
	if next := v.next(now); next != "" {
		rows = append(rows, row{next, ""})
	}
	for i := range rows {
		rows[i].text = fit(rows[i].text, width-1)
	}
	return rows
}

// shortRoute leaves out what all routes of an account share.
func shortRoute(id string) string {
	for _, kind := range []string{":listener-rule/", ":listener/"} {
		if _, tail, ok := strings.Cut(id, kind); ok {
			return tail
		}
	}
	return id
}

// bars has a row for each destination: name, bar, weight and share.
func bars(v *view, width int) []row {
	if len(v.split) == 0 {
		return nil // not read yet
	}
	split := v.split.With(v.spec.To().IDs()...)
	longest := 0
	for _, w := range split {
		longest = max(longest, len([]rune(v.names.name(w.ID))))
	}
	longest = min(longest, width/3)
	length := min(40, width-longest-30) // "999 (99.9%)  1234 req/s" and spaces
	var rows []row
	for _, id := range declaredFirst(v.spec, split) {
		share := split.Share(id)
		full := int(share*float64(length) + 0.5)
		bar := strings.Repeat("█", full) + strings.Repeat("░", max(0, length-full))
		rows = append(rows, row{fmt.Sprintf("%s  %s  %s", pad(fit(v.names.name(id), longest), longest), bar, weight(split, id)+v.rate(id)), ""})
	}
	return rows
}

// rate of a destination: "  87 req/s"; empty when it was not measured.
func (v *view) rate(id string) string {
	r, ok := v.rates[id]
	if !ok {
		return ""
	}
	return fmt.Sprintf("  %s req/s", number(r))
}

// declaredFirst keeps the rows in the manifest's order, whatever the route's is.
func declaredFirst(spec shift.Spec, split traffic.Split) []string {
	return spec.To().With(split.IDs()...).IDs()
}

// verdicts has a row for each metric.
func verdicts(v *view) []row {
	if v.report == nil {
		return nil
	}
	var cells [][]string
	for _, m := range v.report.Metrics {
		cells = append(cells, metricCells(m))
	}
	var rows []row
	for i, text := range strings.Split(strings.TrimSuffix(table(cells), "\n"), "\n") {
		if i < len(v.report.Metrics) {
			rows = append(rows, row{text, verdictStyle(v.report.Metrics[i].Last.Verdict)})
		}
	}
	return rows
}

func verdictStyle(v analysis.Verdict) string {
	switch v {
	case analysis.Successful:
		return styleGreen
	case analysis.Failed:
		return styleRed
	default:
		return styleYellow
	}
}

func kindStyle(e engine.Event) string {
	switch {
	case e.Kind == engine.EventDrift || e.Kind == engine.EventFault || e.Phase == shift.Held:
		return styleYellow
	case e.Phase == shift.RollingBack || e.Phase == shift.RolledBack || e.Phase == shift.Unconfirmed:
		return styleRed
	case e.Phase == shift.Succeeded:
		return styleGreen
	default:
		return ""
	}
}
