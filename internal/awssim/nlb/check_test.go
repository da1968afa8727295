package nlb

import (
	"strconv"
	"testing"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// Targets of TCP groups may be checked over HTTP, on a port of their own too.
func TestTargetsCheckedOverHTTP(t *testing.T) {
	web, err := toy.Start(toy.Config{Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	l := newLab(t, "TCP")
	blue := l.world.groups[0]
	var probe world
	port := probe.add(t, "probe", web.Addrs()[0]).Targets[0].Port
	hc := &blue.HealthCheck
	hc.Protocol, hc.Path, hc.HTTPCode, hc.Port = "HTTP", "/healthz", "200-399", strconv.Itoa(port)
	l.forward(t, split("blue", 1, "green", 0))
	c := l.connect(t)
	c.mustEcho(t, "hello")
	web.SetHealthy(false)
	l.await(t, "blue is unhealthy", func() bool { return l.Health(blue.ARN, blue.Targets[0]).State == "unhealthy" })
	want := model.TargetHealth{State: "unhealthy", Reason: "Target.ResponseCodeMismatch", Description: "Health checks failed with these codes: [503]"}
	if got := l.Health(blue.ARN, blue.Targets[0]); got != want {
		t.Errorf("blue is %+v, want %+v", got, want)
	}
	c.mustBeReset(t)
	web.SetHealthy(true)
	l.await(t, "blue is healthy", func() bool { return l.Health(blue.ARN, blue.Targets[0]).State == "healthy" })
	l.connect(t).mustEcho(t, "hello again")
}
