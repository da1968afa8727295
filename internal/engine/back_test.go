package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// deaf is a judge whose source is gone.
type deaf struct{ judge }

func (deaf) Preflight(context.Context, analysis.Request) error {
	return errors.New("metric errors: connection refused")
}

// halfway is a route with a shift that nobody drives any more.
func halfway(course shift.Course, signal shift.SignalKind) *route {
	r := newRoute()
	r.live.Split = ab(50, 50)
	r.mark = &shift.Mark{
		ID: "s1", Name: "web", Plan: tenSteps().Hash(), From: ab(100, 0), Started: time.Now(),
		Lease: shift.Lease{Owner: "gone/1/x", Expires: time.Now(), Course: course}, Signal: shift.Signal{Kind: signal},
	}
	return r
}

func TestLaw6NoCheckOfTheWayForwardKeepsARunFromGoingBack(t *testing.T) {
	for what, c := range map[string]struct {
		course  shift.Course
		signal  shift.SignalKind
		declare func(*shift.Spec)
		back    bool
	}{
		"a person asked to abort":           {signal: shift.SignalAbort, back: true},
		"the run before was going back":     {course: shift.CourseBack, back: true},
		"the start is declared again":       {declare: func(s *shift.Spec) { s.Destinations[0].Weight, s.Destinations[1].Weight = 100, 0 }, back: true},
		"nobody asked: it does not start":   {},
		"a failure is held: does not start": {course: shift.CourseFailed},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := halfway(c.course, c.signal)
				r.fail = func(call string, _ int) (error, error) {
					if call == "Preflight" {
						return fault.Terminal("DestinationNotFound", errors.New("b was deleted")), nil
					}
					return nil, nil
				}
				told := &events{}
				e := newEngine(t, r, "m/1/x", func(cfg *Config) {
					cfg.Analyzer, cfg.Recorder = deaf{}, told
					if c.declare != nil {
						c.declare(&cfg.Spec)
					}
				})
				pv, err := e.Preview(t.Context())
				if err != nil || c.back != (len(pv.Blockers) == 0) {
					t.Errorf("the plan has the blockers %q, %v", pv.Blockers, err)
				}
				if c.back && (len(pv.Writes) != 1 || pv.Writes[0].Reason != "Rollback" || !pv.Writes[0].Split.Equal(ab(100, 0))) {
					t.Errorf("it plans %+v", pv.Writes)
				}
				res, err := e.Run(t.Context())
				if !c.back {
					if err == nil || !strings.Contains(err.Error(), "b was deleted") || len(r.writes) > 0 || r.mark == nil {
						t.Fatalf("%+v, %v; writes %v", res, err, r.writes)
					}
					return
				}
				if err != nil || res.Phase != shift.RolledBack || !r.live.Split.Equal(ab(100, 0)) || len(r.writes) != 1 || r.mark != nil {
					t.Fatalf("%+v, %v; live %s, writes %v", res, err, r.live.Split, r.writes)
				}
				if !slices.ContainsFunc(told.all, func(ev Event) bool { return strings.Contains(ev.Message, "b was deleted") }) {
					t.Error("nobody was told what is wrong with the route")
				}
			})
		})
	}
}

// hanging is a judge whose source answers late once it is to.
type hanging struct {
	judge

	from time.Time
}

func (h hanging) Analyze(ctx context.Context, req analysis.Request) analysis.Report {
	if time.Now().After(h.from) {
		<-ctx.Done()
		return analysis.Report{Verdict: analysis.Error, Next: time.Now().Add(time.Minute)}
	}
	return h.judge.Analyze(ctx, req)
}

func TestLaw6GoingBackDoesNotWaitForASourceThatHangs(t *testing.T) {
	for _, by := range []string{"a signal", "an interrupt"} {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, asked := newRoute(), time.Now().Add(13*time.Minute)
				var went time.Time
				hangs := asked // a call that is under way ends at its own bound
				if by == "an interrupt" {
					hangs = asked.Add(-20 * time.Second)
				}
				r.fail = func(call string, _ int) (error, error) {
					if call == "Write" && time.Now().After(asked) {
						went = time.Now()
					}
					return nil, nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Until(asked), func() {
					if by == "an interrupt" {
						cancel()
						return
					}
					r.mu.Lock()
					defer r.mu.Unlock()
					r.mark.Signal = shift.Signal{Kind: shift.SignalAbort}
				})
				e := newEngine(t, r, "m/1/x", func(c *Config) { c.Analyzer = hanging{judge{window: 2 * time.Minute}, hangs} })
				res, err := e.Run(ctx)
				if err != nil || res.Phase != shift.RolledBack {
					t.Fatalf("%+v, %v", res, err)
				}
				if late := went.Sub(asked); late > map[string]time.Duration{"a signal": 12 * time.Second, "an interrupt": time.Second}[by] { // a signal is heard at the next look
					t.Errorf("went back after %s", late)
				}
			})
		})
	}
}
