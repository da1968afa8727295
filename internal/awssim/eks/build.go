package eks

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// NewCluster is a cluster that a lab is built with.
type NewCluster struct {
	Account, Region, Name string
	Version               string // of Kubernetes; "": the default
	Tags                  map[string]string
	Subnets               []string // in at least two zones; nil: two that are made up
	SecurityGroups        []string
	AuthenticationMode    string // "": API_AND_CONFIG_MAP
	PrivateAccess         bool   // the endpoint can be reached from the VPC, too
}

// AddCluster makes a cluster that is ACTIVE at once, regardless of delays, quotas and
// Config.Fail. With a ControlPlane it returns when the API server has started. The
// cluster's ARN is returned.
func (s *Service) AddCluster(ctx context.Context, n NewCluster) (arn string, err error) {
	x, err := s.add(n)
	if err != nil {
		return "", fmt.Errorf("adding the cluster %s: %w", n.Name, err)
	}
	if s.cfg.ControlPlane == nil {
		return x.arn, nil
	}
	e, err := s.cfg.ControlPlane.Start(ctx, x.info())
	s.mu.Lock()
	defer s.mu.Unlock()
	x.task = nil
	if err != nil {
		delete(x.world.clusters, x.name)
		return "", fmt.Errorf("starting the control plane of the cluster %s: %w", n.Name, err)
	}
	x.serveAt(e)
	x.started, x.status = true, active
	return x.arn, nil
}

// add is AddCluster up to the API server's start.
func (s *Service) add(n NewCluster) (*cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.Subnets == nil {
		n.Subnets = []string{"subnet-0a", "subnet-0b"}
	}
	p := wire.Params{
		"name": n.Name, "version": n.Version,
		"roleArn": fmt.Sprintf("arn:%s:iam::%s:role/eks-cluster", wire.Partition(n.Region), n.Account),
		"resourcesVpcConfig": wire.Params{
			"subnetIds": anyList(n.Subnets), "securityGroupIds": anyList(n.SecurityGroups), "endpointPrivateAccess": n.PrivateAccess,
		},
		"accessConfig": wire.Params{"authenticationMode": apiAndConfigMap},
	}
	if n.AuthenticationMode != "" {
		p["accessConfig"] = wire.Params{"authenticationMode": n.AuthenticationMode}
	}
	r := &wire.Request{Operation: "CreateCluster", Params: p, Region: n.Region, AccountID: n.Account}
	c := &call{world: s.world(n.Account, n.Region), s: s, r: r, p: p, now: s.now()}
	name, err := resourceName(p, "name", maxClusterName)
	if err != nil {
		return nil, err
	}
	if _, err := c.cluster("name"); err == nil {
		return nil, inUse("Cluster already exists with name: %s", name)
	}
	x := &cluster{world: c.world, name: name, created: c.now, status: creating}
	if err := c.parseCluster(x); err != nil {
		return nil, err
	}
	x.tags = maps.Clone(n.Tags)
	s.found(x)
	x.creator = asRole(s.cfg.Caller(r))
	x.bootstrap(s, c.now)
	if s.cfg.ControlPlane == nil {
		x.ready(s, nil)
	} else {
		x.task = &task{busy: true, done: func(error) {}} // until AddCluster has started it
	}
	return x, nil
}

// SetEndpoint changes where a cluster's API server is and whose certificates it has, as
// a rotation of the certificate authority does.
func (s *Service) SetEndpoint(arn string, e Endpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byARN(arn)
	if x == nil {
		return fmt.Errorf("setting an endpoint: there is no cluster %s", arn)
	}
	x.serveAt(e)
	return nil
}

// byARN finds a cluster as it is now; nil: there is none. The caller holds s.mu.
func (s *Service) byARN(arn string) *cluster {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 {
		return nil
	}
	name, ok := strings.CutPrefix(part[5], "cluster/")
	w := s.worlds[worldKey{part[4], part[3]}]
	if !ok || w == nil || w.clusters[name] == nil {
		return nil
	}
	w.clusters[name].settle(s.now())
	if x := w.clusters[name]; x != nil && x.arn == arn {
		return x
	}
	return nil
}

func anyList(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
