package awssim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/toy"
	"github.com/norikae/norikae/internal/awssim/wire"
)

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
	s, err := only(out, list)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	return text(s, member), nil
}

// only is the one element of a list in an answer.
func only(out wire.Struct, list string) (wire.Struct, error) {
	for _, m := range out {
		if items, ok := m.Value.(wire.List); ok && m.Name == list && len(items) == 1 {
			if first, ok := items[0].(wire.Struct); ok {
				return first, nil
			}
		}
	}
	return nil, fmt.Errorf("the answer has no %s[0]", list)
}

// text is a member of an answer; "" when it is not there.
func text(s wire.Struct, member string) string {
	for _, m := range s {
		if v, ok := m.Value.(string); ok && m.Name == member {
			return v
		}
	}
	return ""
}

// sides are the target groups of the worlds with two, and what they get.
func sides() []struct {
	name   string
	weight int64
} {
	return []struct {
		name   string
		weight int64
	}{{"blue", 100}, {"green", 0}}
}

func (l *Lab) buildBlueGreen(w *world) (err error) {
	w.Host, w.RulePriority = Host, 10
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
	forward, err := l.addGroups(w, "HTTP")
	if err != nil {
		return err
	}
	w.RuleARN, err = l.created("CreateRule", wire.Params{
		"ListenerArn": w.ListenerARN, "Priority": int64(w.RulePriority),
		"Conditions": []any{wire.Params{"Field": "host-header", "HostHeaderConfig": wire.Params{"Values": []any{Host}}}},
		"Actions":    []any{forward},
	}, "Rules", "RuleArn")
	if err != nil {
		return err
	}
	return l.waitHealthy()
}

func (l *Lab) buildNLB(w *world) (err error) {
	w.LoadBalancerARN, err = l.created("CreateLoadBalancer", wire.Params{
		"Name": "lab", "Type": "network", "Subnets": []any{"subnet-0a", "subnet-0b"},
	}, "LoadBalancers", "LoadBalancerArn")
	if err != nil {
		return err
	}
	forward, err := l.addGroups(w, "TCP")
	if err != nil {
		return err
	}
	w.ListenerARN, err = l.created("CreateListener", wire.Params{
		"LoadBalancerArn": w.LoadBalancerARN, "Protocol": "TCP", "Port": int64(80), "DefaultActions": []any{forward},
	}, "Listeners", "ListenerArn")
	if err != nil {
		return err
	}
	return l.waitHealthy()
}

// addGroups makes both sides' target groups, and the action that forwards to them.
func (l *Lab) addGroups(w *world, protocol string) (forward wire.Params, err error) {
	var groups []any
	for _, g := range sides() {
		if err := l.addGroup(w, g.name, protocol); err != nil {
			return nil, err
		}
		arn := w.TargetGroups[len(w.TargetGroups)-1].ARN
		groups = append(groups, wire.Params{"TargetGroupArn": arn, "Weight": g.weight})
	}
	return wire.Params{"Type": "forward", "ForwardConfig": wire.Params{"TargetGroups": groups}}, nil
}

// recordName has the weighted records of the world route53, in the zone Host.
const recordName = "api." + Host

func (l *Lab) buildRoute53(w *world) error {
	w.Name = recordName
	zone, err := l.dnsAPI("CreateHostedZone", wire.Params{"Name": Host, "CallerReference": "lab"})
	if err != nil {
		return err
	}
	for _, m := range zone {
		if z, ok := m.Value.(wire.Struct); ok && m.Name == "HostedZone" {
			w.HostedZoneID = strings.TrimPrefix(text(z, "Id"), "/hostedzone/")
		}
	}
	var changes []any
	for i, g := range sides() {
		records, err := l.addSide(w, i, g.name, g.weight)
		if err != nil {
			return err
		}
		changes = append(changes, records...)
	}
	if err := l.waitHealthy(); err != nil {
		return err
	}
	_, err = l.dnsAPI("ChangeResourceRecordSets", wire.Params{"HostedZoneId": w.HostedZoneID, "ChangeBatch": wire.Params{"Changes": changes}})
	return err
}

