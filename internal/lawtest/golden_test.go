package lawtest

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/synth"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

// script is a whole shift whose transcript is kept.
type script struct {
	pace Pace // zero: the lab's
	// play runs the processes, and tells the declaration that the judge shall use.
	play func(l *lab, p *player) Declared
}

// player writes the transcript.
type player struct {
	l     *lab
	begin time.Time

	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Time
	text string
	rank int // of lines of one moment: decisions, calls, ends
}

func (p *player) say(at time.Time, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text, rank := fmt.Sprintf(format, args...), 0
	if strings.HasPrefix(text, "end: ") {
		rank = 2
	} else if strings.HasPrefix(text, "m") || strings.HasPrefix(text, "operator") {
		rank = 1
	}
	p.lines = append(p.lines, line{at, text, rank})
}

// run a process, and write down what its engine decided.
func (p *player) run(ctx context.Context, s Setup) {
	out := p.l.Run(ctx, s)
	last := ""
	for _, e := range out.Events {
		if slices.Contains([]string{"Shifting", "Written", "Measuring", "Holding", "Inconclusive"}, e.Reason) && e.Kind != engine.EventFinished {
			continue
		}
		text := fmt.Sprintf("%s: %s", e.Reason, e.Message)
		if e.Reason == "" {
			text = fmt.Sprintf("%s: %s", e.Kind, e.Message)
		}
		if e.Kind == engine.EventJudged || text == last {
			continue
		}
		last = text
		p.say(e.At, "%s", text)
	}
	switch {
	case out.Killed:
		p.say(time.Now(), "killed")
	case out.Err != nil:
		p.say(time.Now(), "refused: %v", out.Err)
	default:
		p.say(out.Finished, "end: %s %s, %d writes", out.Phase, out.Reason, out.Writes)
	}
}

// wire writes down every write of the trace.
func (p *player) wire(trace []Exchange) {
	for _, x := range trace {
		switch x.Operation {
		case "ModifyRule", "ModifyListener", "CreateRule":
			w := parseWrite(&x)
			more := ""
			if w.withConditions {
				more = " where " + strings.Trim(w.conditions, "[]")
			}
			p.say(x.Done, "%s %s %s%s%s", who(&x), x.Operation, w.split, more, failed(&x))
		case "AddTags":
			tags := x.In.List("Tags")
			if m := readMark(tags); m.shift != "" {
				p.say(x.Done, "%s mark from %s%s", who(&x), m.from, failed(&x))
			}
			if tags[0].Str("Key") == tagPrefix+"signal" {
				p.say(x.Done, "%s signal %s", who(&x), tags[0].Str("Value"))
			}
		case "RemoveTags":
			what := "mark"
			if !slices.Contains(x.In.Strings("TagKeys"), tagPrefix+"shift") {
				what = "signal"
			}
			p.say(x.Done, "%s %s removed%s", who(&x), what, failed(&x))
		}
	}
}

func who(x *Exchange) string { return strings.ToLower(strings.TrimPrefix(x.Caller, "AKIA")) }

func failed(x *Exchange) string {
	if x.OK() {
		return ""
	}
	return fmt.Sprintf(" (%d %s)", x.Status, x.Code)
}

// text of the transcript: times since the beginning, names for ARNs.
func (p *player) text() string {
	ids := regexp.MustCompile(`[A-Z2-7]{26}`) // of shifts: random
	slices.SortStableFunc(p.lines, func(a, b line) int { return cmp.Or(a.at.Compare(b.at), a.rank-b.rank) })
	var b strings.Builder
	for _, ln := range p.lines {
		at := ln.at.Sub(p.begin).Round(time.Second)
		text := ids.ReplaceAllString(ln.text, "ID")
		for name, arn := range p.l.Groups {
			text = strings.ReplaceAll(text, arn, name)
		}
		text = strings.ReplaceAll(text, p.l.Rule, "RULE")
		fmt.Fprintf(&b, "+%02d:%02d:%02d %s\n", int(at.Hours()), int(at.Minutes())%60, int(at.Seconds())%60, text)
	}
	return b.String()
}

// written is what a call writes; of a name, the weights of its A records that change.
func (l *lab) written(r *wire.Request) Split {
	if !l.Ground.DNS() {
		return parseWrite(&Exchange{Operation: r.Operation, In: r.Params}).split
	}
	s := Split{}
	for _, c := range r.Params.Struct("ChangeBatch").List("Changes") {
		set := c.Struct("ResourceRecordSet")
		if n, ok, err := set.Int("Weight"); ok && err == nil && c.Str("Action") != "DELETE" && set.Str("Type") == "A" {
			s[set.Str("SetIdentifier")] = n
		}
	}
	return s
}

// onGreen calls f once when a write gives green at least a share in percent.
func (l *lab) onGreen(percent int, f func()) {
	var once sync.Once
	id := l.Groups["green"]
	l.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
		if p == wire.After && (r.Operation == l.writeCall() || r.Operation == "ModifyListener" || r.Operation == "CreateRule") {
			s := l.written(r)
			if s.share(id)*100 >= float64(percent)-1e-9 {
				once.Do(func() { go f() })
			}
		}
		return nil
	})
}

