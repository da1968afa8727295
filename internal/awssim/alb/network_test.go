package alb

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

func TestNetworkLoadBalancersAreLeftAlone(t *testing.T) {
	blue := startToy(t, toy.Config{Name: "blue"})
	p := start(t, Config{})
	tcp := checked(t, "tcp", blue.Addrs()...)
	tcp.Protocol, tcp.HealthCheck.Protocol = "TCP", "HTTP"
	web := checked(t, "web")
	c := world{groups: []model.TargetGroup{tcp, web}, rules: []model.Rule{defaultRule(split("web", 1))}}.config()
	const nlb, front = arnPrefix + "loadbalancer/net/edge/1", arnPrefix + "listener/net/edge/1/2"
	c.LoadBalancers = append(c.LoadBalancers, model.LoadBalancer{ARN: nlb, Type: "network"})
	c.Listeners = append(c.Listeners, model.Listener{
		ARN: front, LoadBalancerARN: nlb, Port: 80, Protocol: "TCP", Rules: []model.Rule{defaultRule(split("tcp", 1))},
	})
	p.Apply(c)
	if p.Addr(front) != "" || p.Addr(listenerARN) == "" {
		t.Errorf("the TCP listener is at %q, the HTTP one at %q; want none and some", p.Addr(front), p.Addr(listenerARN))
	}
	if h := p.Health(tcp.ARN, tcp.Targets[0]); h.State != "unused" {
		t.Errorf("the TCP group's target is %+v, want it left to others", h)
	}
	if _, ok := p.Counters().TargetGroups[web.ARN]; !ok {
		t.Error("the HTTP group has no counters")
	}
}

func TestALoadBalancerCanHaveAnAddressOfItsOwn(t *testing.T) {
	asked := ""
	p := start(t, Config{Host: func(arn string) string { asked = arn; return "127.0.7.8" }})
	c := world{rules: []model.Rule{defaultRule(fixed("200", "hello"))}}.config()
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.7.8:0")
	if err != nil {
		t.Fatal(err)
	}
	want := free.Addr().String()
	c.Listeners[0].Port = int(netip.MustParseAddrPort(want).Port())
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	p.Apply(c)
	if asked != lbARN || p.Addr(listenerARN) != want {
		t.Errorf("asked for the address of %s; the listener is at %s, want its own port: %s", asked, p.Addr(listenerARN), want)
	}
	if a := newClient(t, p.Addr(listenerARN), nil).get(t, "/"); a.body != "hello" {
		t.Errorf("the answer is %q", a.body)
	}
	second := start(t, Config{Host: func(string) string { return "127.0.7.8" }})
	second.Apply(c)
	if got := second.Addr(listenerARN); got == want || !strings.HasPrefix(got, "127.0.7.8:") {
		t.Errorf("with the port taken the listener is at %s, want another port of that address", got)
	}
}
