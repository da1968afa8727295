package iam

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works.
type Config struct {
	Seed uint64           // of identifiers and access keys
	Now  func() time.Time // default time.Now
	// MaxPageSize caps all pages, whatever MaxItems asks for. 1–1000; 0: 1000, AWS's own cap.
	MaxPageSize int
}

// Service answers the IAM API. All its methods may be called concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler

	mu     sync.Mutex
	rand   *rand.Rand
	worlds map[string]*world // by account
	keys   map[string]*accessKey
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any resources.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxItems {
		cfg.MaxPageSize = maxItems
	}
	s := &Service{
		cfg: cfg, serve: operations().Handlers(), worlds: map[string]*world{}, keys: map[string]*accessKey{},
		rand: rand.New(rand.NewPCG(cfg.Seed, 0x69616d)), //nolint:gosec // G404: these identifiers and keys protect nothing
	}
	return s
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "iam", Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Service: s,
	}
}

// handler carries out one operation. It runs under the service's lock, leaves the world
// as it was when it returns an error, and then has drawn no random number either: what
// exists depends on the calls that succeeded alone.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*world
	s         *Service
	p         wire.Params
	r         *wire.Request
	partition string
}

// world holds an account's resources, by name in lower case: IAM's names are unique
// without regard to case.
type world struct {
	account   string
	roles     map[string]*role
	users     map[string]*user
	policies  map[string]*policy
	profiles  map[string]*profile
	providers map[string]*provider // by ARN
}

func (s *Service) world(account string) *world {
	w := s.worlds[account]
	if w == nil {
		w = &world{
			account: account, roles: map[string]*role{}, users: map[string]*user{}, policies: map[string]*policy{},
			profiles: map[string]*profile{}, providers: map[string]*provider{},
		}
		s.worlds[account] = w
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
		return nil, wire.NotSimulated("iam", r.Operation)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := r.Params
	if p == nil {
		p = wire.Params{}
	}
	return handle(&call{world: s.world(r.AccountID), s: s, p: p, r: r, partition: wire.Partition(r.Region)})
}

// now is the time of a call, in the whole seconds that IAM shows.
func (c *call) now() time.Time { return c.s.cfg.Now().UTC().Truncate(time.Second) }

// newID is an identifier such as AROA…, of 21 characters, or an access key of 20.
func (s *Service) newID(prefix string, n int) string {
	return prefix + s.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", n-len(prefix))
}

func (s *Service) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.rand.IntN(len(alphabet))]
	}
	return string(b)
}

func (c *call) arn(kind, path, name string) string {
	return fmt.Sprintf("arn:%s:iam::%s:%s%s%s", c.partition, c.account, kind, path, name)
}
