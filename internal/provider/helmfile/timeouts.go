package helmfile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/norikae/norikae/internal/helmfile"
)

// The operations that a block timeouts bounds.
const (
	create = "create"
	read   = "read"
	update = "update"
	remove = "delete"
)

// How long an operation may take when the block timeouts does not say.
const (
	lookLimit = 20 * time.Minute // read, and the diff of a plan
	workLimit = time.Hour        // all others
)

func timeoutsBlock(ctx context.Context) schema.Block {
	const end = "; then helmfile and helm are interrupted, and killed when they have not ended 30 s later. Default: `1h`."
	return timeouts.Block(ctx, timeouts.Opts{
		Create: true, Read: true, Update: true, Delete: true,
		CreateDescription: "How long a create may take in all, such as `90m`" + end,
		UpdateDescription: "How long an update may take in all, such as `90m`" + end,
		DeleteDescription: "How long a destroy may take in all, such as `90m`" + end,
		ReadDescription:   "How long `helmfile diff` may take at a refresh and at a plan, such as `5m`. Default: `20m`.",
	})
}

// overtime is why an operation was ended.
type overtime struct {
	operation string
	limit     time.Duration
}

func (o *overtime) Error() string {
	return fmt.Sprintf("it took longer than %s, which is what timeouts.%s allows", o.limit, o.operation)
}

// limitOf an operation.
func limitOf(ctx context.Context, t timeouts.Value, operation string, diags *diag.Diagnostics) time.Duration {
	of, otherwise := t.Create, workLimit
	switch operation {
	case read:
		of, otherwise = t.Read, lookLimit
	case update:
		of = t.Update
	case remove:
		of = t.Delete
	}
	limit, more := of(ctx, otherwise)
	diags.Append(more...)
	return limit
}

// bounded is a context that ends when the operation has taken as long as it may.
func bounded(ctx context.Context, m declared, operation string, diags *diag.Diagnostics) (context.Context, context.CancelFunc) {
	limit := limitOf(ctx, m.common().Timeouts, operation, diags)
	return context.WithTimeoutCause(ctx, limit, &overtime{operation, limit})
}

// checkTimeouts refuses those that nothing can keep.
func checkTimeouts(ctx context.Context, m declared, diags *diag.Diagnostics) {
	for _, operation := range []string{create, read, update, remove} {
		if limit := limitOf(ctx, m.common().Timeouts, operation, diags); limit <= 0 {
			diags.AddAttributeError(path.Root("timeouts").AtName(operation), "A timeout that is no time",
				fmt.Sprintf("timeouts.%s = %q: want more than 0, such as \"30m\".", operation, limit))
		}
	}
}

// why an operation failed, and what to do when its time was over or somebody ended it.
func why(err error) string {
	text := err.Error()
	if late, ok := errors.AsType[*overtime](err); ok {
		text += fmt.Sprintf("\nhelmfile and helm were interrupted; what had not ended %s later was killed. When more time is all that it needs: timeouts { %s = %q }.",
			helmfile.DefaultGrace, late.operation, plain(2*late.limit))
	}
	return text
}

// plain is a duration without zeros at its end.
func plain(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return d.String()
	}
}
