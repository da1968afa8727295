package eks

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works: no delays, made-up endpoints, any subnet.
type Config struct {
	// Seed of identifiers, endpoints and certificate authorities: with the sequence of
	// served calls it determines them.
	Seed uint64
	Now  func() time.Time // default time.Now

	// How long a cluster takes to be created, updated (each update) and deleted, and
	// what is inside a cluster (node groups, add-ons) to be any of these.
	CreateDelay, UpdateDelay, DeleteDelay, InnerDelay time.Duration
	// MoreDelay is added to each of them. It is called under the service's lock. nil: 0.
	MoreDelay func() time.Duration

	// ControlPlane starts and stops API servers; nil: endpoints are made up.
	ControlPlane ControlPlane
	// Subnet looks one up; nil: every subnet is there, in one VPC and a zone of its own.
	Subnet func(account, region, id string) (vpc, zone string, ok bool)
	// Fail tells, when CreateCluster, UpdateClusterVersion and the like have accepted a
	// call, how the work will end: with an error the cluster becomes FAILED, a node group
	// or add-on CREATE_FAILED, an update Failed. arn is the cluster's, node group's or
	// add-on's. It is called under the service's lock. nil: all goes well.
	Fail func(operation, arn string) error
	// Caller is the principal behind a call, as GetCallerIdentity names it: it becomes an
	// administrator of the clusters that it creates. The request's HTTP is nil for
	// AddCluster. Default: the lab's user.
	Caller func(*wire.Request) string

	// Versions of Kubernetes in ascending order, each one minor after the last; the last
	// is the default. Default: 1.31 to 1.36.
	Versions []string
	// MaxPageSize caps the pages of all lists, whatever maxResults asks for, so that few
	// resources fill many pages. 1–100; 0: 100, AWS's own cap.
	MaxPageSize int
	// Clusters in one account and region that CreateCluster allows; 0: 100, AWS's default
	// quota.
	Clusters int
}

// Service answers the EKS API. All its methods may be called concurrently.
type Service struct {
	cfg      Config
	serve    map[string]handler
	versions []version // ascending

	ctx     context.Context // ends with the service
	stop    context.CancelFunc
	running sync.WaitGroup // of the ControlPlane's starts and stops

	mu     sync.Mutex
	rand   *rand.Rand
	worlds map[worldKey]*world
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any clusters.
func New(cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Subnet == nil {
		cfg.Subnet = anySubnet
	}
	if cfg.Fail == nil {
		cfg.Fail = func(string, string) error { return nil }
	}
	if cfg.MoreDelay == nil {
		cfg.MoreDelay = func() time.Duration { return 0 }
	}
	if cfg.Caller == nil {
		cfg.Caller = func(r *wire.Request) string { return sts.CallerARN(r.Region, r.AccountID) }
	}
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxPageSize {
		cfg.MaxPageSize = maxPageSize
	}
	cfg.Clusters = cmp.Or(cfg.Clusters, 100)
	versions, err := parseVersions(cfg.Versions)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, serve: operations().Handlers(), versions: versions,
		rand:   rand.New(rand.NewPCG(cfg.Seed, 0x656b73)), //nolint:gosec // G404: identifiers, not secrets
		worlds: map[worldKey]*world{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// handler carries out one operation. It runs under the service's lock and must leave
// the world as it was when it returns an error.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*world
	s   *Service
	r   *wire.Request
	p   wire.Params
	now time.Time
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("eks", r.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	return handle(&call{world: s.world(r.AccountID, r.Region), s: s, r: r, p: p, now: s.now()})
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

// Close ends the ControlPlane's starts and stops that are under way and waits for them;
// what they were for stays as it is. Control planes that run belong to whoever made the
// ControlPlane, and run on.
func (s *Service) Close() {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
}

type worldKey struct{ account, region string }

// world holds an account's clusters in a region, by name.
type world struct {
	worldKey
	clusters map[string]*cluster
}

func (s *Service) world(account, region string) *world {
	k := worldKey{account, region}
	w := s.worlds[k]
	if w == nil {
		w = &world{worldKey: k, clusters: map[string]*cluster{}}
		s.worlds[k] = w
	}
	return w
}

// settled are the world's clusters by name, as they are now.
func (w *world) settled(now time.Time) []*cluster {
	out := make([]*cluster, 0, len(w.clusters))
	for _, name := range slices.Sorted(maps.Keys(w.clusters)) {
		c := w.clusters[name]
		c.settle(now)
		if w.clusters[name] == c {
			out = append(out, c)
		}
	}
	return out
}

func (w *world) arn(format string, args ...any) string {
	return fmt.Sprintf("arn:%s:eks:%s:%s:%s", wire.Partition(w.region), w.region, w.account, fmt.Sprintf(format, args...))
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

// simulatedVPC is where every subnet is without Config.Subnet.
const simulatedVPC = "vpc-0a000000000000001"

// anySubnet takes the subnet's own name for its zone: each is in another one.
func anySubnet(_, _, id string) (vpc, zone string, ok bool) { return simulatedVPC, id, true }

// task is work that takes its time: a creation, an update or a deletion.
type task struct {
	due  time.Time
	busy bool            // the ControlPlane is still at it
	err  error           // how it fails; nil: it does not
	done func(err error) // makes the result visible
}

// due is when work that takes a delay is over, if it starts now.
func (c *call) due(delay time.Duration) time.Time { return c.now.Add(delay + c.s.cfg.MoreDelay()) }

// newTask starts work on the resource arn that an operation has accepted.
func (c *call) newTask(arn string, delay time.Duration, done func(err error)) *task {
	return &task{due: c.due(delay), err: c.s.cfg.Fail(c.r.Operation, arn), done: done}
}

// finish ends a task whose time has come; the task that goes on is returned.
func (t *task) finish(now time.Time) *task {
	if t == nil || t.busy || now.Before(t.due) {
		return t
	}
	t.done(t.err)
	return nil
}
