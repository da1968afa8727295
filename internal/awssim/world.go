package awssim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/toy"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// WorldBlueGreen has one ALB whose rule for example.com sends everything to the
// target group blue (100) and nothing to green (0), each with the two targets of a
// running toy cluster.
const WorldBlueGreen = "blue-green"

// Host is the host name that the world's rule matches.
const Host = "example.com"

// World describes what a lab was built with.
type World struct {
	World           string             `json:"world"`
	Endpoint        string             `json:"endpoint"` // of the API; "" before the lab listens
	Region          string             `json:"region"`
	Account         string             `json:"account"`
	LoadBalancerARN string             `json:"loadBalancerARN,omitempty"`
	ListenerARN     string             `json:"listenerARN,omitempty"`
	RuleARN         string             `json:"ruleARN,omitempty"`
	RulePriority    int                `json:"rulePriority,omitempty"`
	Host            string             `json:"host,omitempty"` // that the rule matches
	URL             string             `json:"url,omitempty"`  // where the listener can be reached
	TargetGroups    []WorldTargetGroup `json:"targetGroups"`
	Env             []string           `json:"env"`      // see Lab.Env
	EnvUnset        []string           `json:"envUnset"` // see Lab.EnvUnset
}

// WorldTargetGroup is a target group of a World. The toy cluster behind it, if the data
// plane is real, has the same name.
type WorldTargetGroup struct {
	Name    string   `json:"name"`
	ARN     string   `json:"arn"`
	Targets []string `json:"targets"` // host:port
}

// world is a World and the clusters behind it.
type world struct {
	World

	clusters []*toy.Cluster // as TargetGroups
}

