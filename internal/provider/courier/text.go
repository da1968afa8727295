package courier

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// namer turns IDs into what people call them.
type namer map[string]string

func (n namer) name(id string) string {
	if name, ok := n[id]; ok {
		return name
	}
	if _, tail, ok := strings.Cut(id, ":targetgroup/"); ok {
		name, _, _ := strings.Cut(tail, "/")
		return name
	}
	return id
}

// split is "blue 90 (90%), green 10 (10%)".
func (n namer) split(s traffic.Split) string {
	if len(s) == 0 {
		return "nothing"
	}
	parts := make([]string, len(s))
	for i, w := range s {
		share := strings.TrimSuffix(fmt.Sprintf("%.1f", 100*s.Share(w.ID)), ".0")
		parts[i] = fmt.Sprintf("%s %d (%s%%)", n.name(w.ID), w.Weight, share)
	}
	return strings.Join(parts, ", ")
}

// writes are the lines of a preview, one for each write.
func (n namer) writes(pv engine.Preview) []string {
	var out []string
	at := time.Duration(0)
	for i, w := range pv.Writes {
		line := fmt.Sprintf("%d. +%s %s %d%%: %s", i+1, manifest.Duration(at.Round(time.Second)), w.Reason, w.Percent, n.split(w.Split))
		if w.Hold > 0 {
			line += ", hold " + manifest.Duration(w.Hold.Round(time.Second))
		}
		if w.Approval {
			line += ", wait for approval"
		}
		out = append(out, line)
		at += w.Hold
	}
	return out
}

// steps are the weights that a shift goes through, without times.
func (n namer) steps(p shift.Plan) []string {
	if !p.Judged() {
		if p.From.Equal(p.Final) {
			return nil
		}
		return []string{"100%: " + n.split(p.Final)}
	}
	var out []string
	now := p.Attach
	for i, s := range p.Splits {
		if !now.Equal(s) || p.Steps[i].Approval {
			line := strconv.Itoa(p.Steps[i].Percent) + "%: " + n.split(s)
			if p.Steps[i].Approval {
				line += ", then wait for approval"
			}
			out = append(out, line)
		}
		now = s
	}
	if !now.Equal(p.Final) {
		out = append(out, "100%: "+n.split(p.Final))
	}
	return out
}

// judgement has a line for each metric of a report that did not pass.
func judgement(r *analysis.Report) []string {
	if r == nil {
		return nil
	}
	var out []string
	for _, m := range r.Metrics {
		if m.Last.Verdict == analysis.Successful && m.Failed <= m.FailureLimit {
			continue
		}
		line := fmt.Sprintf("metric %s: new %s, old %s (%d passed, %d failed, %d tolerated)", m.Name, value(m.Last.Value), value(m.Last.Old), m.Passed, m.Failed, m.FailureLimit)
		if m.Last.Message != "" {
			line += ": " + m.Last.Message
		}
		out = append(out, line)
	}
	return out
}

func value(f *float64) string {
	if f == nil {
		return "no data"
	}
	return strconv.FormatFloat(*f, 'g', 4, 64)
}

// ending says how a shift that did not succeed ended: title and what to do. The place is
// what leads norikae's command line to the route.
func ending(p shift.Phase, place string) (title, next string) {
	switch p {
	case shift.RolledBack:
		return "The shift was rolled back", "The traffic is where it was before. Find out what was wrong, then apply again."
	case shift.Held:
		return "The shift is held", fmt.Sprintf("The traffic stays where it is, and the shift is unfinished. Apply again to go on with it. Before that, `norikae abort %[1]s` has the apply take the traffic back, and `norikae promote %[1]s` has it skip all pauses, but no verdict; `norikae status %[1]s` shows where it stands.", place)
	case shift.Unconfirmed:
		return "The rollback could not be confirmed", fmt.Sprintf("Look at the weights now (terraform plan, or `norikae status %s`); apply again to go on with the rollback.", place)
	default:
		return "The shift did not end", "Look at the weights now with terraform plan, then apply again."
	}
}

// result explains how a shift that did not succeed ended.
func (n namer) result(o outcome, place string) (title, detail string) {
	res := o.result
	title, next := ending(res.Phase, place)
	lines := []string{res.Message}
	if o.why != "" {
		lines = append(lines, o.why)
	}
	lines = append(lines, judgement(res.Report)...)
	live := "could not be read"
	if res.Live != nil {
		live = n.split(res.Live)
	}
	lines = append(lines, "Traffic now: "+live+".", "It came from "+n.split(res.From)+", and was to go to "+n.split(res.To)+".", next)
	return title, strings.Join(lines, "\n")
}

// placeOf is how norikae status, approve, promote and abort are told a route, by whoever
// has no manifest.
func placeOf(r v1alpha1.Route) string {
	switch {
	case r.Route53 != nil:
		return "--hosted-zone " + word(r.Route53.HostedZoneID) + " --name " + word(r.Route53.Name)
	case r.NLB != nil:
		return "--listener " + word(r.NLB.ListenerARN)
	case r.ALB == nil:
		return "-h"
	case r.ALB.RuleARN != "":
		return "--rule " + word(r.ALB.RuleARN)
	case r.ALB.Rule != nil:
		return "--listener " + word(r.ALB.ListenerARN) + " --priority " + strconv.Itoa(r.ALB.Rule.Priority)
	}
	return "--listener " + word(r.ALB.ListenerARN)
}

// word of a command line: a shell would make something else of *.example.com.
func word(s string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`).MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
