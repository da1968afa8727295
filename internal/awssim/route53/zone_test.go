package route53_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestZoneOperationsThatAWSRefuses(t *testing.T) {
	private := params{"PrivateZone": true}
	for name, c := range map[string]struct {
		op            string
		p             params
		code, message string
	}{
		"a zone without a name":               {"CreateHostedZone", params{"CallerReference": "x"}, "InvalidInput", "'name'"},
		"a zone with a bad name":              {"CreateHostedZone", params{"Name": "a..b", "CallerReference": "x"}, "InvalidDomainName", "a..b is not a valid domain name"},
		"the root as a zone":                  {"CreateHostedZone", params{"Name": ".", "CallerReference": "x"}, "InvalidDomainName", "not a valid"},
		"a zone without a reference":          {"CreateHostedZone", params{"Name": "example.net"}, "InvalidInput", "callerReference"},
		"a reference that was used":           {"CreateHostedZone", params{"Name": "example.net", "CallerReference": "1"}, "HostedZoneAlreadyExists", "caller reference"},
		"a private zone without a VPC":        {"CreateHostedZone", params{"Name": "example.net", "CallerReference": "x", "HostedZoneConfig": private}, "InvalidInput", "VPCId"},
		"a VPC without a region":              {"CreateHostedZone", params{"Name": "example.net", "CallerReference": "x", "VPC": params{"VPCId": "vpc-1"}}, "InvalidInput", "VPCRegion"},
		"a comment of 257 characters":         {"UpdateHostedZoneComment", params{"Id": "OWN", "Comment": strings.Repeat("x", 257)}, "InvalidInput", "comment"},
		"deleting a zone with records":        {"DeleteHostedZone", params{"Id": "OWN"}, "HostedZoneNotEmpty", "contains non-required resource record sets"},
		"a zone that is not there":            {"GetHostedZone", params{"Id": "Z123"}, "NoSuchHostedZone", "No hosted zone found with ID: Z123"},
		"an id that is too long":              {"GetHostedZone", params{"Id": strings.Repeat("Z", 33)}, "InvalidInput", "hostedZoneId"},
		"a change that is not there":          {"GetChange", params{"Id": "/change/C1"}, "NoSuchChange", "C1"},
		"a list by type without a name":       {"ListResourceRecordSets", params{"HostedZoneId": "OWN", "StartRecordType": "A"}, "InvalidInput", "name parameter"},
		"a list by identifier without a type": {"ListResourceRecordSets", params{"HostedZoneId": "OWN", "StartRecordName": "x", "StartRecordIdentifier": "x"}, "InvalidInput", "type parameter"},
		"a list by an unknown type":           {"ListResourceRecordSets", params{"HostedZoneId": "OWN", "StartRecordName": "x", "StartRecordType": "X"}, "InvalidInput", "enum"},
		"a page of no items":                  {"ListResourceRecordSets", params{"HostedZoneId": "OWN", "MaxItems": "0"}, "InvalidInput", "maxItems"},
		"a page of so many items":             {"ListHostedZones", params{"MaxItems": "many"}, "InvalidInput", "many"},
		"a marker that is no zone":            {"ListHostedZones", params{"Marker": "Z1"}, "InvalidInput", "Z1"},
		"zones by id without a name":          {"ListHostedZonesByName", params{"HostedZoneId": "Z1"}, "InvalidInput", "dnsname"},
		"tags of something else":              {"ListTagsForResource", params{"ResourceType": "vpc", "ResourceId": "x"}, "InvalidInput", "resourceType"},
		"tags of nothing":                     {"ListTagsForResource", params{"ResourceType": "hostedzone", "ResourceId": "Z1"}, "NoSuchHostedZone", "Z1"},
		"no change of tags":                   {"ChangeTagsForResource", params{"ResourceType": "hostedzone", "ResourceId": "OWN"}, "InvalidInput", "must be specified"},
		"a tag of AWS's own":                  {"ChangeTagsForResource", params{"ResourceType": "hostedzone", "ResourceId": "OWN", "AddTags": list(params{"Key": "AWS:x"})}, "InvalidInput", "aws:"},
		"a limit of another kind":             {"GetHostedZoneLimit", params{"HostedZoneId": "OWN", "Type": "MAX"}, "InvalidInput", "enum"},
		"VPCs of a public zone":               {"GetHostedZoneLimit", params{"HostedZoneId": "OWN", "Type": "MAX_VPCS_ASSOCIATED_BY_ZONE"}, "HostedZoneNotPrivate", "public"},
		"a DNS test of an unknown type":       {"TestDNSAnswer", params{"HostedZoneId": "OWN", "RecordName": "x", "RecordType": "X"}, "InvalidInput", "enum"},
		"an operation that is not simulated":  {"EnableHostedZoneDNSSEC", params{}, "NotSimulated", "EnableHostedZoneDNSSEC"},
	} {
		t.Run(name, func(t *testing.T) {
			l := furnished(t)
			before := l.Snapshot()
			own(c.p, l.zone)
			l.refuse(t, c.op, c.p, c.code, c.message)
			if diff := cmp.Diff(before, l.Snapshot()); diff != "" {
				t.Errorf("the refused call changed something:\n%s", diff)
			}
		})
	}
}

