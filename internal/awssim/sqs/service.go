package sqs

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works.
type Config struct {
	Seed        uint64           // of identifiers
	Now         func() time.Time // default time.Now
	MaxPageSize int              // caps the pages of ListQueues; 0: 1000, as AWS has it
}

// Service answers the SQS API. All its methods may be called concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler

	mu     sync.Mutex
	rand   *rand.Rand
	worlds map[worldKey]*world
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any queues. It has no goroutines: polls end with the
// contexts of their calls.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxListed {
		cfg.MaxPageSize = maxListed
	}
	return &Service{
		cfg: cfg, serve: operations().Handlers(), worlds: map[worldKey]*world{},
		rand: rand.New(rand.NewPCG(cfg.Seed, 0x737173)), //nolint:gosec // G404: identifiers, not secrets
	}
}

// Codes of errors, as the header for clients of the older query protocol has them.
const (
	codeNoQueue       = "AWS.SimpleQueueService.NonExistentQueue"
	codeDeleted       = "AWS.SimpleQueueService.QueueDeletedRecently"
	codeExists        = "QueueAlreadyExists"
	codePurging       = "AWS.SimpleQueueService.PurgeQueueInProgress"
	codeEmptyBatch    = "AWS.SimpleQueueService.EmptyBatchRequest"
	codeTooMany       = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
	codeNotDistinct   = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
	codeHandle        = "ReceiptHandleIsInvalid"
	codeContents      = "InvalidMessageContents"
	codeAttribute     = "InvalidAttributeName"
	codeValue         = "InvalidAttributeValue"
	codeParameter     = "InvalidParameterValue"
	codeMissing       = "MissingParameter"
	codeBatchEntryIDs = "AWS.SimpleQueueService.InvalidBatchEntryId"
)

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "sqs", TargetPrefix: "AmazonSQS", Service: s,
		Shapes: map[string]string{
			codeNoQueue: "QueueDoesNotExist", codeDeleted: "QueueDeletedRecently", codeExists: "QueueNameExists", codePurging: "PurgeQueueInProgress",
			codeEmptyBatch: "EmptyBatchRequest", codeTooMany: "TooManyEntriesInBatchRequest", codeNotDistinct: "BatchEntryIdsNotDistinct",
			codeBatchEntryIDs: "InvalidBatchEntryId",
		},
	}
}

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return operations().Operations(
		"AddPermission", "CancelMessageMoveTask", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "ListDeadLetterSourceQueues",
		"ListMessageMoveTasks", "ListQueueTags", "RemovePermission", "SendMessageBatch", "SetQueueAttributes", "StartMessageMoveTask",
		"TagQueue", "UntagQueue",
	)
}

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	return wire.Table[*call]{
		wire.Partly("CreateQueue", "standard queues, without dead-letter queues and encryption; tags are kept", (*call).createQueue),
		wire.Full("DeleteQueue", (*call).deleteQueue),
		wire.Partly("GetQueueUrl", "of the caller's own account", (*call).getQueueURL),
		wire.Full("GetQueueAttributes", (*call).getQueueAttributes),
		wire.Full("ListQueues", (*call).listQueues),
		wire.Full("PurgeQueue", (*call).purgeQueue),
		wire.Partly("SendMessage", "without message attributes", (*call).sendMessage),
		wire.Partly("ReceiveMessage", "in the order of sending", (*call).receiveMessage),
		wire.Full("DeleteMessage", (*call).deleteMessage),
		wire.Full("DeleteMessageBatch", (*call).deleteMessageBatch),
	}
}

// handler carries out one operation, under the service's lock.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*world
	ctx context.Context //nolint:containedctx // a call's own, for as long as it is served
	s   *Service
	r   *wire.Request
	p   wire.Params
	now time.Time
}

type worldKey struct{ account, region string }

// world holds an account's queues in a region, by name.
type world struct {
	worldKey
	queues  map[string]*queue
	deleted map[string]time.Time // when, by name
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("sqs", r.Operation)
	}
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return handle(&call{world: s.world(r.AccountID, r.Region), ctx: ctx, s: s, r: r, p: p, now: s.cfg.Now()})
}

func (s *Service) world(account, region string) *world {
	k := worldKey{account, region}
	if s.worlds[k] == nil {
		s.worlds[k] = &world{worldKey: k, queues: map[string]*queue{}, deleted: map[string]time.Time{}}
	}
	return s.worlds[k]
}

// Send puts a message on every queue that has a tag, in whatever account and region, as
// a service of AWS would that has them for targets.
func (s *Service) Send(tag, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.worlds {
		for _, q := range w.queues {
			if _, ok := q.tags[tag]; ok {
				q.add(s, body, 0)
			}
		}
	}
}

// hex is n random hexadecimal digits, for an even n.
func (s *Service) hex(n int) string {
	var b []byte
	for len(b) < n/2 {
		b = binary.BigEndian.AppendUint64(b, s.rand.Uint64())
	}
	return hex.EncodeToString(b[:n/2])
}

// uuid reads as a version 4 UUID.
func (s *Service) uuid() string {
	h := s.hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
