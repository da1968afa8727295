package route53_test

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const account = "000000000000"

func newClock() *wiretest.Clock {
	return wiretest.NewClock(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
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
	l.zone = strings.TrimPrefix(wiretest.Text(t, out, "HostedZone.Id"), "/hostedzone/")
	return l
}

type params = map[string]any

func list(items ...any) []any { return items }

func (l *lab) as(t *testing.T, account, op string, p params) (wire.Struct, error) {
	t.Helper()
	return l.Serve(t.Context(), &wire.Request{Service: "route53", Operation: op, Region: "us-east-1", AccountID: account, Params: wiretest.Params(p)})
}

func (l *lab) try(t *testing.T, op string, p params) (wire.Struct, error) {
	t.Helper()
	return l.as(t, account, op, p)
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
	wiretest.Refused(t, err, code, message)
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

// names lists the record sets of an answer as "name type identifier".
func names(v any) []string {
	out := []string{}
	sets, _ := wiretest.At(v, "ResourceRecordSets").(wire.List)
	for _, s := range sets {
		name, _ := wiretest.At(s, "Name").(string)
		typ, _ := wiretest.At(s, "Type").(string)
		id, _ := wiretest.At(s, "SetIdentifier").(string)
		out = append(out, strings.TrimSpace(name+" "+typ+" "+id))
	}
	return out
}

// client is the real SDK against a service over HTTP.
func client(t *testing.T, s *route53.Service) *sdk.Client {
	t.Helper()
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(wiretest.Serve(t, wire.Config{}, s.Registration())), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	})
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
