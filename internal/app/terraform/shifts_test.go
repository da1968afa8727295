package tfapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/lawtest"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/courier"
	"github.com/norikae/norikae/internal/shift"
)

// ground is a world in virtual time, and the runners that Terraform is run on.
type ground struct {
	*lawtest.World

	t *testing.T
}

func onGround(t *testing.T, g lawtest.Ground, f func(*ground)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := lawtest.NewWorld(g, lawtest.LabPace(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(&ground{w, t})
	})
}

// runner is a machine that is thrown away: all that it has is its access key.
type runner struct {
	client *http.Client
	die    func(call int) bool

	mu    sync.Mutex
	calls int
}

// Do makes a call, or ends the process for good before it.
func (r *runner) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.calls++
	n := r.calls
	r.mu.Unlock()
	if r.die != nil && r.die(n) {
		runtime.Goexit()
	}
	return r.client.Do(req)
}

func (g *ground) environment(r *runner, key string) app.Environment {
	r.client = g.HTTP()
	return app.Environment{
		Version: "test", HTTPClient: r, Credentials: credentials.NewStaticCredentialsProvider(key, "fake", ""),
		Endpoint: *g.ELBClient().Options().BaseEndpoint,
		Getenv: func(name string) string {
			return map[string]string{
				manifest.EnvSettle: g.Pace.Settle.String(), manifest.EnvPeriod: g.Pace.Period.String(), manifest.EnvDelay: g.Pace.Delay.String(),
			}[name]
		},
	}
}

// shifts of a new runner.
func (g *ground) shifts(r *runner, key string) courier.Shifts {
	return Shifts(g.environment(r, key))
}

// declare a shift from blue to green, and what the judge must know of it.
func (g *ground) declare() (*v1alpha1.TrafficShift, lawtest.Declared) {
	ts := g.Manifest(lawtest.Weight{Name: "blue", Weight: 0}, lawtest.Weight{Name: "green", Weight: 100})
	ts.Spec.Strategy.StepWeight, ts.Spec.Strategy.StepInterval = 25, v1alpha1.Duration{Duration: time.Second}
	ts.Spec.Strategy.Bake = &v1alpha1.Duration{Duration: time.Second}
	d := lawtest.Declared{
		To: lawtest.Split{}, Percents: []int{25, 50, 75, 100}, OnDrift: lawtest.HoldDrift, Pace: g.Pace,
		Unjudged: !manifest.Builtin(ts.Spec), Balancers: map[string]string{},
	}
	switch r := ts.Spec.Route; {
	case r.Route53 != nil:
		d.Route = lawtest.Route{Zone: r.Route53.HostedZoneID, Name: r.Route53.Name}
	case r.NLB != nil:
		d.Route = lawtest.Route{Listener: r.NLB.ListenerARN, Default: true}
	default:
		d.Route = lawtest.Route{Listener: g.Listener, Priority: r.ALB.Rule.Priority}
	}
	for _, dest := range ts.Spec.Destinations {
		d.To[manifest.DestinationID(dest)] = *dest.Weight
		if dest.LoadBalancerARN != "" {
			d.Balancers[dest.SetIdentifier] = dest.LoadBalancerARN
		}
	}
	return ts, d
}

// outcome of a run; over is false when its process was killed.
type outcome struct {
	result engine.Result
	err    error
	over   bool
}

// run a declaration on a runner, as an apply does.
func (g *ground) run(s courier.Shifts, ts *v1alpha1.TrafficShift) outcome {
	done := make(chan struct{})
	var out outcome
	go func() {
		defer close(done)
		sh, err := s.Open(g.t.Context(), connection.Connection{}, ts)
		if err != nil {
			out = outcome{err: err, over: true}
			return
		}
		res, err := sh.Run(g.t.Context(), courier.RunOptions{})
		out = outcome{res, err, true}
	}()
	<-done
	return out
}