func TestAZoneBelongsToItsAccount(t *testing.T) {
	l := furnished(t)
	change := l.do(t, "ChangeResourceRecordSets", l.change("CREATE", set("new.example.com", "A", "127.0.0.1")))
	own := func(op string) params {
		return map[string]params{
			"GetHostedZone": {"Id": l.zone}, "DeleteHostedZone": {"Id": l.zone}, "UpdateHostedZoneComment": {"Id": l.zone, "Comment": "mine"},
			"ListResourceRecordSets": {"HostedZoneId": l.zone}, "ChangeResourceRecordSets": l.change("UPSERT", set("new.example.com", "A", "127.0.0.6")),
			"TestDNSAnswer":       {"HostedZoneId": l.zone, "RecordName": "new.example.com", "RecordType": "A"},
			"ListTagsForResource": {"ResourceType": "hostedzone", "ResourceId": l.zone},
		}[op]
	}
	before := l.Snapshot()
	for _, op := range []string{
		"GetHostedZone", "DeleteHostedZone", "UpdateHostedZoneComment", "ListResourceRecordSets", "ChangeResourceRecordSets",
		"TestDNSAnswer", "ListTagsForResource",
	} {
		_, err := l.as(t, "111111111111", op, own(op))
		wiretest.Refused(t, err, "NoSuchHostedZone", l.zone)
	}
	_, err := l.as(t, "111111111111", "GetChange", params{"Id": wiretest.Text(t, change, "ChangeInfo.Id")})
	wiretest.Refused(t, err, "NoSuchChange", "")
	zones, err := l.as(t, "111111111111", "ListHostedZones", nil)
	if err != nil || wiretest.At(zones, "HostedZones.0") != nil {
		t.Errorf("the other account sees %v: %v", zones, err)
	}
	if diff := cmp.Diff(before, l.Snapshot()); diff != "" {
		t.Errorf("the other account changed something:\n%s", diff)
	}
	// It may have a zone of the same name and with the same reference.
	if _, err := l.as(t, "111111111111", "CreateHostedZone", params{"Name": "example.com", "CallerReference": "1"}); err != nil {
		t.Error(err)
	}
	if a := l.Answer("new.example.com.", "A"); len(a.Records) != 1 {
		t.Errorf("the zone that was first does not answer any more: %+v", a)
	}
}

func TestAZoneThatIsEmptyIsDeletedAfterTheDelay(t *testing.T) {
	now, delay := newClock(), time.Duration(0)
	l := newLab(t, route53.Config{Now: now.Now, PropagationDelay: func() time.Duration { return delay }})
	delay = time.Minute
	info := l.do(t, "DeleteHostedZone", params{"Id": l.zone})
	if wiretest.At(info, "ChangeInfo.Status") != "PENDING" || l.Answer("example.com.", "SOA").RCode != "NOERROR" {
		t.Errorf("the deletion is %v", info)
	}
	l.refuse(t, "GetHostedZone", params{"Id": l.zone}, "NoSuchHostedZone", l.zone)
	now.Add(time.Minute)
	if got := l.Answer("example.com.", "SOA").RCode; got != "REFUSED" {
		t.Errorf("a minute later the answer is %s", got)
	}
	l.refuse(t, "CreateHostedZone", params{"Name": "example.com", "CallerReference": "1"}, "HostedZoneAlreadyExists", "")
}

