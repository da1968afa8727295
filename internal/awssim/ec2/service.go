package ec2

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works.
type Config struct {
	Seed uint64           // of identifiers
	Now  func() time.Time // default time.Now
	// Delay is how long instances and NAT gateways take to come up, and to go.
	Delay time.Duration
	// MaxPageSize caps all pages, whatever MaxResults asks for; 0: 1000, AWS's own cap.
	MaxPageSize int
}

// Service answers the EC2 API. All its methods may be called concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler

	mu     sync.Mutex
	rand   *rand.Rand
	worlds map[worldKey]*world
	at     time.Time // of the call that is being served
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any resources.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxResults {
		cfg.MaxPageSize = maxResults
	}
	s := &Service{
		cfg: cfg, serve: operations().Handlers(), worlds: map[worldKey]*world{},
		rand: rand.New(rand.NewPCG(cfg.Seed, 0x656332)), //nolint:gosec // G404: identifiers, not secrets
	}
	return s
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "ec2", Version: "2016-11-15", EC2: true, Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/", Service: s,
	}
}

// handler carries out one operation. It runs under the service's lock, leaves the world
// as it was when it returns an error, and then has drawn no random number either: what
// exists depends on the calls that succeeded alone.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*world
	s   *Service
	p   wire.Params
	now time.Time
}

type worldKey struct{ account, region string }

// world holds an account's resources in a region, each list in the order of creation.
type world struct {
	worldKey
	vpcs       []*vpc
	acls       []*networkACL
	subnets    []*subnet
	gateways   []*internetGateway
	nats       []*natGateway
	addresses  []*address
	tables     []*routeTable
	groups     []*securityGroup
	rules      []*groupRule
	instances  []*instance
	interfaces []*networkInterface
	templates  []*launchTemplate
	done       map[string]doneCall // by operation and client token
}

// doneCall is the answer of a call that may come again with the same client token.
type doneCall struct {
	at     time.Time
	params string
	result wire.Struct
}

// tokenLife is how long client tokens are remembered.
const tokenLife = 24 * time.Hour

func (s *Service) world(account, region string) *world {
	k := worldKey{account, region}
	w := s.worlds[k]
	if w == nil {
		w = &world{worldKey: k, done: map[string]doneCall{}}
		s.worlds[k] = w
	}
	return w
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("ec2", r.Operation)
	}
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	dry, _, err := p.Bool("DryRun")
	switch {
	case err != nil:
		return nil, invalidValue("DryRun", p.Str("DryRun"))
	case dry:
		return nil, &wire.Error{
			Code: "DryRunOperation", Message: "Request would have succeeded, but DryRun flag is set.", Status: http.StatusPreconditionFailed,
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = s.cfg.Now().UTC()
	c := &call{world: s.world(r.AccountID, r.Region), s: s, p: p, now: s.at}
	c.forget()
	return c.once(r.Operation, handle)
}

// once serves a call, unless its client token shows that it was served before: then it
// gets the answer of that time.
func (c *call) once(operation string, handle handler) (wire.Struct, error) {
	token := c.p.Str("ClientToken")
	if token == "" {
		return handle(c)
	}
	key, params := operation+" "+token, fmt.Sprint(c.p) // fmt sorts the keys of maps
	if d, ok := c.done[key]; ok {
		if d.params != params {
			return nil, wire.Errorf("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		}
		return d.result, nil
	}
	out, err := handle(c)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(c.done, func(_ string, d doneCall) bool { return c.now.Sub(d.at) > tokenLife })
	c.done[key] = doneCall{c.now, params, out}
	return out, nil
}

// clock is what states follow: it stands while a call is served.
func (s *Service) clock() time.Time { return s.at }

// newID is an identifier such as vpc-0 and 16 hexadecimal digits.
func (c *call) newID(k kind) string { return fmt.Sprintf("%s-0%016x", k.prefix, c.s.rand.Uint64()) }

// arn of a resource.
func (w *world) arn(resourceType, id string) string {
	return fmt.Sprintf("arn:%s:ec2:%s:%s:%s/%s", wire.Partition(w.region), w.region, w.account, resourceType, id)
}

// returned is the answer of operations that have no other.
func returned() (wire.Struct, error) { return wire.Struct{kv("return", true)}, nil }

func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