// reading of the route, by another runner; in two calls where an ARN names it.
func (g *ground) reading(ts *v1alpha1.TrafficShift) courier.Reading {
	g.t.Helper()
	var r runner
	s := g.shifts(&r, "AKIAREADER")
	got, err := s.Read(g.t.Context(), connection.Connection{}, ts.Spec.Route)
	if err != nil {
		g.t.Fatal(err)
	}
	route := ts.Spec.Route
	if got.Rule != nil {
		r.calls = 0
		route = v1alpha1.Route{ALB: &v1alpha1.ALBRoute{RuleARN: got.ARN}}
		if got, err = s.Read(g.t.Context(), connection.Connection{}, route); err != nil {
			g.t.Fatal(err)
		}
	}
	if r.calls > 2 {
		g.t.Errorf("reading %+v took %d calls, want at most 2", route, r.calls)
	}
	return got
}

// at checks what is live, and that nothing unfinished is left.
func (g *ground) at(ts *v1alpha1.TrafficShift, blue, green int) {
	g.t.Helper()
	got := g.reading(ts)
	if b, gr := got.Live.Split.Weight(g.Groups["blue"]), got.Live.Split.Weight(g.Groups["green"]); b != blue || gr != green {
		g.t.Errorf("live %d/%d, want %d/%d", b, gr, blue, green)
	}
	if got.Unfinished != nil {
		g.t.Errorf("a mark is left: %+v", got.Unfinished)
	}
}

func (g *ground) lawful(d lawtest.Declared) {
	g.t.Helper()
	d.Foreign = append(d.Foreign, "AKIAREADER")
	trace, err := g.Trace()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, v := range lawtest.Judge(trace, d) {
		g.t.Error(v)
	}
}

func TestAnApplyShiftsAndTheNextWritesNothing(t *testing.T) {
	for _, on := range lawtest.Grounds() {
		t.Run(string(on), func(t *testing.T) {
			onGround(t, on, func(g *ground) {
				ts, d := g.declare()
				before := g.reading(ts)
				for i, writes := range []int{4, 0} {
					out := g.run(g.shifts(&runner{}, fmt.Sprint("AKIARUN", i)), ts)
					if out.err != nil || out.result.Phase != shift.Succeeded || out.result.Writes != writes {
						t.Errorf("apply %d ended %s (%s) with %d writes, %v", i, out.result.Phase, out.result.Message, out.result.Writes, out.err)
					}
				}
				g.at(ts, 0, 100)
				g.lawful(d)
				if after := g.reading(ts); after.ARN != before.ARN || after.ListenerARN != before.ListenerARN || on == lawtest.OnALB && after.Rule.Hosts[0] != before.Rule.Hosts[0] {
					t.Errorf("before %+v, after %+v", before, after)
				}
			})
		})
	}
}

// A runner is gone in the middle; the next one has nothing but the declaration.
func TestLaw8_AKilledApplyGoesOnOnAnotherRunner(t *testing.T) {
	for _, on := range lawtest.Grounds() {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			kills, every := 0, 17
			if on == lawtest.OnAliases { // minutes of TTL: many calls
				every = 101
			}
			for n := 3; ; n += every {
				over := false
				onGround(t, on, func(g *ground) {
					ts, d := g.declare()
					first := g.run(g.shifts(&runner{die: func(call int) bool { return call == n }}, "AKIAFIRST"), ts)
					if over = first.over; over {
						return
					}
					kills++
					second := g.run(g.shifts(&runner{}, "AKIASECOND"), ts)
					if second.err != nil || second.result.Phase != shift.Succeeded {
						t.Errorf("killed before call %d, it ended %s (%s), %v", n, second.result.Phase, second.result.Message, second.err)
					}
					g.at(ts, 0, 100)
					g.lawful(d)
				})
				if over {
					break
				}
			}
			if kills < 3 {
				t.Errorf("killed %d times only", kills)
			}
		})
	}
}

func TestALeaseOfAnotherRunnerIsWaitedFor(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		ts, _ := g.declare()
		if g.run(g.shifts(&runner{die: func(call int) bool { return call == 40 }}, "AKIAFIRST"), ts).over {
			t.Fatal("it was over before it could be killed")
		}
		m := g.reading(ts).Unfinished
		if m == nil || !strings.HasPrefix(m.Lease.Owner, "terraform-") {
			t.Fatalf("the mark %+v", m)
		}
		out := g.run(g.shifts(&runner{}, "AKIASECOND"), ts)
		if out.err != nil || out.result.Phase != shift.Succeeded || time.Now().Before(m.Lease.Expires) {
			t.Errorf("it ended %s %s before the lease does, %v", out.result.Phase, time.Until(m.Lease.Expires), out.err)
		}
	})
}

