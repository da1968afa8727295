package wire_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// scoped is the header of a call that is signed for a service.
func scoped(service string) map[string]string {
	return map[string]string{"Authorization": strings.Replace(auth, "monitoring", service, 1)}
}

func all(t *testing.T, cfg wire.Config) *wire.Mux {
	t.Helper()
	m := wire.NewMux(cfg)
	for _, r := range registrations() {
		m.Register(r)
	}
	return m
}

const (
	xmlHead  = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	firstID  = "00000000-0000-4000-8000-000000000001"
	r53Space = `xmlns="https://route53.amazonaws.com/doc/2013-04-01/"`
	ec2Space = `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`
)

func TestBytesOfAnswers(t *testing.T) {
	change := func(comment string) request {
		return request{
			path: "/2013-04-01/hostedzone/Z1/rrset/", header: scoped("route53"),
			body: "<x><ChangeBatch><Comment>" + comment + "</Comment></ChangeBatch></x>",
		}
	}
	ec2Call := func(form string) request {
		return request{body: form + "&Version=2016-11-15", header: scoped("ec2")}
	}
	for name, tc := range map[string]struct {
		request
		status      int
		contentType string
		header      [2]string
		body        string
	}{
		"rest xml": {
			request: change("go"), status: 200, contentType: "text/xml",
			body: xmlHead + `<ChangeResourceRecordSetsResponse ` + r53Space + `><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>` +
				`<SubmittedAt>2026-11-23T10:00:00.250Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`,
		},
		"rest xml with lists": {
			request: request{method: "GET", path: "/2013-04-01/hostedzone/Z1/rrset", header: scoped("route53")}, status: 200, contentType: "text/xml",
			body: xmlHead + `<ListResourceRecordSetsResponse ` + r53Space + `><ResourceRecordSets><ResourceRecordSet><Name>\052.example.com.</Name><Type>A</Type>` +
				`<SetIdentifier>blue</SetIdentifier><Weight>0</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>` +
				`<ResourceRecord><Value>192.0.2.2</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></ResourceRecordSets>` +
				`<IsTruncated>false</IsTruncated><MaxItems>300</MaxItems></ListResourceRecordSetsResponse>`,
		},
		"rest xml with a header and a status": {
			request: request{path: "/2013-04-01/hostedzone", header: scoped("route53"), body: "<x><Name>n</Name></x>"}, status: 201, contentType: "text/xml",
			header: [2]string{"Location", "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1"},
			body: xmlHead + `<CreateHostedZoneResponse ` + r53Space + `><HostedZone><Id>/hostedzone/Z1</Id><Name>n</Name><CallerReference></CallerReference></HostedZone>` +
				`<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-23T10:00:00.250Z</SubmittedAt></ChangeInfo>` +
				`<DelegationSet><NameServers><NameServer>ns-1.example</NameServer><NameServer>ns-2.example</NameServer></NameServers></DelegationSet></CreateHostedZoneResponse>`,
		},
		"a rest xml error": {
			request: request{method: "GET", path: "/2013-04-01/hostedzone/Z9", header: scoped("route53")}, status: 404, contentType: "text/xml",
			body: xmlHead + `<ErrorResponse ` + r53Space + `><Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>No hosted zone found with ID: Z9</Message></Error>` +
				`<RequestId>` + firstID + `</RequestId></ErrorResponse>`,
		},
		"a rest xml error with several messages": {
			request: change("refuse"), status: 400, contentType: "text/xml",
			body: xmlHead + `<InvalidChangeBatch ` + r53Space + `><Messages><Message>one &lt;bad&gt; record</Message><Message>another</Message></Messages>` +
				`<RequestId>` + firstID + `</RequestId></InvalidChangeBatch>`,
		},
		"rest json": {
			request: request{method: "GET", path: "/clusters/blue", header: scoped("eks")}, status: 200, contentType: "application/json",
			body: `{"cluster":{"createdAt":1795428000.25,"name":"blue","status":"ACTIVE","tags":{"env":"prod"}}}`,
		},
		"an empty rest json answer": {
			request: request{method: "DELETE", path: "/tags/a", header: scoped("eks")}, status: 200, contentType: "application/json", body: `{}`,
		},
		"a rest json error": {
			request: request{method: "GET", path: "/clusters/gone", header: scoped("eks")}, status: 404, contentType: "application/json",
			header: [2]string{"X-Amzn-ErrorType", "ResourceNotFoundException"},
			body:   `{"__type":"ResourceNotFoundException","message":"No cluster found for name: gone."}`,
		},
		"ec2": {
			request: ec2Call("Action=DescribeVpcs"), status: 200, contentType: "text/xml",
			body: xmlHead + `<DescribeVpcsResponse ` + ec2Space + `><requestId>` + firstID + `</requestId><vpcSet><item><vpcId>vpc-1</vpcId><isDefault>true</isDefault>` +
				`<tagSet><item><key>Name</key><value>blue</value></item></tagSet></item></vpcSet></DescribeVpcsResponse>`,
		},
		"an ec2 error": {
			request: ec2Call("Action=DescribeVpcs&VpcId.1=vpc-gone"), status: 400, contentType: "text/xml",
			body: xmlHead + `<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID &#39;vpc-gone&#39; does not exist</Message></Error></Errors>` +
				`<RequestID>` + firstID + `</RequestID></Response>`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			res := tc.send(t, all(t, wire.Config{}))
			if d := cmp.Diff(tc.body, bodyOf(t, res)); d != "" {
				t.Error(d)
			}
			if res.StatusCode != tc.status || res.Header.Get("Content-Type") != tc.contentType {
				t.Errorf("status %d, content type %q", res.StatusCode, res.Header.Get("Content-Type"))
			}
			if k := tc.header[0]; k != "" && res.Header.Get(k) != tc.header[1] {
				t.Errorf("%s: %q", k, res.Header.Get(k))
			}
		})
	}
}

