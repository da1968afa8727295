package route53_test

import (
	"errors"
	"maps"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const account = "000000000000"

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// lab is a service with the zone example.com.
type lab struct {
	*route53.Service

	zone string
}

func newLab(t *testing.T, cfg route53.Config) *lab {
	t.Helper()
	l := &lab{Service: route53.New(cfg)}
	t.Cleanup(l.Close)
	out := l.do(t, "CreateHostedZone", params{"Name": "example.com", "CallerReference": "1"})
	l.zone = strings.TrimPrefix(str(t, out, "HostedZone.Id"), "/hostedzone/")
	return l
}

type params = map[string]any

func list(items ...any) []any { return items }

func (l *lab) as(t *testing.T, account, op string, p params) (wire.Struct, error) {
	t.Helper()
	return l.Serve(t.Context(), &wire.Request{Service: "route53", Operation: op, Region: "us-east-1", AccountID: account, Params: normal(p)})
}

func (l *lab) try(t *testing.T, op string, p params) (wire.Struct, error) {
	t.Helper()
	return l.as(t, account, op, p)
}

// normal makes of every map the type that a decoder makes of it, and of numbers text, as
// in XML.
func normal(p params) wire.Params {
	out := wire.Params{}
	for k, v := range p {
		out[k] = normalValue(v)
	}
	return out
}

func normalValue(v any) any {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	case params:
		return normal(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = normalValue(x)
		}
		return out
	default:
		return v
	}
}

func (l *lab) do(t *testing.T, op string, p params) wire.Struct {
	t.Helper()
	out, err := l.try(t, op, p)
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	return out
}

func (l *lab) refuse(t *testing.T, op string, p params, code, message string) {
	t.Helper()
	_, err := l.try(t, op, p)
	refused(t, err, code, message)
}

func refused(t *testing.T, err error, code, message string) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want the error %s", err, code)
	}
	if e.Code != code || !strings.Contains(e.Message, message) {
		t.Errorf("got %s: %s\nwant %s: …%s…", e.Code, e.Message, code, message)
	}
}

// change is a batch of pairs: an action and a record set.
func (l *lab) change(pairs ...any) params {
	var changes []any
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, params{"Action": pairs[i], "ResourceRecordSet": pairs[i+1]})
	}
	return params{"HostedZoneId": l.zone, "ChangeBatch": params{"Changes": changes}}
}

// set is a simple record set.
func set(name, typ string, values ...string) params {
	var records []any
	for _, v := range values {
		records = append(records, params{"Value": v})
	}
	return params{"Name": name, "Type": typ, "TTL": 300, "ResourceRecords": records}
}

// with is a record set with more members; a nil value takes one away.
func with(p params, more params) params {
	out := maps.Clone(p)
	for k, v := range more {
		out[k] = v
		if v == nil {
			delete(out, k)
		}
	}
	return out
}

func weighted(p params, id string, weight int) params {
	return with(p, params{"SetIdentifier": id, "Weight": weight})
}

func alias(name, typ, zone, target string, health bool) params {
	return params{"Name": name, "Type": typ, "AliasTarget": params{
		"HostedZoneId": zone, "DNSName": target, "EvaluateTargetHealth": health,
	}}
}

// at follows a path such as "HostedZones.0.Id" through an answer; nil: not there.
func at(v any, path string) any {
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case wire.Struct:
			v = nil
			for _, m := range x {
				if m.Name == step {
					v = m.Value
				}
			}
		case wire.List:
			i := 0
			for _, c := range step {
				i = i*10 + int(c-'0')
			}
			if i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func str(t *testing.T, v any, path string) string {
	t.Helper()
	s, ok := at(v, path).(string)
	if !ok {
		t.Fatalf("no text at %s of %v", path, v)
	}
	return s
}

// names lists the record sets of an answer as "name type identifier".
func names(v any) []string {
	out := []string{}
	sets, _ := at(v, "ResourceRecordSets").(wire.List)
	for _, s := range sets {
		name, _ := at(s, "Name").(string)
		typ, _ := at(s, "Type").(string)
		id, _ := at(s, "SetIdentifier").(string)
		out = append(out, strings.TrimSpace(name+" "+typ+" "+id))
	}
	return out
}

// client is the real SDK against a service over HTTP.
func client(t *testing.T, s *route53.Service) *sdk.Client {
	t.Helper()
	mux := wire.NewMux(wire.Config{})
	mux.Register(s.Registration())
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(srv.URL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
}

// must fails the test on an error and returns the answer.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func weightedSet(name, id string, weight int64, values ...string) *types.ResourceRecordSet {
	r := &types.ResourceRecordSet{
		Name: &name, Type: types.RRTypeA, SetIdentifier: &id, Weight: &weight, TTL: aws.Int64(60),
	}
	for _, v := range values {
		r.ResourceRecords = append(r.ResourceRecords, types.ResourceRecord{Value: aws.String(v)})
	}
	return r
}

func batch(zone string, action types.ChangeAction, sets ...*types.ResourceRecordSet) *sdk.ChangeResourceRecordSetsInput {
	in := &sdk.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{}}
	for _, r := range sets {
		in.ChangeBatch.Changes = append(in.ChangeBatch.Changes, types.Change{Action: action, ResourceRecordSet: r})
	}
	return in
}

// balancers are the load balancers of a lab.
func balancers(name string) ([]netip.Addr, bool, bool) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.9")}, true, name == "web-1.us-east-1.elb.amazonaws.com."
}
