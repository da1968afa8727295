// Package courier holds the Terraform resources that move traffic: each apply is a judged
// shift of the one engine. They know ports only.
package courier

import (
	"context"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/shift"
)

// Shifts makes declared shifts runnable, and routes readable.
type Shifts interface {
	// Open makes a shift from its declaration, which it validates (*manifest.Error). It
	// calls nobody but for credentials. Of ts.Spec.AWS nothing is used: c says it all.
	Open(ctx context.Context, c connection.Connection, ts *v1alpha1.TrafficShift) (Shift, error)
	// Read what is live on a route, in at most two calls when it is named by its ARN. The
	// destinations need not be known. fault.ErrNotFound: there is no such rule, listener or
	// name.
	Read(ctx context.Context, c connection.Connection, r v1alpha1.Route) (Reading, error)
	// Destroy a rule that norikae made, or that o.Owned says is ours. Where a route is not ours to delete (a
	// Destroy deletes a rule that norikae made, or that o.Owned says is ours. Of a route that
	// is not ours to delete (a default action, the records of a name) it only takes off what
	// we left there. It is no error when there is no such route.
	Destroy(ctx context.Context, c connection.Connection, r v1alpha1.Route, o DestroyOptions) error
}

// Shift is a declared shift. It keeps no journal: what it must remember is on the route.
type Shift interface {
	// Preview tells what Run would do; it writes nothing.
	Preview(ctx context.Context) (engine.Preview, error)
	// Run drives the shift to an end or to a hold. Closing interrupted acts by the
	// declaration's onInterrupt, and is still waited for. An error means that nothing was
	// started.
	Run(ctx context.Context, o RunOptions) (engine.Result, error)
}

// RunOptions of a Shift.
type RunOptions struct {
	Recorder    engine.Recorder // nil: nobody is told
	Interrupted <-chan struct{} // nil: never
	// Replace starts from the live weights although another declaration is unfinished.
	Replace bool
}

// Reading is what a route is now.
type Reading struct {
	ARN         string // of the rule; the listener's for its default action; "" of a name
	ListenerARN string
	// Rule is what an ALB's numbered rule matches, and its priority; nil for other routes.
	Rule *v1alpha1.ALBRule
	Live shift.Live
	// Owner is the name in the tag that says who made the rule; "": not norikae.
	Owner string
	// Unfinished is the mark of a shift that is under way; nil: none.
	Unfinished *shift.Mark
}

// DestroyOptions say what may be destroyed.
type DestroyOptions struct {
	// Force deletes a rule although it carries traffic: it has a destination with a weight
	// above 0.
	Force bool
	// Owned deletes a rule without norikae's tag: the state says that it is ours.
	Owned bool
}