func TestChangesOfAZoneDoNotOvertakeEachOther(t *testing.T) {
	now := newClock()
	delays := []time.Duration{0, time.Minute, time.Second, 0}
	l := newLab(t, route53.Config{Now: now.Now, PropagationDelay: func() time.Duration {
		d := delays[0]
		delays = delays[1:]
		return d
	}})
	var ids []string
	for _, value := range []string{"127.0.0.1", "127.0.0.2"} {
		out := l.do(t, "ChangeResourceRecordSets", l.change("UPSERT", set("www.example.com", "A", value)))
		ids = append(ids, wiretest.Text(t, out, "ChangeInfo.Id"))
	}
	status := func() (out []string) {
		for _, id := range ids {
			out = append(out, wiretest.Text(t, l.do(t, "GetChange", params{"Id": id}), "ChangeInfo.Status"))
		}
		return out
	}
	now.Add(59 * time.Second)
	if got := status(); !slices.Equal(got, []string{"PENDING", "PENDING"}) {
		t.Errorf("after 59 s: %v", got)
	}
	other := l.do(t, "CreateHostedZone", params{"Name": "example.net", "CallerReference": "2"})
	if wiretest.At(other, "ChangeInfo.Status") != "INSYNC" {
		t.Error("a change of another zone waits")
	}
	now.Add(time.Second)
	if got := status(); !slices.Equal(got, []string{"INSYNC", "INSYNC"}) {
		t.Errorf("after 60 s: %v", got)
	}
	if a := l.Answer("www.example.com.", "A"); len(a.Records) != 1 || a.Records[0].Value != "127.0.0.2" {
		t.Errorf("the answer is %+v", a)
	}
}

func TestASecondChangeOfAZoneIsRefusedWhileTheFirstIsProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := ""
		l := newLab(t, route53.Config{ChangeTime: 2 * time.Second, Busy: func(zone string) bool { return zone == busy }})
		time.Sleep(2 * time.Second) // since the zone was created
		began := time.Now()
		done := make(chan time.Duration)
		go func() {
			if _, err := l.try(t, "ChangeResourceRecordSets", l.change("UPSERT", set("a.example.com", "A", "127.0.0.1"))); err != nil {
				t.Error(err)
			}
			done <- time.Since(began)
		}()
		time.Sleep(time.Second)
		second := l.change("UPSERT", set("b.example.com", "A", "127.0.0.1"))
		l.refuse(t, "ChangeResourceRecordSets", second, "PriorRequestNotComplete", "still processing a prior request")
		l.refuse(t, "UpdateHostedZoneComment", params{"Id": l.zone, "Comment": "x"}, "PriorRequestNotComplete", "")
		if took := time.Since(began); took != time.Second {
			t.Errorf("to be refused took until %v", took)
		}
		if took := <-done; took != 2*time.Second {
			t.Errorf("the first change took %v", took)
		}
		l.do(t, "ChangeResourceRecordSets", second)
		time.Sleep(time.Minute)
		busy = l.zone
		l.refuse(t, "ChangeResourceRecordSets", second, "PriorRequestNotComplete", "")
		busy = ""

		// Who does not wait for the answer has made the change nevertheless.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		in := wiretest.Params(l.change("UPSERT", set("c.example.com", "A", "127.0.0.1")))
		_, err := l.Serve(ctx, &wire.Request{Operation: "ChangeResourceRecordSets", AccountID: account, Params: in})
		if err != nil || !slices.Contains(keys(l), "c.example.com. A") {
			t.Errorf("the zone has %v: %v", keys(l), err)
		}
	})
}

func TestCallsAboveTheRateOfAnAccountAreThrottled(t *testing.T) {
	now := newClock()
	l := newLab(t, route53.Config{Now: now.Now, RequestsPerSecond: 5})
	now.Add(time.Second)
	for range 5 {
		l.do(t, "GetHostedZoneCount", nil)
	}
	l.refuse(t, "GetHostedZoneCount", nil, "Throttling", "Rate exceeded")
	if _, err := l.as(t, "111111111111", "GetHostedZoneCount", nil); err != nil {
		t.Errorf("another account is throttled too: %v", err)
	}
	now.Add(200 * time.Millisecond)
	l.do(t, "GetHostedZoneCount", nil)
	l.refuse(t, "GetHostedZoneCount", nil, "Throttling", "")
}

