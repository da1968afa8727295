package alb

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim/health"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// health of the first target of a group, as "state reason description".
func (l *lab) health(name string) string {
	for _, g := range l.world.groups {
		if g.Name == name {
			h := l.plane.Health(g.ARN, g.Targets[0])
			return strings.Trim(h.State+" "+h.Reason+": "+h.Description, " :")
		}
	}
	return "no group " + name
}

func (l *lab) wantHealth(t *testing.T, when, name, want string) {
	t.Helper()
	if got := l.health(name); got != want && !strings.HasPrefix(got, want+":") {
		t.Errorf("%s: %s is %q, want %q", when, name, got, want)
	}
}

func TestHealthFollowsTheThresholds(t *testing.T) {
	virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
		green := l.toys["green"]
		l.wantHealth(t, "after one pass", "green", "healthy")
		green.SetHealthy(false)
		sleep(10 * time.Second)
		l.wantHealth(t, "after one failure", "green", "healthy")
		sleep(10 * time.Second)
		l.wantHealth(t, "after two failures", "green", "unhealthy Target.ResponseCodeMismatch: Health checks failed with these codes: [503]")
		green.SetHealthy(true)
		sleep(20 * time.Second)
		l.wantHealth(t, "after two passes", "green", "unhealthy Target.ResponseCodeMismatch")
		sleep(10 * time.Second)
		l.wantHealth(t, "after three passes", "green", "healthy")
		if err := green.SetDown(true); err != nil {
			t.Fatal(err)
		}
		sleep(20 * time.Second)
		l.wantHealth(t, "after refused connections", "green", "unhealthy Target.FailedHealthChecks: Health checks failed")
		if n := green.Counters().Requests; n != 0 {
			t.Errorf("health checks were counted as %d requests", n)
		}
	})
}

func TestANewTargetIsInitialUntilItPassesOnce(t *testing.T) {
	virtual(t, split("blue", 100), func(t *testing.T, l *lab) {
		silent, err := l.net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		l.world.groups = append(l.world.groups, checked(t, "slow", silent.Addr().String()))
		l.apply(split("blue", 100, "slow", 0))
		l.wantHealth(t, "at once", "slow", "initial Elb.RegistrationInProgress")
		sleep(5 * time.Second)
		l.wantHealth(t, "after one timeout", "slow", "initial Elb.InitialHealthChecking")
		sleep(10 * time.Second)
		l.wantHealth(t, "after two timeouts", "slow", "unhealthy Target.Timeout: Request timed out")

		late := startToy(t, toy.Config{Name: "late", Listen: l.net.Listen})
		late.SetHealthy(false)
		l.world.groups = append(l.world.groups, checked(t, "late", late.Addrs()...))
		l.apply(split("blue", 100, "late", 0))
		synctest.Wait()
		l.wantHealth(t, "after one failure", "late", "initial Elb.InitialHealthChecking")
		late.SetHealthy(true)
		sleep(10 * time.Second)
		l.wantHealth(t, "after the first pass", "late", "healthy")
	})
}

func TestHealthOfTargetsThatAreNotChecked(t *testing.T) {
	virtual(t, split("blue", 100), func(t *testing.T, l *lab) {
		l.wantHealth(t, "at first", "green", "healthy")
		green := &l.world.groups[1]
		checksSoFar := func() uint64 { return l.toys["green"].Counters().Targets[0].HealthChecks }

		green.InUse = false
		l.apply(split("blue", 100))
		l.wantHealth(t, "in no rule", "green", "unused Target.NotInUse")
		before := checksSoFar()
		sleep(time.Minute)
		if n := checksSoFar(); n != before {
			t.Errorf("an unused target was checked %d times", n-before)
		}

		green.InUse = true
		l.toys["green"].SetHealthy(false)
		l.apply(split("blue", 100))
		synctest.Wait()
		l.wantHealth(t, "in use again", "green", "initial Elb.InitialHealthChecking")
		l.toys["green"].SetHealthy(true)
		sleep(10 * time.Second)
		l.wantHealth(t, "in use and checked", "green", "healthy")

		green.HealthCheck.Enabled = false
		l.apply(split("green", 100))
		l.wantHealth(t, "with health checks off", "green", "unavailable Target.HealthCheckDisabled")
		if a := l.client.get(t, "/"); a.cluster() != "green" {
			t.Errorf("with health checks off the answer is %d from %q, want green", a.status, a.cluster())
		}

		targets := green.Targets
		l.world.groups[1].Targets = nil
		l.apply(split("blue", 100))
		if h := l.plane.Health(green.ARN, targets[0]); h.Reason != "Target.NotRegistered" {
			t.Errorf("a target that is not registered is %+v", h)
		}
	})
}

func TestChangedHealthChecksTakeEffectAtOnce(t *testing.T) {
	virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
		l.world.groups[1].HealthCheck.HTTPCode = "204"
		l.world.groups[1].HealthCheck.Interval = time.Second
		l.apply(split("blue", 100, "green", 0))
		sleep(1500 * time.Millisecond)
		l.wantHealth(t, "after two checks for 204", "green", "unhealthy Target.ResponseCodeMismatch: Health checks failed with these codes: [200]")
	})
}