// addSide makes a load balancer on an address of its own, with one target group, and the
// changes that make its records.
func (l *Lab) addSide(w *world, i int, name string, weight int64) (changes []any, err error) {
	out, err := l.api("CreateLoadBalancer", wire.Params{"Name": name, "Subnets": []any{"subnet-0a", "subnet-0b"}})
	if err != nil {
		return nil, fmt.Errorf("CreateLoadBalancer: %w", err)
	}
	lb, err := only(out, "LoadBalancers")
	if err != nil {
		return nil, err
	}
	arn := text(lb, "LoadBalancerArn")
	l.setHost(arn, fmt.Sprintf("127.0.1.%d", i+1))
	if err := l.addGroup(w, name, "HTTP"); err != nil {
		return nil, err
	}
	group := w.TargetGroups[len(w.TargetGroups)-1].ARN
	_, err = l.created("CreateListener", wire.Params{
		"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": int64(80),
		"DefaultActions": []any{wire.Params{"Type": "forward", "TargetGroupArn": group}},
	}, "Listeners", "ListenerArn")
	if err != nil {
		return nil, err
	}
	w.Destinations = append(w.Destinations, WorldRecord{SetIdentifier: name, LoadBalancerARN: arn, DNSName: text(lb, "DNSName")})
	for _, typ := range []string{"A", "AAAA"} {
		changes = append(changes, wire.Params{"Action": "CREATE", "ResourceRecordSet": wire.Params{
			"Name": recordName, "Type": typ, "SetIdentifier": name, "Weight": weight,
			"AliasTarget": wire.Params{"HostedZoneId": text(lb, "CanonicalHostedZoneId"), "DNSName": text(lb, "DNSName"), "EvaluateTargetHealth": true},
		}})
	}
	return changes, nil
}

// dnsAPI calls Route 53 as api calls ELB.
func (l *Lab) dnsAPI(op string, p wire.Params) (wire.Struct, error) {
	out, err := l.route53.Serve(l.ctx, &wire.Request{Service: "route53", Operation: op, Params: p, Region: Region, AccountID: Account})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return out, nil
}

// fleetAccounts are the first n accounts of the world fleet: 000000000000, 111111111111
// and so on.
func fleetAccounts(n int) []string {
	accounts := make([]string, n)
	for i := range accounts {
		accounts[i] = strings.Repeat(strconv.Itoa(i), 12)
	}
	return accounts
}

func fleetRegions() []string {
	return []string{
		Region, "eu-west-1", "ap-northeast-1", "eu-central-1", "us-west-2", "ap-southeast-1", "ap-southeast-2", "sa-east-1",
	}
}

// buildFleet deals the clusters out over the accounts and regions. Names repeat from
// account to account, as they do in life.
func (l *Lab) buildFleet(w *world) error {
	w.Accounts, w.Clusters = fleetAccounts(cmp.Or(l.cfg.FleetAccounts, 3)), l.cfg.Fleet
	w.Regions = fleetRegions()[:cmp.Or(l.cfg.FleetRegions, 3)]
	errs := make([]error, l.cfg.Fleet)
	var starting sync.WaitGroup
	for i := range l.cfg.Fleet {
		n := i / (len(w.Accounts) * len(w.Regions))
		cluster := eks.NewCluster{
			Account: w.Accounts[i%len(w.Accounts)], Region: w.Regions[i/len(w.Accounts)%len(w.Regions)], Name: fmt.Sprintf("fleet-%04d", n+1),
			Tags: map[string]string{"norikae.dev/fleet": "lab", "environment": []string{"production", "staging"}[n%2], "cell": strconv.Itoa(n%5 + 1)},
		}
		add := func() { _, errs[i] = l.eks.AddCluster(l.ctx, cluster) }
		if l.kube == nil {
			add() // in order: identifiers come out the same each time
		} else {
			starting.Go(add) // it takes seconds
		}
	}
	starting.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, account := range w.Accounts {
		for _, region := range w.Regions {
			l.tagging.CatchUp(account, region)
		}
	}
	return nil
}

// addGroup creates a target group and registers the targets of a new cluster of the
// same name.
func (l *Lab) addGroup(w *world, name, protocol string) error {
	addrs, err := l.addCluster(w, name)
	if err != nil {
		return err
	}
	arn, err := l.created("CreateTargetGroup", wire.Params{
		"Name": name, "Protocol": protocol, "Port": int64(80), "VpcId": "vpc-01ab", "TargetType": "ip",
		"HealthCheckProtocol": "HTTP", "HealthCheckPath": "/healthz", "HealthCheckIntervalSeconds": int64(5), "HealthCheckTimeoutSeconds": int64(2),
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
	c, err := toy.Start(toy.Config{Name: name, Listen: l.state.Listen("cluster/"+name, l.cfg.Listen), Seed: l.cfg.Seed})
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
