package eksctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/fault"
)

// Update implements resource.Resource: new node groups are made before old ones go.
func (r *clusterResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state clusterModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, d := plan.Timeouts.Update(ctx, defaultTimeout)
	resp.Diagnostics.Append(d...)
	conn := plan.connection(ctx, &resp.Diagnostics)
	conn.Region = plan.Region.ValueString()
	if resp.Diagnostics.HasError() {
		return
	}
	outer := ctx
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	s := r.session(conn, plan.program())
	if err := r.update(ctx, s, &plan, &state, timeout, &resp.Diagnostics); err != nil {
		resp.Diagnostics.AddError("The cluster was not updated completely", why(late(ctx, err), "update")+
			"\n\nThe state has what was live before and what exists now; the next apply does what is missing.")
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
		if kept(ctx, req.Private, importedKey) {
			resp.Diagnostics.Append(resp.Private.SetKey(ctx, importedKey, []byte("false"))...)
		}
		return
	}
	look, done := afterwards(outer)
	defer done()
	r.keepLive(look, s, &state, resp)
}

// keepLive puts what is live into the state that was before an update that failed, and the
// access that it gave: who declares no more of it takes it away.
func (r *clusterResource) keepLive(ctx context.Context, s *session, state *clusterModel, resp *resource.UpdateResponse) {
	if len(s.given) > 0 {
		all := slices.DeleteFunc(state.mappings(ctx, &resp.Diagnostics), func(m mapping) bool {
			return slices.ContainsFunc(s.given, func(g mapping) bool { return g.ARN == m.ARN })
		})
		state.Mappings = mappingSet(ctx, append(all, s.given...), &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("iam_identity_mapping"), state.Mappings)...)
	}
	c, err := s.config.Clusters.Describe(ctx, s.conn, state.Name.ValueString())
	if err != nil {
		return // the rest of the state before it stays
	}
	cfg, err := state.generate(ctx, state.Version.ValueString(), &resp.Diagnostics)
	if err != nil {
		cfg = &eksctl.Config{}
	}
	r.observe(ctx, s, state, cfg, c, &resp.Diagnostics)
	state.settle()
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *clusterResource) update(ctx context.Context, s *session, plan, state *clusterModel, timeout time.Duration, diags *diag.Diagnostics) error {
	name := plan.Name.ValueString()
	c, err := s.config.Clusters.Describe(ctx, s.conn, name)
	if err != nil {
		return err
	}
	if state.isUnfinished() {
		was := *state
		state = &was
		r.relearn(ctx, s, state, c, diags)
	}
	version := plan.Version.ValueString()
	cfg, err := plan.declared(ctx, diags)
	if err != nil {
		return err
	}
	wait := []string{"--timeout", timeout.String(), "--color=false"}
	if version != "" && version != c.Version {
		if err := s.run(ctx, cfg.YAML, append([]string{"upgrade", "cluster", "-f", "-", "--approve"}, wait...)...); err != nil {
			return err
		}
	}
	before := r.before(ctx, state, diags)
	done := before // what eksctl is known to have done
	if state.isUnfinished() {
		done = nil
	}
	diff := eksctl.Compare(done, cfg)
	live := elements[string](ctx, state.NodeGroups, diags)
	missing := slices.ContainsFunc(cfg.Names(), func(n string) bool { return !slices.Contains(live, n) }) ||
		done == nil && slices.ContainsFunc(cfg.NodeGroups, func(n eksctl.NodeGroup) bool { return !n.Managed }) // eksctl leaves out those that it has
	for _, step := range []struct {
		needed bool
		args   []string
	}{
		{missing, []string{"create", "nodegroup", "-f", "-"}},
		{cfg.OIDC && (done == nil || !done.OIDC), []string{"utils", "associate-iam-oidc-provider", "-f", "-", "--approve"}},
		{len(diff.ServiceAccounts.Added) > 0, []string{"create", "iamserviceaccount", "-f", "-", "--approve"}},
		{len(diff.FargateProfiles.Added) > 0, []string{"create", "fargateprofile", "-f", "-"}},
	} {
		if !step.needed {
			continue
		}
		if err := s.run(ctx, cfg.YAML, append(step.args, wait...)...); err != nil {
			return err
		}
	}
	if err := drain(ctx, s, plan, state, diags); err != nil {
		return err
	}
	if err := s.takePods(ctx, name, before, cfg); err != nil {
		return err
	}
	if err := remove(ctx, s, before, eksctl.Compare(before, cfg), wait); err != nil {
		return err
	}
	return r.finish(ctx, s, plan, state, diags)
}

