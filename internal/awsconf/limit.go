package awsconf

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// bucket is a token bucket: calls per second, and how many may come at once.
type bucket struct {
	perSecond rate.Limit
	burst     int
	// attempts: every attempt of a call takes a token, not the call only, and the rate falls
	// while AWS throttles. Else the retryer's pauses pace the attempts.
	attempts bool
}

// Limits keep a loop that went wrong from eating the request quota that an account
// shares with its load balancer controllers, autoscalers, nodes and people. There is a
// bucket for each account, region, service and kind of call; configurations that share
// Limits share these. The buckets of ELBv2 are those that AWS documents (reads) and the
// AWS Load Balancer Controller keeps to (writes); a shift needs a small part of them.
// Route 53 counts all calls of an account together.
//
// Those of EKS reads and of the tagging API are for discovery, which asks much more. AWS
// publishes neither quota. Nodes that join and people who sign in call DescribeCluster of
// the same account, and nodes that are throttled do not join: 5/s, with 10 at once, leave
// most of what is known to be allowed to them, and describe 500 clusters in 100 s. A page
// of the tagging API has 100 clusters, so that 5/s list 10,000 in 20 s.
type Limits struct {
	mu     sync.Mutex
	pacers map[pacerKey]*pacer
}

type pacerKey struct{ account, region, kind string }

// NewLimits of nobody so far.
func NewLimits() *Limits { return &Limits{pacers: map[pacerKey]*pacer{}} }

func bucketFor(service, operation string) (kind string, b bucket) {
	reads := strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List")
	switch {
	case service == "Elastic Load Balancing v2" && reads:
		return service + " read", bucket{perSecond: 10, burst: 40}
	case service == "Elastic Load Balancing v2":
		return service + " write", bucket{perSecond: 3, burst: 20}
	case service == serviceRoute53: // 5 requests/s for a whole account were its quota for long
		return service, bucket{perSecond: 4, burst: 2}
	case service == "EKS" && reads, service == "Resource Groups Tagging API":
		return service + " read", bucket{perSecond: 5, burst: 10, attempts: true}
	default:
		return service, bucket{perSecond: 10, burst: 20}
	}
}

const serviceRoute53 = "Route 53"

// pacer for a call; account "" is that of the caller.
func (l *Limits) pacer(account, region, service, operation string) *pacer {
	kind, b := bucketFor(service, operation)
	if service == serviceRoute53 {
		region = "" // it has none
	}
	key := pacerKey{account, region, kind}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pacers[key] == nil {
		l.pacers[key] = &pacer{Limiter: rate.NewLimiter(b.perSecond, b.burst), full: b}
	}
	return l.pacers[key]
}

// of an account: the middleware that waits for a token before each call or attempt.
func (l *Limits) of(account string) func(*middleware.Stack) error {
	wait := func(perAttempt bool) middleware.FinalizeMiddleware {
		name := "norikaeRateLimit"
		if perAttempt {
			name = "norikaeAttemptLimit"
		}
		return middleware.FinalizeMiddlewareFunc(name, func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			p := l.pacer(account, awsmiddleware.GetRegion(ctx), awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx))
			if p.full.attempts != perAttempt {
				return next.HandleFinalize(ctx, in)
			}
			if err := p.Wait(ctx); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, fmt.Errorf("waiting for the client-side rate limit: %w", err)
			}
			out, meta, err := next.HandleFinalize(ctx, in)
			if perAttempt {
				p.answered(err)
			}
			return out, meta, err
		})
	}
	return func(stack *middleware.Stack) error {
		if err := stack.Finalize.Add(wait(false), middleware.Before); err != nil {
			return err
		}
		return stack.Finalize.Insert(wait(true), (*retry.Attempt)(nil).ID(), middleware.After)
	}
}

// How a pacer gives way to throttling: each throttled attempt halves its rate, down to an
// eighth of the full one, and ends bursts; each other answer gives a twentieth of the full
// rate back. So a storm is met with a trickle, and 20 answers after it all is as before.
const (
	slowest  = 8
	recovery = 20
)

// pacer is a bucket in use.
type pacer struct {
	*rate.Limiter

	full bucket
	mu   sync.Mutex // of changes
}

// answered takes note of how an attempt ended.
func (p *pacer) answered(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch now := p.Limit(); {
	case throttled(err):
		p.SetBurst(1)
		p.SetLimit(max(now/2, p.full.perSecond/slowest))
	case err != nil && !isAPIError(err): // nobody answered
	case now < p.full.perSecond:
		p.SetLimit(min(now+p.full.perSecond/recovery, p.full.perSecond))
	case p.Burst() < p.full.burst:
		p.SetBurst(p.full.burst)
	}
}

func throttled(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	_, is := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
	return is
}

func isAPIError(err error) bool {
	_, ok := errors.AsType[smithy.APIError](err)
	return ok
}

// deadline bounds a call with all its attempts.
func deadline(limit time.Duration) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("norikaeDeadline", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	}
}

// userAgent adds norikae/VERSION to the SDK's own.
func userAgent(version string) []func(*middleware.Stack) error {
	if version == "" {
		version = "dev"
	}
	return []func(*middleware.Stack) error{awsmiddleware.AddUserAgentKeyValue("norikae", version)}
}
