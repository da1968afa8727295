// Package events receives from an SQS queue which clusters have changed, so that they are
// looked at within seconds. It hastens the polling of AWS, and replaces none of it: events
// get lost, come twice, late and in any order, and tell that a call was accepted, not
// what became of it.
//
// The queue is the target of a rule of EventBridge, in every account and region or on one
// bus that they all send to, with this pattern:
//
//	{"source": ["aws.eks"], "detail-type": ["AWS API Call via CloudTrail"],
//	 "detail": {"eventSource": ["eks.amazonaws.com"], "eventName": ["CreateCluster", "DeleteCluster",
//	  "TagResource", "UntagResource", "UpdateClusterConfig", "UpdateClusterVersion"]}}
//
// The caller needs sqs:ReceiveMessage and sqs:DeleteMessage for the queue.
package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/registry"
)

const (
	// Poll is how long one call waits for messages, the most that SQS allows: clients need
	// that much more time for it (awsconf.Options.Wait).
	Poll = 20 * time.Second

	most       = 10               // messages of one call, the most that SQS allows
	maxReceive = 10               // times that a message is tried; polling finds what it was about
	minPause   = time.Second      // after a failure, and between empty answers
	maxPause   = 60 * time.Second // after many
)

// API is the part of the SQS client that a Receiver needs.
type API interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
}

var _ API = (*sqs.Client)(nil)

// Config of a Receiver.
type Config struct {
	API      API    // of the queue's region; see Region
	QueueURL string // https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
	// Changed is told which clusters to look at: each once, at least one. When it fails,
	// they come again after the queue's visibility timeout, ten times at most.
	Changed func(ctx context.Context, ids []registry.ID) error
	Log     *slog.Logger // nil: none
}

// Receiver receives events until it is told to end.
type Receiver struct {
	cfg Config

	clusters, unknown, givenUp, failures atomic.Uint64
}

// Counts of a Receiver since it was made.
type Counts struct {
	Clusters uint64 // messages about a cluster that were passed on
	Unknown  uint64 // messages that were about no cluster, and deleted
	GivenUp  uint64 // messages that could not be passed on, again and again, and deleted
	Failures uint64 // calls of AWS and of Config.Changed that failed
}

// Counts so far.
func (r *Receiver) Counts() Counts {
	return Counts{Clusters: r.clusters.Load(), Unknown: r.unknown.Load(), GivenUp: r.givenUp.Load(), Failures: r.failures.Load()}
}

// New makes a Receiver.
func New(cfg Config) (*Receiver, error) {
	if cfg.API == nil || cfg.Changed == nil {
		return nil, errors.New("events: API and Changed are required")
	}
	u, err := url.Parse(cfg.QueueURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || !regexp.MustCompile(`^/\d{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$`).MatchString(u.Path) {
		return nil, fmt.Errorf("the queue's URL %q is not of the form https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", cfg.QueueURL)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Receiver{cfg: cfg}, nil
}

// Region of a queue by its URL; "" where its host does not tell, as a simulator's.
func Region(queueURL string) string {
	u, err := url.Parse(queueURL)
	if err != nil {
		return ""
	}
	p := strings.Split(u.Hostname(), ".")
	if len(p) > 3 && (p[0] == "sqs" || p[0] == "sqs-fips") {
		return p[1]
	}
	return ""
}

// Run receives until ctx ends, which is no error. What fails is tried again after a pause,
// and logged less and less often.
func (r *Receiver) Run(ctx context.Context) error {
	failed := 0
	for ctx.Err() == nil {
		begin := time.Now()
		n, err := r.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case err != nil:
			failed++
			r.failures.Add(1)
			if failed&(failed-1) == 0 { // 1, 2, 4, 8, …
				r.cfg.Log.WarnContext(ctx, "receiving events failed; clusters are still found by polling", "error", err, "failures", failed)
			}
			sleep(ctx, pause(failed))
		case n == 0:
			// An empty answer that did not wait must not make us ask without a pause.
			sleep(ctx, minPause-time.Since(begin))
			failed = 0
		default:
			failed = 0
		}
	}
	return nil
}

// pause after so many failures in a row: it doubles, and varies by a fifth.
func pause(failed int) time.Duration {
	d := min(minPause<<min(failed-1, 10), maxPause)
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64())) //nolint:gosec // G404: it only spreads load
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// poll waits for messages, passes them on and deletes them. n is how many came.
func (r *Receiver) poll(ctx context.Context) (n int, err error) {
	out, err := r.cfg.API.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &r.cfg.QueueURL, MaxNumberOfMessages: most, WaitTimeSeconds: int32(Poll / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
	})
	if err != nil {
		return 0, explain(r.cfg.QueueURL, "sqs:ReceiveMessage", err)
	}
	if len(out.Messages) == 0 {
		return 0, nil
	}
	done, failed := r.pass(ctx, out.Messages)
	return len(out.Messages), errors.Join(failed, r.remove(ctx, done))
}