func TestAnAbortFromAnywhereTakesARunningApplyBack(t *testing.T) {
	for _, on := range lawtest.Grounds() {
		t.Run(string(on), func(t *testing.T) {
			onGround(t, on, func(g *ground) {
				ts, d := g.declare()
				ts.Spec.Strategy.StepInterval = v1alpha1.Duration{Duration: time.Minute}
				ends := make(chan outcome, 1)
				go func() { ends <- g.run(g.shifts(&runner{}, "AKIAFIRST"), ts) }()
				for g.reading(ts).Live.Split.Weight(g.Groups["green"]) == 0 {
					time.Sleep(time.Second)
				}
				p, err := app.Look(g.t.Context(), g.environment(&runner{}, "AKIAREADER"), v1alpha1.AWS{}, ts.Spec.Route)
				if err != nil {
					t.Fatal(err)
				}
				// A running shift must not be destroyed under its driver's feet.
				err = g.shifts(&runner{}, "AKIAREADER").Destroy(g.t.Context(), connection.Connection{}, ts.Spec.Route, courier.DestroyOptions{Force: true, Owned: true})
				if !fault.IsTerminal(err) || !strings.Contains(err.Error(), "is being run") {
					t.Errorf("destroyed while a shift was being run: %v", err)
				}
				if err := p.Signal(g.t.Context(), shift.Signal{Kind: shift.SignalAbort, Step: -1}); err != nil {
					t.Fatal(err)
				}
				out := <-ends
				if out.err != nil || out.result.Phase != shift.RolledBack {
					t.Errorf("it ended %s (%s), %v", out.result.Phase, out.result.Message, out.err)
				}
				g.at(ts, 100, 0)
				g.lawful(d)
			})
		})
	}
}

func TestS14_AnInterruptDoesWhatOnInterruptSays(t *testing.T) {
	for policy, want := range map[string]shift.Phase{"": shift.RolledBack, "rollback": shift.RolledBack, "hold": shift.Held} {
		for _, how := range []string{"the channel is closed", "the context ends"} {
			t.Run(policy+", "+how, func(t *testing.T) {
				onGround(t, lawtest.OnALB, func(g *ground) {
					ts, _ := g.declare()
					ts.Spec.Strategy.OnInterrupt = policy
					sh, err := g.shifts(&runner{}, "AKIAFIRST").Open(g.t.Context(), connection.Connection{}, ts)
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(g.t.Context())
					defer cancel()
					interrupted := make(chan struct{})
					time.AfterFunc(6*time.Second, func() {
						if how == "the context ends" {
							cancel()
							return
						}
						close(interrupted)
					})
					res, err := sh.Run(ctx, courier.RunOptions{Interrupted: interrupted})
					if err != nil || res.Phase != want {
						t.Errorf("it ended %s (%s), %v", res.Phase, res.Message, err)
					}
					got := g.reading(ts)
					if held := got.Unfinished != nil && got.Live.Split.Weight(g.Groups["green"]) > 0; held != (want == shift.Held) {
						t.Errorf("it left %+v", got)
					}
				})
			})
		}
	}
}

func TestAPreviewWritesNothing(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		ts, _ := g.declare()
		sh, err := g.shifts(&runner{}, "AKIAFIRST").Open(g.t.Context(), connection.Connection{}, ts)
		if err != nil {
			t.Fatal(err)
		}
		p, err := sh.Preview(g.t.Context())
		if err != nil || len(p.Writes) != 4 {
			t.Errorf("%d writes are planned, %v", len(p.Writes), err)
		}
		g.at(ts, 100, 0)
	})
}

