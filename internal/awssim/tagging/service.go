package tagging

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Source has resources. Its methods are called one at a time, under the lock of the
// Service, which they must not call.
type Source interface {
	// Resources of one account and region, also those without tags.
	Resources(account, region string) []model.Resource
}

// Writer is a Source whose resources can be tagged through this service.
type Writer interface {
	Source
	// ChangeTags sets and removes tags of one resource. An error should be a
	// *wire.Error, as the source's own API would give it.
	ChangeTags(account, region, arn string, set map[string]string, remove []string) error
}

// Config of a Service. The zero value works, and knows no resource.
type Config struct {
	Sources []Source
	Now     func() time.Time // default time.Now
	// Lag is read at each change (a resource that is new, retagged or gone) and says how
	// long the index goes on with what it had before. Changes in one account and region
	// never overtake each other. nil: no lag.
	Lag func() time.Duration
	// Pages cuts pages short, as AWS may: it is given how many resources a page would
	// have and returns how many it is to have, from 0; the others come on later pages.
	// What always returns 0 makes clients loop for ever. nil: pages are full.
	Pages func(full int) int
}

// Service answers the tagging API. All its methods may be called concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler

	mu     sync.Mutex
	worlds map[worldKey]*index
}

type worldKey struct{ account, region string }

var _ wire.Service = (*Service)(nil)

// New makes a Service. It has no goroutines, and nothing to close.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Lag == nil {
		cfg.Lag = func() time.Duration { return 0 }
	}
	if cfg.Pages == nil {
		cfg.Pages = func(full int) int { return full }
	}
	return &Service{cfg: cfg, serve: operations().Handlers(), worlds: map[worldKey]*index{}}
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{Name: "tagging", TargetPrefix: "ResourceGroupsTaggingAPI_20170126", Service: s}
}

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return operations().Operations("DescribeReportCreation", "GetComplianceSummary", "ListRequiredTags", "StartReportCreation")
}

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	const (
		pages  = "Pages are in the order of ARNs or names; a token goes with the filters that it was given for."
		writes = "For resources of services in the lab that support it; the others are in FailedResourcesMap."
	)
	return wire.Table[*call]{
		wire.Partly("GetResources", pages+" There are no tag policies: every resource is compliant.", (*call).getResources),
		wire.Partly("GetTagKeys", pages, (*call).getTagKeys),
		wire.Partly("GetTagValues", pages, (*call).getTagValues),
		wire.Partly("TagResources", writes, (*call).tagResources),
		wire.Partly("UntagResources", writes, (*call).untagResources),
	}
}

// handler carries out one operation. It runs under the service's lock.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	worldKey

	s   *Service
	p   wire.Params
	now time.Time
	op  string
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("tagging", r.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{worldKey{r.AccountID, r.Region}, s, r.Params, s.cfg.Now(), r.Operation}
	if c.p == nil {
		c.p = wire.Params{}
	}
	return handle(c)
}

func invalid(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
