package route53

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	simfault "github.com/norikae/norikae/internal/awssim/fault"
	sim "github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

func TestDeclarationsThatCannotBeAreRefusedWithoutACall(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		change func(*Config)
		reason string
		parts  []string
	}{
		"a zone's name for its ID":       {func(c *Config) { c.HostedZoneID = "example.com" }, "InvalidHostedZone", []string{"route.route53.hostedZoneID", `"example.com"`, "Z0123"}},
		"no zone":                        {func(c *Config) { c.HostedZoneID = "" }, "InvalidHostedZone", []string{"hostedZoneID"}},
		"no name":                        {func(c *Config) { c.Name = "" }, "InvalidName", []string{"route.route53.name"}},
		"a name with an empty label":     {func(c *Config) { c.Name = "api..example.com" }, "InvalidName", []string{`"api..example.com"`, "1–63"}},
		"no room for the mark":           {func(c *Config) { c.Name = strings.Repeat("abcdefg.", 31) }, "NameTooLong", []string{"no room", "_norikae.", "255"}},
		"an unknown type":                {func(c *Config) { c.Types = []string{"A", "B"} }, "InvalidType", []string{"route.route53.types[1]", `"B"`}},
		"a type in lower case":           {func(c *Config) { c.Types = []string{"a"} }, "InvalidType", []string{`"a"`, "capitals"}},
		"a type that has no weights":     {func(c *Config) { c.Types = []string{"NS"} }, "InvalidType", []string{`"NS"`}},
		"a type twice":                   {func(c *Config) { c.Types = []string{"A", "A"} }, "InvalidType", []string{"twice"}},
		"no destination":                 {func(c *Config) { c.Destinations = nil }, "TooManyDestinations", []string{"destinations: 0", "1–100"}},
		"101 destinations":               {func(c *Config) { c.Destinations = make([]string, 101) }, "TooManyDestinations", []string{"101", "1–100"}},
		"an empty set identifier":        {func(c *Config) { c.Destinations = []string{"blue", ""} }, "InvalidDestination", []string{"destinations[1].setIdentifier", "1–128"}},
		"a set identifier too long":      {func(c *Config) { c.Destinations = []string{strings.Repeat("ü", 129)} }, "InvalidDestination", []string{"129 characters"}},
		"a set identifier twice":         {func(c *Config) { c.Destinations = []string{"blue", "blue"} }, "InvalidDestination", []string{"destinations[1]", "named twice"}},
		"a set identifier in no charset": {func(c *Config) { c.Destinations = []string{"\xff"} }, "InvalidDestination", []string{"UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(w.config(tc.change))
			if !isTerminal(err, tc.reason) {
				t.Errorf("class of %v", err)
			}
			mentions(t, err, tc.parts...)
		})
	}
	for _, id := range []string{w.zone, "/hostedzone/" + w.zone} {
		if n := w.open(func(c *Config) { c.HostedZoneID, c.Name = id, "*.Example.com." }); n.String() != w.zone+" *.example.com" {
			t.Errorf("the route is called %q", n)
		}
	}
	if w.made() != "" {
		t.Errorf("made %s", w.made())
	}
}

