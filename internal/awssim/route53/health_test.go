package route53_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// check creates a health check and returns its id.
func (l *lab) check(t *testing.T, ref string, config params) string {
	t.Helper()
	return wiretest.Text(t, l.do(t, "CreateHealthCheck", params{"CallerReference": ref, "HealthCheckConfig": config}), "HealthCheck.Id")
}

func (l *lab) status(t *testing.T, id string) string {
	t.Helper()
	s, _ := wiretest.At(l.do(t, "GetHealthCheckStatus", params{"HealthCheckId": id}), "HealthCheckObservations.0.StatusReport.Status").(string)
	return s
}

// answered is the set identifier that www.example.com is answered from, of n answers.
func (l *lab) answered(t *testing.T, n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	for range n {
		for _, c := range l.Answer("www.example.com.", "A").Choices {
			out[c.SetIdentifier]++
		}
	}
	return out
}

func TestProbesDecideWhatIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		ln, err := network.Listen("tcp", "127.0.0.1:8080")
		if err != nil {
			t.Fatal(err)
		}
		var code atomic.Int64
		code.Store(http.StatusOK)
		var seen atomic.Value
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen.Store(r.Host + r.URL.Path)
			w.WriteHeader(int(code.Load()))
			fmt.Fprint(w, "all is well")
		})}
		go srv.Serve(ln)
		defer srv.Close()
		l := newLab(t, route53.Config{Dial: network.DialContext})
		defer l.Close()

		web := l.check(t, "web", params{
			"Type": "HTTP_STR_MATCH", "IPAddress": "127.0.0.1", "Port": 8080, "ResourcePath": "/healthz", "FullyQualifiedDomainName": "www.example.com",
			"SearchString": "is well", "RequestInterval": 10, "FailureThreshold": 2,
		})
		tcp := l.check(t, "tcp", params{"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 8081, "RequestInterval": 10})
		either := l.check(t, "either", params{"Type": "CALCULATED", "HealthThreshold": 1, "ChildHealthChecks": list(web, tcp)})
		far := l.check(t, "far", params{"Type": "TCP", "IPAddress": "192.0.2.1", "Port": 80})
		l.do(t, "ChangeResourceRecordSets", l.change(
			"CREATE", with(weighted(set("www.example.com", "A", "127.0.0.1"), "web", 1), params{"HealthCheckId": web}),
			"CREATE", with(weighted(set("www.example.com", "A", "127.0.0.2"), "spare", 0), params{"HealthCheckId": either}),
			"CREATE", with(weighted(set("www.example.com", "A", "127.0.0.3"), "tcp", 1), params{"HealthCheckId": tcp}),
		))
		synctest.Wait()
		if got := l.status(t, web); got != "Success: HTTP Status Code 200, OK" || seen.Load() != "www.example.com/healthz" {
			t.Errorf("the first probe: %s, asked for %v", got, seen.Load())
		}
		if got := l.status(t, far); !strings.Contains(got, "not on loopback") {
			t.Errorf("a far address: %s", got)
		}
		time.Sleep(19 * time.Second) // two probes of three
		if got := l.answered(t, 40); got["tcp"] == 0 || got["web"] == 0 || got["spare"] != 0 {
			t.Errorf("after two failed probes of three: %v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := l.answered(t, 40); got["web"] != 40 {
			t.Errorf("with a check that fails: %v", got)
		}
		if got := l.status(t, tcp); !strings.HasPrefix(got, "Failure: connecting to the endpoint") {
			t.Errorf("the status is %s", got)
		}

		code.Store(http.StatusServiceUnavailable)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := l.status(t, web); got != "Failure: HTTP Status Code 503, Service Unavailable" {
			t.Errorf("the status is %s", got)
		}
		if got := l.answered(t, 40); got["spare"] != 0 || got["web"] == 0 || got["tcp"] == 0 {
			t.Errorf("with no check that succeeds all count as healthy: %v", got)
		}
		yes := true
		if !l.SetHealth(either, &yes) || l.SetHealth("none", &yes) {
			t.Error("SetHealth does not know which checks there are")
		}
		if got := l.answered(t, 40); got["spare"] != 40 {
			t.Errorf("with one healthy record set, of weight 0: %v", got)
		}
		l.SetHealth(either, nil)
		code.Store(http.StatusOK)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := l.answered(t, 40); got["web"] != 40 {
			t.Errorf("when it is well again: %v", got)
		}
		failure, _ := wiretest.At(l.do(t, "GetHealthCheckLastFailureReason", params{"HealthCheckId": web}), "HealthCheckObservations.7.StatusReport.Status").(string)
		if failure != "Failure: HTTP Status Code 503, Service Unavailable" {
			t.Errorf("the last failure is %q", failure)
		}
	})
}

func TestAnUpdateOfAHealthCheckCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network // nobody listens
		l := newLab(t, route53.Config{Dial: network.DialContext, HealthInterval: time.Second})
		defer l.Close()
		id := l.check(t, "1", params{"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 80, "FailureThreshold": 1})
		l.do(t, "ChangeResourceRecordSets", l.change(
			"CREATE", with(weighted(set("www.example.com", "A", "127.0.0.1"), "checked", 255), params{"HealthCheckId": id}),
			"CREATE", weighted(set("www.example.com", "A", "127.0.0.2"), "free", 1),
		))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := l.answered(t, 20); got["free"] != 20 {
			t.Errorf("while the check fails: %v", got)
		}
		update := params{"HealthCheckId": id, "HealthCheckVersion": 1, "Inverted": true}
		l.do(t, "UpdateHealthCheck", update)
		if got := l.answered(t, 400); got["checked"] < 300 {
			t.Errorf("while the check is inverted: %v", got)
		}
		l.refuse(t, "UpdateHealthCheck", update, "HealthCheckVersionMismatch", "doesn't match")
		l.do(t, "UpdateHealthCheck", params{"HealthCheckId": id, "Inverted": false})
		if got := l.answered(t, 20); got["free"] != 20 {
			t.Errorf("while the check is not inverted any more: %v", got)
		}
		l.do(t, "DeleteHealthCheck", params{"HealthCheckId": id})
		if got := l.answered(t, 400); got["checked"] < 300 {
			t.Errorf("without the check: %v", got)
		}
		l.refuse(t, "GetHealthCheck", params{"HealthCheckId": id}, "NoSuchHealthCheck", id)
	})
}

func TestHealthChecksThatAWSRefuses(t *testing.T) {
	ok := params{"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 80}
	for name, c := range map[string]struct {
		config  params
		message string
	}{
		"no configuration":               {nil, "healthCheckConfig"},
		"an unknown type":                {with(ok, params{"Type": "UDP"}), "enum"},
		"no endpoint":                    {with(ok, params{"IPAddress": nil}), "Either IPAddress or FullyQualifiedDomainName"},
		"an address that is none":        {with(ok, params{"IPAddress": "127.0.0.256"}), "not an IP address"},
		"no port":                        {with(ok, params{"Port": nil}), "Port"},
		"a port too high":                {with(ok, params{"Port": 65536}), "65535"},
		"an interval between 10 and 30":  {with(ok, params{"RequestInterval": 20}), "RequestInterval must be 10 or 30"},
		"a threshold of 11":              {with(ok, params{"FailureThreshold": 11}), "failureThreshold"},
		"a search without a string":      {with(ok, params{"Type": "HTTP_STR_MATCH"}), "SearchString"},
		"a string without a search":      {with(ok, params{"SearchString": "x"}), "SearchString"},
		"a calculation without children": {params{"Type": "CALCULATED", "HealthThreshold": 1}, "ChildHealthChecks"},
		"a child that is not there":      {params{"Type": "CALCULATED", "ChildHealthChecks": list("none")}, "none does not exist"},
		"a metric without an alarm":      {params{"Type": "CLOUDWATCH_METRIC"}, "AlarmIdentifier"},
		"a switch that is neither":       {with(ok, params{"Inverted": "maybe"}), "boolean"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, route53.Config{})
			p := params{"CallerReference": "1", "HealthCheckConfig": c.config}
			if c.config == nil {
				delete(p, "HealthCheckConfig")
			}
			l.refuse(t, "CreateHealthCheck", p, "InvalidInput", c.message)
			if n := wiretest.At(l.do(t, "GetHealthCheckCount", nil), "HealthCheckCount"); n != 0 {
				t.Errorf("there are %v health checks", n)
			}
		})
	}
}

