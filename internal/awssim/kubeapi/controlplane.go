package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/sts"
)

// MaxServers is how many clusters a ControlPlane runs: each takes about 500 MB.
const MaxServers = 8

// atOnce is how many start at a time; more would only wait for each other.
const atOnce = 2

// tokenTTL is how long API servers keep what the webhook says: short, because nothing here
// is far away.
const tokenTTL = time.Second

// PlaneConfig is the configuration of a ControlPlane.
type PlaneConfig struct {
	Assets string // see Config, with the controller manager: a cluster of EKS has one
	// Nodes is where nodes find the API servers; zero: there are none.
	Nodes netip.Addr
	// STS verifies who has made a token.
	STS *sts.Service
	// Access is what EKS says about who may enter a cluster.
	Access func(arn string) (eks.Access, bool)
	// Endpoint of the lab, which clients with AWS_ENDPOINT_URL put into their tokens; nil
	// or "": none.
	Endpoint func() string
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // hears why tokens are refused; nil: nobody
}

// ControlPlane runs an API server for each cluster of the simulated EKS.
type ControlPlane struct {
	cfg   PlaneConfig
	dir   string
	hook  *webhook
	slots chan struct{} // of starts

	stopping sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	made    int // folders
	servers map[string]*clusterServer
}

// clusterServer is a cluster's API server; nil while it starts.
type clusterServer struct {
	*Server

	issuer string
}

var (
	_ eks.ControlPlane = (*ControlPlane)(nil)
	_ eks.Rotator      = (*ControlPlane)(nil)
)

// NewControlPlane returns a ControlPlane without any API server. Close ends it.
func NewControlPlane(cfg PlaneConfig) (*ControlPlane, error) {
	if err := CheckAssets(cfg.Assets, Config{ControllerManager: true, Nodes: cfg.Nodes}.programs()...); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Endpoint == nil {
		cfg.Endpoint = func() string { return "" }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := makeDir("")
	if err != nil {
		return nil, err
	}
	p := &ControlPlane{cfg: cfg, dir: dir, slots: make(chan struct{}, atOnce), servers: map[string]*clusterServer{}}
	p.hook = &webhook{verifier: newVerifier(cfg.STS, cfg.Now, cfg.Endpoint), access: cfg.Access, api: p.api, logger: cfg.Logger}
	if err := p.hook.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

// api of a cluster that runs.
func (p *ControlPlane) api(arn string) *client {
	if s := p.Server(arn); s != nil {
		return s.api()
	}
	return nil
}

// Server of a cluster; nil while there is none.
func (p *ControlPlane) Server(arn string) *Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.servers[arn]; s != nil {
		return s.Server
	}
	return nil
}

// Running are the ARNs of the clusters whose API servers are ready, sorted.
func (p *ControlPlane) Running() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var arns []string
	for arn, s := range p.servers {
		if s != nil {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns
}

// Start implements eks.ControlPlane: the API server is ready, and its access policies are
// in place, when it returns.
func (p *ControlPlane) Start(ctx context.Context, c eks.ClusterInfo) (eks.Endpoint, error) {
	dir, err := p.place(c)
	if err != nil {
		return eks.Endpoint{}, err
	}
	s, err := p.run(ctx, c, dir)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.closed {
		err = errors.Join(errors.New("the control planes are closed"), s.Close())
	}
	if err != nil {
		delete(p.servers, c.ARN)
		return eks.Endpoint{}, fmt.Errorf("the API server of %s: %w", c.Name, err)
	}
	p.servers[c.ARN] = &clusterServer{s, c.Issuer}
	return eks.Endpoint{URL: s.Endpoint(), CA: s.CA()}, nil
}

// place takes a cluster's place among the servers, and names its folder.
func (p *ControlPlane) place(c eks.ClusterInfo) (dir string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, twice := p.servers[c.ARN]
	switch {
	case p.closed:
		return "", errors.New("the control planes are closed")
	case twice:
		return "", fmt.Errorf("the API server of %s runs already", c.Name)
	case len(p.servers) >= MaxServers:
		return "", fmt.Errorf("%d API servers run already, which is the most in a lab, of about 500 MB each; delete a cluster first", MaxServers)
	}
	p.servers[c.ARN] = nil
	p.made++
	return filepath.Join(p.dir, fmt.Sprintf("%03d-%s", p.made, c.Name)), nil
}

func (p *ControlPlane) run(ctx context.Context, c eks.ClusterInfo, dir string) (*Server, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for other API servers to start: %w", ctx.Err())
	}
	s, err := Run(ctx, Config{
		Assets: p.cfg.Assets, Dir: dir, ControllerManager: true, Nodes: p.cfg.Nodes,
		Webhook: p.hook.of(c.ARN), TokenTTL: tokenTTL, Issuer: c.Issuer, Logger: p.cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	policies, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := installPolicies(policies, s.api()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Stop implements eks.ControlPlane. What the cluster had is gone; the logs stay until
// Close, which ends what Stop has begun when ctx ends.
func (p *ControlPlane) Stop(ctx context.Context, arn string) error {
	s := p.Server(arn)
	if s == nil {
		return nil
	}
	ended := make(chan error, 1)
	p.stopping.Go(func() { ended <- s.Close() })
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		return fmt.Errorf("stopping an API server: %w", ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.servers[arn] != nil && p.servers[arn].Server == s {
		delete(p.servers, arn)
	}
	return err
}

// RotateCA gives a cluster's API server another certificate authority, and tells where the
// cluster is now; eks.Service.SetEndpoint wants to know.
func (p *ControlPlane) RotateCA(ctx context.Context, arn string) (eks.Endpoint, error) {
	s := p.Server(arn)
	if s == nil {
		return eks.Endpoint{}, fmt.Errorf("rotating the certificate authority of %s: it has no API server", arn)
	}
	if err := s.RotateCA(ctx); err != nil {
		return eks.Endpoint{}, err
	}
	return eks.Endpoint{URL: s.Endpoint(), CA: s.CA()}, nil
}

// JWKS is the key set of a cluster's OIDC issuer, from its API server; ok is false when no
// running cluster has that issuer.
func (p *ControlPlane) JWKS(ctx context.Context, issuer string) (set []byte, ok bool, err error) {
	p.mu.Lock()
	var s *Server
	for _, c := range p.servers {
		if c != nil && c.issuer == issuer {
			s = c.Server
		}
	}
	p.mu.Unlock()
	if s == nil {
		return nil, false, nil
	}
	var raw json.RawMessage
	if err := s.api().do(ctx, http.MethodGet, "/openid/v1/jwks", nil, &raw); err != nil {
		return nil, true, fmt.Errorf("reading the key set: %w", err)
	}
	return raw, true, nil
}

// Close ends all API servers and the webhook, and removes what they kept. Starts that are
// under way end with their contexts; end those first.
func (p *ControlPlane) Close() error {
	p.mu.Lock()
	p.closed = true
	var running []*Server
	for _, s := range p.servers {
		if s != nil {
			running = append(running, s.Server)
		}
	}
	p.mu.Unlock()
	errs := make([]error, len(running))
	var all sync.WaitGroup
	for i, s := range running {
		all.Go(func() { errs[i] = s.Close() })
	}
	all.Wait()
	p.stopping.Wait()
	if err := errors.Join(append(errs, p.hook.close(), os.RemoveAll(p.dir))...); err != nil {
		return fmt.Errorf("closing the control planes: %w", err)
	}
	return nil
}