func (w *world) close() error {
	var errs []error
	for _, c := range w.clusters {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// World describes what the lab was built with.
func (l *Lab) World() World {
	w := World{TargetGroups: []WorldTargetGroup{}}
	if l.world != nil {
		w = l.world.World
		if addr := l.plane.Addr(w.ListenerARN); addr != "" {
			w.URL = "http://" + addr
		}
	}
	w.World, w.Region, w.Account = l.cfg.World, Region, Account
	w.Endpoint, w.Env, w.EnvUnset = l.Endpoint(), l.Env(), l.EnvUnset()
	return w
}

// Cluster is a toy cluster of the world, nil when there is none of that name.
func (l *Lab) Cluster(name string) *toy.Cluster {
	if l.world == nil {
		return nil
	}
	for _, c := range l.world.clusters {
		if c.Name() == name {
			return c
		}
	}
	return nil
}

// checkFault refuses faults that this lab cannot carry out.
func (l *Lab) checkFault(r fault.Rule) error {
	if r.Kind == fault.Lose && l.plane.alb == nil {
		return fmt.Errorf("kind: %s needs the data plane %s, this lab has %s", r.Kind, PlaneALB, l.cfg.DataPlane)
	}
	if r.Kind != fault.TargetFailure {
		return nil
	}
	names := []string{}
	for _, g := range l.World().TargetGroups {
		names = append(names, g.Name)
	}
	if !slices.Contains(names, r.TargetGroup) {
		return fmt.Errorf("targetGroup: %q is not one of this lab's target groups %q", r.TargetGroup, names)
	}
	return nil
}

// api calls the control plane as a client in the lab's account would, but unlogged
// and out of the faults' reach.
func (l *Lab) api(op string, p wire.Params) (wire.Struct, error) {
	return l.elb.Serve(l.ctx, &wire.Request{
		Service: "elasticloadbalancing", Operation: op, Params: p, Region: Region, AccountID: Account,
	})
}

// created calls api and returns the text member of the only element of a list.
func (l *Lab) created(op string, p wire.Params, list, member string) (string, error) {
	out, err := l.api(op, p)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	for _, m := range out {
		if items, ok := m.Value.(wire.List); ok && m.Name == list && len(items) == 1 {
			first, _ := items[0].(wire.Struct)
			for _, m := range first {
				if s, ok := m.Value.(string); ok && m.Name == member {
					return s, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s: the answer has no %s[0].%s", op, list, member)
}

func (l *Lab) buildBlueGreen() (*world, error) {
	w := &world{World: World{Host: Host, RulePriority: 10}}
	build := func() (err error) {
		w.LoadBalancerARN, err = l.created("CreateLoadBalancer", wire.Params{
			"Name": "lab", "Subnets": []any{"subnet-0a", "subnet-0b"},
		}, "LoadBalancers", "LoadBalancerArn")
		if err != nil {
			return err
		}
		w.ListenerARN, err = l.created("CreateListener", wire.Params{
			"LoadBalancerArn": w.LoadBalancerARN, "Protocol": "HTTP", "Port": int64(80),
			"DefaultActions": []any{wire.Params{
				"Type":                "fixed-response",
				"FixedResponseConfig": wire.Params{"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no rule matches\n"},
			}},
		}, "Listeners", "ListenerArn")
		if err != nil {
			return err
		}
		var forward []any
		for _, g := range []struct {
			name   string
			weight int64
		}{{"blue", 100}, {"green", 0}} {
			if err := l.addGroup(w, g.name); err != nil {
				return err
			}
			arn := w.TargetGroups[len(w.TargetGroups)-1].ARN
			forward = append(forward, wire.Params{"TargetGroupArn": arn, "Weight": g.weight})
		}
		w.RuleARN, err = l.created("CreateRule", wire.Params{
			"ListenerArn": w.ListenerARN, "Priority": int64(w.RulePriority),
			"Conditions": []any{wire.Params{"Field": "host-header", "HostHeaderConfig": wire.Params{"Values": []any{Host}}}},
			"Actions":    []any{wire.Params{"Type": "forward", "ForwardConfig": wire.Params{"TargetGroups": forward}}},
		}, "Rules", "RuleArn")
		if err != nil {
			return err
		}
		return l.waitHealthy()
	}
	if err := build(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// addGroup creates a target group and registers the targets of a new cluster of the
// same name.
func (l *Lab) addGroup(w *world, name string) error {
	addrs, err := l.addCluster(w, name)
	if err != nil {
		return err
	}
	arn, err := l.created("CreateTargetGroup", wire.Params{
		"Name": name, "Protocol": "HTTP", "Port": int64(80), "VpcId": "vpc-01ab", "TargetType": "ip",
		"HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": int64(5), "HealthCheckTimeoutSeconds": int64(2),
		"HealthyThresholdCount": int64(2), "UnhealthyThresholdCount": int64(2),
	}, "TargetGroups", "TargetGroupArn")
	if err != nil {
		return err
	}
	var targets []any
	for _, addr := range addrs {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return fmt.Errorf("target %s: %w", addr, err)
		}
		n, err := strconv.ParseInt(port, 10, 64)
		if err != nil {
			return fmt.Errorf("target %s: %w", addr, err)
		}
		targets = append(targets, wire.Params{"Id": host, "Port": n})
	}
	if _, err := l.api("RegisterTargets", wire.Params{"TargetGroupArn": arn, "Targets": targets}); err != nil {
		return fmt.Errorf("RegisterTargets: %w", err)
	}
	w.TargetGroups = append(w.TargetGroups, WorldTargetGroup{Name: name, ARN: arn, Targets: addrs})
	return nil
}

// addCluster starts a toy cluster and returns its targets' addresses. Without a real
// data plane nobody would talk to it: then the addresses are made up.
func (l *Lab) addCluster(w *world, name string) ([]string, error) {
	if l.plane.alb == nil {
		n := len(w.TargetGroups)
		return []string{fmt.Sprintf("10.0.%d.1:8080", n), fmt.Sprintf("10.0.%d.2:8080", n)}, nil
	}
	c, err := toy.Start(toy.Config{Name: name, Listen: l.cfg.Listen, Seed: l.cfg.Seed})
	if err != nil {
		return nil, fmt.Errorf("starting the cluster %s: %w", name, err)
	}
	w.clusters = append(w.clusters, c)
	return c.Addrs(), nil
}

// waitHealthy waits until all registered targets are healthy.
func (l *Lab) waitHealthy() error {
	ctx, cancel := context.WithTimeout(l.ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := ""
		for _, g := range l.elb.Snapshot().TargetGroups {
			for _, t := range g.Targets {
				if h := l.plane.Health(g.ARN, t); h.State != "healthy" {
					waiting = fmt.Sprintf("target %s:%d of %s is %s %s", t.ID, t.Port, g.Name, h.State, h.Reason)
				}
			}
		}
		if waiting == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for healthy targets: %s", waiting)
		}
	}
}
