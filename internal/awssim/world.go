package awssim

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/toy"
)

// The worlds that a lab can begin with.
const (
	// WorldBlueGreen has one ALB whose rule for example.com sends everything to the
	// target group blue (100) and nothing to green (0), each with the two targets of a
	// running toy cluster.
	WorldBlueGreen = "blue-green"
	// WorldNLB has one NLB whose TCP listener does the same.
	WorldNLB = "nlb"
	// WorldRoute53 has one ALB for each of two toy clusters, and a hosted zone whose name
	// api.example.com has weighted A and AAAA aliases to them, blue (100) and green (0).
	WorldRoute53 = "route53"
	// WorldFleet has Config.Fleet EKS clusters over some accounts and regions.
	WorldFleet = "fleet"
)

// Worlds lists them all.
func Worlds() []string { return []string{WorldBlueGreen, WorldNLB, WorldRoute53, WorldFleet} }

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
	URL             string             `json:"url,omitempty"`  // where the listener, or the DNS name, can be reached
	TargetGroups    []WorldTargetGroup `json:"targetGroups"`
	DNS             string             `json:"dns,omitempty"`          // host:port of the name server
	HostedZoneID    string             `json:"hostedZoneID,omitempty"` // of the world route53
	Name            string             `json:"name,omitempty"`         // of its weighted records
	Destinations    []WorldRecord      `json:"destinations,omitempty"` // of that name
	Accounts        []string           `json:"accounts,omitempty"`     // of the world fleet
	Regions         []string           `json:"regions,omitempty"`
	Clusters        int                `json:"clusters,omitempty"`
	APIServers      []WorldAPIServer   `json:"apiServers,omitempty"` // of EKS clusters, by ARN
	Env             []string           `json:"env"`                  // see Lab.Env
	EnvUnset        []string           `json:"envUnset"`             // see Lab.EnvUnset
}

// WorldTargetGroup is a target group of a World. The toy cluster behind it, if the data
// plane is real, has the same name.
type WorldTargetGroup struct {
	Name    string   `json:"name"`
	ARN     string   `json:"arn"`
	Targets []string `json:"targets"` // host:port
}

// WorldRecord is where weighted records of a World lead.
type WorldRecord struct {
	SetIdentifier   string `json:"setIdentifier"`
	LoadBalancerARN string `json:"loadBalancerARN"`
	DNSName         string `json:"dnsName"`
}

// WorldAPIServer is the real API server of an EKS cluster.
type WorldAPIServer struct {
	ClusterARN string `json:"clusterARN"`
	Endpoint   string `json:"endpoint"`
	Kubeconfig string `json:"kubeconfig"` // file with which its administrator gets in
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
	w := World{}
	if l.world != nil {
		w = l.world.World
		if addr := l.plane.Addr(w.ListenerARN); addr != "" {
			w.URL = "http://" + addr
		}
		if port := l.dnsPort(); port != "" {
			w.URL = "http://" + net.JoinHostPort(w.Name, port)
		}
	}
	if l.dns != nil {
		w.DNS = l.dns.Addr()
	}
	w.APIServers = l.apiServers()
	if w.TargetGroups == nil {
		w.TargetGroups = []WorldTargetGroup{} // in JSON: an empty list
	}
	w.World, w.Region, w.Account = l.cfg.World, Region, Account
	w.Endpoint, w.Env, w.EnvUnset = l.Endpoint(), l.Env(), l.EnvUnset()
	return w
}

// worldKey is what a state directory knows the world by.
func (l *Lab) worldKey() string {
	if l.cfg.World == WorldFleet {
		return fmt.Sprintf("%s of %d in %d accounts and %d regions", WorldFleet, l.cfg.Fleet, l.cfg.FleetAccounts, l.cfg.FleetRegions)
	}
	return l.cfg.World
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

// buildWorld makes what the lab begins with. Every call that it makes comes out the same
// each time, so that a state directory need not keep them.
func (l *Lab) buildWorld() error {
	l.world = &world{}
	switch l.cfg.World {
	case WorldBlueGreen:
		return l.buildBlueGreen(l.world)
	case WorldNLB:
		return l.buildNLB(l.world)
	case WorldRoute53:
		return l.buildRoute53(l.world)
	case WorldFleet:
		return l.buildFleet(l.world)
	}
	return nil
}