func TestT4_ARuleGoesOnlyWhenItCarriesNothingOrIsForced(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		ts, _ := g.declare()
		s := g.shifts(&runner{}, "AKIAFIRST")
		destroy := func(o courier.DestroyOptions) error {
			return s.Destroy(g.t.Context(), connection.Connection{}, ts.Spec.Route, o)
		}
		for o, want := range map[courier.DestroyOptions]string{{}: "was not made by norikae", {Owned: true}: "carries traffic"} {
			if err := destroy(o); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want %q", o, err, want)
			}
		}
		for range 2 { // that it is gone already is no error
			if err := destroy(courier.DestroyOptions{Owned: true, Force: true}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.Read(g.t.Context(), connection.Connection{}, ts.Spec.Route); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("it is there: %+v, %v", got, err)
		}
	})
}

func TestAHundredReadingsAssumeARoleOnce(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		var r runner
		s := g.shifts(&r, "AKIAFIRST")
		role := func() *connection.AssumeRole { // each resource has a block of its own
			return &connection.AssumeRole{RoleARN: "arn:aws:iam::000000000000:role/shifter", ExternalID: "lab", Tags: map[string]string{"team": "web", "app": "shop"}}
		}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				c := connection.Connection{AssumeRole: role()}
				if _, err := s.Read(g.t.Context(), c, v1alpha1.Route{ALB: &v1alpha1.ALBRoute{RuleARN: g.Rule}}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if r.calls != 201 {
			t.Errorf("a hundred readings made %d calls, want two each and one for the role", r.calls)
		}
	})
}

func TestConnectionsThatDifferAreNotShared(t *testing.T) {
	var made []string
	c := newConfigs(nil)
	c.make = func(_ context.Context, o awsconf.Options) (aws.Config, error) {
		made = append(made, fmt.Sprintf("%s %s %s %s", o.Region, o.Profile, o.Endpoint, o.AssumeRole.RoleARN))
		return aws.Config{}, nil
	}
	s := &shifts{env: app.Environment{}, configs: c}
	role := connection.AssumeRole{RoleARN: "arn:aws:iam::111122223333:role/a"}
	longer := role
	longer.Duration = 2 * time.Hour
	for range 2 {
		for _, conn := range []connection.Connection{
			{}, {Region: "eu-west-1"}, {Profile: "p"}, {Address: "http://127.0.0.1:1"}, {AssumeRole: &role}, {AssumeRole: &longer},
		} {
			if _, err := s.configure(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(made) != 6 {
		t.Errorf("%d configurations were made, want one for each of 6 connections: %v", len(made), made)
	}
}

// The old provider's rules carry no tag; the Terraform state says that they are ours.
func TestARuleOfTheOldProviderIsAdoptedByAShift(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		ts, _ := g.declare()
		ts.Spec.Route.ALB.Rule.Hosts = []string{"new.example.com"}
		if out := g.run(g.shifts(&runner{}, "AKIAFIRST"), ts); out.err == nil || !strings.Contains(out.err.Error(), "was not made by norikae") {
			t.Errorf("it was taken over unasked: %+v", out)
		}
		ts.Spec.Route.ALB.Adopt = true
		if out := g.run(g.shifts(&runner{}, "AKIASECOND"), ts); out.err != nil || out.result.Phase != shift.Succeeded {
			t.Errorf("it ended %s (%s), %v", out.result.Phase, out.result.Message, out.err)
		}
		g.at(ts, 0, 100)
		if got := g.reading(ts); got.Owner != ts.Metadata.Name || got.ARN != g.Rule || got.Rule.Hosts[0] != "new.example.com" {
			t.Errorf("it is %+v", got)
		}
	})
}

func TestADeclarationThatCannotBeIsRefusedByItsFields(t *testing.T) {
	onGround(t, lawtest.OnALB, func(g *ground) {
		ts, _ := g.declare()
		ts.Spec.Destinations[0].Weight = new(1000)
		var r runner
		_, err := g.shifts(&r, "AKIAFIRST").Open(g.t.Context(), connection.Connection{}, ts)
		wrong, ok := errors.AsType[*manifest.Error](err)
		if !ok || r.calls != 0 || !strings.HasSuffix(wrong.Problems[0].Path, "destinations[0].weight") {
			t.Errorf("after %d calls: %v", r.calls, err)
		}
	})
}
