// Package demo shows the main job on one machine: a simulated AWS with a load balancer
// that carries real requests, a shift to a good cluster, and one to a bad cluster that
// goes back by itself. It counts every request on both sides.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/labcli"
	"github.com/norikae/norikae/internal/load"
	"github.com/norikae/norikae/internal/shift"
)

// Config of a demo.
type Config struct {
	Out  io.Writer
	Fast bool // short steps, for a check rather than for a person
	// Shift runs a manifest as `norikae shift` does, shown on Out, in the lab's
	// environment (NAME=VALUE) alone.
	Shift func(ctx context.Context, manifest string, env []string) (engine.Result, error)
}

// pace of a demo.
type pace struct {
	rate                  int // requests per second
	stepWeight            int
	interval, bake, quiet time.Duration
	failRate              float64
}

func (c Config) pace() pace {
	if c.Fast {
		return pace{rate: 400, stepWeight: 25, interval: 3 * time.Second, bake: 3 * time.Second, quiet: 6 * time.Second, failRate: 0.05}
	}
	return pace{rate: 400, stepWeight: 10, interval: 4 * time.Second, bake: 5 * time.Second, quiet: 6 * time.Second, failRate: 0.05}
}

// show is a running demo.
type show struct {
	Config
	pace
	lab   *awssim.Lab
	load  *load.Load
	world awssim.World
	steps int // taken forward, over all shifts
}

// Run plays the demo. It fails when anything ended otherwise than it should: a request
// lost, weights that are not as declared, a bad cluster that kept traffic.
func Run(ctx context.Context, cfg Config) error {
	lab, err := awssim.New(awssim.Fast()) //nolint:contextcheck // a lab lives until it is closed
	if err != nil {
		return fmt.Errorf("starting the lab: %w", err)
	}
	defer func() { _ = lab.Close() }() //nolint:contextcheck // the demo is over either way
	if err := lab.Start("127.0.0.1:0"); err != nil {
		return err
	}
	s := &show{Config: cfg, pace: cfg.pace(), lab: lab, world: lab.World()}
	s.title("A simulated AWS is at " + lab.Endpoint())
	s.say("Its load balancer listens on %s and sends %s to the target group blue (100), none to green (0).", s.world.URL, s.world.Host)
	s.say("A client now sends %d requests per second and counts every answer.", s.rate)
	s.load = load.Start(load.Config{URL: s.world.URL, Host: s.world.Host, Rate: s.rate, Workers: 16}) //nolint:contextcheck // what is sent is waited for
	played := s.play(ctx)
	counts := s.load.Stop()
	return errors.Join(played, s.summary(counts))
}

func (s *show) play(ctx context.Context) error {
	if err := s.wait(ctx, s.quiet); err != nil { // so that there is a level to compare with
		return err
	}
	s.title("1. Shift blue → green, a healthy cluster, in judged steps")
	if _, err := s.shift(ctx, "to-green", "green", s.stepWeight, shift.Succeeded); err != nil {
		return err
	}
	s.title("2. And back to blue, at once, because green is about to break")
	if _, err := s.shift(ctx, "back-to-blue", "blue", 100, shift.Succeeded); err != nil {
		return err
	}
	if err := s.wait(ctx, s.quiet); err != nil {
		return err
	}
	s.title(fmt.Sprintf("3. Try green again, which now fails %.0f%% of its requests", 100*s.failRate))
	if _, err := s.lab.Faults().Add(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: s.failRate}); err != nil {
		return fmt.Errorf("breaking green: %w", err)
	}
	firstBad := s.watchForErrors()
	res, err := s.shift(ctx, "to-broken-green", "green", s.stepWeight, shift.RolledBack)
	if err != nil {
		return err
	}
	s.title("Summary")
	s.say("rolled back because: %s", res.Message)
	if at := firstBad(); !at.IsZero() {
		s.say("first bad answer → weights restored: %.1f s", res.Finished.Sub(at).Seconds())
	}
	return nil
}

// watchForErrors looks for the first 5xx that the client gets from now on.
func (s *show) watchForErrors() (first func() time.Time) {
	var mu sync.Mutex
	var at time.Time
	before := s.load.Counts().ServerErrors
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if s.load.Counts().ServerErrors > before {
				mu.Lock()
				at = time.Now()
				mu.Unlock()
				return
			}
		}
	}()
	return func() time.Time {
		close(done)
		mu.Lock()
		defer mu.Unlock()
		return at
	}
}

// shift runs one manifest, which is shown, and checks how it ended.
func (s *show) shift(ctx context.Context, name, to string, stepWeight int, want shift.Phase) (engine.Result, error) {
	text, err := labcli.Shift{Name: name, To: to, World: s.world, StepWeight: stepWeight, StepInterval: s.interval, Bake: s.bake}.Render()
	if err != nil {
		return engine.Result{}, err
	}
	s.say("%s\n", indent(text))
	res, err := s.Shift(ctx, text, s.world.Env)
	if err != nil {
		return res, err
	}
	s.steps += res.Writes
	if res.Phase == shift.RolledBack {
		s.steps-- // the last write went back
	}
	s.say("%s: %s after %s, %d weight writes", name, res.Phase, res.Finished.Sub(res.Started).Round(100*time.Millisecond), res.Writes)
	if res.Phase != want {
		return res, fmt.Errorf("%s ended as %s (%s: %s), it should have %s", name, res.Phase, res.Reason, res.Message, want)
	}
	wantLive := res.To
	if want == shift.RolledBack {
		wantLive = res.From
	}
	if !res.Live.Equal(wantLive) {
		return res, fmt.Errorf("%s: the live weights are %s, they should be %s", name, res.Live, wantLive)
	}
	return res, nil
}

// summary compares the three counts of requests. When all is answered, they agree.
func (s *show) summary(client load.Counts) error {
	c := s.lab.Counters()
	var received, answered, targets uint64
	for _, l := range c.Listeners {
		received += l.Received
		answered += l.Answered
	}
	for _, t := range c.Clusters {
		targets += t.Requests
	}
	calls, _ := s.lab.Calls().Since(0)
	writes := 0
	for _, call := range calls {
		if call.Weights != nil {
			writes++
		}
	}
	s.say("requests: %d by the client, %d by the load balancer, %d by the targets", client.Sent, received, targets)
	s.say("answered: %d well, %d with a 5xx (green's fault); lost: %d", client.OK, client.ServerErrors, client.Lost)
	s.say("steps taken: %d; API calls: %d, of which %d wrote weights", s.steps, len(calls), writes)
	if client.Lost != 0 || client.Sent != received || received != targets || answered != received {
		return fmt.Errorf("requests were lost: client %+v, load balancer received %d and answered %d, targets %d", client, received, answered, targets)
	}
	s.say("no request was lost.")
	return nil
}

func (s *show) wait(ctx context.Context, d time.Duration) error {
	s.say("(%s of traffic before the shift, as the level to compare with)", d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *show) title(text string) { s.say("\n== %s", text) }

func (s *show) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.Out, format+"\n", args...) // a demo that nobody can see has nothing to add
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