// refusals of Preflight, each on a zone of its own.
func refusals() map[string]struct {
	records []types.ResourceRecordSet
	change  func(*Config)
	reason  string
	parts   []string
} {
	var (
		a, aaaa = types.RRTypeA, types.RRTypeAaaa
		blue    = record(a, "blue", 90)
		green   = record(a, "green", 10)
		both    = []types.ResourceRecordSet{blue, green}
		blue6   = record(aaaa, "blue", 90)
		green6  = record(aaaa, "green", 10)
		with    = func(more ...types.ResourceRecordSet) []types.ResourceRecordSet { return append(both[:2:2], more...) }
		onlyA   = func(c *Config) { c.Types = []string{"A"} }
		fail    = func(p types.ResourceRecordSetFailover) setting {
			return func(s *types.ResourceRecordSet) { s.Weight, s.Failover = nil, p }
		}
		geo = func(s *types.ResourceRecordSet) {
			s.Weight, s.GeoLocation = nil, &types.GeoLocation{CountryCode: aws.String("*")}
		}
		multi      = func(s *types.ResourceRecordSet) { s.Weight, s.MultiValueAnswer = nil, aws.Bool(true) }
		notAliased = "cannot be changed"
	)
	return map[string]struct {
		records []types.ResourceRecordSet
		change  func(*Config)
		reason  string
		parts   []string
	}{
		"R3: no record at all":           {nil, nil, "RecordsNotFound", []string{"route.route53.name", `"api.example.com"`, "create the weighted records first"}},
		"R3: one record is missing":      {[]types.ResourceRecordSet{blue, record(a, "red", 1)}, nil, "DestinationNotFound", []string{"destinations[1].setIdentifier", `"green"`, "blue (A), red (A)", "create the record first with weight 0"}},
		"R3: in another case":            {both, func(c *Config) { c.Destinations = []string{"Blue", "green"} }, "DestinationNotFound", []string{"destinations[0]", `"Blue"`, "case-sensitive"}},
		"R3: at another name":            {[]types.ResourceRecordSet{record(a, "blue", 1, at("x.api.example.com")), record(a, "green", 1, at("x.api.example.com"))}, nil, "RecordsNotFound", []string{"api.example.com"}},
		"R4: no AAAA on one side":        {with(blue6), nil, "NoTwin", []string{"destinations[1].setIdentifier", `"green"`, "AAAA", "blue (A, AAAA), green (A)", "route.route53.types"}},
		"R4: no A on one side":           {[]types.ResourceRecordSet{blue, blue6, green6}, nil, "NoTwin", []string{`"green"`, "no weighted A record"}},
		"R4: a simple AAAA beside":       {with(record(aaaa, "", 0, plain)), nil, "NotWeighted", []string{"AAAA", "simple", "would not follow"}},
		"R4: types have other weights":   {with(record(aaaa, "blue", 80), green6), nil, "TypesDisagree", []string{"blue=90 green=10", "blue=80 green=10", "the same weight in each type"}},
		"R4: an undeclared one differs":  {with(blue6, green6, record(a, "old", 5)), nil, "TypesDisagree", []string{"old=5"}},
		"a declared type without one":    {both, func(c *Config) { c.Types = []string{"A", "AAAA"} }, "RecordsNotFound", []string{"route.route53.types[1]", `"AAAA"`, "leave the type out"}},
		"a simple record":                {[]types.ResourceRecordSet{record(a, "", 0, plain)}, nil, "NotWeighted", []string{"destinations[0]", `"blue"`, "simple", "replace it by weighted records"}},
		"latency records":                {[]types.ResourceRecordSet{record(a, "blue", 1, latency)}, nil, "NotWeighted", []string{"latency", "make it one"}},
		"failover records":               {[]types.ResourceRecordSet{record(a, "blue", 1, fail("PRIMARY")), record(a, "green", 1, fail("SECONDARY"))}, nil, "NotWeighted", []string{"failover"}},
		"geolocation records":            {[]types.ResourceRecordSet{record(a, "blue", 1, geo)}, nil, "NotWeighted", []string{"geolocation"}},
		"multivalue answers":             {[]types.ResourceRecordSet{record(a, "blue", 1, multi), record(a, "green", 1, multi, value("192.0.2.9"))}, nil, "NotWeighted", []string{"multivalue answer"}},
		"aliases among TTLs of 300 s":    {[]types.ResourceRecordSet{record(a, "blue", 1, alias), record(a, "green", 1, ttl(300))}, nil, "UnequalTTL", []string{"an alias's TTL (60 s)", "a TTL of 300 s", "more traffic than their weight says", notAliased}},
		"aliases among TTLs, A alone":    {[]types.ResourceRecordSet{record(a, "blue", 1, alias), record(a, "green", 1, ttl(61)), blue6, green6}, onlyA, "UnequalTTL", []string{"61 s"}},
		"an undeclared alias among them": {[]types.ResourceRecordSet{record(a, "blue", 1, ttl(30)), record(a, "green", 1, ttl(30)), record(a, "old", 0, alias)}, nil, "UnequalTTL", []string{`"old"`}},
		"S23: all weights are 0":         {[]types.ResourceRecordSet{record(a, "blue", 0), record(a, "green", 0)}, nil, "AllWeightsZero", []string{"all its weights are 0", "equal", "1 each"}},
		"a name of another zone":         {both, func(c *Config) { c.Name = "api.example.org" }, "NotInZone", []string{"route.route53.name", `"api.example.org"`, "example.com"}},
		"a name that ends like the zone": {both, func(c *Config) { c.Name = "myexample.com" }, "NotInZone", []string{`"myexample.com"`}},
		"a zone that is not there":       {both, func(c *Config) { c.HostedZoneID = "ZNONE" }, "HostedZoneNotFound", []string{"route.route53.hostedZoneID", `"ZNONE"`, "account"}},
		"what does not fit one batch":    {[]types.ResourceRecordSet{many(a, "blue"), many(a, "green")}, nil, "TooManyChanges", []string{"1040 records", "1000", "32000"}},
	}
}

