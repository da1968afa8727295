package courier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// ModifyPlan shows what an apply would write. What it puts into the plan depends on the
// configuration and the state alone, never on what AWS says at the moment: Terraform
// plans once more when it applies, and would refuse another answer.
func (c *courier[M, P]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		c.planDestroy(ctx, req, resp)
		return
	}
	config, plan := P(new(M)), P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, plan)...)
	var prior P
	if !req.State.Raw.IsNull() {
		prior = P(new(M))
		resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if prior != nil && prior.base().Unfinished.ValueString() == "" {
		resp.Diagnostics.Append(resp.Plan.Set(ctx, c.unmoved(ctx, req, prior, &resp.Diagnostics))...)
		if resp.Plan.Raw.Equal(req.State.Raw) {
			return // settled: nobody is asked, nothing is written
		}
	}
	if prior != nil && !c.planMove(plan, prior, resp) {
		return
	}
	known := req.Config.Raw.IsFullyKnown() && c.data != nil && c.data.Known
	ts := c.planComputed(ctx, config, plan, prior, known, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if known && ts != nil && !resp.Diagnostics.HasError() {
		c.preview(ctx, config, owned(ts, prior != nil && config.moved(prior) == ""), prior == nil, &resp.Diagnostics)
	}
}

// unmoved is the plan if nothing is to be done: the framework has made unknown what is
// computed, although another spelling alone is configured.
func (c *courier[M, P]) unmoved(ctx context.Context, req resource.ModifyPlanRequest, prior P, diags *diag.Diagnostics) P {
	out := P(new(M))
	diags.Append(req.Plan.Get(ctx, out)...)
	s, was := out.base(), prior.base()
	s.Manifest, s.PlannedSteps, s.LiveWeights, s.Unfinished = was.Manifest, was.PlannedSteps, was.LiveWeights, was.Unfinished
	return out
}

func (c *courier[M, P]) planDestroy(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	prior := P(new(M))
	resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
	if resp.Diagnostics.HasError() || prior.forced() || splitOf(prior.base(), c.kind.id).Sum() == 0 {
		return
	}
	resp.Diagnostics.AddWarning("Destroy will be refused", prior.address()+" carries traffic: "+
		namer{}.split(splitOf(prior.base(), c.kind.id))+". Apply force_destroy = true first to have it deleted all the same, or keep the rule and forget this resource with terraform state rm.")
}

// planMove deals with a courier that becomes one of another route. A rule that carries
// traffic is never deleted for that.
func (c *courier[M, P]) planMove(plan, prior P, resp *resource.ModifyPlanResponse) bool {
	what := plan.moved(prior)
	switch {
	case what == "":
		return true
	case c.kind.replaceable || prior.forced():
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root(what))
		return true
	}
	resp.Diagnostics.AddAttributeError(path.Root(what), "Another rule",
		fmt.Sprintf("%s is another than that of the state, which would delete %s, and it carries traffic. Either keep it; or add a second courier for the new rule and remove this one with terraform state rm; or apply force_destroy = true first, and then this change, which deletes the rule and makes the new one.", what, prior.address()))
	return false
}

// planComputed fills in what is computed. The result is nil when nothing can be said.
func (c *courier[M, P]) planComputed(ctx context.Context, config, plan, prior P, known bool, diags *diag.Diagnostics) *v1alpha1.TrafficShift {
	s := plan.base()
	s.Unfinished = types.StringNull()
	s.Manifest, s.PlannedSteps, s.LiveWeights = types.StringUnknown(), types.ListUnknown(types.StringType), types.MapUnknown(types.Int64Type)
	if a, ok := any(plan).(*albModel); ok && (prior == nil || a.ListenerARN.IsUnknown() || plan.moved(prior) != "") {
		a.ARN = types.StringUnknown()
	}
	if !known {
		return nil
	}
	conn := c.connect(ctx, config, diags)
	ts, _, more := convert(config, conn)
	diags.Append(more...)
	if diags.HasError() {
		return nil
	}
	text, err := yamlOf(ts)
	if err != nil {
		diags.AddError("The manifest cannot be written", err.Error())
		return nil
	}
	s.Manifest = types.StringValue(text)
	if prior == nil || prior.base().Unfinished.ValueString() != "" || plan.moved(prior) != "" {
		return ts
	}
	if prior.base().Destinations.Equal(s.Destinations) {
		s.PlannedSteps, s.LiveWeights = stringList(nil), prior.base().LiveWeights
		return ts
	}
	if lines, ok := stepsFrom(ts, splitOf(prior.base(), c.kind.id)); ok {
		s.PlannedSteps = stringList(lines)
	}
	return ts
}

// splitOf is what a state says is live.
func splitOf(s *shared, id string) traffic.Split {
	var out traffic.Split
	for _, b := range blocks(s.Destinations) {
		if name := b.text(id); !out.Has(name) {
			out = append(out, traffic.Weighted{ID: name, Weight: b.whole("weight")})
		}
	}
	return out
}

// stepsFrom are the steps of a shift from the weights of a state.
func stepsFrom(ts *v1alpha1.TrafficShift, from traffic.Split) ([]string, bool) {
	spec, err := manifest.Compile(ts, analysis.Timing{})
	if err != nil {
		return nil, false // validation has said why
	}
	p, err := shift.NewPlan(spec, from, "", time.Time{}, time.Time{})
	if err != nil {
		return nil, false
	}
	return namer(manifest.Names(ts)).steps(p), true
}

