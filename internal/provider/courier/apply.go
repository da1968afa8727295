package courier

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// readLimit bounds the look at what is live after a shift, which must not be missed
// although Terraform is told to stop.
const readLimit = time.Minute

func (c *courier[M, P]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	config, plan := P(new(M)), P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, plan)...)
	if resp.Diagnostics.HasError() || !c.ready(&resp.Diagnostics) {
		return
	}
	limit, diags := plan.base().Timeouts.Create(ctx, 0)
	resp.Diagnostics.Append(diags...)
	end, ok := c.run(ctx, job[P]{config: config, limit: limit}, &resp.Diagnostics)
	if !ok {
		// No state: a tainted rule would be destroyed and made anew, and it carries
		// traffic. The next apply finds it by its tag.
		return
	}
	c.settle(ctx, plan, end, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (c *courier[M, P]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	config, plan, prior := P(new(M)), P(new(M)), P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, prior)...)
	if resp.Diagnostics.HasError() || !c.ready(&resp.Diagnostics) {
		return
	}
	limit, diags := plan.base().Timeouts.Update(ctx, 0)
	resp.Diagnostics.Append(diags...)
	end, ok := c.run(ctx, job[P]{config: config, limit: limit, owned: config.moved(prior) == ""}, &resp.Diagnostics)
	if ok {
		c.settle(ctx, plan, end, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
		return
	}
	c.fallBack(ctx, prior, end, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, prior)...)
}

// job is one shift to run.
type job[P model] struct {
	config P
	limit  time.Duration // 0: none
	owned  bool          // the state says that the route is ours
}

// run the shift; ok is false when the declared weights are not live in the end.
func (c *courier[M, P]) run(ctx context.Context, j job[P], diags *diag.Diagnostics) (end engine.Result, ok bool) {
	conn := c.connect(ctx, j.config, diags)
	ts, _, more := convert(j.config, conn)
	diags.Append(more...)
	if diags.HasError() {
		return end, false
	}
	names := namer(manifest.Names(ts))
	sh, err := c.data.Shifts.Open(ctx, conn, owned(ts, j.owned))
	if err != nil {
		diags.AddError("The shift was not started", fmt.Sprintf("%s: %s.", j.config.address(), err))
		return end, false
	}
	s := j.config.base()
	rec, err := newRecorder(context.WithoutCancel(ctx), s.StatusFile.ValueString(), names)
	if err != nil {
		diags.AddAttributeError(path.Root("status_file"), "The shift was not started", err.Error())
		return end, false
	}
	stop := watch(ctx, j.limit)
	end, err = sh.Run(context.WithoutCancel(ctx), RunOptions{Recorder: rec, Interrupted: stop.interrupted, Replace: s.Replace.ValueBool()})
	why := stop.end()
	if ferr := rec.close(); ferr != nil {
		diags.AddAttributeWarning(path.Root("status_file"), "The status file is not complete", ferr.Error())
	}
	return end, c.conclude(spoken{j.config.address(), placeOf(ts.Spec.Route), names}, rec, outcome{end, err, why}, diags)
}

// owned is the shift of a route that the state says is ours, whoever made it.
func owned(ts *v1alpha1.TrafficShift, ours bool) *v1alpha1.TrafficShift {
	if !ours || ts.Spec.Route.ALB == nil {
		return ts
	}
	out := ts.DeepCopy()
	out.Spec.Route.ALB.Adopt = true
	return out
}

// outcome of a run, and why it was interrupted, if it was.
type outcome struct {
	result engine.Result
	err    error
	why    string
}

// spoken of a route: in Terraform's words, as norikae's command line is told it, and its
// destinations' names.
type spoken struct {
	address, place string
	names          namer
}

