package route53_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const elbZone = "Z35SXDOTRQ7X7K" // of load balancers in us-east-1

// furnished is a lab whose zone has something to get in the way of.
func furnished(t *testing.T) *lab {
	t.Helper()
	l := newLab(t, route53.Config{Aliases: balancers})
	l.do(t, "ChangeResourceRecordSets", l.change(
		"CREATE", set("plain.example.com", "A", "127.0.0.1"),
		"CREATE", set("cname.example.com", "CNAME", "plain.example.com"),
		"CREATE", weighted(set("www.example.com", "A", "127.0.0.1", "127.0.0.2"), "blue", 90),
		"CREATE", weighted(set("www.example.com", "A", "127.0.0.3"), "green", 10),
		"CREATE", with(set("near.example.com", "A", "127.0.0.1"), params{"SetIdentifier": "us", "Region": "us-east-1"}),
	))
	return l
}

// What AWS refuses, with its words where somebody has reported them.
func TestABatchThatAWSRefuses(t *testing.T) {
	const cannot = "cannot be created as "
	simple := set("new.example.com", "A", "127.0.0.1")
	value := func(typ string, values ...string) params { return set("new.example.com", typ, values...) }
	lb := alias("new.example.com", "A", elbZone, "web-1.us-east-1.elb.amazonaws.com", true)
	var tooMany, tooLong, manyValues []any
	for i := range 501 {
		tooMany = append(tooMany, "UPSERT", set(fmt.Sprintf("n%d.example.com", i), "A", "127.0.0.1"))
	}
	for i := range 9 {
		tooLong = append(tooLong, "CREATE", set(fmt.Sprintf("n%d.example.com", i), "TXT", strings.Repeat(`"`+strings.Repeat("x", 197)+`" `, 19)))
	}
	values := make([]string, 401)
	for i := range values {
		values[i] = fmt.Sprintf("10.0.%d.%d", i/256, i%256)
	}
	manyValues = []any{"CREATE", set("new.example.com", "A", values...)}
	big := []any{}
	for i := range 101 {
		big = append(big, "CREATE", weighted(simple, fmt.Sprint(i), 1))
	}

	for name, c := range map[string]struct {
		pairs         []any // of action and record set
		code, message string
	}{
		"an unknown action":                        {[]any{"REPLACE", simple}, "InvalidInput", "Value 'REPLACE' at 'changeBatch.changes.1.member.action'"},
		"no change at all":                         {nil, "InvalidInput", "changeBatch.changes"},
		"an unknown type":                          {[]any{"CREATE", value("AA", "x")}, "InvalidInput", "satisfy enum value set"},
		"no name":                                  {[]any{"CREATE", with(simple, params{"Name": ""})}, "InvalidInput", "resourceRecordSet.name"},
		"no TTL":                                   {[]any{"CREATE", with(simple, params{"TTL": nil})}, "InvalidInput", "but found none in Change with [Action=CREATE, Name=new.example.com, Type=A, SetIdentifier=null]"},
		"no values":                                {[]any{"CREATE", with(simple, params{"ResourceRecords": nil})}, "InvalidInput", "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none"},
		"an alias with a TTL":                      {[]any{"CREATE", with(lb, params{"TTL": 60})}, "InvalidInput", "but found more than one"},
		"an alias with values":                     {[]any{"CREATE", with(simple, params{"AliasTarget": lb["AliasTarget"]})}, "InvalidInput", "but found more than one"},
		"an alias without EvaluateTargetHealth":    {[]any{"CREATE", with(lb, params{"AliasTarget": params{"HostedZoneId": elbZone, "DNSName": "x."}})}, "InvalidInput", "evaluateTargetHealth"},
		"a TTL above the range":                    {[]any{"CREATE", with(simple, params{"TTL": 2147483648})}, "InvalidInput", "less than or equal to 2147483647"},
		"a TTL that is no number":                  {[]any{"CREATE", with(simple, params{"TTL": "soon"})}, "InvalidInput", "be a number"},
		"a weight above 255":                       {[]any{"CREATE", weighted(simple, "blue", 256)}, "InvalidInput", "Value '256' at 'changeBatch.changes.1.member.resourceRecordSet.weight' failed to satisfy constraint: Member must have value less than or equal to 255"},
		"a weight below 0":                         {[]any{"CREATE", weighted(simple, "blue", -1)}, "InvalidInput", "greater than or equal to 0"},
		"a weight without a set identifier":        {[]any{"CREATE", with(simple, params{"Weight": 1})}, "InvalidInput", "Missing field 'SetIdentifier' in Change with"},
		"a set identifier without a policy":        {[]any{"CREATE", with(simple, params{"SetIdentifier": "blue"})}, "InvalidInput", "MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found none"},
		"a set identifier of 129 characters":       {[]any{"CREATE", weighted(simple, strings.Repeat("x", 129), 1)}, "InvalidInput", "setIdentifier"},
		"two policies in one record set":           {[]any{"CREATE", with(weighted(simple, "blue", 1), params{"Region": "us-east-1"})}, "InvalidInput", "but found more than one"},
		"a policy on name servers":                 {[]any{"CREATE", weighted(value("NS", "ns.example.net"), "blue", 1)}, "InvalidInput", "cannot have a routing policy"},
		"a failover of neither kind":               {[]any{"CREATE", with(simple, params{"SetIdentifier": "blue", "Failover": "THIRD"})}, "InvalidInput", "PRIMARY, SECONDARY"},
		"a health check that does not exist":       {[]any{"CREATE", with(simple, params{"HealthCheckId": "none"})}, "NoSuchHealthCheck", "none"},
		"a value of 4001 characters":               {[]any{"CREATE", value("TXT", strings.Repeat("x", 4001))}, "InvalidInput", "resourceRecords.1.member.value"},
		"geoproximity, which is not simulated":     {[]any{"CREATE", with(simple, params{"SetIdentifier": "x", "GeoProximityLocation": params{"AWSRegion": "us-east-1"}})}, "NotSimulated", "GeoProximityLocation"},
		"a name of another zone":                   {[]any{"CREATE", set("www.example.net", "A", "127.0.0.1")}, "InvalidChangeBatch", "RRSet with DNS name www.example.net. is not permitted in zone example.com."},
		"a name that ends like the zone's":         {[]any{"CREATE", set("badexample.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "is not permitted in zone example.com."},
		"an empty label":                           {[]any{"CREATE", set("a..example.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "FATAL problem: DomainLabelEmpty (Domain label is empty)"},
		"a label of 64 characters":                 {[]any{"CREATE", set(strings.Repeat("x", 64)+".example.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with 'xxx"},
		"a name of 256 bytes":                      {[]any{"CREATE", set(strings.Repeat("xxxxxxxxx.", 25)+"example.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "DomainNameTooLong"},
		"a space in a name":                        {[]any{"CREATE", set("a b.example.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "UnsupportedCharacter"},
		"a decimal escape in a name":               {[]any{"CREATE", set(`\999.example.com`, "A", "127.0.0.1")}, "InvalidChangeBatch", "UnsupportedCharacter"},
		"a record set that exists":                 {[]any{"CREATE", set("PLAIN.example.com.", "A", "127.0.0.9")}, "InvalidChangeBatch", "Tried to create resource record set [name='plain.example.com.', type='A'] but it already exists"},
		"a weighted record set that exists":        {[]any{"CREATE", weighted(set("www.example.com", "A", "127.0.0.9"), "blue", 1)}, "InvalidChangeBatch", "Tried to create resource record set [name='www.example.com.', type='A', set-identifier='blue'] but it already exists"},
		"deleting what is not there":               {[]any{"DELETE", simple}, "InvalidChangeBatch", "Tried to delete resource record set [name='new.example.com.', type='A'] but it was not found"},
		"deleting with another value":              {[]any{"DELETE", set("plain.example.com", "A", "127.0.0.2")}, "InvalidChangeBatch", "but the values provided do not match the current values"},
		"deleting with another TTL":                {[]any{"DELETE", with(set("plain.example.com", "A", "127.0.0.1"), params{"TTL": 60})}, "InvalidChangeBatch", "but the values provided do not match the current values"},
		"deleting with another weight":             {[]any{"DELETE", weighted(set("www.example.com", "A", "127.0.0.3"), "green", 11)}, "InvalidChangeBatch", "but the values provided do not match the current values"},
		"deleting some of several values":          {[]any{"DELETE", weighted(set("www.example.com", "A", "127.0.0.1"), "blue", 90)}, "InvalidChangeBatch", "but the values provided do not match the current values"},
		"deleting one without its set identifier":  {[]any{"DELETE", set("www.example.com", "A", "127.0.0.3")}, "InvalidChangeBatch", "but it was not found"},
		"a record set twice":                       {[]any{"UPSERT", simple, "UPSERT", simple}, "InvalidChangeBatch", "The request contains an invalid set of changes for a resource record set 'A new.example.com.'"},
		"creating and then deleting":               {[]any{"CREATE", simple, "DELETE", simple}, "InvalidChangeBatch", "invalid set of changes"},
		"a CNAME at the apex":                      {[]any{"CREATE", set("example.com", "CNAME", "x.example.net")}, "InvalidChangeBatch", "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com."},
		"a CNAME beside an address":                {[]any{"CREATE", set("plain.example.com", "CNAME", "x.example.net")}, "InvalidChangeBatch", "RRSet of type CNAME with DNS name plain.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com."},
		"a text beside a CNAME":                    {[]any{"CREATE", set("cname.example.com", "TXT", `"x"`)}, "InvalidChangeBatch", "RRSet of type TXT with DNS name cname.example.com. is not permitted as it conflicts"},
		"a CNAME with two values":                  {[]any{"CREATE", value("CNAME", "a.example.net", "b.example.net")}, "InvalidChangeBatch", "more than one resource record"},
		"a simple one beside weighted ones":        {[]any{"UPSERT", set("www.example.com", "A", "127.0.0.1")}, "InvalidChangeBatch", "RRSet with DNS name www.example.com., type A " + cannot + "other RRSets exist with the same name and type."},
		"a weighted one beside a simple one":       {[]any{"CREATE", weighted(set("plain.example.com", "A", "127.0.0.1"), "blue", 1)}, "InvalidChangeBatch", "RRSet with DNS name plain.example.com., type A, SetIdentifier blue " + cannot + "a non-weighted set exists with the same name and type."},
		"a weighted one beside one by latency":     {[]any{"CREATE", weighted(set("near.example.com", "A", "127.0.0.1"), "blue", 1)}, "InvalidChangeBatch", cannot + "a non-weighted set exists"},
		"two by latency of one region":             {[]any{"CREATE", with(set("near.example.com", "A", "127.0.0.2"), params{"SetIdentifier": "too", "Region": "us-east-1"})}, "InvalidChangeBatch", "another set exists with the same name, type and latency"},
		"a weighted one with a TTL of its own":     {[]any{"UPSERT", with(weighted(set("www.example.com", "A", "127.0.0.3"), "green", 10), params{"TTL": 60})}, "InvalidChangeBatch", "RRSet with DNS name www.example.com., type A, SetIdentifier green " + cannot + "weighted sets must contain the same TTL."},
		"101 weighted ones":                        {big, "InvalidChangeBatch", "at most 100 sets"},
		"deleting the zone's name servers":         {[]any{"DELETE", params{}}, "InvalidChangeBatch", "A HostedZone must contain at least one NS record for the zone itself."},
		"a second start of authority":              {[]any{"CREATE", set("new.example.com", "SOA", "ns.example.net. h.example.net. 1 7200 900 1209600 86400")}, "InvalidChangeBatch", "SOA"},
		"name servers of a wildcard":               {[]any{"CREATE", set("*.new.example.com", "NS", "ns.example.net")}, "InvalidChangeBatch", "wildcard"},
		"an alias of name servers":                 {[]any{"CREATE", with(lb, params{"Type": "NS"})}, "InvalidChangeBatch", "cannot be an alias"},
		"an alias to a load balancer unknown":      {[]any{"CREATE", alias("new.example.com", "A", elbZone, "web-2.us-east-1.elb.amazonaws.com", true)}, "InvalidChangeBatch", "Tried to create an alias that targets web-2.us-east-1.elb.amazonaws.com., type A in zone " + elbZone + ", but that target was not found"},
		"an alias of a text to a load balancer":    {[]any{"CREATE", with(lb, params{"Type": "TXT"})}, "InvalidChangeBatch", "but that target was not found"},
		"an alias out of the zone it names":        {[]any{"CREATE", alias("new.example.com", "A", "OWN", "web-1.us-east-1.elb.amazonaws.com", true)}, "InvalidChangeBatch", "but the alias target name does not lie within the target zone"},
		"an alias into the zone with another id":   {[]any{"CREATE", alias("new.example.com", "A", elbZone, "plain.example.com", true)}, "InvalidChangeBatch", "but the alias target name does not lie within the target zone"},
		"an alias to a name that is not there":     {[]any{"CREATE", alias("new.example.com", "A", "OWN", "none.example.com", true)}, "InvalidChangeBatch", "but that target was not found"},
		"an alias to a name of another type":       {[]any{"CREATE", alias("new.example.com", "AAAA", "OWN", "plain.example.com", true)}, "InvalidChangeBatch", "but that target was not found"},
		"an alias to itself":                       {[]any{"CREATE", alias("new.example.com", "A", "OWN", "new.example.com", true)}, "InvalidChangeBatch", "itself"},
		"a value twice":                            {[]any{"CREATE", value("A", "127.0.0.1", "127.0.0.1")}, "InvalidChangeBatch", "Duplicate Resource Record: '127.0.0.1'"},
		"a name for an IPv4 address":               {[]any{"CREATE", value("A", "www.example.com")}, "InvalidChangeBatch", "Invalid Resource Record: FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'www.example.com'"},
		"an IPv4 address for an IPv6 one":          {[]any{"CREATE", value("AAAA", "127.0.0.1")}, "InvalidChangeBatch", "AAAARRDATAIllegalIPv6Address"},
		"an IPv6 address with a zone":              {[]any{"CREATE", value("AAAA", "fe80::1%eth0")}, "InvalidChangeBatch", "AAAARRDATAIllegalIPv6Address"},
		"a text without quotation marks":           {[]any{"CREATE", value("TXT", "hello")}, "InvalidChangeBatch", "InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'hello'"},
		"a text that does not end":                 {[]any{"CREATE", value("TXT", `"hello`)}, "InvalidChangeBatch", "InvalidCharacterString"},
		"a text within a text":                     {[]any{"CREATE", value("TXT", `""hello""`)}, "InvalidChangeBatch", "InvalidCharacterString"},
		"a text of 256 characters":                 {[]any{"CREATE", value("TXT", `"`+strings.Repeat("x", 256)+`"`)}, "InvalidChangeBatch", "CharacterStringTooLong (Value is too long)"},
		"a CNAME to an empty label":                {[]any{"CREATE", value("CNAME", "a..b")}, "InvalidChangeBatch", "Invalid Resource Record: FATAL problem: DomainLabelEmpty"},
		"a mail exchange without priority":         {[]any{"CREATE", value("MX", "mx.example.com")}, "InvalidChangeBatch", "MXRRDATANotTwoFields"},
		"a mail exchange with a high priority":     {[]any{"CREATE", value("MX", "65536 mx.example.com")}, "InvalidChangeBatch", "MXRRDATAIllegalPriority"},
		"a service with three fields":              {[]any{"CREATE", value("SRV", "1 2 www.example.com")}, "InvalidChangeBatch", "SRVRRDATANotFourFields"},
		"a service with a port too high":           {[]any{"CREATE", value("SRV", "1 2 65536 www.example.com")}, "InvalidChangeBatch", "SRVRRDATAIllegalPort"},
		"a certification authority without quotes": {[]any{"CREATE", value("CAA", "0 issue ca.example.net")}, "InvalidChangeBatch", "CAARRDATANotThreeFields"},
		"flags of an authority above 255":          {[]any{"CREATE", value("CAA", `256 issue "ca.example.net"`)}, "InvalidChangeBatch", "CAARRDATAIllegalFlags"},
		"a delegation signer of no sense":          {[]any{"CREATE", value("DS", "1 2")}, "InvalidChangeBatch", "DSRRDATAIllegal"},
		"401 values":                               {manyValues, "InvalidChangeBatch", "Cannot have more than 400 records in a RRSet."},
		"1002 records, upserts counted twice":      {tooMany, "InvalidChangeBatch", "Number of records limit of 1000 exceeded."},
		"more than 32000 characters":               {tooLong, "InvalidChangeBatch", "Number of characters limit of 32000 exceeded."},
	} {
		t.Run(name, func(t *testing.T) {
			l := furnished(t)
			before := l.Snapshot()
			p := l.change(c.pairs...)
			if name == "deleting the zone's name servers" {
				ns := before[0].Records[0]
				p = l.change("DELETE", with(set(ns.Name, ns.Type, ns.Values...), params{"TTL": ns.TTL}))
			}
			own(p, l.zone)
			l.refuse(t, "ChangeResourceRecordSets", p, c.code, c.message)
			if diff := cmp.Diff(before, l.Snapshot()); diff != "" {
				t.Errorf("the refused batch changed the zone:\n%s", diff)
			}
		})
	}
}

// own puts the zone's id where a test could not know it.
func own(v any, id string) {
	switch v := v.(type) {
	case params:
		for k, x := range v {
			if x == "OWN" {
				v[k] = id
			}
			own(x, id)
		}
	case []any:
		for _, x := range v {
			own(x, id)
		}
	}
}

func TestABatchThatAWSAccepts(t *testing.T) {
	for name, pairs := range map[string][]any{
		"a simple record set instead of weighted ones": {
			"DELETE", weighted(set("www.example.com", "A", "127.0.0.2", "127.0.0.1"), "blue", 90),
			"DELETE", weighted(set("www.example.com", "A", "127.0.0.3"), "green", 10),
			"CREATE", set("www.example.com", "A", "127.0.0.1"),
		},
		"a CNAME instead of an address": {
			"CREATE", set("plain.example.com", "CNAME", "x.example.net"), "DELETE", set("plain.example.com", "A", "127.0.0.1"),
		},
		"the TTL of a whole group": {
			"UPSERT", with(weighted(set("www.example.com", "A", "127.0.0.1"), "blue", 90), params{"TTL": 5}),
			"UPSERT", with(weighted(set("www.example.com", "A", "127.0.0.3"), "green", 10), params{"TTL": 5}),
		},
		"an alias beside a record set with a TTL": {
			"CREATE", weighted(alias("www.example.com", "A", elbZone, "dualstack.WEB-1.us-east-1.elb.amazonaws.com", true), "lb", 5),
		},
		"another value by DELETE and CREATE": {
			"DELETE", set("plain.example.com", "A", "127.0.0.1"), "CREATE", set("plain.example.com", "A", "127.0.0.2"),
		},
		"an alias to what the batch creates": {
			"CREATE", alias("a.example.com", "A", "OWN", "b.example.com", false), "CREATE", set("b.example.com", "A", "127.0.0.1"),
		},
		"an alias to something that is no load balancer": {
			"CREATE", alias("a.example.com", "A", "Z2FDTNDATAQYW2", "d111.cloudfront.net", false),
		},
		"500 upserts": func() (out []any) {
			for i := range 500 {
				out = append(out, "UPSERT", set(fmt.Sprintf("n%d.example.com", i), "A", "127.0.0.1"))
			}
			return out
		}(),
		"other name servers for the zone": {"UPSERT", set("example.com", "NS", "ns.example.net")},
		"values of every type": {
			"CREATE", set("t.example.com", "AAAA", "::1", "::ffff:127.0.0.1"), "CREATE", set("t.example.com", "TXT", `"a" "b\"\\\052"`),
			"CREATE", set("t.example.com", "MX", "10 mx.example.com"), "CREATE", set("t.example.com", "SRV", "1 2 3 www.example.com."),
			"CREATE", set("t.example.com", "CAA", `0 issue "ca.example.net; x=1"`), "CREATE", set("t.example.com", "PTR", "www.example.com"),
			"CREATE", set("t.example.com", "SPF", `"v=spf1 -all"`), "CREATE", set("t.example.com", "NS", "ns.example.net"),
			"CREATE", set("t.example.com", "DS", "1 8 2 "+strings.Repeat("AB", 32)),
			"CREATE", set("t.example.com", "NAPTR", `1 2 "U" "E2U+sip" "!^.*$!sip:x@example.com!" .`),
			"CREATE", set("t.example.com", "TLSA", "3 1 1 "+strings.Repeat("AB", 32)), "CREATE", set("t.example.com", "SSHFP", "1 1 "+strings.Repeat("AB", 20)),
			"CREATE", set("t.example.com", "HTTPS", "1 . alpn=h2"), "CREATE", set("t.example.com", "SVCB", "1 svc.example.com. port=8443"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := furnished(t)
			p := l.change(pairs...)
			own(p, l.zone)
			info := wiretest.At(l.do(t, "ChangeResourceRecordSets", p), "ChangeInfo")
			if wiretest.At(info, "Status") != "INSYNC" {
				t.Errorf("the change is %v", info)
			}
			want := furnishedKeys()
			for i := 0; i < len(pairs); i += 2 {
				k := keyOf(t, pairs[i+1])
				want = slices.DeleteFunc(want, func(o string) bool { return o == k })
				if pairs[i] != "DELETE" {
					want = append(want, k)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, keys(l)); diff != "" {
				t.Errorf("the zone has:\n%s", diff)
			}
		})
	}
}

func furnishedKeys() []string {
	return []string{
		"example.com. NS", "example.com. SOA", "plain.example.com. A", "cname.example.com. CNAME", "near.example.com. A us",
		"www.example.com. A blue", "www.example.com. A green",
	}
}

func keyOf(t *testing.T, v any) string {
	t.Helper()
	r, ok := v.(params)
	if !ok {
		t.Fatalf("%v is no record set", v)
	}
	id, _ := r["SetIdentifier"].(string)
	return strings.TrimSpace(fmt.Sprintf("%s. %s %s", r["Name"], r["Type"], id))
}

// keys are the record sets of the zone, sorted as text.
func keys(l *lab) []string {
	var out []string
	for _, r := range l.Snapshot()[0].Records {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Name, r.Type, r.SetIdentifier)))
	}
	slices.Sort(out)
	return out
}

func TestABatchTellsOfAllItsProblems(t *testing.T) {
	want := []string{
		"Tried to delete resource record set [name='a.example.com.', type='A'] but it was not found",
		"Tried to delete resource record set [name='b.example.com.', type='A'] but it was not found",
	}
	for _, asList := range []bool{false, true} {
		l := newLab(t, route53.Config{BatchErrorList: asList})
		_, err := l.try(t, "ChangeResourceRecordSets", l.change(
			"DELETE", set("a.example.com", "A", "127.0.0.1"), "CREATE", set("ok.example.com", "A", "127.0.0.1"), "DELETE", set("b.example.com", "A", "127.0.0.1"),
		))
		var e *wire.Error
		if !errors.As(err, &e) || e.Message != "["+strings.Join(want, ", ")+"]" {
			t.Fatalf("got %v", err)
		}
		if asList && !slices.Equal(e.Messages, want) || !asList && e.Messages != nil {
			t.Errorf("as a list %v: %q", asList, e.Messages)
		}
	}
}
