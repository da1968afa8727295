package route53

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	sim "github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/traffic"
)

// name that the tests shift.
const name = "api.example.com"

// world is the simulated Route 53 with the real SDK in front, and a zone example.com
// without records.
type world struct {
	t      testing.TB
	svc    *sim.Service
	sdk    *r53.Client
	faults *simfault.Set
	zone   string

	calls wiretest.Calls
	// between is called before each ChangeResourceRecordSets of the router, for somebody
	// else to be faster.
	between func()
}

func newWorld(t testing.TB, change ...func(*sim.Config)) *world {
	t.Helper()
	w := &world{t: t, faults: simfault.NewSet(simfault.Config{})}
	cfg := sim.Config{Seed: 7}
	for _, f := range change {
		f(&cfg)
	}
	w.svc = sim.New(cfg)
	t.Cleanup(w.svc.Close)
	mux := wire.NewMux(wire.Config{
		Hooks: []wire.Hook{w.faults.Hook}, Observe: w.calls.Observe,
		Resolve: func(key string) string { return key[len(key)-12:] },
	})
	front := w.svc.Registration()
	front.Service = simfault.NewReads(w.svc, w.faults, time.Now)
	mux.Register(front)
	w.sdk = client(mux, "111122223333", 1)
	out, err := w.sdk.CreateHostedZone(t.Context(), &r53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	w.zone = strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
	w.forget()
	return w
}

// client of an account that makes each call that often at most.
func client(h http.Handler, account string, attempts int) *r53.Client {
	return r53.New(r53.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"), HTTPClient: wiretest.Direct{Handler: h}, RetryMaxAttempts: attempts,
		Credentials: credentials.NewStaticCredentialsProvider("AKID"+account, "secret", ""),
	})
}

// retrying is the same client with the SDK's own retries.
func (w *world) retrying() *r53.Client {
	o := w.sdk.Options()
	o.RetryMaxAttempts = 3
	o.Retryer = nil
	return r53.New(o)
}

// forget the calls so far.
func (w *world) forget() { w.calls.Forget() }

// short are names for operations.
var short = strings.NewReplacer("ListResourceRecordSets", "List", "ChangeResourceRecordSets", "Change")

// made are the operations since forget, in order.
func (w *world) made() string { return short.Replace(w.calls.Operations()) }

// changed tells whether a change was asked for since forget.
func (w *world) changed() bool { return slices.Contains(strings.Fields(w.made()), "Change") }

// api is the SDK's client, and somebody else between.
type api struct {
	*r53.Client
	w *world
}

func (a api) ChangeResourceRecordSets(ctx context.Context, in *r53.ChangeResourceRecordSetsInput, o ...func(*r53.Options)) (*r53.ChangeResourceRecordSetsOutput, error) {
	if f := a.w.between; f != nil {
		a.w.between = nil
		f()
	}
	return a.Client.ChangeResourceRecordSets(ctx, in, o...)
}

// A setting of a record set.
type setting func(*types.ResourceRecordSet)

// record is a weighted record set of the name, with an address and a TTL of 60 s.
func record(typ types.RRType, id string, weight int64, settings ...setting) types.ResourceRecordSet {
	value := map[types.RRType]string{types.RRTypeA: "192.0.2.1", types.RRTypeAaaa: "2001:db8::1", types.RRTypeTxt: `"x"`, types.RRTypeCname: "lb.example.net"}[typ]
	s := types.ResourceRecordSet{
		Name: aws.String(name), Type: typ, SetIdentifier: aws.String(id), Weight: aws.Int64(weight), TTL: aws.Int64(60),
		ResourceRecords: []types.ResourceRecord{{Value: aws.String(value)}},
	}
	for _, f := range settings {
		f(&s)
	}
	return s
}

func at(name string) setting { return func(s *types.ResourceRecordSet) { s.Name = &name } }

func ttl(seconds int64) setting { return func(s *types.ResourceRecordSet) { s.TTL = &seconds } }

func checked(id string) setting {
	return func(s *types.ResourceRecordSet) { s.HealthCheckId = &id }
}

func value(v ...string) setting {
	return func(s *types.ResourceRecordSet) {
		s.ResourceRecords = nil
		for _, v := range v {
			s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: &v})
		}
	}
}

