package awsconf

import (
	"context"
	"fmt"
	"strings"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// bucket is a token bucket: calls per second, and how many may come at once.
type bucket struct {
	perSecond rate.Limit
	burst     int
}

// limits keep a loop that went wrong from eating the request quota that an account
// shares with its load balancer controllers, autoscalers and people. The buckets are
// those that AWS documents (reads) and the AWS Load Balancer Controller keeps to
// (writes); a shift needs a small part of them. Route 53 counts all calls together.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by service ID and kind of call
}

func newLimits() *limits { return &limits{buckets: map[string]*rate.Limiter{}} }

func bucketFor(service, operation string) (key string, b bucket) {
	reads := strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
	switch {
	case service == "Elastic Load Balancing v2" && reads:
		return service + " read", bucket{10, 40}
	case service == "Elastic Load Balancing v2":
		return service + " write", bucket{3, 20}
	case service == "Route 53": // 5 requests/s for a whole account were its quota for long
		return service, bucket{4, 2}
	default:
		return service, bucket{10, 20}
	}
}

func (l *limits) limiter(service, operation string) *rate.Limiter {
	key, b := bucketFor(service, operation)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets[key] == nil {
		l.buckets[key] = rate.NewLimiter(b.perSecond, b.burst)
	}
	return l.buckets[key]
}

// middleware waits for a token before each call, once, however often it is retried: the
// retryer's pauses pace the attempts.
func (l *limits) middleware(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("norikaeRateLimit", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
		if err := l.limiter(service, operation).Wait(ctx); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("waiting for the client-side rate limit: %w", err)
		}
		return next.HandleFinalize(ctx, in)
	}), middleware.Before)
}

// deadline bounds a call with all its attempts.
func deadline(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("norikaeDeadline", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// userAgent adds norikae/VERSION to the SDK's own.
func userAgent(version string) []func(*middleware.Stack) error {
	if version == "" {
		version = "dev"
	}
	return []func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("norikae", version)}
}
