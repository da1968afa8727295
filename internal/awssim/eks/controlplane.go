package eks

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// ClusterInfo is what a ControlPlane must know of a cluster.
type ClusterInfo struct {
	ARN, Account, Region, Name string
	Version                    string // of Kubernetes, e.g. 1.36
	Issuer                     string // URL of the OIDC provider
}

// Endpoint of a cluster's API server.
type Endpoint struct {
	URL string
	CA  []byte // PEM
}

// ControlPlane runs the API servers of clusters. Its methods are called without any
// lock, for different clusters at the same time, and must return when ctx ends.
type ControlPlane interface {
	// Start runs a cluster's API server. An error makes the cluster FAILED.
	Start(ctx context.Context, c ClusterInfo) (Endpoint, error)
	// Stop ends what Start has started. An error makes the cluster FAILED, and it can be
	// deleted again.
	Stop(ctx context.Context, arn string) error
}

// Rotator is a ControlPlane that can change the certificate authority of an API server
// that runs.
type Rotator interface {
	RotateCA(ctx context.Context, arn string) (Endpoint, error)
}

// RotateCA changes the certificate authority of a cluster, as AWS does near its expiry:
// that of its API server, if the ControlPlane is a Rotator, or else the made-up one.
func (s *Service) RotateCA(ctx context.Context, arn string) error {
	if r, ok := s.cfg.ControlPlane.(Rotator); ok {
		e, err := r.RotateCA(ctx, arn)
		if err != nil {
			return fmt.Errorf("EKS: %w", err)
		}
		return s.SetEndpoint(arn, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byARN(arn)
	if x == nil || x.endpoint == "" {
		return fmt.Errorf("rotating a certificate authority: there is no cluster %s that has one", arn)
	}
	x.rotations++
	var err error
	x.ca, err = x.madeUpCA()
	return err
}

func (c *cluster) info() ClusterInfo {
	return ClusterInfo{
		ARN: c.arn, Account: c.world.account, Region: c.world.region, Name: c.name, Version: c.version, Issuer: c.issuer(),
	}
}

// dnsSuffix of a region's EKS endpoints.
func dnsSuffix(region string) string {
	if wire.Partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

func (c *cluster) issuer() string {
	return fmt.Sprintf("https://oidc.eks.%s.%s/id/%s", c.world.region, dnsSuffix(c.world.region), c.id)
}

func (c *cluster) madeUpEndpoint() string {
	return fmt.Sprintf("https://%s.gr7.%s.eks.%s", c.id, c.world.region, dnsSuffix(c.world.region))
}

func (c *cluster) serveAt(e Endpoint) {
	c.endpoint, c.ca = e.URL, base64.StdEncoding.EncodeToString(e.CA)
}

// start has the cluster's task wait for its API server. The caller holds s.mu.
func (s *Service) start(c *cluster, t *task) {
	if s.cfg.ControlPlane == nil || t.err != nil {
		return
	}
	info := c.info()
	s.background(t, func() (func(), error) {
		e, err := s.cfg.ControlPlane.Start(s.ctx, info)
		return func() { c.serveAt(e); c.started = true }, err
	})
}

// end has the cluster's task wait until its API server has ended. The caller holds s.mu.
func (s *Service) end(c *cluster, t *task) {
	if !c.started || t.err != nil {
		return
	}
	arn := c.arn
	s.background(t, func() (func(), error) {
		err := s.cfg.ControlPlane.Stop(s.ctx, arn)
		return func() { c.started = false }, err
	})
}

// background runs work without the lock and then, with it, what work returned if it
// went well. The caller holds s.mu, so that Close comes before it or after it.
func (s *Service) background(t *task, work func() (good func(), err error)) {
	t.busy = true
	if s.ctx.Err() != nil {
		return
	}
	s.running.Go(func() {
		good, err := work()
		if s.ctx.Err() != nil {
			return // nobody is interested in how it ended
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t.busy, t.err = false, err
		if err == nil {
			good()
		}
	})
}

// madeUpCA makes a cluster's certificate authority out of its id and how often it was
// rotated, as base64 of PEM. It is valid for any time that a test may have, and the same
// for the same two.
func (c *cluster) madeUpCA() (string, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "norikae lab cluster CA %s %d", c.id, c.rotations))
	key := ed25519.NewKeyFromSeed(sum[:])
	tmpl := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "kubernetes"},
		NotBefore:             time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2190, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		BasicConstraintsValid: true,
		IsCA:                  true,
		DNSNames:              []string{"kubernetes"},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return "", fmt.Errorf("making the cluster's certificate authority: %w", err)
	}
	var b strings.Builder
	if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return "", fmt.Errorf("encoding the cluster's certificate authority: %w", err)
	}
	return base64.StdEncoding.EncodeToString([]byte(b.String())), nil
}