// before is the ClusterConfig of the state; nil: there is none, as after an import.
func (r *clusterResource) before(ctx context.Context, state *clusterModel, diags *diag.Diagnostics) *eksctl.Config {
	if state.Spec.IsNull() {
		return nil
	}
	cfg, err := state.declared(ctx, diags)
	if err != nil {
		return nil
	}
	return cfg
}

// remove what a ClusterConfig no longer has: only what the one before it had, because the
// rest may be somebody else's.
func remove(ctx context.Context, s *session, before *eksctl.Config, d eksctl.Difference, wait []string) error {
	if gone := d.NodeGroups.Removed; len(gone) > 0 {
		args := []string{"delete", "nodegroup", "-f", "-", "--include", strings.Join(gone, ","), "--drain", "--approve", "--wait"}
		if err := s.run(ctx, before.YAML, append(args, wait...)...); err != nil {
			return err
		}
	}
	drop := func(kind string, names ...string) error {
		args := append([]string{"delete", kind, "--cluster", before.Name, "--region", before.Region}, names...)
		return s.run(ctx, "", append(append(args, "--wait"), wait...)...)
	}
	for _, name := range d.FargateProfiles.Removed {
		if err := drop("fargateprofile", "--name", name); err != nil {
			return err
		}
	}
	for _, x := range d.ServiceAccounts.Removed {
		namespace, name, _ := strings.Cut(x, "/")
		if err := drop("iamserviceaccount", "--namespace", namespace, "--name", name); err != nil {
			return err
		}
	}
	return nil
}

// drain the node groups whose entry in drain_node_groups changed.
func drain(ctx context.Context, s *session, plan, state *clusterModel, diags *diag.Diagnostics) error {
	want, was := map[string]bool{}, map[string]bool{}
	if !plan.Drain.IsNull() {
		diags.Append(plan.Drain.ElementsAs(ctx, &want, false)...)
	}
	if !state.Drain.IsNull() {
		diags.Append(state.Drain.ElementsAs(ctx, &was, false)...)
	}
	for _, n := range slices.Sorted(maps.Keys(want)) {
		if want[n] == was[n] {
			continue
		}
		args := []string{"drain", "nodegroup", "--cluster", plan.Name.ValueString(), "--region", plan.Region.ValueString(), "--name", n, "--color=false"}
		if !want[n] {
			args = append(args, "--undo")
		}
		if err := s.run(ctx, "", args...); err != nil {
			return err
		}
	}
	return nil
}

// finish does what creation and update have in common after eksctl, and puts what is live
// into m. state is what was before; nil: nothing.
func (r *clusterResource) finish(ctx context.Context, s *session, m, state *clusterModel, diags *diag.Diagnostics) error {
	c, err := s.config.Clusters.Describe(ctx, s.conn, m.Name.ValueString())
	if err != nil {
		return err
	}
	if want := m.Version.ValueString(); want != "" && want != c.Version {
		return fmt.Errorf("eksctl reported success, but the cluster has Kubernetes %s, not %s", c.Version, want)
	}
	if state == nil {
		if err := drain(ctx, s, m, &clusterModel{}, diags); err != nil {
			return err
		}
	}
	if err := r.putMappings(ctx, s, m, state, c, diags); err != nil {
		return err
	}
	t := Target{c, s.conn}
	if m.KubeconfigPath.ValueString() == "" {
		m.KubeconfigPath = types.StringValue(r.kubeconfigPath(m))
	}
	if err := s.config.Kubeconfigs.Write(m.KubeconfigPath.ValueString(), t); err != nil {
		return fmt.Errorf("writing the kubeconfig %s (kubeconfig_path): %w", m.KubeconfigPath.ValueString(), err)
	}
	if err := s.workloads(ctx, t, m, diags); err != nil {
		return err
	}
	cfg, err := m.generate(ctx, m.Version.ValueString(), diags)
	if err != nil {
		return err
	}
	if m.ClusterConfig.IsUnknown() {
		m.ClusterConfig = types.StringValue(cfg.YAML)
	}
	wanted := m.NodeGroups
	r.observe(ctx, s, m, cfg, c, diags)
	if all := stringSet(ctx, cfg.Names(), diags); (!wanted.IsUnknown() && !wanted.Equal(m.NodeGroups)) || !all.Equal(m.NodeGroups) {
		return fmt.Errorf("eksctl reported success, but of the node groups %s only %s are there", all, m.NodeGroups)
	}
	if m.Auth.IsUnknown() { // else it was promised
		if live := s.liveMappings(ctx, c, m.mappings(ctx, diags), diags); live != nil {
			m.Auth = mappingSet(ctx, live, diags)
		} else if state != nil {
			m.Auth = state.Auth
		}
	}
	m.settle()
	return nil
}

