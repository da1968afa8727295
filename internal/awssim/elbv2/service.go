package elbv2

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works: no data plane, AWS's quotas, no delays.
type Config struct {
	// DataPlane gets every change and knows the targets' health. With nil, targets of
	// groups in use stay "initial".
	DataPlane model.DataPlane
	// Seed makes the generated parts of ARNs and DNS names reproducible.
	Seed uint64
	// WeightsDelay is read at each change and says how long the data plane goes on
	// with what it had before. Changes never overtake each other. nil: no delay.
	WeightsDelay func() time.Duration
	// ActivationDelay is how long a new load balancer is "provisioning".
	ActivationDelay time.Duration
	// MaxPageSize caps the pages of all Describe operations, whatever PageSize asks
	// for, so that few resources fill many pages. 1–400; 0: 400, AWS's own cap.
	MaxPageSize int
	Quotas      Quotas
	// Now is the time of what is stored, such as CreatedTime; nil: time.Now. Who serves
	// recorded calls again, in their order and at their times, gets the same resources
	// with the same ARNs; delays that have passed meanwhile are over at once.
	Now func() time.Time
}

// Service answers the ELBv2 API. All its methods may be called concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler

	mu     sync.Mutex
	rand   *rand.Rand
	worlds map[worldKey]*world
	timers timers
	out    publisher
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any resources.
func New(cfg Config) *Service {
	cfg.Quotas = cfg.Quotas.withDefaults()
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxPageSize {
		cfg.MaxPageSize = maxPageSize
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{
		cfg:    cfg,
		serve:  operations().Handlers(),
		rand:   rand.New(rand.NewPCG(cfg.Seed, 0x6e6f72696b6165)), //nolint:gosec // G404: identifiers, not secrets
		worlds: map[worldKey]*world{},
	}
	return s
}

// handler carries out one operation. It runs under the service's lock and must leave
// the world as it was when it returns an error.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*world
	s       *Service
	p       wire.Params
	changed bool // the data plane must hear of it
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("elasticloadbalancing", r.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	c := &call{world: s.world(r.AccountID, r.Region), s: s, p: p}
	out, err := handle(c)
	if err != nil {
		return nil, err
	}
	if c.changed {
		s.publish()
	}
	return out, nil
}

// Snapshot is what the control plane has now, whether or not the data plane has heard
// of it already.
func (s *Service) Snapshot() model.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshot()
}

// Resources of an account in a region with their tags, for the tagging service: load
// balancers, listeners, rules and target groups, each in order of creation or, for
// rules, of evaluation.
func (s *Service) Resources(account, region string) []model.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worlds[worldKey{account, region}]
	if w == nil {
		return nil
	}
	var out []model.Resource
	for _, lb := range w.loadBalancers {
		out = append(out, lb.tags.resource(lb.arn))
	}
	for _, l := range w.listeners {
		out = append(out, l.tags.resource(l.arn))
	}
	for _, l := range w.listeners {
		for _, r := range l.rules {
			out = append(out, r.tags.resource(r.arn))
		}
	}
	for _, tg := range w.targetGroups {
		out = append(out, tg.tags.resource(tg.arn))
	}
	return out
}

// Close ends everything that waits for a time to come: delayed changes are dropped and
// draining targets stay. It returns when no goroutine of the service is left. The
// data plane belongs to whoever made it and stays open.
func (s *Service) Close() { s.timers.close() }

type worldKey struct{ account, region string }

// world holds an account's resources in a region, each list in order of creation.
type world struct {
	worldKey
	loadBalancers []*loadBalancer
	listeners     []*listener
	targetGroups  []*targetGroup
}

func (s *Service) world(account, region string) *world {
	k := worldKey{account, region}
	w := s.worlds[k]
	if w == nil {
		w = &world{worldKey: k}
		s.worlds[k] = w
	}
	return w
}

// sortedWorlds gives snapshots an order that does not depend on map iteration.
func (s *Service) sortedWorlds() []*world {
	keys := slices.SortedFunc(maps.Keys(s.worlds), func(a, b worldKey) int {
		return slices.Compare([]string{a.account, a.region}, []string{b.account, b.region})
	})
	out := make([]*world, len(keys))
	for i, k := range keys {
		out[i] = s.worlds[k]
	}
	return out
}