// many is a weighted record of 260 values.
func many(typ types.RRType, id string) types.ResourceRecordSet {
	var v []string
	for i := range 260 {
		v = append(v, fmt.Sprintf("10.0.%d.%d", i/200, i%200))
	}
	return record(typ, id, 1, value(v...))
}

func TestPreflightRefusesWhatAWriteWouldTripOver(t *testing.T) {
	for name, tc := range refusals() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, r := range tc.records {
				w.put(r)
			}
			before := w.records()
			if tc.change == nil {
				tc.change = func(*Config) {}
			}
			n := w.open(tc.change)
			w.forget()
			_, err := n.Preflight(t.Context())
			if !isTerminal(err, tc.reason) {
				t.Errorf("class of %v", err)
			}
			mentions(t, err, tc.parts...)
			if d := cmp.Diff(before, w.records(), bySDK); d != "" || w.changed() {
				t.Errorf("made %s: %s", w.made(), d)
			}
		})
	}
}

func TestAZoneOfAnotherAccountIsRefused(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	o := w.sdk.Options()
	foreign := client(o.HTTPClient.(wiretest.Direct).Handler, "999988887777", 1) //nolint:forcetypeassert // made so in newWorld
	n := w.open(func(c *Config) { c.API = foreign })
	for what, f := range map[string]func() error{
		"Preflight": func() error { _, err := n.Preflight(t.Context()); return err },
		"Observe":   func() error { _, err := n.Observe(t.Context()); return err },
		"Mark":      func() error { _, _, err := n.Mark(t.Context()); return err },
		"SetMark":   func() error { return n.SetMark(t.Context(), markOf()) },
	} {
		err := f()
		if err == nil || !fault.IsTerminal(err) && !errors.Is(err, fault.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
		if fault.IsTerminal(err) {
			mentions(t, err, "route.route53.hostedZoneID", "the credentials")
		}
	}
}

func TestPreflightOfANameInOrderWarnsAndTakesThreeCalls(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	w.look(n)
	_, _, err := n.Mark(t.Context())
	w.ok(err)
	w.forget()
	warnings, err := n.Preflight(t.Context())
	w.ok(err)
	if w.made() != "GetHostedZone GetChange List" {
		t.Errorf("made %s", w.made())
	}
	if all := strings.Join(warnings, "\n"); !strings.Contains(all, "per answer") || strings.Contains(all, "external-dns") {
		t.Errorf("warnings %s", all)
	}
}

func TestThatChangesMayBeFollowedIsCheckedBeforeAnyIsMade(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: "GetChange", Times: 1})
	_, err := w.open().Preflight(t.Context())
	if !errors.Is(err, fault.ErrDenied) {
		t.Errorf("class of %v", err)
	}
	mentions(t, err, "GetChange", "IAM policy")
	w.fail(simfault.Rule{Kind: simfault.Throttle, Operation: "GetChange", Times: 1})
	if _, err := w.open().Preflight(t.Context()); err != nil {
		t.Errorf("a throttled question says nothing: %v", err)
	}
}

