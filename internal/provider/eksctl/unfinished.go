package eksctl

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/fault"
)

// A cluster can exist and not be complete: eksctl made it, but its pods are not ready. For
// Terraform a creation has three ends, and two of them do harm here:
//
//   - an error with a state: Terraform marks the object as tainted. Whatever a provider
//     says, the next apply deletes it and makes it again: a live cluster would go, with all
//     that runs on it, because a pod was late;
//   - an error without a state: the cluster is nobody's. terraform destroy leaves it
//     running, and what else is in its VPC cannot be deleted;
//   - success.
//
// So from the moment that eksctl is done, creation succeeds: with a warning, and with what
// was not done in the attribute unfinished. That is planned as empty, so the next plan shows
// an update, which does what is missing; an update that fails is an error, and taints
// nothing. Success must not let traffic in: until then the couriers of this run refuse to
// move any (gate), but only those of the same provider configuration: Terraform starts a
// process for each alias. Who has couriers of others, or wants the apply to end there, adds
// a postcondition to the cluster, which is an error that does not taint.

// maxReason is how much of a reason unfinished keeps, in bytes.
const maxReason = 2 << 10

// unfinished puts into the state a cluster that eksctl made and that is not complete. m is
// what was found out so far, planned what Terraform was promised.
func (r *clusterResource) unfinished(ctx context.Context, s *session, m, planned *clusterModel, cfg *eksctl.Config, cause error, later diag.Diagnostics, resp *resource.CreateResponse) {
	look, cancel := afterwards(ctx)
	defer cancel()
	name, region := m.Name.ValueString(), m.Region.ValueString()
	reasons := reasonsOf(cause, later)
	c, err := s.config.Clusters.Describe(look, s.conn, name)
	if err != nil {
		c = Cluster{Name: name, Region: region}
	}
	var lost diag.Diagnostics // what cannot be seen now, the next refresh sees
	r.observe(look, s, m, cfg, c, &lost)
	m.asPlanned(planned)
	m.Unfinished = stringList(ctx, reasons, &resp.Diagnostics)
	m.settle()
	resp.Diagnostics.Append(later.Warnings()...)
	resp.Diagnostics.Append(resp.State.Set(look, m)...)
	r.data.gate.close(region+"/"+name, reasons)
	resp.Diagnostics.AddAttributeWarning(path.Root("unfinished"), "The cluster is not complete", fmt.Sprintf(
		"%s\n\neksctl made the cluster %q in %s, and it is in the state. What comes after that was not tried: "+
			"drain_node_groups, iam_identity_mapping, kubeconfig, manifests and pods_readiness_check are done in this order. "+
			"The next apply shows an update, which does what is missing and replaces nothing; until it is done, couriers of this run and of the same provider configuration move no traffic. "+
			"Those of another alias of the provider do not see this: where there are some that depend on the cluster, give it a postcondition with the condition length(self.unfinished) == 0, which stops them all.",
		strings.Join(reasons, "\n"), name, region))
}

// reasonsOf are the causes, each as one text.
func reasonsOf(cause error, later diag.Diagnostics) []string {
	var out []string
	if cause != nil {
		out = append(out, why(cause, "create"))
	}
	for _, d := range later.Errors() {
		out = append(out, d.Summary()+": "+d.Detail())
	}
	for i, s := range out {
		if len(s) > maxReason {
			out[i] = strings.ToValidUTF8(s[:maxReason], "") + " …"
		}
	}
	return out
}

// asPlanned gives back what Terraform was promised: a refresh shows what is live of it.
func (m *clusterModel) asPlanned(planned *clusterModel) {
	if !planned.Version.IsUnknown() {
		m.Version = planned.Version
	}
	if !planned.NodeGroups.IsUnknown() {
		m.NodeGroups = planned.NodeGroups
	}
	if !planned.ClusterConfig.IsUnknown() {
		m.ClusterConfig = planned.ClusterConfig
	}
}

// isUnfinished tells whether a state says that something was not done.
func (m *clusterModel) isUnfinished() bool { return len(m.Unfinished.Elements()) > 0 }

// planUnfinished plans that nothing is left undone.
func planUnfinished(ctx context.Context, plan, state *clusterModel, diags *diag.Diagnostics) {
	switch {
	case state == nil:
		plan.Unfinished = types.ListUnknown(types.StringType)
	case state.isUnfinished():
		plan.Unfinished = stringList(ctx, nil, diags)
		diags.AddAttributeWarning(path.Root("unfinished"), "The cluster is unfinished", fmt.Sprintf(
			"When it was made, this was not done:\n\n%s\n\nThe update continues there; it makes nothing anew.", strings.Join(elements[string](ctx, state.Unfinished, diags), "\n")))
	default:
		plan.Unfinished = state.Unfinished
	}
}

// relearn replaces what an unfinished state only promised by what is live, so that the
// update does the rest.
func (r *clusterResource) relearn(ctx context.Context, s *session, state *clusterModel, c Cluster, diags *diag.Diagnostics) {
	cfg, err := state.generate(ctx, state.Version.ValueString(), diags)
	if err != nil {
		cfg = &eksctl.Config{}
	}
	r.observe(ctx, s, state, cfg, c, diags)
	r.readMappings(ctx, s, state, c, diags)
	state.Drain = types.MapNull(types.BoolType)
}

// gate keeps traffic where it is while a cluster that this run made is unfinished. It lasts
// as long as the run, and holds in this process: for one configuration of the provider.
type gate struct {
	mu   sync.Mutex
	shut map[string][]string // reasons, by region and name
}

func (g *gate) close(cluster string, reasons []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = map[string][]string{}
	}
	g.shut[cluster] = reasons
}

// check is an error while the gate is closed.
func (g *gate) check() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cluster := range slices.Sorted(maps.Keys(g.shut)) {
		return fault.Terminal("ClusterUnfinished", fmt.Errorf(
			"no traffic is moved: the cluster %s, which this run made, is not complete: %s apply again: the cluster is continued first",
			cluster, strings.Join(g.shut[cluster], " ")))
	}
	return nil
}
