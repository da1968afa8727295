package elbv2_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	account = "000000000000"
	region  = "us-east-1"
	prefix  = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
)

// plane is a data plane that records what it is told and calls every target healthy.
type plane struct {
	mu      sync.Mutex
	applied []model.Config
}

func (p *plane) Apply(c model.Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applied = append(p.applied, c)
}

func (p *plane) Health(string, model.Target) model.TargetHealth {
	return model.TargetHealth{State: "healthy"}
}
func (p *plane) Addr(string) string { return "127.0.0.1:1" }
func (p *plane) Close() error       { return nil }

func (p *plane) last(t *testing.T) model.Config {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.applied) == 0 {
		t.Fatal("nothing was applied")
	}
	return p.applied[len(p.applied)-1]
}

// lab is a service with one load balancer, an HTTP listener that answers 404, and the
// target groups blue and green.
type lab struct {
	*elbv2.Service
	plane               *plane
	lb, listener, https string
	blue, green         string
}

const certificate = "arn:aws:acm:us-east-1:000000000000:certificate/1"

func newLab(t *testing.T, change ...func(*elbv2.Config)) *lab {
	t.Helper()
	l := &lab{plane: &plane{}}
	cfg := elbv2.Config{DataPlane: l.plane, Seed: 1}
	for _, f := range change {
		f(&cfg)
	}
	l.Service = elbv2.New(cfg)
	t.Cleanup(l.Close)
	l.lb = wiretest.Text(t, l.do(t, "CreateLoadBalancer", params{"Name": "web", "Subnets": list("subnet-1", "subnet-2")}), "LoadBalancers.0.LoadBalancerArn")
	l.blue, l.green = l.group(t, "blue"), l.group(t, "green")
	l.listener = l.listen(t, 80, params{"Protocol": "HTTP"})
	return l
}

func (l *lab) group(t *testing.T, name string) string {
	t.Helper()
	return wiretest.Text(t, l.do(t, "CreateTargetGroup", groupParams(name)), "TargetGroups.0.TargetGroupArn")
}

func groupParams(name string) params {
	return params{"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"}
}

func (l *lab) listen(t *testing.T, port int, more params) string {
	t.Helper()
	p := params{"LoadBalancerArn": l.lb, "Port": port, "DefaultActions": list(notFound())}
	maps.Copy(p, more)
	return wiretest.Text(t, l.do(t, "CreateListener", p), "Listeners.0.ListenerArn")
}

func (l *lab) rule(t *testing.T, priority int, actions ...any) string {
	t.Helper()
	return wiretest.Text(t, l.do(t, "CreateRule", l.ruleParams(priority, actions...)), "Rules.0.RuleArn")
}

func (l *lab) ruleParams(priority int, actions ...any) params {
	return params{
		"ListenerArn": l.listener, "Priority": priority,
		"Conditions": list(host("example.com")), "Actions": list(actions...),
	}
}

type params = map[string]any

func list(items ...any) []any { return items }

func host(name string) params {
	return params{"Field": "host-header", "HostHeaderConfig": params{"Values": list(name)}}
}

func path(pattern string) params { return params{"Field": "path-pattern", "Values": list(pattern)} }

func notFound() params {
	return params{"Type": "fixed-response", "FixedResponseConfig": params{"StatusCode": "404"}}
}

// split is a forward action: pairs of target group ARN and weight; nil leaves it out.
func split(pairs ...any) params {
	var groups []any
	for pair := range slices.Chunk(pairs, 2) {
		g := params{"TargetGroupArn": pair[0]}
		if pair[1] != nil {
			g["Weight"] = pair[1]
		}
		groups = append(groups, g)
	}
	return params{"Type": "forward", "ForwardConfig": params{"TargetGroups": groups}}
}

func (l *lab) try(t *testing.T, op string, p params) (wire.Struct, error) {
	t.Helper()
	return l.Serve(t.Context(), &wire.Request{
		Service: "elasticloadbalancing", Operation: op, Region: region, AccountID: account, Params: wiretest.Params(p),
	})
}

func (l *lab) do(t *testing.T, op string, p params) wire.Struct {
	t.Helper()
	out, err := l.try(t, op, p)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return out
}

func (l *lab) refuse(t *testing.T, op string, p params, code, message string) {
	t.Helper()
	_, err := l.try(t, op, p)
	wiretest.Refused(t, err, code, message)
}

// column collects one member of every structure in a list.
func column(t *testing.T, v any, listName, member string) []string {
	t.Helper()
	items, ok := wiretest.At(v, listName).(wire.List)
	if !ok {
		t.Fatalf("no list %s in %v", listName, v)
	}
	out := []string{}
	for _, it := range items {
		out = append(out, wiretest.Text(t, it, member))
	}
	return out
}

// expect compares several places of an answer.
func expect(t *testing.T, v any, want map[string]any) {
	t.Helper()
	for p, w := range want {
		if got := wiretest.At(v, p); got != w {
			t.Errorf("%s is %v (%T), want %v", p, got, got, w)
		}
	}
}
