package alb

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/chance"
	"github.com/norikae/norikae/internal/awssim/health"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// A fixed seed makes this exact; the bound is one that chance would break for less
// than one seed in a million (chi-square, 2 degrees of freedom: 27.63).
func TestWeightsAreMetPerRequest(t *testing.T) {
	const n = 200000
	for seed := range uint64(5) {
		var r chance.Source
		r.Seed(seed)
		weights := []int{1, 0, 34, 965}
		f := &forward{}
		for i, w := range weights {
			f.members = append(f.members, member{group: health.NewGroup(fmt.Sprint(i), nil, health.Events[targetCounts]{})})
			f.weights.Add(w)
		}
		got := map[string]float64{}
		for range n {
			got[f.pick(r.Next()).group.ARN()]++
		}
		chi := 0.0
		for i, w := range weights {
			want := n * float64(w) / 1000
			if w == 0 {
				if got["1"] != 0 {
					t.Errorf("seed %d: a group of weight 0 was picked %v times", seed, got["1"])
				}
				continue
			}
			chi += math.Pow(got[fmt.Sprint(i)]-want, 2) / want
		}
		if chi > 27.63 {
			t.Errorf("seed %d: chi-square is %.1f, want at most 27.63; picks: %v", seed, chi, got)
		}
	}
}

// One client on one kept-alive connection gets the split too. The bound is 5 standard
// deviations, which chance would break for less than one seed in a million.
func TestWeightsAreMetOnOneConnection(t *testing.T) {
	virtual(t, split("blue", 70, "green", 30), func(t *testing.T, l *lab) {
		const n = 20000
		for range n {
			if a := l.client.get(t, "/"); a.status != http.StatusOK {
				t.Fatalf("status %d", a.status)
			}
		}
		got, want := float64(l.toys["green"].Counters().Requests), 0.3*n
		if math.Abs(got-want) > 5*math.Sqrt(n*0.3*0.7) {
			t.Errorf("green got %v of %d requests, want about %v", got, n, want)
		}
	})
}

// lab is a data plane in front of toy clusters in virtual time.
type lab struct {
	plane  *DataPlane
	client *client
	sink   *sink
	net    *memory
	toys   map[string]*toy.Cluster
	world  world
}

// virtual runs f in a bubble with the toy clusters blue and green of two targets each,
// checked and behind one listener, 10 seconds after the start.
func virtual(t *testing.T, action model.Action, f func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, s := newMemory(), &sink{}
		l := &lab{net: m, sink: s, toys: map[string]*toy.Cluster{}}
		for _, name := range []string{"blue", "green"} {
			l.toys[name] = startToy(t, toy.Config{Name: name, Listen: m.Listen, StreamEvents: 3, StreamInterval: time.Minute})
			l.world.groups = append(l.world.groups, checked(t, name, l.toys[name].Addrs()...))
		}
		l.plane = start(t, Config{Listen: m.Listen, Dial: m.Dial, Sink: s, Seed: 1})
		l.apply(action)
		l.client = newClient(t, l.plane.Addr(listenerARN), m.Dial)
		sleep(10 * time.Second)
		f(t, l)
	})
}

func (l *lab) apply(action model.Action) {
	l.world.rules = []model.Rule{defaultRule(action)}
	l.plane.Apply(l.world.config())
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// cluster that answered.
func (a answer) cluster() string {
	for _, name := range []string{"blue", "green"} {
		if strings.Contains(a.body, `"cluster":"`+name+`"`) {
			return name
		}
	}
	return ""
}

func TestStickyClientsStayWhereTheyAre(t *testing.T) {
	virtual(t, sticky(split("blue", 100, "green", 0), 60), func(t *testing.T, l *lab) {
		first := l.client.get(t, "/")
		cookies := first.cookies()
		if first.cluster() != "blue" || !strings.Contains(cookies, stickyCookie+"=") || !strings.Contains(cookies, stickyCookieCORS+"=") {
			t.Fatalf("first answer from %q with cookies %q", first.cluster(), cookies)
		}
		for _, c := range (&http.Response{Header: first.header}).Cookies() {
			if strings.Contains(c.Value, "targetgroup") || c.Path != "/" || time.Until(c.Expires).Round(time.Second) != time.Minute {
				t.Errorf("cookie %s: value %q, path %q, expires %s", c.Name, c.Value, c.Path, c.Expires)
			}
			if want := map[string]http.SameSite{stickyCookie: 0, stickyCookieCORS: http.SameSiteNoneMode}[c.Name]; c.SameSite != want {
				t.Errorf("cookie %s: SameSite %d, want %d", c.Name, c.SameSite, want)
			}
		}
		from := func(when, want string, headers ...string) {
			t.Helper()
			if a := l.client.get(t, "/", headers...); a.cluster() != want {
				t.Errorf("%s: answer from %q, want %q", when, a.cluster(), want)
			}
		}
		l.apply(sticky(split("blue", 0, "green", 100), 60))
		from("with a cookie, weights moved", "blue", "Cookie", cookies)
		from("with the cookie for other origins only", "blue", "Cookie", strings.Split(cookies, "; ")[1])
		from("without a cookie", "green")
		from("with an altered cookie", "green", "Cookie", strings.ReplaceAll(cookies, "A", "B"))
		from("with a foreign cookie", "green", "Cookie", stickyCookie+"=blue")
		l.apply(split("blue", 0, "green", 100))
		from("with a cookie, stickiness switched off", "green", "Cookie", cookies)
		l.apply(sticky(split("green", 100), 60))
		from("with a cookie, blue taken out of the action", "green", "Cookie", cookies)
		l.apply(sticky(split("blue", 0, "green", 100), 60))
		sleep(50 * time.Second)
		from("with a cookie that will expire soon", "blue", "Cookie", cookies)
		sleep(10 * time.Second)
		from("with an expired cookie", "green", "Cookie", cookies)
	})
}

func TestCookiesThatWereAlteredAreWorthless(t *testing.T) {
	c := newCookies()
	now := time.Now()
	group := groupARN("blue")
	value := c.seal(group, now.Add(time.Minute))
	if got := c.open(value, now); got != group {
		t.Fatalf("the cookie opens as %q, want %q", got, group)
	}
	if got := newCookies().open(value, now); got != "" {
		t.Errorf("another data plane opens it as %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		altered := []byte(value)
		i := rapid.IntRange(0, len(altered)-1).Draw(t, "position")
		altered[i] = rapid.Byte().Draw(t, "byte")
		if got := c.open(string(altered), now); got != "" && string(altered) != value {
			// The last letter before the padding has bits that mean nothing.
			if i < len(strings.TrimRight(value, "="))-1 {
				t.Fatalf("with byte %d altered it opens as %q", i, got)
			}
		}
	})
}

func TestTargetsTakeTurns(t *testing.T) {
	virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
		for range 10 {
			l.client.get(t, "/")
		}
		for _, c := range l.toys["blue"].Counters().Targets {
			if c.Requests != 5 {
				t.Errorf("%s got %d of 10 requests, want 5", c.Addr, c.Requests)
			}
		}
	})
}