// preview asks what a run would do now, and tells people.
func (c *courier[M, P]) preview(ctx context.Context, m P, ts *v1alpha1.TrafficShift, fresh bool, diags *diag.Diagnostics) {
	conn := c.connect(ctx, m, diags)
	sh, err := c.data.Shifts.Open(ctx, conn, ts)
	if err != nil {
		diags.AddError("The shift cannot be planned", fmt.Sprintf("%s: %s.", m.address(), err))
		return
	}
	pv, err := sh.Preview(ctx)
	if err != nil {
		text := fmt.Sprintf("%s: %s.", m.address(), err)
		if fresh && errors.Is(err, fault.ErrDenied) {
			diags.AddWarning("The shift could not be planned", text+" The apply checks again, before it writes anything.")
			return
		}
		diags.AddError("The shift cannot be planned", text)
		return
	}
	blockers := pv.Causes
	if u := pv.Unfinished; u != nil && m.base().Replace.ValueBool() {
		pv.Warnings = append(pv.Warnings, fmt.Sprintf("shift %q is unfinished on this route and is left for this one (replace_unfinished)", u.Name))
		blockers = slices.DeleteFunc(slices.Clone(blockers), isUnfinished)
	}
	if len(blockers) > 0 {
		c.blocked(m, placeOf(ts.Spec.Route), blockers, diags)
		return
	}
	if ts.Spec.Route.Route53 != nil && manifest.Builtin(ts.Spec) {
		pv.Warnings = append(pv.Warnings, "a load balancer without requests reports nothing: each step waits for requests, for max_hold at most, and then on_failure applies; builtin_analysis = false moves a name that nobody uses yet")
	}
	if fresh && pv.Settled {
		diags.AddWarning("It is there already", m.address()+" has these weights now. The apply takes it over as it is, and writes nothing; from then on a change of the weights moves its traffic.")
	}
	c.announce(spoken{m.address(), placeOf(ts.Spec.Route), manifest.Names(ts)}, pv, diags)
}

// blocked tells why a shift would not start.
func (c *courier[M, P]) blocked(m P, place string, blockers []error, diags *diag.Diagnostics) {
	text := m.address() + ":"
	for _, b := range blockers {
		text += "\n- " + b.Error()
	}
	if _, name := any(m).(*recordModel); name && !slices.ContainsFunc(blockers, func(b error) bool { return !isAbsent(b) }) {
		diags.AddWarning("The shift could not start now", text+"\nIf this apply makes the records first, all is well. It checks again, before it writes anything.")
		return
	}
	if slices.ContainsFunc(blockers, isUnfinished) {
		text += "\n`norikae status " + place + "` shows it. In Terraform, --replace is replace_unfinished = true."
	}
	diags.AddError("The shift would refuse to start", text)
}

// isUnfinished tells whether a blocker is a shift of another declaration.
func isUnfinished(blocker error) bool {
	_, ok := errors.AsType[*shift.UnfinishedError](blocker)
	return ok
}

// isAbsent tells whether a blocker is only that a record is not there, which the same
// apply may make first. Zones and load balancers that it makes have no ID before, and a
// plan then asks nobody.
func isAbsent(blocker error) bool {
	refusal, ok := errors.AsType[*fault.TerminalError](blocker)
	return ok && slices.Contains([]string{"RecordsNotFound", "DestinationNotFound", "NoTwin"}, refusal.Reason)
}

// announce the steps and how long they take.
func (c *courier[M, P]) announce(of spoken, pv engine.Preview, diags *diag.Diagnostics) {
	if pv.Settled {
		return
	}
	lines := []string{of.address + ": from " + of.names.split(pv.From) + " to " + of.names.split(pv.To) + "."}
	if u := pv.Unfinished; u != nil {
		lines = append(lines, fmt.Sprintf("Goes on with shift %q, started %s; its weights now are %s.", u.Name, u.Started.UTC().Format(time.RFC3339), of.names.split(pv.Live.Split)))
	}
	lines = append(lines, of.names.writes(pv)...)
	if pv.Ideal > 0 {
		lines = append(lines, "Takes at least "+manifest.Duration(pv.Ideal.Round(time.Second))+", at most "+manifest.Duration(pv.MaxDuration.Round(time.Second))+".")
	}
	if len(pv.Writes) > 1 {
		lines = append(lines, "While it runs, `norikae abort "+of.place+"` takes the traffic back, from any machine.")
	}
	if slices.ContainsFunc(pv.Writes, func(w engine.PlannedWrite) bool { return w.Approval }) {
		lines = append(lines, "`norikae approve "+of.place+"` approves the step that waits.")
	}
	for _, w := range distinctInOrder(pv.Warnings) {
		lines = append(lines, "Note: "+inTerraform(w))
	}
	title := "Traffic will shift"
	if n := len(pv.Writes); n > 0 {
		title += " in " + summary(n, "write")
	}
	diags.AddWarning(title, strings.Join(lines, "\n"))
}

func distinctInOrder(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}
