package courier_test

import (
	"bytes"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// places is the command line's view of a route; it takes down what it is asked for.
type places struct {
	where  []cli.Where
	heard  []shift.SignalKind
	status cli.Status
}

func (p *places) Status(context.Context) (cli.Status, error) { return p.status, nil }

func (p *places) Signal(_ context.Context, s shift.Signal) error {
	p.heard = append(p.heard, s.Kind)
	return nil
}

// obey runs the commands between backquotes in a text, as a shell would.
func (p *places) obey(t *testing.T, text string) (words []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("`norikae ([^`]*)`").FindAllStringSubmatch(text, -1) {
		var args []string
		for _, a := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(m[1], -1) {
			args = append(args, strings.Trim(a, "'"))
		}
		var out, errw bytes.Buffer
		deps := cli.Deps{Look: func(_ context.Context, w cli.Where) (cli.Place, error) {
			p.where = append(p.where, w)
			return p, nil
		}}
		if code := cli.Main(t.Context(), args, strings.NewReader(""), &out, &errw, deps); code != 0 {
			t.Errorf("norikae %s ended with %d:\n%s%s", m[1], code, out.String(), errw.String())
		}
		words = append(words, args[0])
	}
	return words
}

// What Terraform tells people to type is what norikae takes, and leads to the route.
func TestCommandsInMessagesAreThoseOfTheCommandLine(t *testing.T) {
	mark := shift.Mark{Name: "web", ID: "1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	for name, c := range map[string]struct {
		resource string
		config   func(from, to int) values
		live     traffic.Split
		want     cli.Where
	}{
		"a rule": {alb, func(b, g int) values { return web(b, g) }, split(100, 0), cli.Where{ListenerARN: listener, Priority: 11}},
		"a rule at the default priority": {alb, func(b, g int) values {
			v := maps.Clone(web(b, g))
			delete(v, "priority")
			return v
		}, split(100, 0), cli.Where{ListenerARN: listener, Priority: 10}},
		"a listener": {nlb, func(b, g int) values {
			return values{"listener_arn": netARN, "destination": web(b, g)["destination"], "drain": "0s"}
		}, split(100, 0), cli.Where{ListenerARN: netARN}},
		"a name": {record, moved, traffic.Split{{ID: "blue", Weight: 100}, {ID: "green", Weight: 0}}, cli.Where{HostedZoneID: "Z0123456789ABCDEFGHIJ", Name: "api.example.com"}},
		"a wildcard": {record, func(b, g int) values {
			return with(moved(b, g), values{"name": "*.example.com"})
		}, traffic.Split{{ID: "blue", Weight: 100}, {ID: "green", Weight: 0}}, cli.Where{HostedZoneID: "Z0123456789ABCDEFGHIJ", Name: "*.example.com"}},
	} {
		for when, s := range map[string]struct {
			fake  *fakeShifts
			words []string
		}{
			"held":            {&fakeShifts{end: shift.Held}, []string{"abort", "promote", "status"}},
			"not confirmed":   {&fakeShifts{end: shift.Unconfirmed}, []string{"status"}},
			"unfinished":      {&fakeShifts{blockers: []error{&shift.UnfinishedError{Mark: mark}}}, []string{"status"}},
			"to be approved":  {&fakeShifts{approval: true}, []string{"abort", "approve"}},
			"held at a pause": {&fakeShifts{end: shift.Held, approval: true}, []string{"abort", "promote", "status"}},
		} {
			t.Run(name+", "+when, func(t *testing.T) {
				s.fake.split = slices.Clone(c.live)
				s.fake.arn = ruleARN
				tf := start(t, c.resource, s.fake)
				config := tf.value(c.config(0, 100))
				if tf.plan(config); s.fake.end != "" {
					tf.applyValue(config)
				}
				p := &places{status: cli.Status{Route: "the route", Mark: &mark}}
				words := slices.Compact(slices.Sorted(slices.Values(p.obey(t, tf.said()))))
				if d := cmp.Diff(s.words, words); d != "" {
					t.Errorf("the commands (-want +got):\n%s\n%s", d, tf.said())
				}
				for _, w := range p.where {
					if w != c.want {
						t.Errorf("led to %+v, want %+v", w, c.want)
					}
				}
				if strings.Contains(tf.said(), " -f") {
					t.Errorf("Terraform keeps no file:\n%s", tf.said())
				}
			})
		}
	}
}

func TestNotesOfAPlanNameAttributesOnly(t *testing.T) {
	tf := start(t, alb, &fakeShifts{arn: ruleARN, split: traffic.Split{{ID: "blue", Weight: 100}, {ID: "green", Weight: 0}}})
	tf.plan(tf.value(web(0, 100)))
	said := tf.said()
	for _, want := range []string{"Note: sticky\n", "its data is complete 1m later\n", "drained (drain)"} {
		if !strings.Contains(said+"\n", want) {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	for _, not := range []string{"analysis.timing", "strategy."} {
		if strings.Contains(said, not) {
			t.Errorf("%q is no attribute:\n%s", not, said)
		}
	}
}
