package fault_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// counter is a service whose reads tell how often it was changed, and how they were asked.
type counter struct{ n int }

func (c *counter) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) {
	if !fault.IsRead(r.Operation) {
		c.n++
	}
	size, _, err := r.Params.Int("MaxItems")
	return wire.Struct{{Name: "N", Value: c.n}, {Name: "Size", Value: size}}, err
}

func TestAReadIsStaleForAWhileAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := fault.NewSet(fault.Config{})
		s := fault.NewReads(&counter{}, set, time.Now)
		ask := func(op, zone string) int {
			t.Helper()
			out, err := s.Serve(t.Context(), &wire.Request{Service: "route53", Operation: op, Params: wire.Params{"Id": zone}})
			if err != nil {
				t.Fatal(err)
			}
			n, _ := out[0].Value.(int)
			return n
		}
		expect := func(why string, got, want int) {
			t.Helper()
			if got != want {
				t.Errorf("%s: read %d, want %d", why, got, want)
			}
		}
		expect("at first", ask("ListZones", "a"), 0)
		ask("Change", "a")
		expect("without the fault", ask("ListZones", "a"), 1)
		if _, err := set.Add(fault.Rule{Kind: fault.StaleRead, Operation: "List*", Duration: time.Second}); err != nil {
			t.Fatal(err)
		}
		ask("Change", "a")
		expect("right after a change", ask("ListZones", "a"), 1)
		expect("what was never read is fresh", ask("ListZones", "b"), 2)
		expect("another operation", ask("GetZone", "a"), 2)
		time.Sleep(time.Second)
		expect("later", ask("ListZones", "a"), 2)
	})
}

func TestPagesAreShort(t *testing.T) {
	set := fault.NewSet(fault.Config{})
	s := fault.NewReads(&counter{}, set, time.Now)
	if _, err := set.Add(fault.Rule{Kind: fault.ShortPages, Count: 3}); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[int]int{0: 3, 2: 2, 100: 3} {
		p := wire.Params{}
		if asked > 0 {
			p["MaxItems"] = int64(asked)
		}
		out, err := s.Serve(t.Context(), &wire.Request{Service: "route53", Operation: "ListZones", Params: p})
		if err != nil || out[1].Value != want {
			t.Errorf("asked for %d: got pages of %v, %v; want %d", asked, out[1].Value, err, want)
		}
	}
}

func TestEveryServiceFailsInItsOwnWords(t *testing.T) {
	for call, want := range map[string]string{
		"route53.ListHostedZones":           "Throttling AccessDenied ExpiredToken InternalFailure",
		"eks.DescribeCluster":               "ThrottlingException AccessDeniedException ExpiredTokenException ServerException",
		"tagging.GetResources":              "ThrottledException AccessDeniedException ExpiredTokenException InternalServiceException",
		"ec2.DescribeVpcs":                  "RequestLimitExceeded UnauthorizedOperation RequestExpired InternalError",
		"sqs.ReceiveMessage":                "RequestThrottled AccessDenied ExpiredToken InternalFailure",
		"iam.GetRole":                       "Throttling AccessDenied ExpiredToken InternalFailure",
		"elasticloadbalancing.DescribeTags": "Throttling AccessDenied ExpiredToken InternalFailure",
	} {
		got := ""
		for _, kind := range []fault.Kind{fault.Throttle, fault.AccessDenied, fault.ExpiredToken, fault.ErrorBefore} {
			s := fault.NewSet(fault.Config{})
			if _, err := s.Add(fault.Rule{Kind: kind}); err != nil {
				t.Fatal(err)
			}
			got += " " + run(t, s, call)
		}
		if got[1:] != want {
			t.Errorf("%s: %s, want %s", call, got[1:], want)
		}
	}
}

func TestAnyErrorCanBeInjected(t *testing.T) {
	s := fault.NewSet(fault.Config{})
	if _, err := s.Add(fault.Rule{Kind: fault.Refusal, Service: "route53", Code: "PriorRequestNotComplete", Times: 1}); err != nil {
		t.Fatal(err)
	}
	err := s.Hook(t.Context(), &wire.Request{Service: "route53", Operation: "ChangeResourceRecordSets"}, wire.Before)
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != "PriorRequestNotComplete" || e.Status != 0 {
		t.Errorf("got %v", err)
	}
	for field, r := range map[string]fault.Rule{
		"code":   {Kind: fault.Refusal},
		"status": {Kind: fault.Refusal, Code: "X", Status: 200},
		"count":  {Kind: fault.ShortPages},
		"name":   {Kind: fault.ClusterFailure},
	} {
		if _, err := s.Add(r); err == nil || err.Error()[:len(field)] != field {
			t.Errorf("%+v: %v does not name %s", r, err, field)
		}
	}
}
