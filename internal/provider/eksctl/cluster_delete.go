package eksctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/norikae/norikae/internal/fault"
)

// eksctl deletes the EKS cluster before the last CloudFormation stacks, so that a deletion
// can fail when EKS knows the cluster no more: what is left costs money, and is nobody's if
// the state forgets it. So a deletion that failed is remembered beside the state, and only
// one that succeeds, or finds no stack, ends it.
const (
	// deletingKey is true once a deletion failed, or was seen under way.
	deletingKey = "deleting"
	// goneKey is true when, after that, EKS did not know the cluster.
	goneKey = "gone"
)

// keeper is what the framework takes to be kept beside the state.
type keeper interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// forget a deletion that failed.
func forget(ctx context.Context, p keeper, diags *diag.Diagnostics) {
	for _, key := range []string{deletingKey, goneKey} {
		diags.Append(p.SetKey(ctx, key, []byte("false"))...)
	}
}

// Delete implements resource.Resource.
func (r *clusterResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m clusterModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	timeout, d := m.Timeouts.Delete(ctx, defaultTimeout)
	resp.Diagnostics.Append(d...)
	conn := m.connection(ctx, &resp.Diagnostics)
	conn.Region = m.Region.ValueString()
	deletions := elements[deletion](ctx, m.Deletions, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	s := r.session(conn, m.program())
	c, err := s.config.Clusters.Describe(ctx, s.conn, m.Name.ValueString())
	gone := errors.Is(err, fault.ErrNotFound)
	switch {
	case err != nil && !gone:
		resp.Diagnostics.AddError("The cluster cannot be looked at", why(err, "delete"))
		return
	case !gone && !s.deleteObjects(ctx, Target{c, s.conn}, deletions, &resp.Diagnostics):
		return
	case gone && !kept(ctx, req.Private, deletingKey): // somebody else deleted it
	case !s.deleteCluster(ctx, &m, timeout, &resp.Diagnostics):
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, deletingKey, []byte("true"))...)
		return
	}
	if p := m.KubeconfigPath.ValueString(); p != "" {
		if err := s.config.Kubeconfigs.Remove(p, Target{Cluster{Name: m.Name.ValueString(), Region: m.Region.ValueString()}, s.conn}); err != nil {
			resp.Diagnostics.AddWarning("The kubeconfig stays", why(err, "delete"))
		}
	}
}

// deleteObjects of a cluster that is to go; false: one stays, and so must the cluster.
func (s *session) deleteObjects(ctx context.Context, t Target, deletions []deletion, diags *diag.Diagnostics) bool {
	at := path.Root("kubernetes_resource_deletion_before_destroy")
	if t.Cluster.Endpoint == "" && len(deletions) > 0 {
		diags.AddAttributeWarning(at, "No object was deleted before the cluster",
			fmt.Sprintf("%q is %s and has no API server that could be asked.", t.Cluster.Name, t.Cluster.Status))
		return true
	}
	for _, o := range deletions {
		if err := s.config.Workloads.Delete(ctx, t, o.Namespace, o.Kind, o.Name); err != nil {
			diags.AddAttributeError(at, "An object cannot be deleted",
				fmt.Sprintf("%s %s/%s: %s The cluster was left as it is.", o.Kind, o.Namespace, o.Name, why(late(ctx, err), "delete")))
			return false
		}
	}
	return true
}

// deleteCluster has eksctl delete a cluster and its stacks, or what is left of them.
func (s *session) deleteCluster(ctx context.Context, m *clusterModel, timeout time.Duration, diags *diag.Diagnostics) bool {
	name, region := m.Name.ValueString(), m.Region.ValueString()
	out, err := s.ask(ctx, "", "delete", "cluster", "--name", name, "--region", region, "--wait", "--timeout", timeout.String(), "--color=false")
	if err != nil && !strings.Contains(out, fmt.Sprintf("cluster %q does not exist", name)) { // then there is no stack either
		diags.AddError("The cluster could not be deleted", why(err, "delete")+
			"\n\nIt stays in the state, also when EKS does not know it any more: CloudFormation stacks of it may be left, and cost money. The next destroy has eksctl go on with them.")
		return false
	}
	if c, err := s.config.Clusters.Describe(ctx, s.conn, name); !errors.Is(err, fault.ErrNotFound) {
		diags.AddError("The cluster is still there", fmt.Sprintf("eksctl reported success, but %q in %s is %s.", name, region, statusOr(c, err)))
		return false
	}
	return true
}

func statusOr(c Cluster, err error) string {
	if err != nil {
		return "not to be seen: " + err.Error()
	}
	return c.Status
}

// vanished deals with a cluster that EKS does not know: the state keeps it when a deletion
// of it failed.
func (r *clusterResource) vanished(ctx context.Context, req resource.ReadRequest, m *clusterModel, resp *resource.ReadResponse) {
	name, region := m.Name.ValueString(), m.Region.ValueString()
	if !kept(ctx, req.Private, deletingKey) {
		resp.State.RemoveResource(ctx)
		resp.Diagnostics.AddWarning("The cluster is gone", fmt.Sprintf(
			"There is no cluster %q in %s, so the state forgets it. If a deletion of it was interrupted, CloudFormation stacks of it may be left, and cost money. This takes them away, or says that there are none:\n\n    eksctl delete cluster --name %s --region %s",
			name, region, name, region))
		return
	}
	m.Unfinished = stringList(ctx, []string{fmt.Sprintf("Deleting the cluster %q in %s failed. EKS does not know it any more; CloudFormation stacks of it may be left.", name, region)}, &resp.Diagnostics)
	m.settle()
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, goneKey, []byte("true"))...)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
	resp.Diagnostics.AddAttributeWarning(path.Root("unfinished"), "The deletion of the cluster is unfinished", fmt.Sprintf(
		"EKS does not know %q in %s any more, but its deletion failed: CloudFormation stacks of it may be left, and cost money. It stays in the state until eksctl delete cluster succeeds or finds nothing. "+
			"terraform destroy runs it again; an apply does so, too, and then makes the cluster anew.", name, region))
}