func TestErrorsThatNoServiceMakesAreInTheClientsProtocol(t *testing.T) {
	for name, tc := range map[string]struct {
		request
		header, body string // X-Amzn-Errortype, and a part of the body
	}{
		"rest xml, no such route": {
			request: request{method: "GET", path: "/2013-04-01/healthcheck", header: scoped("route53")},
			body:    "<Code>NotSimulated</Code><Message>route53 GET /2013-04-01/healthcheck is not simulated",
		},
		"rest xml, another method": {
			request: request{method: "DELETE", path: "/2013-04-01/hostedzone/Z1/rrset", header: scoped("route53")}, body: "<Code>NotSimulated</Code>",
		},
		"rest xml of a service that is not there": {
			request: request{method: "GET", path: "/2020-05-31/distribution", header: scoped("cloudfront")}, body: "<Code>NotSimulated</Code>",
		},
		"rest json, no such route": {
			request: request{method: "GET", path: "/clusters/blue/addons", header: scoped("eks")}, header: "NotSimulated",
			body: `"message":"eks GET /clusters/blue/addons is not simulated`,
		},
		"rest json of a service that is not there": {
			request: request{method: "GET", path: "/services", header: scoped("vpc-lattice")}, header: "NotSimulated", body: `"__type":"NotSimulated"`,
		},
		"a path that nobody knows, unsigned": {request: request{path: "/who/knows"}, header: "NotSimulated", body: "unknown service POST /who/knows is not simulated"},
		"the path of another service": {
			request: request{method: "GET", path: "/clusters", header: scoped("route53")}, body: "<Message>route53 GET /clusters is not simulated",
		},
		"ec2": {
			request: request{body: "Action=RunInstances&Version=2016-11-15", header: scoped("ec2")},
			body:    "<Response><Errors><Error><Code>NotSimulated</Code><Message>ec2 RunInstances is not simulated",
		},
		"ec2 of another version": {
			request: request{body: "Action=RunInstances&Version=2010-01-01", header: scoped("ec2")},
			body:    "<Response><Errors><Error><Code>NotSimulated</Code>",
		},
		"a body that is no XML": {
			request: request{path: "/2013-04-01/hostedzone", header: scoped("route53"), body: "{}"}, body: "<ErrorResponse " + r53Space + "><Error><Type>Sender</Type><Code>MalformedInput</Code>",
		},
		"a body that is no JSON": {
			request: request{path: "/clusters", header: scoped("eks"), body: "<x/>"}, header: "SerializationException", body: `"message":"the body is not JSON`,
		},
		"a query that is none": {
			request: request{method: "GET", path: "/clusters?%zz", header: scoped("eks")}, header: "MalformedQueryString", body: "invalid URL escape",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []wire.Call
			res := tc.send(t, all(t, wire.Config{Observe: func(c wire.Call) { calls = append(calls, c) }}))
			body := bodyOf(t, res)
			if res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Amzn-Errortype") != tc.header || !strings.Contains(body, tc.body) {
				t.Errorf("status %d, %q, %s; want %q", res.StatusCode, res.Header.Get("X-Amzn-Errortype"), body, tc.body)
			}
			if len(calls) != 1 || calls[0].Effect || calls[0].Error == "" {
				t.Errorf("calls %+v", calls)
			}
		})
	}
}