func TestTypesThatAreNotShiftedAreToldOf(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	warnings, err := w.open(func(c *Config) { c.Types = []string{"A"} }).Preflight(t.Context())
	w.ok(err)
	if all := strings.Join(warnings, "\n"); !strings.Contains(all, "the weighted AAAA records of api.example.com are not shifted") {
		t.Errorf("warnings %s", all)
	}
}

func TestAnUnfinishedShiftIsNotRefusedForWhatSomebodyWroteMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	w.ok(w.open().SetMark(t.Context(), markOf()))
	w.put(record(types.RRTypeAaaa, "blue", 0))
	if _, err := w.open().Preflight(t.Context()); err != nil {
		t.Errorf("types that disagree: %v", err)
	}
	w.put(record(types.RRTypeA, "blue", 0))
	if _, err := w.open().Preflight(t.Context()); err != nil {
		t.Errorf("all weights 0: %v", err)
	}
}

func TestPreflightDoesNotReplaceTheMarkThatTheCallerKnows(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	_, _, err := n.Mark(t.Context())
	w.ok(err)
	n.seen.at = time.Now().Add(-time.Minute)
	theirs := markOf()
	theirs.Lease.Owner = "ci/7/other"
	w.ok(w.open().SetMark(t.Context(), theirs))
	if _, err := n.Preflight(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.SetMark(t.Context(), markOf()); !errors.Is(err, fault.ErrConflict) {
		t.Errorf("a mark that the caller never saw was replaced: %v", err)
	}
}

func heritageOf(owner, resource string) setting {
	return value(fmt.Sprintf(`"heritage=external-dns,external-dns/owner=%s,external-dns/resource=%s"`, owner, resource))
}

func TestR5_ExternalDNSOwnersAreFoundInEveryFormOfTheirRegistry(t *testing.T) {
	for form, at0 := range map[string]string{
		"without a prefix":        name,
		"with the type":           "a-" + name,
		"with the other type":     "aaaa-" + name,
		"as an alias":             "cname-" + name,
		"with a prefix":           "externaldns-" + name,
		"with a prefix and a":     "externaldns-a-" + name,
		"with a prefix and aaaa":  "externaldns-aaaa-" + name,
		"with a prefix and cname": "externaldns-cname-" + name,
	} {
		for _, page := range []int{1, 3, 300} {
			t.Run(fmt.Sprintf("%s, in pages of %d", form, page), func(t *testing.T) {
				w := newWorld(t, func(c *sim.Config) { c.MaxPageSize = page })
				w.put(record(types.RRTypeA, "blue", 100, alias), record(types.RRTypeA, "green", 0, alias), record(types.RRTypeAaaa, "blue", 100, alias), record(types.RRTypeAaaa, "green", 0, alias))
				for _, other := range []string{"a-x", "a-api-x", "a0", "b", "cname-ap", "externaldns", "externaldns-a", "externaldns-zzz", "zzz", "api-x", "a.api"} {
					w.put(record(types.RRTypeTxt, "blue", 1, at(other+".example.com"), heritageOf("stranger", "service/x/y")), record(types.RRTypeTxt, "green", 1, at(other+".example.com"), heritageOf("stranger", "")))
				}
				w.put(record(types.RRTypeTxt, "green", 0, at(at0), heritageOf("cluster-g", "ingress/web/api")))
				warnings, err := w.open().Preflight(t.Context())
				w.ok(err)
				all := strings.Join(warnings, "\n")
				for _, part := range []string{`destinations[1].setIdentifier: "green" belongs to external-dns with owner "cluster-g" (ingress/web/api)`, "aws-weight", "--policy=create-only"} {
					if !strings.Contains(all, part) {
						t.Errorf("%q is not in: %s", part, all)
					}
				}
				if strings.Contains(all, "stranger") || strings.Contains(all, `"blue" belongs`) || strings.Contains(all, "2 owners") {
					t.Errorf("warnings %s", all)
				}
			})
		}
	}
}

func TestR5_TwoOwnersOfOneNameAreAHazard(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	w.put(
		record(types.RRTypeTxt, "blue", 100, at("a-"+name), heritageOf("cluster-b", "ingress/web/api")),
		record(types.RRTypeTxt, "green", 0, at("a-"+name), heritageOf("cluster-g", "ingress/web/api")),
	)
	warnings, err := w.open().Preflight(t.Context())
	w.ok(err)
	all := strings.Join(warnings, "\n")
	for _, part := range []string{`"blue" belongs to external-dns with owner "cluster-b"`, `"green" belongs to external-dns with owner "cluster-g"`, "2 owners of external-dns (cluster-b, cluster-g)", "--txt-owner-id", "--policy=sync"} {
		if !strings.Contains(all, part) {
			t.Errorf("%q is not in: %s", part, all)
		}
	}
}

func TestARegistryThatIsNoneIsNotMistakenForOne(t *testing.T) {
	for value, want := range map[string]heritage{
		`"heritage=external-dns,external-dns/owner=default,external-dns/resource=service/a/b"`:     {"default", "service/a/b"},
		`"\"heritage=external-dns,external-dns/owner=default,external-dns/resource=service/a/b\""`: {"default", "service/a/b"},
		`"heritage=external-dns,external-dns" "/owner=x"`:                                          {"x", ""},
		`"heritage=external-dns"`: {},
	} {
		if got, ok := parseHeritage(value); !ok || got != want {
			t.Errorf("%s is %+v, %v", value, got, ok)
		}
	}
	for _, value := range []string{`"heritage=mate,mate/owner=x"`, `"v=spf1 -all"`, `""`, `"heritage=external-dns`, `"external-dns/owner=x"`} {
		if got, ok := parseHeritage(value); ok {
			t.Errorf("%s is %+v", value, got)
		}
	}
}

func TestAFailureToReadTheRegistryIsAnError(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	n := w.open()
	w.look(n)
	_, _, err := n.Mark(t.Context())
	w.ok(err)
	w.fail(simfault.Rule{Kind: simfault.AccessDenied, Operation: "ListResourceRecordSets", Times: 1})
	if _, err := n.Preflight(t.Context()); !errors.Is(err, fault.ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestRecordsOfATrafficPolicyAreNotShifted(t *testing.T) {
	w := newWorld(t)
	owned := record(types.RRTypeA, "blue", 1, func(s *types.ResourceRecordSet) { s.TrafficPolicyInstanceId = aws.String("tpi-1") })
	n := w.open(func(c *Config) {
		c.API = &listing{API: w.sdk, sets: []types.ResourceRecordSet{owned, record(types.RRTypeA, "green", 1)}}
	})
	_, err := n.Preflight(t.Context())
	if !isTerminal(err, "NotWeighted") {
		t.Errorf("class of %v", err)
	}
	mentions(t, err, "traffic policy")
}

// listing answers for the name with sets that the simulator does not know.
type listing struct {
	API
	sets []types.ResourceRecordSet
}

func (l *listing) ListResourceRecordSets(ctx context.Context, in *r53.ListResourceRecordSetsInput, o ...func(*r53.Options)) (*r53.ListResourceRecordSetsOutput, error) {
	if *in.StartRecordName != name+"." {
		return l.API.ListResourceRecordSets(ctx, in, o...)
	}
	return &r53.ListResourceRecordSetsOutput{ResourceRecordSets: l.sets}, nil
}

func TestAMarkIsOfItsShiftAlone(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 100, "green", 0)
	w.put(record(types.RRTypeA, "blue", 1, at("b.example.com")), record(types.RRTypeA, "green", 1, at("b.example.com")))
	w.ok(w.open().SetMark(t.Context(), markOf()))
	b := w.open(func(c *Config) { c.Name = "b.example.com" })
	if _, ok, err := b.Mark(t.Context()); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	w.ok(b.SetMark(t.Context(), shift.Mark{ID: "s2", Plan: "p", Lease: shift.Lease{Owner: owner}}))
	if m := w.marked(); m.ID != "s1" {
		t.Errorf("mark %+v", m)
	}
}