func TestListingsGoByReversedLabels(t *testing.T) {
	l := newLab(t, route53.Config{})
	var pairs []any
	for _, name := range []string{"b.example.com", "a-b.example.com", "x.a.example.com", "a.example.com", "*.example.com", "B_.example.com", "-.example.com"} {
		pairs = append(pairs, "CREATE", set(name, "TXT", `"x"`), "CREATE", set(name, "A", "127.0.0.1"))
	}
	l.do(t, "ChangeResourceRecordSets", l.change(pairs...))
	want := []string{
		"example.com. NS", "example.com. SOA", "-.example.com. A", "-.example.com. TXT", `\052.example.com. A`, `\052.example.com. TXT`,
		"a-b.example.com. A", "a-b.example.com. TXT", "a.example.com. A", "a.example.com. TXT", "x.a.example.com. A", "x.a.example.com. TXT",
		"b.example.com. A", "b.example.com. TXT", "b_.example.com. A", "b_.example.com. TXT",
	}
	all := names(l.do(t, "ListResourceRecordSets", params{"HostedZoneId": l.zone}))
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("the order:\n%s", diff)
	}
	for name, c := range map[string]struct {
		p     params
		first string
	}{
		"a name that is there":            {params{"StartRecordName": "a.example.com"}, "a.example.com. A"},
		"a name and a type":               {params{"StartRecordName": "a.example.com", "StartRecordType": "TXT"}, "a.example.com. TXT"},
		"a type that the name has not":    {params{"StartRecordName": "a.example.com", "StartRecordType": "CNAME"}, "a.example.com. TXT"},
		"a type behind the name's":        {params{"StartRecordName": "a.example.com.", "StartRecordType": "TLSA"}, "a.example.com. TXT"},
		"a name that is not there":        {params{"StartRecordName": "aa.example.com"}, "b.example.com. A"},
		"a wildcard":                      {params{"StartRecordName": "*.example.com"}, `\052.example.com. A`},
		"a wildcard, escaped":             {params{"StartRecordName": `\052.example.com`}, `\052.example.com. A`},
		"in another case":                 {params{"StartRecordName": "X.A.Example.COM"}, "x.a.example.com. A"},
		"a name before all of the zone's": {params{"StartRecordName": "com"}, "example.com. NS"},
	} {
		t.Run(name, func(t *testing.T) {
			c.p["HostedZoneId"] = l.zone
			got := names(l.do(t, "ListResourceRecordSets", c.p))
			if i := slices.Index(want, c.first); !slices.Equal(got, want[i:]) {
				t.Errorf("got %q", got)
			}
		})
	}
	if got := names(l.do(t, "ListResourceRecordSets", params{"HostedZoneId": l.zone, "StartRecordName": "z.example.com"})); len(got) != 0 {
		t.Errorf("behind all names: %q", got)
	}
}

func TestPagesHoldAtMost300(t *testing.T) {
	l := newLab(t, route53.Config{})
	var pairs []any
	for i := range 400 {
		pairs = append(pairs, "CREATE", set(fmt.Sprintf("n%03d.example.com", i), "A", "127.0.0.1"))
	}
	l.do(t, "ChangeResourceRecordSets", l.change(pairs...))
	page := l.do(t, "ListResourceRecordSets", params{"HostedZoneId": l.zone, "MaxItems": "1000"})
	if n := len(names(page)); n != 300 || wiretest.At(page, "IsTruncated") != true || wiretest.At(page, "NextRecordName") != "n298.example.com." || wiretest.At(page, "MaxItems") != "1000" {
		t.Errorf("%d on a page of 1000, next %v, said %v", n, wiretest.At(page, "NextRecordName"), wiretest.At(page, "MaxItems"))
	}
	if n := len(l.whole(t, 7)); n != 402 {
		t.Errorf("%d in pages of 7", n)
	}
	if got := wiretest.At(l.do(t, "GetHostedZoneLimit", params{"HostedZoneId": l.zone, "Type": "MAX_RRSETS_BY_ZONE"}), "Count"); got != 402 {
		t.Errorf("the limit's count is %v", got)
	}
}