func TestRoutesAreFoundByMethodAndPath(t *testing.T) {
	routes := []wire.Route{
		{Operation: "label", Method: "GET", Path: "/a/{X}"},
		{Operation: "the same again", Method: "GET", Path: "/a/{Y}"},
		{Operation: "literal", Method: "GET", Path: "/a/b"},
		{Operation: "two", Method: "GET", Path: "/a/{X}/c/{Y}"},
		{Operation: "put", Method: "PUT", Path: "/a/{X}"},
		{Operation: "greedy", Method: "GET", Path: "/g/{X+}"},
		{Operation: "query", Method: "GET", Path: "/q", Query: map[string]string{"max-items": "MaxItems"}},
	}
	for call, want := range map[string]string{
		"GET /a/x":                               "label map[X:x]",
		"GET /a/x/":                              "label map[X:x]",
		"GET /a/x%2Fy%20z%2A+%252A":              "label map[X:x/y z*+%2A]",
		"GET /a/b":                               "literal map[]",
		"GET /a/%62":                             "literal map[]",
		"PUT /a/b":                               "put map[X:b]",
		"GET /a/b/c/d":                           "two map[X:b Y:d]",
		"GET /g/arn:aws:x:::y/z%2F1":             "greedy map[X:arn:aws:x:::y/z/1]",
		"GET /q?max-items=3&other=a&other=b%20c": "query map[MaxItems:3 other:[a b c]]",
		"GET /q?X-Amz-Expires=3&x-amz-date=1":    "query map[]",
		"GET /a":                                 "",
		"GET /a//":                               "",
		"GET /a/x/c":                             "",
		"GET /g/":                                "",
		"GET /A/x":                               "",
		"HEAD /a/x":                              "",
	} {
		t.Run(call, func(t *testing.T) {
			got := ""
			m := wire.NewMux(wire.Config{})
			m.Register(wire.Registration{Name: "test", RESTJSON: true, Routes: routes, Service: service(func(r *wire.Request) (wire.Struct, error) {
				got = fmt.Sprintf("%s %v", r.Operation, map[string]any(r.Params))
				return nil, nil
			})})
			method, path, _ := strings.Cut(call, " ")
			_ = bodyOf(t, request{method: method, path: path}.send(t, m))
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestLabelsWinOverTheBodyAndTheBodyOverTheQuery(t *testing.T) {
	m := wire.NewMux(wire.Config{})
	var got wire.Params
	m.Register(wire.Registration{
		Name: "test", RESTJSON: true, Routes: []wire.Route{{Operation: "Op", Method: "POST", Path: "/op/{a}"}},
		Service: service(func(r *wire.Request) (wire.Struct, error) {
			got = r.Params
			return nil, nil
		}),
	})
	_ = bodyOf(t, request{path: "/op/path?a=query&b=query&c=query", body: `{"a":"body","b":"body"}`}.send(t, m))
	if d := cmp.Diff(wire.Params{"a": "path", "b": "body", "c": "query"}, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeXML(t *testing.T) {
	lists := map[string]string{"L": "E", "Inner": "I"}
	for name, tc := range map[string]struct {
		body string
		want wire.Params
		err  string
	}{
		"nothing":                    {"", wire.Params{}, ""},
		"an empty root":              {`<?xml version="1.0" encoding="UTF-8"?>` + "\n<r/>\n", wire.Params{}, ""},
		"a root with text only":      {"<r>text</r>", wire.Params{}, ""},
		"text, as it is":             {"<r><a> x &lt;&#65;&gt; <![CDATA[<b>]]></a></r>", wire.Params{"a": " x <A> <b>"}, ""},
		"an empty element":           {"<r><a/></r>", wire.Params{"a": ""}, ""},
		"a structure":                {"<r>\n<s>\n<a>1</a><b>2</b>\n</s></r>", wire.Params{"s": wire.Params{"a": "1", "b": "2"}}, ""},
		"a list of one":              {"<r><L><E>1</E></L></r>", wire.Params{"L": []any{"1"}}, ""},
		"an empty list":              {"<r><L/></r>", wire.Params{"L": []any{}}, ""},
		"a list in a list":           {"<r><L><E><Inner><I>1</I><I>2</I></Inner></E></L></r>", wire.Params{"L": []any{wire.Params{"Inner": []any{"1", "2"}}}}, ""},
		"a list twice":               {"<r><L><E>1</E></L><L><E>2</E></L></r>", wire.Params{"L": []any{"1", "2"}}, ""},
		"an element that repeats":    {"<r><a>1</a><a>2</a><a/></r>", wire.Params{"a": []any{"1", "2", ""}}, ""},
		"a root with a list's name":  {"<L><a>1</a></L>", wire.Params{"a": "1"}, ""},
		"namespaces and attributes":  {`<n:r xmlns:n="u" xmlns="v"><n:a n:b="c">1</n:a><!-- no --></n:r>`, wire.Params{"a": "1"}, ""},
		"a foreign element":          {"<r><L><E>1</E><F>2</F></L></r>", nil, "<L> holds <F>, not <E>"},
		"a document type":            {`<!DOCTYPE r [<!ENTITY a "b">]><r><a>&a;</a></r>`, nil, "a document type is not allowed"},
		"an entity":                  {"<r><a>&b;</a></r>", nil, "invalid character entity &b;"},
		"text around":                {"x<r/>", nil, "text around"},
		"two roots":                  {"<r/><r/>", nil, "goes on after its root"},
		"an end too early":           {"<r><a>", nil, "unexpected EOF"},
		"another end":                {"<r><a></r></a>", nil, "element <a> closed by </r>"},
		"a comment only":             {"<!-- no -->", nil, "ends too early"},
		"another character encoding": {`<?xml version="1.0" encoding="UTF-16"?><r/>`, nil, "encoding"},
		"too deep":                   {strings.Repeat("<a>", 50) + strings.Repeat("</a>", 50), nil, "nested too deep"},
		"too many":                   {"<r>" + strings.Repeat("<a/>", 100_000) + "</r>", nil, "too many elements"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := wire.DecodeXML([]byte(tc.body), lists)
			if e, _ := errors.AsType[*wire.Error](err); tc.err != "" && (e == nil || e.Code != "MalformedInput" || !strings.Contains(e.Message, tc.err)) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if d := cmp.Diff(tc.want, got); tc.err == "" && (d != "" || err != nil) {
				t.Errorf("%v %s", err, d)
			}
		})
	}
}

func TestEC2FormsBecomeTrees(t *testing.T) {
	for form, want := range map[string]wire.Params{
		"Action=A&Version=1&DryRun=true": {"DryRun": "true"},
		"VpcId.1=a&VpcId.2=b":            {"VpcId": []any{"a", "b"}},
		"VpcId.10=b&VpcId.2=a":           {"VpcId": []any{"a", "b"}},
		"Filter.1.Name=n&Filter.1.Value.1=v&Filter.2.Name=m": {"Filter": []any{
			wire.Params{"Name": "n", "Value": []any{"v"}}, wire.Params{"Name": "m"},
		}},
		"IpPermissions.1.IpRanges.1.CidrIp=c":       {"IpPermissions": []any{wire.Params{"IpRanges": []any{wire.Params{"CidrIp": "c"}}}}},
		"CidrBlock.Value=c&CidrBlock.1=x":           {"CidrBlock": wire.Params{"Value": "c", "1": "x"}},
		"A.member.1=a":                              {"A": wire.Params{"member": []any{"a"}}},
		"MetadataOptions.HttpTokens=required&1=top": {"MetadataOptions": wire.Params{"HttpTokens": "required"}, "1": "top"},
	} {
		t.Run(form, func(t *testing.T) {
			values, err := url.ParseQuery(form)
			if err != nil {
				t.Fatal(err)
			}
			got, err := wire.ParseEC2Form(values)
			if d := cmp.Diff(want, got); d != "" || err != nil {
				t.Errorf("%v %s", err, d)
			}
		})
	}
	for _, form := range []url.Values{{"VpcId.0": {"a"}}, {"VpcId.10001": {"a"}}, {"VpcId.-1": {"a"}}, {strings.Repeat("A.", 20) + "1": {"a"}}} {
		if got, err := wire.ParseEC2Form(form); err == nil {
			t.Errorf("%v is %v", form, got)
		}
	}
}

func TestAuthorizeIsAskedBeforeTheHooksAndTheService(t *testing.T) {
	var hooked, asked int
	var calls []wire.Call
	m := all(t, wire.Config{
		Resolve: func(string) string { return "111122223333" },
		Hooks:   []wire.Hook{func(context.Context, *wire.Request, wire.Phase) error { hooked++; return nil }},
		Observe: func(c wire.Call) { calls = append(calls, c) },
		Authorize: func(_ context.Context, r *wire.Request) error {
			asked++
			if r.Operation != "DescribeCluster" || r.Params.Str("name") != "blue" || r.AccountID != "111122223333" {
				t.Errorf("request %+v", r)
			}
			if asked == 2 {
				return nil
			}
			return &wire.Error{Code: "AccessDeniedException", Message: "no", Status: http.StatusForbidden}
		},
	})
	call := request{method: "GET", path: "/clusters/blue", header: scoped("eks")}
	res := call.send(t, m)
	if body := bodyOf(t, res); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "AccessDeniedException") || hooked != 0 {
		t.Errorf("%d %s, %d hooks", res.StatusCode, body, hooked)
	}
	if res = call.send(t, m); res.StatusCode != http.StatusOK || hooked != 2 {
		t.Errorf("%d, %d hooks", res.StatusCode, hooked)
	}
	_ = bodyOf(t, res)
	if len(calls) != 2 || calls[0].Served || calls[0].Effect || !calls[1].Served || !calls[1].Effect {
		t.Errorf("calls %+v", calls)
	}
}

func TestACallThatItsServiceRefusedWasServedWithoutEffect(t *testing.T) {
	var calls []wire.Call
	m := all(t, wire.Config{Observe: func(c wire.Call) { calls = append(calls, c) }})
	_ = bodyOf(t, request{method: "GET", path: "/clusters/gone", header: scoped("eks")}.send(t, m))
	if len(calls) != 1 || !calls[0].Served || calls[0].Effect {
		t.Errorf("calls %+v", calls)
	}
}

func TestReplayAsksTheServiceAlone(t *testing.T) {
	never := func(what string) { t.Errorf("%s was asked", what) }
	m := all(t, wire.Config{
		Hooks:     []wire.Hook{func(context.Context, *wire.Request, wire.Phase) error { never("a hook"); return nil }},
		Observe:   func(wire.Call) { never("the observer") },
		Check:     func(string, string) error { never("the check"); return nil },
		Authorize: func(context.Context, *wire.Request) error { never("authorize"); return nil },
	})
	r := &wire.Request{Service: "eks", Operation: "DescribeCluster", Params: wire.Params{"name": "blue"}}
	res, err := m.Replay(t.Context(), r)
	if err != nil || len(res) != 1 || res[0].Name != "cluster" {
		t.Errorf("%v, %v", res, err)
	}
	r.Params["name"] = "gone"
	if _, err := m.Replay(t.Context(), r); err == nil || !strings.Contains(err.Error(), "replaying eks DescribeCluster: ResourceNotFoundException") {
		t.Error(err)
	}
	if _, err := m.Replay(t.Context(), &wire.Request{Service: "s3", Operation: "Op"}); err == nil || !strings.Contains(err.Error(), `service "s3" is not registered`) {
		t.Error(err)
	}
}