// workloads applies manifests and waits for pods.
func (s *session) workloads(ctx context.Context, t Target, m *clusterModel, diags *diag.Diagnostics) error {
	if manifests := elements[string](ctx, m.Manifests, diags); len(manifests) > 0 {
		if err := s.config.Workloads.Apply(ctx, t, manifests); err != nil {
			return fmt.Errorf("applying manifests: %w", err)
		}
	}
	for _, p := range elements[readiness](ctx, m.Readiness, diags) {
		timeout := time.Duration(p.TimeoutSec.ValueInt64()) * time.Second
		if err := s.config.Workloads.Ready(ctx, t, p.Namespace, p.Labels, timeout); err != nil {
			return fmt.Errorf("waiting for pods with the labels %v in %s (pods_readiness_check): %w", p.Labels, p.Namespace, err)
		}
	}
	return nil
}

// kubeconfigPath is where a kubeconfig lies that has no other place: beside Terraform's
// own files, which are private to a working directory and not committed.
func (r *clusterResource) kubeconfigPath(m *clusterModel) string {
	dir := ".terraform"
	for _, kv := range r.data.config.Environ {
		if v, ok := strings.CutPrefix(kv, "TF_DATA_DIR="); ok && v != "" {
			dir = v
		}
	}
	p := filepath.Join(dir, defaultPlace(m))
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// defaultPlace is the end of every path that kubeconfigPath makes for a cluster.
func defaultPlace(m *clusterModel) string {
	return filepath.Join("eksctl", m.Region.ValueString(), m.Name.ValueString()+".kubeconfig")
}

// keepKubeconfig writes the kubeconfig again where it is missing, and where one of ours says
// something else than it should: the cluster was made anew, or the program that makes its
// tokens is elsewhere. A path that was made on another machine becomes one on this.
func (r *clusterResource) keepKubeconfig(m *clusterModel, t Target, diags *diag.Diagnostics) {
	if t.Cluster.Endpoint == "" {
		return
	}
	p := m.KubeconfigPath.ValueString()
	if _, err := os.Stat(p); p != "" && err == nil {
		if err := r.data.config.Kubeconfigs.Write(p, t); err != nil && !errors.Is(err, fault.ErrConflict) {
			diags.AddAttributeWarning(path.Root("kubeconfig_path"), "The kubeconfig may be old", why(err, "create"))
		}
		return
	}
	here := r.kubeconfigPath(m)
	if p == "" || strings.HasSuffix(p, string(filepath.Separator)+defaultPlace(m)) {
		p = here
	}
	err := r.data.config.Kubeconfigs.Write(p, t)
	if err != nil && p != here {
		if e := r.data.config.Kubeconfigs.Write(here, t); e == nil {
			diags.AddAttributeWarning(path.Root("kubeconfig_path"), "The kubeconfig is elsewhere",
				fmt.Sprintf("It was missing, and could not be written to %s (%v). It is now at %s.", p, err, here))
			p, err = here, nil
		}
	}
	if err != nil {
		diags.AddAttributeWarning(path.Root("kubeconfig_path"), "The kubeconfig is missing", why(err, "create"))
		return
	}
	m.KubeconfigPath = types.StringValue(p)
}
