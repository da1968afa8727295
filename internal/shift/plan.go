package shift

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/traffic"
)

// Plan is a Spec and the split it starts from: everything that the shift will write is
// known.
type Plan struct {
	Spec
	ID      string        // of the shift, as on its Mark
	Started time.Time     // of the shift, as on its Mark
	Began   time.Time     // of this run; MaxDuration counts from here
	From    traffic.Split // the original integers; what a rollback writes
	Attach  traffic.Split // From's integers with every declared destination attached
	// Splits are what the steps write; the last has the declared integers.
	Splits []traffic.Split
	// Final is the declared split alone: destinations that were live and are not
	// declared have left it.
	Final traffic.Split
	// ForeignSteps: only the way back is known, because the steps were those of
	// another declaration. Any live split counts as ours.
	ForeignSteps bool
}

// NewPlan lays out the shift from the split from. It fails when the route cannot hold
// the live and the declared destinations together.
func NewPlan(spec Spec, from traffic.Split, id string, started, began time.Time) (Plan, error) {
	to := spec.To()
	if err := to.Validate(spec.Limits); err != nil {
		return Plan{}, fmt.Errorf("destinations: %w", err)
	}
	p := Plan{Spec: spec, ID: id, Started: started, Began: began, From: from, Final: to}
	if spec.KeepUndeclared && len(from) > 0 && from.Sum() == 0 { // no load balancer forwards then, but DNS does
		return Plan{}, fmt.Errorf("destinations: all weights that are live are 0 (%s), which a DNS name takes for equal shares: set the weights that you mean, then run this again", p.Describe(from))
	}
	if spec.KeepUndeclared {
		p.Final = to.With(from.IDs()...)
	}
	p.Attach = from.With(to.IDs()...)
	if n := len(p.Attach); n > spec.Limits.MaxDestinations {
		return Plan{}, fmt.Errorf("destinations: %d declared and %d that are live only make %d: the route holds 1–%d; first remove one that has no traffic: %s",
			len(to), n-len(to), n, spec.Limits.MaxDestinations, p.undeclared())
	}
	if p.Judged() {
		percents := make([]int, len(spec.Steps))
		for i, s := range spec.Steps {
			percents[i] = s.Percent
		}
		p.Splits = traffic.Path(from, p.Final, percents, spec.Limits)
	}
	if p.MaxDuration == 0 {
		p.MaxDuration = 3*p.Ideal() + time.Hour
	}
	return p, nil
}

// Judged tells whether traffic really moves. It does not when nothing forwards today,
// or when From has the declared shares in other integers: one write then does it.
func (p Plan) Judged() bool { return p.From.Sum() > 0 && !p.From.SameShares(p.Final) }

// Gaining are the destinations whose share the shift raises.
func (p Plan) Gaining() []string { return traffic.Gaining(p.From, p.Final) }

// Losing are the destinations whose share the shift lowers.
func (p Plan) Losing() []string { return traffic.Losing(p.From, p.Final) }

// Ideal is the shortest time the whole shift can take: each step holds for its time or
// until its first measurement is complete at the source, whichever is longer.
func (p Plan) Ideal() time.Duration {
	if !p.Judged() {
		return 0
	}
	sum := p.Bake + p.DrainTime()
	for _, s := range p.Steps {
		sum += p.StepTime(s)
	}
	return sum
}

// StepTime is the shortest time a step can take.
func (p Plan) StepTime(s Step) time.Duration { return max(s.Hold, p.Lag+p.Timing.Window()) }

// drains tells whether the shift waits, after the bake, for what the losing side still
// carries: only a destination that has lost all of its traffic can be retired.
func (p Plan) drains() bool { return (p.Drain > 0 || p.DrainMetric) && len(p.Retiring()) > 0 }

// DrainTime is how long the shift waits after the bake, at least.
func (p Plan) DrainTime() time.Duration {
	if !p.drains() {
		return 0
	}
	return p.Drain
}

// Retiring are the destinations that the shift takes all traffic from.
func (p Plan) Retiring() []string {
	var ids []string
	for _, w := range p.From {
		if w.Weight > 0 && p.Final.Weight(w.ID) == 0 {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

// DrainText says what the drain waits for; "" when the shift has none.
func (p Plan) DrainText() string {
	if !p.drains() {
		return ""
	}
	var names []string
	for _, id := range p.Retiring() {
		names = append(names, p.NameOf(id))
	}
	text := fmt.Sprintf("waiting %s for the connections that %s still has", p.Drain, strings.Join(names, ", "))
	if p.DrainMetric {
		text += ", and for the drain's metric to pass"
	}
	return text
}

// before is the split that precedes step i's.
func (p Plan) before(i int) traffic.Split {
	if i <= 0 {
		return p.From
	}
	return p.Splits[i-1]
}

// Describe names a split's destinations as people do.
func (p Plan) Describe(s traffic.Split) string {
	if len(s) == 0 {
		return "nothing"
	}
	parts := make([]string, len(s))
	for i, w := range s {
		parts[i] = fmt.Sprintf("%s=%d", p.NameOf(w.ID), w.Weight)
	}
	return strings.Join(parts, " ")
}

// DescribeLive names what is live, each part of the route where they differ.
func (p Plan) DescribeLive(l Live) string {
	parts := []string{p.Describe(l.Split)}
	for _, o := range l.Others {
		parts = append(parts, p.Describe(o))
	}
	return strings.Join(parts, " and ")
}

// NameOf is a destination's declared name; for one that is not declared, its ID
// without the part that all of them share.
func (p Plan) NameOf(id string) string {
	for _, d := range p.Destinations {
		if d.ID == id {
			return d.Name
		}
	}
	if _, tail, ok := strings.Cut(id, ":targetgroup/"); ok {
		return tail
	}
	return id
}

func (p Plan) undeclared() string {
	var names []string
	for _, w := range p.From {
		if !p.Final.Has(w.ID) {
			names = append(names, fmt.Sprintf("%s=%d", p.NameOf(w.ID), w.Weight))
		}
	}
	return strings.Join(names, ", ")
}

// Hash identifies a declaration: the route, the destinations and their goals, and the
// steps. Timeouts, policies and thresholds may change while a shift is unfinished; what
// it does to the traffic may not.
func (s Spec) Hash() string {
	b, err := json.Marshal(struct {
		Route string
		To    traffic.Split
		Steps []Step
		Bake  time.Duration
	}{s.Route, s.To().Sorted(), s.Steps, s.Bake})
	if err != nil { // strings, integers and slices of them always marshal
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
