package nlb

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newUDPLab(t *testing.T, protocol string, change ...func(*Config)) *lab {
	t.Helper()
	l := newLab(t, protocol, change...)
	l.blue.withUDP(t)
	l.green.withUDP(t)
	return l
}

func TestUDPFlowsStayWhereTheyBegan(t *testing.T) {
	l := newUDPLab(t, "UDP")
	l.forward(t, split("blue", 100, "green", 0))
	var old []net.Conn
	for range 20 {
		c := l.socket(t)
		if got := packet(t, c); got != "blue" {
			t.Fatalf("a flow began at %s, want blue", got)
		}
		old = append(old, c)
	}
	for i, green := range []int{10, 50, 90, 100} {
		l.world.action = split("blue", 100-green, "green", green)
		l.apply()
		n := 0
		for range 200 {
			if packet(t, l.socket(t)) == "green" { // its port stays taken: one flow each
				n++
			}
		}
		if green < 100 && far(n, 200, float64(green)/100) || green == 100 && n != 200 {
			t.Errorf("with weight %d green got %d of 200 new flows", green, n)
		}
		for _, c := range old {
			if got := packet(t, c); got != "blue" {
				t.Fatalf("after change %d a flow of blue's was answered by %s", i, got)
			}
		}
	}
	c := l.counts()
	if c.Accepted != 820 || c.Established != 820 || c.Active != 820 || c.BytesUp != 900 || books(c) != nil {
		t.Errorf("counts are %+v, want 820 flows and 900 bytes", c)
	}
	if got := l.blue.packets.Load() + l.green.packets.Load(); got != 900 {
		t.Errorf("the targets got %d packets, want 900", got)
	}
	got := l.period(t)
	want := map[string]float64{}
	for _, suffix := range []string{"", "_UDP"} {
		for _, dims := range []string{"{LoadBalancer}", "{LoadBalancer,AvailabilityZone}"} {
			want["NewFlowCount"+suffix+dims], want["ActiveFlowCount"+suffix+dims] = 820, 820
			want["ProcessedBytes"+suffix+dims] = float64(c.BytesUp + c.BytesDown)
		}
	}
	for k := range got {
		if strings.Contains(k, "HealthyHostCount") || strings.Contains(k, "UnHealthyHostCount") {
			delete(got, k)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}

func TestIdleUDPFlowsBeginAgain(t *testing.T) {
	l := newUDPLab(t, "UDP", func(c *Config) { c.UDPIdleTimeout = 50 * time.Millisecond })
	l.forward(t, split("blue", 1, "green", 0))
	c := l.socket(t)
	if got := packet(t, c); got != "blue" {
		t.Errorf("the flow began at %s, want blue", got)
	}
	l.world.action = split("blue", 0, "green", 1)
	l.apply()
	l.await(t, "the flow is idle", func() bool { return l.counts().Idle == 1 && l.counts().Active == 0 })
	if got := packet(t, c); got != "green" {
		t.Errorf("the next packet went to %s, want green: it begins another flow", got)
	}
	if got := l.period(t); got["TCP_ELB_Reset_Count{LoadBalancer}"] != 0 {
		t.Errorf("metrics are %v: UDP has no resets", got)
	}
}

func TestUDPPacketsWithNowhereToGoVanish(t *testing.T) {
	l := newUDPLab(t, "UDP")
	l.forward(t, split("blue", 1, "green", 0))
	l.world.action = split("blue", 0, "green", 0)
	l.apply()
	c := l.socket(t)
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	l.await(t, "it is refused", func() bool { return l.counts().Refused == 1 })
	l.world.action = split("blue", 1)
	l.apply()
	l.SetLose(1)
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	l.await(t, "it is lost", func() bool { return l.counts().Lost == 1 })
	if got := packet(t, c); got != "blue" {
		t.Errorf("then the packet went to %q, want blue", got)
	}
	if err := books(l.counts()); err != nil {
		t.Error(err)
	}
}

func TestUDPFlowsOfATargetThatIsGoneAreCut(t *testing.T) {
	l := newUDPLab(t, "UDP")
	blue := l.world.groups[0]
	blue.Attributes["deregistration_delay.connection_termination.enabled"] = "true"
	blue.Targets = append(blue.Targets, l.world.groups[1].Targets...)
	l.world.groups = l.world.groups[:1]
	l.forward(t, split("blue", 1))
	c := l.socket(t)
	for i := 0; packet(t, c) != "blue"; i++ {
		if c = l.socket(t); i == 10 {
			t.Fatal("no flow goes to blue")
		}
	}
	blue.Targets = blue.Targets[1:]
	l.apply()
	if got := packet(t, c); got != "green" {
		t.Errorf("the next packet went to %s, want green", got)
	}
	l.await(t, "it is counted", func() bool { return l.counts().Cut >= 1 })
	if err := books(l.counts()); err != nil {
		t.Error(err)
	}
}

func TestTCPAndUDPShareAPort(t *testing.T) {
	l := newUDPLab(t, "TCP_UDP")
	l.forward(t, split("blue", 1, "green", 0))
	for i := range 5 {
		l.connect(t).mustEcho(t, fmt.Sprint(i))
		if got := packet(t, l.socket(t)); got != "blue" {
			t.Errorf("a packet went to %s, want blue", got)
		}
	}
	got := l.period(t)
	for name, want := range map[string]float64{"NewFlowCount_TCP": 5, "NewFlowCount_UDP": 5, "NewFlowCount": 10, "ActiveFlowCount": 10} {
		if got[name+"{LoadBalancer}"] != want {
			t.Errorf("%s is %v, want %v", name, got[name+"{LoadBalancer}"], want)
		}
	}
}

// Close returns only when the goroutines of UDP flows have ended, too.
func TestCloseEndsUDPFlows(t *testing.T) {
	l := newUDPLab(t, "UDP")
	l.forward(t, split("blue", 1))
	for range 5 {
		packet(t, l.socket(t))
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if c := l.counts(); c.Active != 0 || c.Cut != 5 || books(c) != nil {
		t.Errorf("counts are %+v, want 5 cut and none active", c)
	}
}
