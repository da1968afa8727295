package wire_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// service is a wire.Service of one function.
type service func(*wire.Request) (wire.Struct, error)

func (s service) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) { return s(r) }

// world has a small service of every protocol, which remember what they were asked.
type world struct {
	url string

	mu       sync.Mutex
	requests []*wire.Request
	calls    []wire.Call
}

var instant = time.Date(2026, 11, 23, 10, 0, 0, 25e7, time.UTC)

const (
	eksARN  = "arn:aws:eks:eu-west-1:000000000000:cluster/blue"
	userARN = "arn:aws:iam::000000000000:role/path/of*a role"
)

func registrations() []wire.Registration {
	const zone = "/2013-04-01/hostedzone"
	return []wire.Registration{
		{
			Name: "route53", Namespace: "https://route53.amazonaws.com/doc/2013-04-01/", Service: service(route53),
			ListNames: map[string]string{
				"Changes": "Change", "ResourceRecords": "ResourceRecord", "ResourceRecordSets": "ResourceRecordSet",
				"NameServers": "NameServer", "Messages": "Message",
			},
			Routes: []wire.Route{
				{Operation: "GetHostedZone", Method: "GET", Path: zone + "/{Id}"},
				{Operation: "GetHostedZoneCount", Method: "GET", Path: "/2013-04-01/hostedzonecount"},
				{
					Operation: "CreateHostedZone", Method: "POST", Path: zone, Status: 201,
					Headers: map[string]string{"Location": "Location"},
				},
				{Operation: "ChangeResourceRecordSets", Method: "POST", Path: zone + "/{HostedZoneId}/rrset"},
				{
					Operation: "ListResourceRecordSets", Method: "GET", Path: zone + "/{HostedZoneId}/rrset",
					Query: map[string]string{"name": "StartRecordName", "type": "StartRecordType", "maxitems": "MaxItems"},
				},
			},
		},
		{
			Name: "eks", RESTJSON: true, Service: service(eks),
			Routes: []wire.Route{
				{Operation: "ListClusters", Method: "GET", Path: "/clusters"},
				{Operation: "CreateCluster", Method: "POST", Path: "/clusters"},
				{Operation: "DescribeCluster", Method: "GET", Path: "/clusters/{name}"},
				{Operation: "DescribeAccessEntry", Method: "GET", Path: "/clusters/{clusterName}/access-entries/{principalArn}"},
				{Operation: "UntagResource", Method: "DELETE", Path: "/tags/{resourceArn}"},
			},
		},
		{
			Name: "ec2", Version: "2016-11-15", EC2: true, Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
			Service: service(ec2),
		},
		{
			Name: "iam", Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/", Service: service(iam),
		},
		{Name: "tagging", TargetPrefix: "ResourceGroupsTaggingAPI_20170126", Service: service(tagging)},
		{
			Name: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Service: service(sts),
		},
		{
			Name: "monitoring", Version: "2010-08-01", TargetPrefix: "GraniteServiceVersion20100801",
			Service: service(monitoring),
		},
	}
}

func route53(r *wire.Request) (wire.Struct, error) {
	change := wire.Struct{{Name: "Id", Value: "/change/C1"}, {Name: "Status", Value: "PENDING"}, {Name: "SubmittedAt", Value: instant}}
	switch r.Operation {
	case "GetHostedZoneCount":
		return wire.Struct{{Name: "HostedZoneCount", Value: 7}}, nil
	case "GetHostedZone":
		return nil, &wire.Error{Code: "NoSuchHostedZone", Message: "No hosted zone found with ID: " + r.Params.Str("Id"), Status: 404}
	case "CreateHostedZone":
		return wire.Struct{
			{Name: "Location", Value: "https://route53.amazonaws.com/2013-04-01/hostedzone/Z1"},
			{Name: "HostedZone", Value: wire.Struct{
				{Name: "Id", Value: "/hostedzone/Z1"},
				{Name: "Name", Value: r.Params.Str("Name")},
				{Name: "CallerReference", Value: r.Params.Str("CallerReference")},
			}},
			{Name: "ChangeInfo", Value: change},
			{Name: "DelegationSet", Value: wire.Struct{{Name: "NameServers", Value: wire.List{"ns-1.example", "ns-2.example"}}}},
		}, nil
	case "ChangeResourceRecordSets":
		batch := r.Params.Struct("ChangeBatch")
		if batch.Str("Comment") == "refuse" {
			return nil, &wire.Error{Code: "InvalidChangeBatch", Messages: []string{"one <bad> record", "another"}}
		}
		return wire.Struct{{Name: "ChangeInfo", Value: change}}, nil
	case "ListResourceRecordSets":
		return wire.Struct{
			{Name: "ResourceRecordSets", Value: wire.List{wire.Struct{
				{Name: "Name", Value: `\052.example.com.`},
				{Name: "Type", Value: "A"},
				{Name: "SetIdentifier", Value: "blue"},
				{Name: "Weight", Value: 0},
				{Name: "TTL", Value: 60},
				{Name: "ResourceRecords", Value: wire.List{wire.Struct{{Name: "Value", Value: "192.0.2.1"}}, wire.Struct{{Name: "Value", Value: "192.0.2.2"}}}},
			}}},
			{Name: "IsTruncated", Value: false},
			{Name: "MaxItems", Value: "300"},
		}, nil
	}
	return nil, wire.NotSimulated(r.Service, r.Operation)
}