// pass messages on. done are those to delete: all that were passed on, and those that
// never can be.
func (r *Receiver) pass(ctx context.Context, messages []types.Message) (done []types.Message, err error) {
	type about struct {
		message types.Message
		id      registry.ID
	}
	var known []about
	var ids []registry.ID
	seen := map[registry.ID]bool{}
	for _, m := range messages {
		id, why := parse(aws.ToString(m.Body))
		if why != "" {
			r.unknown.Add(1)
			r.cfg.Log.DebugContext(ctx, "a message is about no cluster", "message", aws.ToString(m.MessageId), "reason", why)
			done = append(done, m)
			continue
		}
		known = append(known, about{m, id})
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(known) == 0 {
		return done, nil
	}
	failed := map[registry.ID]error{}
	if err := r.cfg.Changed(ctx, ids); err != nil {
		// Perhaps one of them alone is why: the others need not wait for it.
		for _, id := range ids {
			failed[id] = err
			if len(ids) > 1 {
				failed[id] = r.cfg.Changed(ctx, []registry.ID{id})
			}
		}
	}
	for _, k := range known {
		err = errors.Join(err, failed[k.id])
		switch {
		case failed[k.id] == nil:
			r.clusters.Add(1)
			done = append(done, k.message)
		case receives(k.message) >= maxReceive:
			r.givenUp.Add(1)
			r.cfg.Log.WarnContext(ctx, "an event is given up; the cluster is still found by polling", "cluster", k.id.ARN(), "error", failed[k.id])
			done = append(done, k.message)
		}
	}
	if err != nil {
		err = fmt.Errorf("passing events on: %w", err)
	}
	return done, err
}

// receives is how often a message was received, this time included.
func receives(m types.Message) int {
	n, _ := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	return n
}

// remove messages. Those that stay come again, which does no harm.
func (r *Receiver) remove(ctx context.Context, messages []types.Message) error {
	if len(messages) == 0 {
		return nil
	}
	in := &sqs.DeleteMessageBatchInput{QueueUrl: &r.cfg.QueueURL}
	for i, m := range messages {
		in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle})
	}
	out, err := r.cfg.API.DeleteMessageBatch(ctx, in)
	if err != nil {
		return explain(r.cfg.QueueURL, "sqs:DeleteMessage", err)
	}
	if n := len(out.Failed); n > 0 {
		return fmt.Errorf("deleting messages from %s: %d of %d failed: %s", r.cfg.QueueURL, n, len(messages), aws.ToString(out.Failed[0].Message))
	}
	return nil
}

func explain(queue, action string, err error) error {
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); ok {
		return fmt.Errorf("there is no queue %s: check its account, its name, and the region of the client: %w", queue, err)
	}
	return awsconf.Classify("using the queue "+queue+" ("+action+")", err)
}
