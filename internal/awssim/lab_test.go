package awssim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/memnet"
)

// fixture is a started lab and clients of it.
type fixture struct {
	*awssim.Lab
	http *http.Client
	sts  *sts.Client
	elb  *elb.Client
	cw   *cloudwatch.Client
}

// start runs a lab on TCP, or on n when it is not nil. The returned function ends it:
// in a synctest bubble that must be before the bubble's end.
func start(t *testing.T, cfg awssim.Config, n *memnet.Network) (f fixture, end func()) {
	t.Helper()
	transport := &http.Transport{}
	if n != nil {
		cfg.Listen, cfg.Dial = n.Listen, n.DialContext
		transport = n.Transport()
	}
	lab, err := awssim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	c := aws.Config{
		Region: awssim.Region, BaseEndpoint: aws.String(lab.Endpoint()), HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "fake", ""),
	}
	f = fixture{lab, &http.Client{Transport: transport}, sts.NewFromConfig(c), elb.NewFromConfig(c), cloudwatch.NewFromConfig(c)}
	return f, func() {
		transport.CloseIdleConnections()
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	}
}

// onEachNetwork runs a test of the fast blue-green lab on TCP in real time, and on
// pipes in virtual time.
func onEachNetwork(t *testing.T, test func(t *testing.T, f fixture)) {
	t.Run("tcp", func(t *testing.T) {
		f, end := start(t, awssim.Fast(), nil)
		defer end()
		test(t, f)
	})
	t.Run("in memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, end := start(t, awssim.Fast(), &memnet.Network{})
			defer end()
			test(t, f)
		})
	})
}

// get sends a request and returns status and body. path may be a URL.
func (f fixture) get(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	if strings.HasPrefix(path, "/") {
		path = f.Endpoint() + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := f.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// setWeights writes the weights of blue and green.
func (f fixture) setWeights(ctx context.Context, blue, green int32) error {
	w := f.World()
	_, err := f.elb.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &w.RuleARN, Actions: []elbtypes.Action{{
		Type: elbtypes.ActionTypeEnumForward,
		ForwardConfig: &elbtypes.ForwardActionConfig{TargetGroups: []elbtypes.TargetGroupTuple{
			{TargetGroupArn: &w.TargetGroups[0].ARN, Weight: &blue}, {TargetGroupArn: &w.TargetGroups[1].ARN, Weight: &green},
		}},
	}}})
	return err
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func TestTheSDKWorksAgainstTheLab(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, f fixture) {
		ctx, w := t.Context(), f.World()
		me, err := f.sts.GetCallerIdentity(ctx, nil)
		if err != nil || *me.Account != "000000000000" {
			t.Fatalf("GetCallerIdentity: %v %v", me, err)
		}
		rules, err := f.elb.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: &w.ListenerARN})
		if err != nil || len(rules.Rules) != 2 || *rules.Rules[0].RuleArn != w.RuleARN {
			t.Fatalf("DescribeRules: %+v %v", rules, err)
		}
		for _, g := range w.TargetGroups {
			health, err := f.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &g.ARN})
			if err != nil || len(health.TargetHealthDescriptions) != 2 {
				t.Fatalf("DescribeTargetHealth: %+v %v", health, err)
			}
			for _, d := range health.TargetHealthDescriptions {
				if d.TargetHealth.State != elbtypes.TargetHealthStateEnumHealthy {
					t.Errorf("a target of %s is %s", g.Name, d.TargetHealth.State)
				}
			}
		}
		if status, body := f.get(t, "GET", w.URL+"/", ""); status != 404 {
			t.Errorf("another host: %d %s", status, body)
		}
		begin := time.Now()
		for range 3 {
			if status, body := f.get(t, "GET", w.URL+"/", "", "Host", awssim.Host); status != 200 || !strings.Contains(body, `"blue"`) {
				t.Errorf("at 100/0: %d %s", status, body)
			}
		}
		if err := f.setWeights(ctx, 0, 100); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if status, body := f.get(t, "GET", w.URL+"/", "", "Host", awssim.Host); status != 200 || !strings.Contains(body, `"green"`) {
				t.Errorf("at 0/100: %d %s", status, body)
			}
		}
		time.Sleep(time.Until(begin.Truncate(time.Second).Add(3200 * time.Millisecond)))
		if got := f.requestCount(t, begin); got != 5 {
			t.Errorf("RequestCount of both groups is %v, want 5", got)
		}
	})
}

