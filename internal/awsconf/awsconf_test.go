package awsconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/fault"
)

// transport answers HTTP requests by a function: no network, so that clocks can be virtual.
type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// through answers with a handler.
func through(h http.Handler) transport {
	return func(r *http.Request) (*http.Response, error) {
		w := &recorder{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(w, r)
		return w.response(r), nil
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(s int)           { w.status = s }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *recorder) response(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: w.status, Header: w.header, Body: io.NopCloser(strings.NewReader(w.body.String())), Request: r,
		ProtoMajor: 1, ProtoMinor: 1,
	}
}

// answer is an error as the query protocol has it.
func answer(r *http.Request, status int, code string) *http.Response {
	w := &recorder{header: http.Header{"Content-Type": {"text/xml"}}, status: status}
	fmt.Fprintf(&w.body, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>told so</Message></Error><RequestId>1</RequestId></ErrorResponse>", code)
	return w.response(r)
}

// environment without anything of the machine's own.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "AWS_") {
			t.Setenv(k, "")
		}
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for k, v := range set {
		t.Setenv(k, v)
	}
}

func keys() map[string]string {
	return map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_REGION": "us-east-1"}
}

const role = "arn:aws-cn:iam::111122223333:role/shifter"

func TestWrongSettingsSayWhatToSet(t *testing.T) {
	for name, tc := range map[string]struct {
		env      map[string]string
		opts     Options
		want     []string
		denied   bool
		terminal bool
	}{
		"no credentials": {
			env: map[string]string{"AWS_REGION": "us-east-1"}, denied: true,
			want: []string{"no AWS credentials", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "aws.profile"},
		},
		"no credentials to assume a role with": {
			env: map[string]string{"AWS_REGION": "us-east-1"}, opts: Options{AssumeRole: AssumeRole{RoleARN: role}}, denied: true,
			want: []string{"getting AWS credentials: access denied: no AWS credentials: ", "AWS_PROFILE"},
		},
		"no region": {
			env: map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, terminal: true,
			want: []string{"no AWS region", "aws.region", "AWS_REGION"},
		},
		"a profile of the manifest that is not there": {
			env: keys(), opts: Options{Profile: "blue"}, terminal: true,
			want: []string{`"blue"`, "does not exist", "aws.profile in the manifest"},
		},
		"a profile of the environment that is not there": {
			env: map[string]string{"AWS_PROFILE": "green", "AWS_REGION": "us-east-1"}, terminal: true,
			want: []string{`"green"`, "AWS_PROFILE in the environment"},
		},
		"a role that is no role": {
			env: keys(), opts: Options{AssumeRole: AssumeRole{RoleARN: "arn:aws:iam::111122223333:user/x"}}, terminal: true,
			want: []string{"aws.assumeRole.roleARN", "arn:PARTITION:iam::ACCOUNT:role/NAME"},
		},
		"an external ID without a role": {
			env: keys(), opts: Options{AssumeRole: AssumeRole{ExternalID: "xy"}}, terminal: true,
			want: []string{"aws.assumeRole.roleARN"},
		},
		"a session name that is too short": {
			env: keys(), opts: Options{AssumeRole: AssumeRole{RoleARN: role, SessionName: "x"}}, terminal: true,
			want: []string{"aws.assumeRole.sessionName", "2–64"},
		},
		"an external ID that is too short": {
			env: keys(), opts: Options{AssumeRole: AssumeRole{RoleARN: role, ExternalID: "x"}}, terminal: true,
			want: []string{"aws.assumeRole.externalID", "2–1224"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, tc.env)
			_, err := Load(t.Context(), tc.opts)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if errors.Is(err, fault.ErrDenied) != tc.denied || fault.IsTerminal(err) != tc.terminal {
				t.Errorf("class: denied %v, terminal %v: %v", errors.Is(err, fault.ErrDenied), fault.IsTerminal(err), err)
			}
		})
	}
}

// simulator of STS, whose clock is that of the test.
func simulator() http.Handler {
	svc := sts.New(sts.Config{})
	mux := wire.NewMux(wire.Config{Resolve: svc.Resolve, Check: svc.Check})
	mux.Register(svc.Registration())
	return mux
}

