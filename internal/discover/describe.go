package discover

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/registry"
)

// entry is an ACTIVE cluster as it was described last, but for its tags, which are the
// index's where it has them. Others are not remembered: they are described in each pass.
type entry struct {
	cluster registry.Cluster
	at      time.Time // that it was described
	// share of the refresh interval after which it is described again: from a half to one.
	share float64
	keep  time.Time // nobody wants it after this
}

// fresh tells whether an entry needs not be described yet.
func (e *entry) fresh(now time.Time, refresh time.Duration) bool {
	return now.Before(e.at.Add(time.Duration(e.share * float64(refresh))))
}

// usable tells whether an entry may stand in for a cluster that cannot be described now.
func (e *entry) usable(now time.Time, refresh time.Duration) bool {
	return !now.After(e.at.Add(refresh))
}

// shareOf the refresh interval: what is described together is not described again
// together.
func shareOf(seed uint64, arn string, at time.Time) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(arn))
	//nolint:gosec // G404: this spreads load, and equal seeds must give equal times
	return 0.5 + 0.5*rand.New(rand.NewPCG(seed^h.Sum64(), uint64(at.UnixNano()))).Float64()
}

// cached returns a cluster from memory, with the tags that were listed, if there are any.
func (pl *place) cached(p *pass, name string, tags map[string]string, good func(*entry) bool) (registry.Cluster, bool) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	e := pl.clusters[name]
	if e == nil || !good(e) {
		return registry.Cluster{}, false
	}
	if tags != nil && !maps.Equal(tags, e.cluster.Tags) {
		e.cluster.Tags = p.d.words.internMap(tags) // anew: snapshots share the old ones
	}
	if until := e.at.Add(p.set.RefreshInterval); until.After(e.keep) {
		e.keep = until
	}
	return e.cluster, true
}

// remember what was described.
func (pl *place) remember(p *pass, c registry.Cluster, at time.Time) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if c.Status != registry.Active {
		delete(pl.clusters, c.Name)
		return
	}
	pl.clusters[c.Name] = &entry{
		cluster: c, at: at, share: shareOf(p.d.cfg.Seed, c.ARN(), at), keep: at.Add(p.set.RefreshInterval),
	}
}

func (pl *place) forget(name string) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	delete(pl.clusters, name)
}

// prune what nobody wants any more.
func (pl *place) prune(now time.Time) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	maps.DeleteFunc(pl.clusters, func(_ string, e *entry) bool { return now.After(e.keep) })
}

// describe asks EKS for a cluster by its name.
func (pl *place) describe(ctx context.Context, w *words, name string) (registry.Cluster, registry.Presence, error) {
	select {
	case pl.turns <- struct{}{}:
		defer func() { <-pl.turns }()
	case <-ctx.Done():
		return registry.Cluster{}, registry.Unknown, fmt.Errorf("waiting to describe the cluster %s of %s: %w", name, pl, ctx.Err())
	}
	id := pl.id(name)
	out, err := pl.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	if _, gone := errors.AsType[*ekstypes.ResourceNotFoundException](err); gone {
		return registry.Cluster{}, registry.Gone, nil
	}
	if err != nil {
		return registry.Cluster{}, registry.Unknown, explain("describing the cluster "+name+" of "+pl.String(), "eks:DescribeCluster on "+id.ARN(), pl.account, err)
	}
	c, err := clusterOf(id, out.Cluster, w)
	if err != nil {
		return registry.Cluster{}, registry.Unknown, fmt.Errorf("describing the cluster %s of %s: %w", name, pl, err)
	}
	return c, registry.Present, nil
}

var errAnother = errors.New("EKS answered with another cluster")

// clusterOf what EKS answered. The SDK's own structures are not kept.
func clusterOf(id registry.ID, c *ekstypes.Cluster, w *words) (registry.Cluster, error) {
	switch {
	case c == nil:
		return registry.Cluster{}, errors.New("EKS answered with no cluster")
	case aws.ToString(c.Arn) != id.ARN():
		return registry.Cluster{}, fmt.Errorf("%w: %q, asked for %s", errAnother, aws.ToString(c.Arn), id.ARN())
	}
	id.Name = strings.Clone(id.Name)
	out := registry.Cluster{
		ID: id, Status: registry.Status(w.intern(string(c.Status))), Version: w.intern(aws.ToString(c.Version)),
		Endpoint: strings.Clone(aws.ToString(c.Endpoint)), Tags: w.internMap(c.Tags), Created: aws.ToTime(c.CreatedAt),
	}
	if c.CertificateAuthority != nil {
		out.CA = strings.Clone(aws.ToString(c.CertificateAuthority.Data))
	}
	if v := c.ResourcesVpcConfig; v != nil {
		out.VPC, out.ClusterSecurityGroup = w.intern(aws.ToString(v.VpcId)), strings.Clone(aws.ToString(v.ClusterSecurityGroupId))
		out.PublicAccess, out.PrivateAccess = v.EndpointPublicAccess, v.EndpointPrivateAccess
		out.PublicCIDRs, out.SecurityGroups = w.internAll(v.PublicAccessCidrs), w.internAll(v.SecurityGroupIds)
	}
	return out, nil
}