// alias of a load balancer.
func alias(s *types.ResourceRecordSet) {
	s.TTL, s.ResourceRecords = nil, nil
	s.AliasTarget = &types.AliasTarget{HostedZoneId: aws.String("Z35SXDOTRQ7X7K"), DNSName: aws.String("lb-1.us-east-1.elb.amazonaws.com"), EvaluateTargetHealth: true}
}

func plain(s *types.ResourceRecordSet) { s.SetIdentifier, s.Weight = nil, nil }

func latency(s *types.ResourceRecordSet) {
	s.Weight, s.Region = nil, types.ResourceRecordSetRegionUsEast1
}

// put creates or replaces record sets, outside of what is tested.
func (w *world) put(sets ...types.ResourceRecordSet) {
	w.t.Helper()
	var batch []types.Change
	for _, s := range sets {
		batch = append(batch, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &s})
	}
	w.change(batch...)
}

func (w *world) remove(s types.ResourceRecordSet) {
	w.t.Helper()
	w.change(types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: &s})
}

func (w *world) change(batch ...types.Change) {
	w.t.Helper()
	_, err := w.sdk.ChangeResourceRecordSets(w.t.Context(), &r53.ChangeResourceRecordSetsInput{HostedZoneId: &w.zone, ChangeBatch: &types.ChangeBatch{Changes: batch}})
	if err != nil {
		w.t.Fatal(explain(err))
	}
}

// records of the zone but for SOA and NS, as the SDK reads them.
func (w *world) records() []types.ResourceRecordSet {
	w.t.Helper()
	var all []types.ResourceRecordSet
	pages := r53.NewListResourceRecordSetsPaginator(w.sdk, &r53.ListResourceRecordSetsInput{HostedZoneId: &w.zone})
	for pages.HasMorePages() {
		out, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, out.ResourceRecordSets...)
	}
	return slices.DeleteFunc(all, func(s types.ResourceRecordSet) bool { return s.Type == types.RRTypeSoa || s.Type == types.RRTypeNs })
}

// weighted records of the zone, behind the wire.
func (w *world) weighted() []sim.RecordSet {
	var out []sim.RecordSet
	for _, z := range w.svc.Snapshot() {
		for _, r := range z.Records {
			if r.Policy == sim.Weighted {
				out = append(out, r)
			}
		}
	}
	return out
}

// weights of the zone: "A blue=90 A green=10".
func (w *world) weights() string {
	var out []string
	for _, r := range w.weighted() {
		out = append(out, fmt.Sprintf("%s %s=%d", r.Type, r.SetIdentifier, r.Weight))
	}
	return strings.Join(out, " ")
}

// twins puts weighted A and AAAA records: "blue", 90, "green", 10.
func (w *world) twins(pairs ...any) {
	w.t.Helper()
	var sets []types.ResourceRecordSet
	for _, p := range split(pairs...) {
		sets = append(sets, record(types.RRTypeA, p.ID, int64(p.Weight)), record(types.RRTypeAaaa, p.ID, int64(p.Weight)))
	}
	w.put(sets...)
	w.forget()
}

// split by set identifiers: "blue", 90, "green", 10.
func split(pairs ...any) traffic.Split {
	var s traffic.Split
	for i := 0; i < len(pairs); i += 2 {
		id, _ := pairs[i].(string)
		weight, _ := pairs[i+1].(int)
		s = append(s, traffic.Weighted{ID: id, Weight: weight})
	}
	return s
}

// open makes the router under test, for blue and green at name unless changed.
func (w *world) open(change ...func(*Config)) *Name {
	w.t.Helper()
	n, err := New(w.config(change...))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) config(change ...func(*Config)) Config {
	cfg := Config{API: api{w.sdk, w}, HostedZoneID: w.zone, Name: name, Destinations: []string{"blue", "green"}, Owner: "web"}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

func (w *world) fail(r simfault.Rule) {
	w.t.Helper()
	if _, err := w.faults.Add(r); err != nil {
		w.t.Fatal(err)
	}
}

// ok fails the test on an error.
func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func isTerminal(err error, reason string) bool {
	terminal, ok := errors.AsType[*fault.TerminalError](err)
	return ok && terminal.Reason == reason
}

// mentions checks that a message has all the parts that a reader needs.
func mentions(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q is not in: %v", p, err)
		}
	}
}