func TestS13_AssumedCredentialsAreRefreshedDuringALongShift(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Load(t.Context(), Options{
			Endpoint: "http://127.0.0.1:1", AssumeRole: AssumeRole{RoleARN: role, ExternalID: "lab"}, HTTPClient: through(simulator()),
		})
		if err != nil {
			t.Fatal(err)
		}
		client := awssts.NewFromConfig(cfg)
		seen := map[string]bool{}
		for range 6 * 12 { // six hours, a call each five minutes
			out, err := client.GetCallerIdentity(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := "arn:aws-cn:sts::111122223333:assumed-role/shifter/norikae"; *out.Arn != want {
				t.Fatalf("caller %s, want %s", *out.Arn, want)
			}
			creds, err := cfg.Credentials.Retrieve(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen[creds.AccessKeyID] = true
			if left := time.Until(creds.Expires); left <= 0 {
				t.Fatalf("credentials that expired %s ago", -left)
			}
			time.Sleep(5 * time.Minute)
		}
		if n := len(seen); n < 6 || n > 9 {
			t.Errorf("%d sets of credentials in six hours, want one per hour or a little more", n)
		}
	})
}

func TestS13_CredentialsThatAWSCallsExpiredAreRenewedWithinTheCall(t *testing.T) {
	environment(t, keys())
	sim := through(simulator())
	var mu sync.Mutex
	revoked, refused := "", 0
	cfg, err := Load(t.Context(), Options{
		Endpoint: "http://127.0.0.1:1", AssumeRole: AssumeRole{RoleARN: role},
		HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if revoked != "" && strings.Contains(r.Header.Get("Authorization"), revoked) {
				refused++
				return answer(r, 403, "ExpiredToken"), nil
			}
			return sim(r)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	revoked = creds.AccessKeyID
	mu.Unlock()
	if _, err := awssts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatalf("the call was not repeated with new credentials: %v", err)
	}
	if refused != 1 {
		t.Errorf("%d refused attempts, want 1", refused)
	}
}

func TestExpiredCredentialsThatCannotBeRenewedAreDeniedAtOnce(t *testing.T) {
	environment(t, keys())
	calls := 0
	cfg, err := Load(t.Context(), Options{HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
		calls++
		return answer(r, 403, "ExpiredToken"), nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = elb.NewFromConfig(cfg).DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{"x"}})
	if err = Classify("reading", err); !errors.Is(err, fault.ErrDenied) || !strings.Contains(err.Error(), "have expired") || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

func TestARoleThatMayNotBeAssumedIsDenied(t *testing.T) {
	environment(t, keys())
	_, err := Load(t.Context(), Options{AssumeRole: AssumeRole{RoleARN: role}, HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
		return answer(r, 403, "AccessDenied"), nil
	})})
	if !errors.Is(err, fault.ErrDenied) || !strings.Contains(fmt.Sprint(err), role) || !strings.Contains(fmt.Sprint(err), "trust policy") ||
		strings.Contains(fmt.Sprint(err), "no AWS credentials") {
		t.Errorf("got %v", err)
	}
}

func TestS15_OneCallOutlastsThrottlingButNeverBlocksForLong(t *testing.T) {
	environment(t, keys())
	run := func(t *testing.T, fail func(n int) bool) (calls int, took time.Duration, err error) {
		t.Helper()
		cfg, err := Load(t.Context(), Options{Version: "v9", HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			calls++
			if ua := r.Header.Get("User-Agent"); !strings.Contains(ua, "norikae/v9") {
				t.Errorf("user agent %q", ua)
			}
			if fail(calls) {
				return answer(r, 400, "Throttling"), nil
			}
			w := &recorder{header: http.Header{}, status: 200}
			w.body.WriteString("<DescribeRulesResponse><DescribeRulesResult><Rules></Rules></DescribeRulesResult></DescribeRulesResponse>")
			return w.response(r), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = elb.NewFromConfig(cfg).DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{"x"}})
		return calls, time.Since(start), Classify("reading", err)
	}
	synctest.Test(t, func(t *testing.T) {
		if calls, _, err := run(t, func(n int) bool { return n < maxAttempts }); err != nil || calls != maxAttempts {
			t.Errorf("throttled for a while: %d calls, %v", calls, err)
		}
		calls, took, err := run(t, func(int) bool { return true })
		if err == nil || fault.IsTerminal(err) || errors.Is(err, fault.ErrDenied) || calls != maxAttempts {
			t.Errorf("throttled for ever: %d calls, %v", calls, err)
		}
		if took > callTimeout {
			t.Errorf("blocked for %s", took)
		}
	})
}

