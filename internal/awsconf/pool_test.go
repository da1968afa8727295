package awsconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	tagapi "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/fault"
)

// service answers STS as the simulator does, and all else with an empty object, or as
// throttled as long as it is told to.
type service struct {
	mu        sync.Mutex
	throttled bool
	asked     []time.Time    // but for STS
	assumed   map[string]int // calls of AssumeRole by region
	sts       transport
}

func newService() *service { return &service{assumed: map[string]int{}, sts: through(simulator())} }

func (s *service) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(r.Header.Get("Authorization"), "/sts/") {
		s.asked = append(s.asked, time.Now())
		w := &recorder{header: http.Header{"Content-Type": {"application/json"}}, status: http.StatusOK}
		w.body.WriteString("{}")
		if s.throttled {
			w.status = http.StatusTooManyRequests
			w.header.Set("X-Amzn-Errortype", "ThrottlingException")
		}
		return w.response(r), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(body), "AssumeRole") {
		_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=") // KEY/DATE/REGION/…
		s.assumed[strings.Split(scope, "/")[2]]++
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	return s.sts(r)
}

func (s *service) setThrottled(to bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.throttled = to
}

// count since the last time.
func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.asked)
	s.asked = nil
	return n
}

func roleOf(account string) AssumeRole {
	return AssumeRole{RoleARN: "arn:aws:iam::" + account + ":role/norikae"}
}

func TestAPoolSharesTheCredentialsOfARoleAmongRegions(t *testing.T) {
	environment(t, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "fake"})
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		p := NewPool(Options{Endpoint: "http://127.0.0.1:1", HTTPClient: s})
		var wg sync.WaitGroup
		for _, region := range []string{"eu-west-1", "us-east-1", "ap-northeast-1"} {
			for _, account := range []string{"111111111111", "222222222222"} {
				wg.Go(func() {
					cfg, err := p.Config(t.Context(), region, roleOf(account))
					if err != nil || cfg.Region != region {
						t.Errorf("region %s, %v", cfg.Region, err)
						return
					}
					out, err := awssts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
					if err != nil || aws.ToString(out.Account) != account {
						t.Errorf("%+v, %v", out, err)
					}
				})
			}
		}
		wg.Wait()
		sum := 0
		for _, n := range s.assumed {
			sum += n
		}
		if sum != 2 {
			t.Errorf("roles were assumed %d times, want each of two once: %v", sum, s.assumed)
		}
		other := roleOf("111111111111")
		other.ExternalID = "xy"
		if _, err := p.Config(t.Context(), "eu-west-1", other); err != nil {
			t.Error(err)
		}
		if len(p.roles) != 3 {
			t.Errorf("%d sets of credentials, want another one for another external ID", len(p.roles))
		}
	})
}

func TestAPoolAssumesRolesInTheRegionOfTheEnvironment(t *testing.T) {
	environment(t, keys()) // us-east-1
	s := newService()
	p := NewPool(Options{Endpoint: "http://127.0.0.1:1", HTTPClient: s})
	if _, err := p.Config(t.Context(), "eu-west-1", roleOf("111111111111")); err != nil {
		t.Fatal(err)
	}
	if len(s.assumed) != 1 || s.assumed["us-east-1"] != 1 {
		t.Errorf("the role was assumed in %v", s.assumed)
	}
}

func TestARoleThatCannotBeAssumedIsNotAskedForByEachRegion(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		calls, refuse := 0, true
		sim := through(simulator())
		p := NewPool(Options{In: "spec.sources[].eks.accounts[]", Endpoint: "http://127.0.0.1:1", HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			calls++
			if refuse {
				return answer(r, 403, "AccessDenied"), nil
			}
			return sim(r)
		})})
		for i := range 20 {
			_, err := p.Config(t.Context(), fmt.Sprintf("region-%d", i), roleOf("111111111111"))
			if !errors.Is(err, fault.ErrDenied) || !NoCredentials(err) || !strings.Contains(err.Error(), "spec.sources[].eks.accounts[] in the manifest") {
				t.Fatalf("%v", err)
			}
		}
		if calls != 1 {
			t.Errorf("%d calls for 20 regions, want 1", calls)
		}
		refuse = false
		time.Sleep(loadAgain)
		if _, err := p.Config(t.Context(), "eu-west-1", roleOf("111111111111")); err != nil {
			t.Errorf("when it is allowed: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.Config(ctx, "eu-west-1", roleOf("222222222222")); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// describe asks EKS for a cluster, n times at once.
func describe(t *testing.T, cfg aws.Config, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			// Whether it was throttled, the service counts.
			_, _ = eks.NewFromConfig(cfg).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("x")})
		})
	}
	wg.Wait()
}

func configOf(t *testing.T, p *Pool, region, account string) aws.Config {
	t.Helper()
	cfg, err := p.Config(t.Context(), region, roleOf(account))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestReadsOfEKSArePacedPerAccountAndRegion(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(Options{Endpoint: "http://127.0.0.1:1", HTTPClient: newService()})
		a := configOf(t, p, "eu-west-1", "111111111111")
		other := roleOf("111111111111")
		other.SessionName = "another-role-of-the-same-account"
		same, err := p.Config(t.Context(), "eu-west-1", other)
		if err != nil {
			t.Fatal(err)
		}
		took := func(f func()) time.Duration {
			start := time.Now()
			f()
			return time.Since(start).Round(time.Second / 10)
		}
		if d := took(func() { describe(t, a, 30); describe(t, same, 30) }); d != 10*time.Second {
			t.Errorf("60 calls took %s, want 10 s: 10 at once, and 5 a second", d)
		}
		if d := took(func() { describe(t, configOf(t, p, "us-east-1", "111111111111"), 10) }); d != 0 {
			t.Errorf("10 calls in another region took %s", d)
		}
		if d := took(func() { describe(t, configOf(t, p, "eu-west-1", "222222222222"), 10) }); d != 0 {
			t.Errorf("10 calls in another account took %s", d)
		}
		if d := took(func() {
			for range 20 {
				if _, err := tagapi.NewFromConfig(a).GetResources(t.Context(), &tagapi.GetResourcesInput{}); err != nil {
					t.Error(err)
				}
			}
		}); d != 2*time.Second {
			t.Errorf("20 pages of the index took %s, want 2 s", d)
		}
	})
}

func TestThrottlingSlowsAllAttemptsDownAndIsForgotten(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		p := NewPool(Options{Endpoint: "http://127.0.0.1:1", HTTPClient: s})
		cfg := configOf(t, p, "eu-west-1", "111111111111")
		s.setThrottled(true)
		start := time.Now()
		for range 10 { // each with its attempts
			describe(t, cfg, 4)
		}
		rate := float64(s.count()) / time.Since(start).Seconds()
		if rate > 1 {
			t.Errorf("%.2f attempts a second during a storm, want at most 1; one attempt of each of 4 callers a second would be 4", rate)
		}
		s.setThrottled(false)
		for range 40 { // 20 answers for the rate, one more for bursts
			describe(t, cfg, 1)
		}
		s.count()
		time.Sleep(2 * time.Second)
		start = time.Now()
		describe(t, cfg, 60)
		if took := time.Since(start).Round(time.Second / 10); took != 10*time.Second {
			t.Errorf("60 calls after the storm took %s, want 10 s", took)
		}
	})
}