// signal leaves a person's word on the rule or the listener.
func (l *lab) signal(word string) {
	at := l.Rule
	if l.Ground == OnNLB {
		at = l.Listener
	}
	_, err := l.ELBClient().AddTags(context.Background(), &elb.AddTagsInput{
		ResourceArns: []string{at}, Tags: []types.Tag{{Key: aws.String(tagPrefix + "signal"), Value: &word}},
	})
	if err != nil {
		l.t.Error(err)
	}
}

func after(d time.Duration, f func()) func() { return func() { time.Sleep(d); f() } }

// simple plays one process over a changed quick manifest.
func simple(change func(l *lab, m *v1alpha1.TrafficShift)) func(*lab, *player) Declared {
	return func(l *lab, p *player) Declared {
		m := l.quick()
		if change != nil {
			change(l, m)
		}
		p.run(l.t.Context(), Setup{Manifest: m})
		return l.declared(m)
	}
}

func scripts() map[string]script {
	pause := v1alpha1.Step{Pause: &v1alpha1.Pause{}}
	set := func(n int) v1alpha1.Step { return v1alpha1.Step{SetWeight: &n} }
	pausing := func(m *v1alpha1.TrafficShift) {
		m.Spec.Strategy.StepInterval = v1alpha1.Duration{}
		m.Spec.Strategy.Steps = []v1alpha1.Step{pause, set(20), pause, set(60), pause}
	}
	return map[string]script{
		"happy": {RealPace(), func(l *lab, p *player) Declared {
			m := l.Manifest(blueGreen(0, 100)...)
			p.run(l.t.Context(), Setup{Manifest: m})
			p.run(l.t.Context(), Setup{Manifest: m})
			return l.declared(m)
		}},
		"lab-timing": {play: simple(nil)},
		"fails-at-step-3": {RealPace(), func(l *lab, p *player) Declared {
			m := l.Manifest(blueGreen(0, 100)...)
			l.onGreen(30, func() { sick(l) })
			p.run(l.t.Context(), Setup{Manifest: m})
			return l.declared(m)
		}},
		"fails-in-the-bake": {RealPace(), func(l *lab, p *player) Declared {
			m := l.Manifest(blueGreen(0, 100)...)
			l.onGreen(100, after(5*time.Minute, func() { sick(l) }))
			p.run(l.t.Context(), Setup{Manifest: m})
			return l.declared(m)
		}},
		"health-lost": {play: simple(func(l *lab, _ *v1alpha1.TrafficShift) {
			l.onGreen(50, func() {
				if err := l.Synth().Set("green", synth.Behaviour{Unhealthy: true}); err != nil {
					l.t.Error(err)
				}
			})
		})},
		"never-healthy": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Analysis.MaxHold = v1alpha1.Duration{Duration: time.Minute}
			if err := l.Synth().Set("green", synth.Behaviour{Unhealthy: true}); err != nil {
				l.t.Error(err)
			}
		})},
		"fails-and-holds": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Strategy.OnFailure = "hold"
			m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 5 * time.Minute}
			l.onGreen(50, func() { sick(l) })
			l.onGreen(50, after(2*time.Minute, func() { l.signal("abort") }))
		})},
		"drift-held": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 5 * time.Minute}
			meddleAt(20*time.Second, 7, 93)(l)
		})},
		"drift-gone": {play: simple(func(l *lab, _ *v1alpha1.TrafficShift) {
			l.onGreen(40, after(2*time.Second, func() {
				meddleAt(0, 7, 93)(l)
				meddleAt(time.Minute, 60, 40)(l)
			}))
		})},
		"drift-adopted": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Strategy.OnDrift = AdoptDrift
			l.onGreen(40, after(2*time.Second, func() { meddleAt(0, 50, 50)(l) }))
		})},
		"drift-overruled": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Strategy.OnDrift = OverruleDrift
			l.onGreen(40, after(2*time.Second, func() { meddleAt(0, 7, 93)(l) }))
		})},
		"aborted": {play: simple(func(l *lab, _ *v1alpha1.TrafficShift) {
			l.onGreen(60, after(2*time.Second, func() { l.signal("abort") }))
		})},
		"approved": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			pausing(m)
			for i := range 3 {
				time.AfterFunc(time.Duration(i+1)*30*time.Second-300*time.Millisecond, func() { l.signal(fmt.Sprintf("approve %d", i)) })
			}
		})},
		"promoted": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			pausing(m)
			time.AfterFunc(30*time.Second-300*time.Millisecond, func() { l.signal("promote") })
		})},
		"interrupted": {play: interrupted("rollback")},
		"interrupted-and-held": {play: func(l *lab, p *player) Declared {
			d := interrupted("hold")(l, p)
			m := l.quick()
			m.Spec.Strategy.OnInterrupt = "hold"
			p.run(l.t.Context(), Setup{Manifest: m, Machine: "m2"})
			return d
		}},
		"from-declared-again": {play: func(l *lab, p *player) Declared {
			m := l.quick()
			m.Spec.Strategy.OnInterrupt = "hold"
			ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
			defer cancel()
			p.run(ctx, Setup{Manifest: m})
			back := l.quick()
			*back.Spec.Destinations[0].Weight, *back.Spec.Destinations[1].Weight = 100, 0
			p.run(l.t.Context(), Setup{Manifest: back, Machine: "m2"})
			return l.declared(m)
		}},
		"another-declaration": {play: func(l *lab, p *player) Declared {
			m := l.quick()
			m.Spec.Strategy.OnInterrupt = "hold"
			ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
			defer cancel()
			p.run(ctx, Setup{Manifest: m})
			other := l.quick()
			*other.Spec.Destinations[0].Weight, *other.Spec.Destinations[1].Weight = 10, 90
			p.run(l.t.Context(), Setup{Manifest: other, Machine: "m2"})
			return l.declared(m)
		}},
		"three-destinations": {play: func(l *lab, p *player) Declared {
			if err := l.AddGroup(l.t.Context(), "red"); err != nil {
				l.t.Fatal(err)
			}
			m := l.quick()
			m.Spec.Destinations = l.Manifest(Weight{"blue", 34}, Weight{"green", 33}, Weight{"red", 33}).Spec.Destinations
			m.Spec.Strategy.StepWeight = 25
			p.run(l.t.Context(), Setup{Manifest: m})
			return l.declared(m)
		}},
		"default-rule": {play: func(l *lab, p *player) Declared {
			l.forwardByDefault(100, 0)
			m := l.quick()
			m.Spec.Route.ALB = &v1alpha1.ALBRoute{ListenerARN: l.Listener, Default: true}
			p.run(l.t.Context(), Setup{Manifest: m})
			return l.declared(m)
		}},
		"rule-by-arn": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Route.ALB = &v1alpha1.ALBRoute{RuleARN: l.Rule}
			m.Spec.Strategy.StepWeight = 50
		})},
		"created-with-mirror": {play: func(l *lab, p *player) Declared {
			m := l.quick()
			m.Spec.Route.ALB.Rule.Priority = 5
			p.run(l.t.Context(), Setup{Manifest: m})
			d := l.declared(m)
			d.From = l.split(blueGreen(100, 0)...)
			return d
		}},
		"created-where-nothing-forwards": {play: func(l *lab, p *player) Declared {
			m := l.quick()
			m.Spec.Route.ALB.Rule = &v1alpha1.ALBRule{Priority: 20, Hosts: []string{"new.example.com"}}
			p.run(l.t.Context(), Setup{Manifest: m})
			d := l.declared(m)
			d.From = Split{}
			return d
		}},
		"undeclared-leaves": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Destinations = l.Manifest(Weight{"green", 100}).Spec.Destinations
			m.Spec.Strategy.StepWeight = 50
		})},
		"same-shares": {play: simple(func(_ *lab, m *v1alpha1.TrafficShift) {
			*m.Spec.Destinations[0].Weight, *m.Spec.Destinations[1].Weight = 7, 0
		})},
		"conditions-first": {play: simple(func(l *lab, m *v1alpha1.TrafficShift) {
			otherHost(l)
			m.Spec.Route.ALB.Adopt = true
			m.Spec.Strategy.StepWeight = 50
		})},
		"without-metrics": {play: simple(func(_ *lab, m *v1alpha1.TrafficShift) {
			m.Spec.Analysis.Builtin = new(false)
			m.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: 10 * time.Second}
			m.Spec.Strategy.StepWeight = 50
		})},
	}
}

func interrupted(policy string) func(*lab, *player) Declared {
	return func(l *lab, p *player) Declared {
		m := l.quick()
		m.Spec.Strategy.OnInterrupt = policy
		ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
		defer cancel()
		p.run(ctx, Setup{Manifest: m})
		return l.declared(m)
	}
}

// forwardByDefault makes the listener's default action a forward.
func (l *lab) forwardByDefault(blue, green int) {
	l.t.Helper()
	_, err := l.ELBClient().ModifyListener(l.t.Context(), &elb.ModifyListenerInput{
		ListenerArn: &l.Listener, DefaultActions: []types.Action{l.Forward(blueGreen(blue, green)...)},
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// TestScripts compares the writes and the decisions of whole shifts with those that a
// person has looked at: go test ./internal/lawtest -run Scripts -update writes them.
func TestScripts(t *testing.T) {
	for name, s := range scripts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pace := s.pace
			if pace == (Pace{}) {
				pace = LabPace()
			}
			var got string
			inWorld(t, pace, func(*awssim.Config) {}, func(l *lab) {
				p := &player{l: l, begin: time.Now()}
				d := s.play(l, p)
				p.wire(l.lawful(d))
				got = p.text()
			})
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := gocmp.Diff(string(want), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}