// conclude tells how a run ended; true when the declared weights are live.
func (c *courier[M, P]) conclude(of spoken, rec *recorder, o outcome, diags *diag.Diagnostics) bool {
	if !o.result.Phase.Done() {
		text := fmt.Sprintf("%s: %v.", of.address, o.err)
		if o.why != "" {
			text += "\n" + o.why
		}
		diags.AddError("The shift was not started", text)
		return false
	}
	if o.err != nil {
		diags.AddWarning("The shift ended with a fault", o.err.Error())
	}
	if o.result.Phase != shift.Succeeded {
		title, detail := of.names.result(o, of.place)
		diags.AddError(title, of.address+": "+detail)
		return false
	}
	if len(rec.held) > 0 {
		took := o.result.Finished.Sub(o.result.Started).Round(time.Second)
		diags.AddWarning("The shift was disturbed", fmt.Sprintf("%s: the declared weights are live after %s, in spite of:\n- %s", of.address, manifest.Duration(took), strings.Join(rec.held, "\n- ")))
	}
	return true
}

// stopper closes interrupted when Terraform is told to stop, or a limit ends.
type stopper struct {
	interrupted chan struct{}
	done        chan struct{}
	ended       chan string
}

func watch(ctx context.Context, limit time.Duration) *stopper {
	s := &stopper{interrupted: make(chan struct{}), done: make(chan struct{}), ended: make(chan string, 1)}
	go func() {
		var late <-chan time.Time
		if limit > 0 {
			t := time.NewTimer(limit)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-s.done:
			s.ended <- ""
		case <-ctx.Done():
			close(s.interrupted)
			s.ended <- "Terraform was told to stop; on_interrupt says what happens then."
		case <-late:
			close(s.interrupted)
			s.ended <- fmt.Sprintf("The time in the timeouts block, %s, was over; on_interrupt says what happens then.", manifest.Duration(limit))
		}
	}()
	return s
}

// end of the watch; the sentence says why the run was interrupted, "" if it was not.
func (s *stopper) end() string {
	close(s.done)
	return <-s.ended
}

// settle makes a plan the state after a shift that succeeded.
func (c *courier[M, P]) settle(ctx context.Context, plan P, end engine.Result, diags *diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
	defer cancel()
	s := plan.base()
	split := end.Live
	if r, err := c.read(ctx, plan, diags); err != nil {
		diags.AddWarning("The weights could not be read after the shift", fmt.Sprintf("%s: %s. The shift itself succeeded, and the next plan reads them.", plan.address(), err))
	} else {
		split = r.Live.Split
		if a, ok := any(plan).(*albModel); ok {
			a.ARN = types.StringValue(r.ARN)
		}
		if s.ID.IsUnknown() && r.ARN != "" {
			s.ID = types.StringValue(r.ARN)
		}
	}
	if a, ok := any(plan).(*albModel); ok && a.ARN.IsUnknown() {
		a.ARN = types.StringNull()
	}
	if s.ID.IsUnknown() {
		s.ID = types.StringValue(plan.address())
	}
	s.LiveWeights = weightsOf(split)
	s.Unfinished = types.StringNull()
	if s.PlannedSteps.IsUnknown() {
		s.PlannedSteps = stringList(nil)
	}
	if s.Manifest.IsUnknown() {
		s.Manifest = types.StringNull()
	}
}

// fallBack makes the state before a shift that did not succeed what is live now.
func (c *courier[M, P]) fallBack(ctx context.Context, prior P, end engine.Result, diags *diag.Diagnostics) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
	defer cancel()
	r, err := c.read(ctx, prior, diags)
	if err == nil {
		c.refresh(prior, r)
		return
	}
	diags.AddWarning("The weights could not be read after the shift", fmt.Sprintf("%s: %s. The state has those that were seen last.", prior.address(), err))
	if end.Live != nil {
		c.seen(prior, end.Live)
	}
}

func (c *courier[M, P]) seen(m P, live traffic.Split) {
	s := m.base()
	s.Destinations = c.kind.destinationsAt(s.Destinations, live)
	s.LiveWeights = weightsOf(live)
}

func stringList(lines []string) types.List {
	values := make([]attr.Value, len(lines))
	for i, l := range lines {
		values[i] = types.StringValue(l)
	}
	return types.ListValueMust(types.StringType, values)
}