// requestCount sums the groups' RequestCount since begin.
func (f fixture) requestCount(t *testing.T, begin time.Time) (sum float64) {
	t.Helper()
	w := f.World()
	_, lb, _ := strings.Cut(w.LoadBalancerARN, ":loadbalancer/")
	var queries []cwtypes.MetricDataQuery
	for _, g := range w.TargetGroups {
		_, tg, _ := strings.Cut(g.ARN, "000000000000:")
		queries = append(queries, cwtypes.MetricDataQuery{Id: aws.String(g.Name), MetricStat: &cwtypes.MetricStat{
			Period: aws.Int32(1), Stat: aws.String("Sum"),
			Metric: &cwtypes.Metric{
				Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("RequestCount"),
				Dimensions: []cwtypes.Dimension{
					{Name: aws.String("LoadBalancer"), Value: &lb}, {Name: aws.String("TargetGroup"), Value: &tg},
				},
			},
		}})
	}
	out, err := f.cw.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(begin.Truncate(time.Second)), EndTime: aws.Time(time.Now()), MetricDataQueries: queries,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range out.MetricDataResults {
		for _, v := range r.Values {
			sum += v
		}
	}
	return sum
}

func TestNothingOfAClosedLabStays(t *testing.T) {
	// A bubble does not end while goroutines of it are left, and reports them.
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		if status, _ := f.get(t, "GET", f.World().URL, "", "Host", awssim.Host); status != 200 {
			t.Errorf("status %d", status)
		}
		end()
		if err := f.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		if err := f.Start("127.0.0.1:0"); err == nil {
			t.Error("a closed lab started")
		}
	})
}

func TestEqualSeedsMakeEqualWorlds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arns := func(seed uint64) string {
			cfg := awssim.Fast()
			cfg.Seed = seed
			f, end := start(t, cfg, &memnet.Network{})
			defer end()
			w := f.World()
			return strings.Join([]string{w.LoadBalancerARN, w.ListenerARN, w.RuleARN, w.TargetGroups[0].ARN, w.URL}, " ")
		}
		if a, b := arns(1), arns(1); a != b {
			t.Errorf("equal seeds:\n%s\n%s", a, b)
		}
		if arns(1) == arns(2) {
			t.Error("other seeds, same ARNs")
		}
	})
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	for want, cfg := range map[string]awssim.Config{
		"metric period: 1.5s":     {MetricPeriod: 1500 * time.Millisecond},
		"metric delay: -1s":       {MetricDelay: -time.Second},
		"health interval: -1s":    {HealthInterval: -time.Second},
		`data plane: "x" is not`:  {DataPlane: "x"},
		`world: "red" is not`:     {World: "red"},
		"starting the cluster bl": {World: awssim.WorldBlueGreen, Listen: func(string, string) (net.Listener, error) { return nil, errors.New("full") }},
	} {
		if _, err := awssim.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestServeRefusesAddressesThatOthersCanReach(t *testing.T) {
	lab, err := awssim.New(awssim.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var n memnet.Network
	ln, err := n.Listen("tcp", "10.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Serve(ln); err == nil || !strings.Contains(err.Error(), "10.0.0.1:80 is not a loopback address") {
		t.Error(err)
	}
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
}

func TestServeEndsWithTheLab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab, err := awssim.New(awssim.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var n memnet.Network
		ln, err := n.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- lab.Serve(ln) }()
		synctest.Wait()
		if lab.Endpoint() != "http://"+ln.Addr().String() {
			t.Errorf("endpoint %q", lab.Endpoint())
		}
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestCloseEndsACallThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		if _, err := f.Faults().Add(fault.Rule{Kind: fault.Latency, Duration: time.Hour}); err != nil {
			t.Fatal(err)
		}
		begin, failed := time.Now(), make(chan error, 1)
		go func() {
			_, err := f.sts.GetCallerIdentity(t.Context(), nil, func(o *sts.Options) { o.RetryMaxAttempts = 1 })
			failed <- err
		}()
		time.Sleep(time.Minute)
		end()
		if err := <-failed; err == nil || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestFaultsReachTheWireAndTheTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		ctx, w := t.Context(), f.World()
		add := func(body string) {
			t.Helper()
			if status, answer := f.get(t, "POST", "/_lab/faults", body, "Content-Type", "application/json"); status != 201 {
				t.Fatalf("%s: %d %s", body, status, answer)
			}
		}
		weights := func() (blue, green int32) {
			t.Helper()
			out, err := f.elb.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{w.RuleARN}})
			if err != nil {
				t.Fatal(err)
			}
			g := out.Rules[0].Actions[0].ForwardConfig.TargetGroups
			return *g[0].Weight, *g[1].Weight
		}
		add(`{"kind":"access-denied","operation":"ModifyRule","times":1}`)
		if err := f.setWeights(ctx, 50, 50); codeOf(err) != "AccessDenied" {
			t.Errorf("access-denied: %v", err)
		}
		add(`{"kind":"error-after","operation":"ModifyRule","times":3}`)
		if err := f.setWeights(ctx, 50, 50); codeOf(err) != "InternalFailure" {
			t.Errorf("error-after: %v", err)
		}
		if b, g := weights(); b != 50 || g != 50 {
			t.Errorf("error-after: weights %d/%d, want 50/50", b, g)
		}
		add(`{"kind":"drop-before","operation":"ModifyRule","times":1}`)
		if err := f.setWeights(ctx, 0, 100); err != nil {
			t.Errorf("a dropped call that the SDK may retry: %v", err)
		}
		add(`{"kind":"target","targetGroup":"green","failRate":1}`)
		if status, _ := f.get(t, "GET", w.URL, "", "Host", awssim.Host); status != 500 {
			t.Errorf("target: status %d, want 500", status)
		}
		add(`{"kind":"lose","count":1}`)
		// A POST: net/http would send a GET again on another connection.
		if status, _ := f.get(t, "POST", w.URL, "", "Host", awssim.Host); status != 0 {
			t.Errorf("lose: status %d, want none", status)
		}
		if status, _ := f.get(t, "DELETE", "/_lab/faults", ""); status != 204 {
			t.Errorf("DELETE: %d", status)
		}
		if status, _ := f.get(t, "GET", w.URL, "", "Host", awssim.Host); status != 200 {
			t.Errorf("after DELETE: status %d", status)
		}
		c := f.Counters()
		if l := c.Listeners[0]; l.Received != 3 || l.Lost != 1 || l.Answered != 2 {
			t.Errorf("listener %+v, want 3 received, 1 lost, 2 answered", l)
		}
		if g := c.Clusters[1]; g.Requests != 2 || g.Failed != 1 || c.Clusters[0].Requests != 0 {
			t.Errorf("clusters %+v, want 2 requests to green, 1 failed", c.Clusters)
		}
	})
}

func TestWeightsArriveLateInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		if status, body := f.get(t, "POST", "/_lab/faults", `{"kind":"weights-delay","duration":"30s"}`, "Content-Type", "application/json"); status != 201 {
			t.Fatal(body)
		}
		if err := f.setWeights(t.Context(), 0, 100); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{29 * time.Second, `"blue"`}, {2 * time.Second, `"green"`}} {
			time.Sleep(step.after)
			if _, body := f.get(t, "GET", f.World().URL, "", "Host", awssim.Host); !strings.Contains(body, step.want) {
				t.Errorf("after %v: %s, want %s", step.after, body, step.want)
			}
		}
	})
}

func TestMetricsComeLateOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		post := func(body string) {
			t.Helper()
			if status, answer := f.get(t, "POST", "/_lab/faults", body, "Content-Type", "application/json"); status != 201 {
				t.Fatal(answer)
			}
		}
		post(`{"kind":"metric-delay","duration":"1m"}`)
		begin := time.Now()
		_, _ = f.get(t, "GET", f.World().URL, "", "Host", awssim.Host)
		time.Sleep(30 * time.Second)
		if got := f.requestCount(t, begin); got != 0 {
			t.Errorf("after 30s: %v requests, want none yet", got)
		}
		time.Sleep(40 * time.Second)
		if got := f.requestCount(t, begin); got != 1 {
			t.Errorf("after 70s: %v requests, want 1", got)
		}
		post(`{"kind":"metric-missing","name":"Request*"}`)
		if got := f.requestCount(t, begin); got != 0 {
			t.Errorf("missing: %v requests", got)
		}
	})
}

func TestAssumedCredentialsExpireForEveryService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, awssim.Fast(), &memnet.Network{})
		defer end()
		out, err := f.sts.AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::000000000000:role/shifter"), RoleSessionName: aws.String("test"), DurationSeconds: aws.Int32(900),
		})
		if err != nil {
			t.Fatal(err)
		}
		as := credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
		call := func() (error, error) {
			_, e := f.elb.DescribeLoadBalancers(t.Context(), nil, func(o *elb.Options) { o.Credentials = as })
			_, c := f.cw.ListMetrics(t.Context(), nil, func(o *cloudwatch.Options) { o.Credentials = as })
			return e, c
		}
		if e, c := call(); e != nil || c != nil {
			t.Errorf("fresh: %v, %v", e, c)
		}
		time.Sleep(15 * time.Minute)
		if e, c := call(); codeOf(e) != "ExpiredToken" || codeOf(c) != "ExpiredTokenException" {
			t.Errorf("expired: %v, %v", e, c)
		}
	})
}

func TestTargetsAreSlowAtTheGivenRate(t *testing.T) {
	onEachNetwork(t, func(t *testing.T, f fixture) {
		if _, err := f.Faults().Add(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "blue", Latency: 100 * time.Millisecond, SlowRate: 0.5}); err != nil {
			t.Fatal(err)
		}
		slow := 0
		for range 10 {
			begin := time.Now()
			if status, body := f.get(t, http.MethodGet, f.World().URL, "", "Host", awssim.Host); status != http.StatusOK {
				t.Fatal(status, body)
			}
			if time.Since(begin) >= 100*time.Millisecond {
				slow++
			}
		}
		if slow != 5 {
			t.Errorf("%d of 10 answers were slow, want 5", slow)
		}
	})
}