func TestTagsAreKept(t *testing.T) {
	l := newLab(t, route53.Config{})
	tag := func(k, v string) params { return params{"Key": k, "Value": v} }
	zone := params{"ResourceType": "hostedzone", "ResourceId": l.zone}
	l.do(t, "ChangeTagsForResource", with(zone, params{"AddTags": list(tag("a", "1"), tag("b", "2"))}))
	l.do(t, "ChangeTagsForResource", with(zone, params{"AddTags": list(tag("a", "3"), tag("c", "4")), "RemoveTagKeys": list("b")}))
	got := l.do(t, "ListTagsForResources", params{"ResourceType": "hostedzone", "ResourceIds": list(l.zone)})
	want := wire.List{
		wire.Struct{{Name: "Key", Value: "a"}, {Name: "Value", Value: "3"}}, wire.Struct{{Name: "Key", Value: "c"}, {Name: "Value", Value: "4"}},
	}
	if diff := cmp.Diff(any(want), wiretest.At(got, "ResourceTagSets.0.Tags")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(any(want), wiretest.At(l.do(t, "ListTagsForResource", zone), "ResourceTagSet.Tags")); diff != "" {
		t.Error(diff)
	}
}

func TestIdentifiersDependOnTheSeedAndTheCallsOnly(t *testing.T) {
	history := func(seed uint64) []string {
		l := newLab(t, route53.Config{Seed: seed})
		a := wiretest.Text(t, l.do(t, "ChangeResourceRecordSets", l.change("UPSERT", set("a.example.com", "A", "127.0.0.1"))), "ChangeInfo.Id")
		l.refuse(t, "GetHostedZone", params{"Id": "Z1"}, "NoSuchHostedZone", "")
		l.do(t, "ListHostedZones", nil)
		b := wiretest.Text(t, l.do(t, "CreateHealthCheck", params{
			"CallerReference": "x", "HealthCheckConfig": params{"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 80},
		}), "HealthCheck.Id")
		return []string{l.zone, a, b}
	}
	if a, b := history(3), history(3); !slices.Equal(a, b) {
		t.Errorf("two runs of one seed: %q and %q", a, b)
	}
	if a, b := history(3), history(4); a[0] == b[0] || a[1] == b[1] || a[2] == b[2] {
		t.Errorf("two seeds: %q and %q", a, b)
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	l := newLab(t, route53.Config{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				name := fmt.Sprintf("n%d.example.com", i)
				if _, err := l.try(t, "ChangeResourceRecordSets", l.change("UPSERT", set(name, "A", fmt.Sprintf("127.0.0.%d", n)))); err != nil {
					t.Error(err)
				}
				if a := l.Answer(name+".", "A"); len(a.Records) != 1 || a.Records[0].Value != fmt.Sprintf("127.0.0.%d", n) {
					t.Errorf("the answer after change %d is %+v", n, a)
				}
				l.Snapshot()
			}
		})
	}
	wg.Wait()
}

func TestOperationsAreSortedAndWhole(t *testing.T) {
	ops := route53.Operations()
	if len(ops) != 71 { // of the API's model
		t.Errorf("%d operations", len(ops))
	}
	for i, op := range ops {
		if i > 0 && op.Name <= ops[i-1].Name {
			t.Errorf("%s comes after %s", op.Name, ops[i-1].Name)
		}
		if (op.Fidelity == wire.Simplified) != (op.How != "") {
			t.Errorf("%s is %s: %q", op.Name, op.Fidelity, op.How)
		}
	}
}

// The lab's load balancers look at DNS for their made-up traffic, while DNS looks at them.
func TestLoadBalancersMayLookAtAnswers(t *testing.T) {
	now := newClock()
	var l *lab
	asked := 0
	l = newLab(t, route53.Config{
		Now: now.Now, PropagationDelay: func() time.Duration { return time.Second },
		Aliases: func(name string) ([]netip.Addr, bool, bool) {
			if asked++; asked < 10 {
				now.Add(time.Second) // so that something is due
				l.Answer("plain.example.com.", "A")
				l.Share(name)
			}
			return balancers(name)
		},
	})
	const lb = "web-1.us-east-1.elb.amazonaws.com"
	l.do(t, "ChangeResourceRecordSets", l.change(
		"CREATE", weighted(alias("www.example.com", "A", elbZone, "dualstack."+lb, true), "blue", 30),
		"CREATE", weighted(set("www.example.com", "A", "127.0.0.1"), "green", 10),
	))
	l.do(t, "TestDNSAnswer", params{"HostedZoneId": l.zone, "RecordName": "www.example.com", "RecordType": "A"})
	now.Add(time.Second)
	if share, ok := l.Share(lb); share != 0.75 || !ok {
		t.Errorf("the share of %s is %v %v, want 0.75", lb, share, ok)
	}
	if share, ok := l.Share("other." + lb); share != 0 || ok {
		t.Errorf("the share of another is %v %v", share, ok)
	}
}