func TestHealthChecksAreListedByPages(t *testing.T) {
	l := newLab(t, route53.Config{MaxPageSize: 2})
	var want []string
	config := params{"Type": "HTTPS", "FullyQualifiedDomainName": "www.example.com", "Regions": list("us-east-1", "us-west-1", "eu-west-1")}
	for i := range 5 {
		want = append(want, l.check(t, fmt.Sprint(i), config))
	}
	if again := l.check(t, "4", config); again != want[4] {
		t.Errorf("asked for again, it is %s", again)
	}
	l.refuse(t, "CreateHealthCheck", params{"CallerReference": "4", "HealthCheckConfig": with(config, params{"Port": 8443})}, "HealthCheckAlreadyExists", "4")
	var got []string
	p := params{}
	for {
		page := l.do(t, "ListHealthChecks", p)
		checks, _ := wiretest.At(page, "HealthChecks").(wire.List)
		for _, h := range checks {
			got = append(got, wiretest.Text(t, h, "Id"))
		}
		if wiretest.At(page, "IsTruncated") != true {
			break
		}
		p["Marker"] = wiretest.At(page, "NextMarker")
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	first := l.do(t, "GetHealthCheck", params{"HealthCheckId": want[0]})
	if wiretest.At(first, "HealthCheck.HealthCheckConfig.Port") != 443 || wiretest.At(first, "HealthCheck.HealthCheckConfig.Regions.2") != "eu-west-1" {
		t.Errorf("the first is %v", first)
	}
}

func TestAnswersByOtherPolicies(t *testing.T) {
	l := newLab(t, route53.Config{})
	id := l.check(t, "1", params{"Type": "TCP", "IPAddress": "127.0.0.1", "Port": 80})
	routed := func(name, ip, id string, more params) params {
		return with(with(set(name, "A", ip), params{"SetIdentifier": id}), more)
	}
	l.do(t, "ChangeResourceRecordSets", l.change(
		"CREATE", routed("fail.example.com", "127.0.0.1", "z", params{"Failover": "PRIMARY", "HealthCheckId": id}),
		"CREATE", routed("fail.example.com", "127.0.0.2", "a", params{"Failover": "SECONDARY"}),
		"CREATE", routed("multi.example.com", "127.0.0.1", "1", params{"MultiValueAnswer": true, "HealthCheckId": id}),
		"CREATE", routed("multi.example.com", "127.0.0.2", "2", params{"MultiValueAnswer": true}),
		"CREATE", routed("geo.example.com", "127.0.0.1", "x", params{"GeoLocation": params{"CountryCode": "*"}}),
		"CREATE", routed("geo.example.com", "127.0.0.2", "a", params{"GeoLocation": params{"ContinentCode": "EU"}}),
	))
	expect := func(name string, n int, first string) {
		t.Helper()
		a := l.Answer(name, "A")
		if len(a.Records) != n || first != "" && a.Records[0].Value != first {
			t.Errorf("%s is answered with %v, want %d, first %s", name, a.Records, n, first)
		}
	}
	expect("fail.example.com.", 1, "127.0.0.1")
	expect("multi.example.com.", 2, "")
	expect("geo.example.com.", 1, "127.0.0.2")
	no := false
	l.SetHealth(id, &no)
	expect("fail.example.com.", 1, "127.0.0.2")
	expect("multi.example.com.", 1, "127.0.0.2")
	if got := l.status(t, id); got != "Failure: set by the lab" {
		t.Errorf("the status is %s", got)
	}
	listed := l.do(t, "ListResourceRecordSets", params{"HostedZoneId": l.zone, "StartRecordName": "fail.example.com"})
	if wiretest.At(listed, "ResourceRecordSets.0.Failover") != "SECONDARY" || wiretest.At(listed, "ResourceRecordSets.1.HealthCheckId") != id {
		t.Errorf("listed are %v", listed)
	}
}
