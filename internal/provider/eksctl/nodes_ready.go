package eksctl

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/eksctl"
)

// betweenLooks at a node group that is being made. EKS takes 1–3 min.
const betweenLooks = 5 * time.Second

// takePods waits until the managed node groups of a ClusterConfig can take the pods of those
// that go. eksctl waits for what it makes; but a node group may be there, and not ready,
// because an eksctl that was to wait for it was killed.
func (s *session) takePods(ctx context.Context, cluster string, before, after *eksctl.Config) error {
	if before == nil || len(eksctl.Compare(before, after).NodeGroups.Removed) == 0 {
		return nil
	}
	for _, n := range after.NodeGroups {
		if !n.Managed {
			continue // of those nothing is known without CloudFormation
		}
		if err := s.takesPods(ctx, cluster, n.Name); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) takesPods(ctx context.Context, cluster, name string) error {
	for {
		g, err := s.config.Clusters.NodeGroup(ctx, s.conn, cluster, name)
		if err != nil {
			return err
		}
		switch {
		case g.Status == "ACTIVE":
			return nil
		case !slices.Contains([]string{"CREATING", "UPDATING"}, g.Status):
			return fmt.Errorf("the node group %s is %s, so those that are no longer declared were left, with their pods; see its health issues: "+
				"aws eks describe-nodegroup --cluster-name %s --nodegroup-name %s", name, g.Status, cluster, name)
		}
		select {
		case <-time.After(betweenLooks):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the node group %s, which is %s: %w", name, g.Status, context.Cause(ctx))
		}
	}
}