func TestOnlyHealthyTargetsGetRequestsUntilNoneIsLeft(t *testing.T) {
	virtual(t, split("blue", 100), func(t *testing.T, l *lab) {
		lone := startToy(t, toy.Config{Name: "green", Targets: 1, Listen: l.net.Listen})
		lone.SetHealthy(false)
		l.world.groups[0] = checked(t, "blue", append(l.toys["blue"].Addrs(), lone.Addrs()...)...)
		l.apply(split("blue", 100))
		sleep(20 * time.Second)
		for range 9 {
			if got := l.client.get(t, "/").cluster(); got != "blue" {
				t.Errorf("the unhealthy target answered (%q)", got)
			}
		}
		l.toys["blue"].SetHealthy(false)
		sleep(20 * time.Second)
		got := map[string]int{}
		for range 9 {
			got[l.client.get(t, "/").cluster()]++
		}
		if got["blue"] != 6 || got["green"] != 3 {
			t.Errorf("with no healthy target the answers are %v, want all three targets in turn", got)
		}
	})
}

func TestErrorsOfTheLoadBalancer(t *testing.T) {
	for name, tc := range map[string]struct {
		disturb func(t *testing.T, l *lab)
		status  int
	}{
		"503 without registered targets": {func(_ *testing.T, l *lab) {
			l.world.groups[0].Targets = nil
			l.apply(split("blue", 100))
		}, 503},
		"503 when the group is not there": {func(_ *testing.T, l *lab) { l.apply(split("nowhere", 1)) }, 503},
		"503 when the weights sum to 0":   {func(_ *testing.T, l *lab) { l.apply(split("blue", 0, "green", 0)) }, 503},
		"502 when connections are refused": {func(t *testing.T, l *lab) {
			if err := l.toys["blue"].SetDown(true); err != nil {
				t.Fatal(err)
			}
		}, 502},
		"502 for an answer that is not HTTP": {func(t *testing.T, l *lab) { l.raw(t, "SSH-2.0-OpenSSH_9.7\r\n") }, 502},
		"502 for no answer at all":           {func(t *testing.T, l *lab) { l.raw(t, "") }, 502},
		"504 for an answer that is too late": {func(_ *testing.T, l *lab) { l.toys["blue"].SetLatency(61 * time.Second) }, 504},
		"405 for TRACE":                      {nil, 405},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, split("blue", 100, "green", 0), func(t *testing.T, l *lab) {
				method := http.MethodGet
				if tc.disturb == nil {
					method = http.MethodTrace
				} else {
					tc.disturb(t, l)
				}
				a, err := l.client.do(t.Context(), method, "/")
				if err != nil {
					t.Fatal(err)
				}
				if a.status != tc.status || a.header.Get("Server") != server || !strings.Contains(a.body, fmt.Sprint(tc.status)) {
					t.Errorf("status %d, server %q, body %q; want %d by %s", a.status, a.header.Get("Server"), a.body, tc.status, server)
				}
				l.sink.take(t)
				sleep(time.Minute)
				got := l.sink.take(t)
				class := fmt.Sprintf("HTTPCode_ELB_%dXX_Count{LoadBalancer=app/web/0123456789abcdef}", tc.status/100)
				if got[class].Sum != 1 {
					t.Errorf("%s = %v, want 1", class, got[class].Sum)
				}
			})
		})
	}
}

// raw replaces blue's targets by one that says text to whoever connects and hangs up.
func (l *lab) raw(t *testing.T, text string) {
	t.Helper()
	ln, err := l.net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}()
	l.world.groups[0] = checked(t, "blue", ln.Addr().String())
	l.apply(split("blue", 100))
}
