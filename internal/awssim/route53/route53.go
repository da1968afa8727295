// Package route53 simulates Amazon Route 53: the control plane with hosted zones, record
// sets, health checks and tags, and the choice of answers that its name servers make.
// Package dns puts those answers on the wire.
package route53

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value works: AWS's own limits, changes that are in sync
// at once, no load balancers and no health probes.
type Config struct {
	// Seed of the identifiers and of the choice among weighted records.
	Seed uint64
	// Now; nil: time.Now.
	Now func() time.Time
	// PropagationDelay is read at each change and says how long it is PENDING: listed,
	// but not answered. Changes of one zone never overtake each other. nil: no delay.
	PropagationDelay func() time.Duration
	// ChangeTime is how long a change of a zone is being processed. Its answer comes
	// after that time, and other changes of the zone are refused until then.
	ChangeTime time.Duration
	// Busy tells of a zone, by its id, whether a change is being processed, besides those
	// of ChangeTime. It must not call the Service. nil: never.
	Busy func(zoneID string) bool
	// MaxPageSize caps the pages of all List operations, so that few things fill many
	// pages. 1–300; 0: as AWS caps them.
	MaxPageSize int
	// RequestsPerSecond of one account above which calls are refused as throttled; 0: any
	// number.
	RequestsPerSecond int
	// BatchErrorList answers InvalidChangeBatch as the SDKs' models of the API have it: with
	// a root element of its own and a list of messages. false: as clients report it from
	// AWS, like any other error, with all messages in brackets; only so does awscli
	// understand it.
	BatchErrorList bool
	// Aliases knows the load balancers that alias records may point to: their addresses
	// and whether they are healthy. The name is in lower case with a dot at its end. Of
	// the Service it may call Answer and Share only. nil: there are none.
	Aliases func(dnsName string) (ips []netip.Addr, healthy, ok bool)
	// AliasTTL of answers with a load balancer's addresses, in seconds; 0: 60, as on AWS.
	AliasTTL int
	// Unhealthy tells of a health check, by its id, that it fails whatever its probes see.
	// It must not call the Service. nil: none does.
	Unhealthy func(id string) bool
	// Dial connects health checks to what they check, on loopback only. nil: no health
	// check probes anything; they are healthy unless SetHealth says otherwise.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// HealthInterval caps the interval of health checks, below the 10 s that AWS allows at
	// least; 0: as the checks say.
	HealthInterval time.Duration
}

// Service answers the Route 53 API and DNS questions. All its methods may be called
// concurrently.
type Service struct {
	cfg   Config
	serve map[string]handler
	pick  picker

	changes propagation
	checks  *checker

	mu       sync.Mutex
	rand     *rand.Rand
	accounts map[string]*account
	zones    map[string]*zone // by id, of all accounts
	founded  int              // zones so far
}

var _ wire.Service = (*Service)(nil)

// New makes a Service without any zone. Close ends it.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxPageSize < 1 || cfg.MaxPageSize > maxRecordPage {
		cfg.MaxPageSize = maxRecordPage
	}
	if cfg.AliasTTL == 0 {
		cfg.AliasTTL = aliasTTL
	}
	s := &Service{
		cfg:      cfg,
		serve:    operations().Handlers(),
		rand:     rand.New(rand.NewPCG(cfg.Seed, 0x35b)), //nolint:gosec // G404: identifiers, not secrets
		accounts: map[string]*account{},
		zones:    map[string]*zone{},
	}
	s.pick.state.Store(cfg.Seed)
	s.changes.byID = map[string]*change{}
	s.changes.live.Store(&namespace{zones: map[string]*view{}})
	s.checks = newChecker(s)
	return s
}

// Close ends the health probes and waits for them.
func (s *Service) Close() { s.checks.close() }

// account is what one AWS account has. Route 53 is global: regions play no part.
type account struct {
	id     string
	bucket bucket
	refs   map[string]string // caller reference of a zone, also of deleted ones → its id
	checks map[string]*healthCheck
}

// handler carries out one operation. It runs under the service's lock and must leave
// everything as it was when it returns an error.
type handler = func(*call) (wire.Struct, error)

// call is one request on its way through a handler.
type call struct {
	*account
	s   *Service
	p   wire.Params
	now time.Time
	// wait is what the handler wants to pass, without the lock, before the answer.
	wait time.Duration
}

// Serve implements wire.Service.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("serving %s: %w", r.Operation, err)
	}
	handle := s.serve[r.Operation]
	if handle == nil {
		return nil, wire.NotSimulated("route53", r.Operation)
	}
	out, wait, err := s.run(r, handle)
	if err != nil || wait <= 0 {
		return out, err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return out, nil
	case <-ctx.Done(): // the change stands; nobody waits for its answer
		return out, nil
	}
}

func (s *Service) run(r *wire.Request, handle handler) (wire.Struct, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{account: s.account(r.AccountID), s: s, p: r.Params, now: s.cfg.Now()}
	if c.p == nil {
		c.p = wire.Params{}
	}
	if !c.bucket.take(s.cfg.RequestsPerSecond, c.now) {
		return nil, 0, wire.Errorf("Throttling", "Rate exceeded")
	}
	out, err := handle(c)
	if err != nil {
		return nil, 0, err
	}
	return out, c.wait, nil
}

func (s *Service) account(id string) *account {
	a := s.accounts[id]
	if a == nil {
		a = &account{id: id, refs: map[string]string{}, checks: map[string]*healthCheck{}}
		s.accounts[id] = a
	}
	return a
}

// id makes an identifier of n upper-case letters and digits.
func (s *Service) id(n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.rand.IntN(len(alphabet))]
	}
	return string(b)
}

// Zone is a hosted zone with its record sets in Route 53's order.
type Zone struct {
	ID      string // without the prefix /hostedzone/
	Name    string
	Account string
	Private bool
	Records []RecordSet
}

// Snapshot is every zone as the API lists it, whether or not the name servers have heard
// of it already, sorted by id. For tests that look behind the wire.
func (s *Service) Snapshot() []Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Zone, 0, len(s.zones))
	for _, id := range slices.Sorted(maps.Keys(s.zones)) {
		z := s.zones[id]
		m := Zone{ID: z.id, Name: z.name, Account: z.account, Private: z.private}
		for _, r := range z.sorted() {
			m.Records = append(m.Records, r.clone())
		}
		out = append(out, m)
	}
	return out
}

// bucket of tokens that limits an account's calls: one second's worth may come at once.
type bucket struct {
	spent float64 // tokens, 0–rate
	last  time.Time
}

func (b *bucket) take(rate int, now time.Time) bool {
	if rate <= 0 {
		return true
	}
	b.spent = max(0, b.spent-now.Sub(b.last).Seconds()*float64(rate))
	b.last = now
	if b.spent+1 > float64(rate) {
		return false
	}
	b.spent++
	return true
}
