package app

import (
	"context"
	"maps"
	"strings"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// callCounter counts requests to AWS by service:Operation, such as eks:ListClusters; each
// attempt counts.
type callCounter struct {
	mu    sync.Mutex
	calls map[string]uint64
}

// all of them so far.
func (c *callCounter) all() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

// middleware for a client's stack. It stands behind the retries.
func (c *callCounter) middleware(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("norikae:count", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		c.count(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx))
		return next.HandleDeserialize(ctx, in)
	}), middleware.After)
}

func (c *callCounter) count(service, operation string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]uint64{}
	}
	c.calls[strings.ToLower(strings.ReplaceAll(service, " ", "-"))+":"+operation]++
}