func TestACallWithoutAnswerEndsAtItsDeadline(t *testing.T) {
	endsAt(t, Options{}, callTimeout)
}

func TestALongPollEndsLaterByWhatItWaits(t *testing.T) {
	endsAt(t, Options{Wait: 20 * time.Second}, callTimeout+20*time.Second)
}

func endsAt(t *testing.T, o Options, want time.Duration) {
	t.Helper()
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		o.HTTPClient = transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		cfg, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = elb.NewFromConfig(cfg).DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{"x"}})
		if took := time.Since(start); took != want {
			t.Errorf("ended after %s, want %s", took, want)
		}
		if err = Classify("reading", err); !errors.Is(err, context.DeadlineExceeded) || fault.IsTerminal(err) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCallsArePacedPerServiceAndKind(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		cfg, err := Load(t.Context(), Options{HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			w := &recorder{header: http.Header{}, status: 200}
			w.body.WriteString("<R><DescribeRulesResult/><AddTagsResult/></R>")
			return w.response(r), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 60 { // two clients share the bucket: 40 at once, 10/s after that
			if _, err := elb.NewFromConfig(cfg).DescribeRules(t.Context(), &elb.DescribeRulesInput{RuleArns: []string{"x"}}); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start).Round(time.Second); took != 2*time.Second {
			t.Errorf("60 reads took %s, want 2s", took)
		}
	})
}

func TestRoute53IsAskedFiveTimesPerSecondAtMost(t *testing.T) {
	environment(t, keys())
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		cfg, err := Load(t.Context(), Options{HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, time.Now())
			w := &recorder{header: http.Header{}, status: 200}
			w.body.WriteString("<R/>")
			return w.response(r), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		client := route53.NewFromConfig(cfg)
		for range 15 { // reads and writes together
			if _, err := client.GetHostedZone(t.Context(), &route53.GetHostedZoneInput{Id: aws.String("Z1")}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.DeleteHealthCheck(t.Context(), &route53.DeleteHealthCheckInput{HealthCheckId: aws.String("h1")}); err != nil {
				t.Fatal(err)
			}
		}
		for i := 5; i < len(asked); i++ {
			if d := asked[i].Sub(asked[i-5]); d < time.Second {
				t.Fatalf("calls %d to %d came within %s", i-4, i+1, d)
			}
		}
		if took := asked[29].Sub(asked[0]); took > 8*time.Second {
			t.Errorf("30 calls took %s", took)
		}
	})
}

func classified(err error) string {
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return "not found"
	case errors.Is(err, fault.ErrConflict):
		return "conflict"
	case errors.Is(err, fault.ErrDenied):
		return "denied"
	case fault.IsTerminal(err):
		return "terminal"
	default:
		return "retryable"
	}
}

func TestEveryCodeHasItsClass(t *testing.T) {
	for want, codes := range map[string]string{
		"not found": "RuleNotFound ListenerNotFound TargetGroupNotFound LoadBalancerNotFound RuleNotFoundException " +
			"NoSuchHostedZone NoSuchHealthCheck NoSuchChange",
		"conflict": "PriorityInUse ResourceInUse InvalidChangeBatch",
		"denied": "AccessDenied AccessDeniedException UnauthorizedOperation ExpiredToken ExpiredTokenException " +
			"InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch",
		"terminal": "ValidationError TooManyActions TooManyTags TooManyUniqueTargetGroupsPerLoadBalancer InvalidConfigurationRequest " +
			"TargetGroupAssociationLimit OperationNotPermitted NotSimulated InvalidInput InvalidDomainName",
		"retryable": "Throttling ThrottlingException TooManyRequestsException RequestLimitExceeded PriorRequestNotComplete " +
			"HealthUnavailable ServiceUnavailable InternalFailure Unheard",
	} {
		for code := range strings.FieldsSeq(codes) {
			t.Run(code, func(t *testing.T) {
				cause := &smithy.GenericAPIError{Code: code, Message: "told so"}
				err := Classify("reading the rule", fmt.Errorf("operation error: %w", cause))
				if got := classified(err); got != want {
					t.Errorf("%s is %s, want %s", code, got, want)
				}
				if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "reading the rule: ") {
					t.Errorf("the cause or the operation is lost: %v", err)
				}
			})
		}
	}
	if Classify("x", nil) != nil {
		t.Error("nil became an error")
	}
}