func TestDrainingTargetsKeepOnlyTheirRequestsUnderWay(t *testing.T) {
	virtual(t, split("blue", 100), func(t *testing.T, l *lab) {
		l.toys["blue"].SetLatency(30 * time.Second)
		var wg sync.WaitGroup
		for range 2 { // one for each target
			wg.Go(func() {
				if a := l.client.get(t, "/"); a.status != http.StatusOK {
					t.Errorf("a request under way ended with %d, want 200", a.status)
				}
			})
		}
		sleep(time.Second)
		drained := &l.world.groups[0].Targets[0]
		drained.DrainingSince = time.Now()
		l.apply(split("blue", 100))
		l.wantHealth(t, "after deregistration", "blue", "draining Target.DeregistrationInProgress")
		if n := l.plane.Counters().TargetGroups[groupARN("blue")].Targets[health.Key(*drained)].InFlight; n != 1 {
			t.Errorf("%d requests in flight to the draining target, want 1", n)
		}
		wg.Wait()
		l.toys["blue"].SetLatency(0)
		for range 10 {
			l.client.get(t, "/")
		}
		targets := l.toys["blue"].Counters().Targets
		if targets[0].Requests != 1 || targets[1].Requests != 11 {
			t.Errorf("the draining target got %d requests and the other %d, want 1 and 11", targets[0].Requests, targets[1].Requests)
		}
		l.world.groups[0].Targets = nil
		l.apply(split("blue", 100))
		if a := l.client.get(t, "/"); a.status != http.StatusServiceUnavailable {
			t.Errorf("without targets the answer is %d, want 503", a.status)
		}
	})
}

func TestHealthChecksMarkThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		seen := make(chan *http.Request, 10)
		ln, err := m.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen <- r
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})}
		go func() { _ = s.Serve(ln) }()
		defer s.Close()
		g := checked(t, "blue", "127.0.0.1:1")
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		g.HealthCheck.Port, g.HealthCheck.Path, g.HealthCheck.HTTPCode = port, "/deep/check?x=1", "302"
		p := start(t, Config{Listen: m.Listen, Dial: m.Dial})
		p.Apply(world{groups: []model.TargetGroup{g}, rules: []model.Rule{defaultRule(split("blue", 1))}}.config())
		synctest.Wait()
		r := <-seen
		if r.UserAgent() != health.UserAgent || r.RequestURI != "/deep/check?x=1" || len(seen) != 0 {
			t.Errorf("checked by %q at %s, then %d more requests; want one by %q at the health check's own port and path", r.UserAgent(), r.RequestURI, len(seen), health.UserAgent)
		}
		if h := p.Health(g.ARN, g.Targets[0]); h.State != "healthy" {
			t.Errorf("health is %+v, want healthy: a redirect matches 302 and is not followed", h)
		}
	})
}

func TestTCPHealthChecksOnlyConnect(t *testing.T) {
	virtual(t, split("blue", 100), func(t *testing.T, l *lab) {
		g := &l.world.groups[1]
		g.HealthCheck.Protocol = "TCP"
		l.apply(split("blue", 100))
		before := l.toys["green"].Counters().Targets[0].HealthChecks
		sleep(time.Minute)
		l.wantHealth(t, "while it accepts", "green", "healthy")
		if n := l.toys["green"].Counters().Targets[0].HealthChecks; n != before {
			t.Errorf("%d HTTP health checks, want none", n-before)
		}
		if err := l.toys["green"].SetDown(true); err != nil {
			t.Fatal(err)
		}
		sleep(time.Minute)
		l.wantHealth(t, "while it refuses", "green", "unhealthy Target.FailedHealthChecks")
	})
}

// In a bubble, a goroutine that Close left behind would keep the test from ending.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		blue := startToy(t, toy.Config{Name: "blue", Listen: m.Listen})
		blue.SetLatency(time.Hour)
		p := New(Config{Listen: m.Listen, Dial: m.Dial, Sink: &sink{}})
		w := world{groups: []model.TargetGroup{checked(t, "blue", blue.Addrs()...)}, rules: []model.Rule{defaultRule(split("blue", 1))}}
		p.Apply(w.config())
		addr := p.Addr(listenerARN)
		c := newClient(t, addr, m.Dial)
		ended := make(chan error)
		go func() {
			_, err := c.do(context.Background(), http.MethodGet, "/") //nolint:usetesting // It must outlive nothing but Close.
			ended <- err
		}()
		sleep(time.Second)
		began := time.Now()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-ended; err == nil || time.Since(began) > time.Second {
			t.Errorf("a request under way ended with %v after %s, want an error at once", err, time.Since(began))
		}
		if err := p.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		p.Apply(w.config())
		if _, err := m.Dial(t.Context(), "tcp", addr); err == nil {
			t.Error("the listener still accepts connections after Close")
		}
		l := p.Counters().Listeners[listenerARN]
		if l.Received != 1 || l.Aborted != 1 {
			t.Errorf("counters %+v, want 1 received and aborted", l)
		}
	})
}