func eks(r *wire.Request) (wire.Struct, error) {
	switch r.Operation {
	case "ListClusters":
		return wire.Struct{{Name: "clusters", Value: wire.List{"blue", "green"}}, {Name: "nextToken", Value: nil}}, nil
	case "DescribeCluster", "CreateCluster":
		name := r.Params.Str("name")
		if name == "gone" {
			return nil, &wire.Error{Code: "ResourceNotFoundException", Message: "No cluster found for name: gone.", Status: 404}
		}
		return wire.Struct{{Name: "cluster", Value: wire.Struct{
			{Name: "name", Value: name},
			{Name: "createdAt", Value: instant},
			{Name: "status", Value: "ACTIVE"},
			{Name: "tags", Value: wire.Struct{{Name: "env", Value: "prod"}}},
		}}}, nil
	case "DescribeAccessEntry":
		return wire.Struct{{Name: "accessEntry", Value: wire.Struct{{Name: "principalArn", Value: r.Params.Str("principalArn")}}}}, nil
	case "UntagResource":
		return nil, nil
	}
	return nil, wire.NotSimulated(r.Service, r.Operation)
}

func ec2(r *wire.Request) (wire.Struct, error) {
	switch r.Operation {
	case "DescribeVpcs":
		if slices.Contains(r.Params.Strings("VpcId"), "vpc-gone") {
			return nil, wire.Errorf("InvalidVpcID.NotFound", "The vpc ID 'vpc-gone' does not exist")
		}
		return wire.Struct{{Name: "vpcSet", Value: wire.List{wire.Struct{
			{Name: "vpcId", Value: "vpc-1"},
			{Name: "isDefault", Value: true},
			{Name: "tagSet", Value: wire.List{wire.Struct{{Name: "key", Value: "Name"}, {Name: "value", Value: "blue"}}}},
		}}}}, nil
	case "CreateTags":
		return wire.Struct{{Name: "return", Value: true}}, nil
	}
	return nil, wire.NotSimulated(r.Service, r.Operation)
}

func iam(r *wire.Request) (wire.Struct, error) {
	if r.Params.Str("RoleName") == "gone" {
		return nil, &wire.Error{Code: "NoSuchEntity", Message: "The role with name gone cannot be found.", Status: 404}
	}
	return wire.Struct{{Name: "Role", Value: wire.Struct{
		{Name: "RoleName", Value: r.Params.Str("RoleName")},
		{Name: "CreateDate", Value: instant},
		{Name: "Tags", Value: wire.List{wire.Struct{{Name: "Key", Value: "k"}, {Name: "Value", Value: "v"}}}},
	}}}, nil
}

func tagging(r *wire.Request) (wire.Struct, error) {
	if r.Params.Str("PaginationToken") == "old" {
		return nil, wire.Errorf("PaginationTokenExpiredException", "too old")
	}
	return wire.Struct{
		{Name: "PaginationToken", Value: ""},
		{Name: "ResourceTagMappingList", Value: wire.List{wire.Struct{{Name: "ResourceARN", Value: eksARN}, {Name: "Tags", Value: wire.List{}}}}},
	}, nil
}

func sts(*wire.Request) (wire.Struct, error) {
	return wire.Struct{{Name: "Account", Value: "000000000000"}}, nil
}

// monitoring answers nothing: unknown members of an empty answer crash the SDK.
func monitoring(*wire.Request) (wire.Struct, error) { return nil, nil }

// start serves all registrations of the test.
func start(t *testing.T, cfg wire.Config) *world {
	t.Helper()
	w := &world{}
	cfg.Observe = func(c wire.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, c)
		if c.Served {
			w.requests = append(w.requests, c.Request)
		}
	}
	m := wire.NewMux(cfg)
	for _, r := range registrations() {
		m.Register(r)
	}
	srv := httptest.NewServer(m)
	t.Cleanup(srv.Close)
	w.url = srv.URL
	return w
}

// config is one of AWS's SDK that leads to w.
func (w *world) config() aws.Config {
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDLAB", "secret-of-the-lab", ""),
	}
}

// last is the call that came in last, as its service got it.
func (w *world) last(t *testing.T) *wire.Request {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.requests) == 0 {
		t.Fatal("no service was asked")
	}
	return w.requests[len(w.requests)-1]
}

// get sends an unsigned request.
func (w *world) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	hr, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, bodyOf(t, res)
}

// served is how many calls have reached a service.
func (w *world) served() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.requests)
}

// status is the HTTP status of the last call's answer.
func (w *world) status() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[len(w.calls)-1].Status
}
