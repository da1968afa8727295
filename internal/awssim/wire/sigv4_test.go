package wire_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awscloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awstagging "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	awsroute53 "github.com/aws/aws-sdk-go-v2/service/route53"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// verifying is a configuration that knows the key of world.config.
func verifying() wire.Config {
	return wire.Config{
		VerifySignatures: true,
		Secret:           func(key string) (string, bool) { return "secret-of-the-lab", key == "AKIDLAB" },
		Unsigned: func(r *wire.Request) bool {
			return r.Service == "sts" && r.Operation == "AssumeRoleWithWebIdentity"
		},
	}
}

// signed is one call of each protocol, and of what is special in signing it.
var signed = map[string]func(context.Context, aws.Config) error{
	"query": func(ctx context.Context, c aws.Config) error {
		_, err := awsiam.NewFromConfig(c).GetRole(ctx, &awsiam.GetRoleInput{RoleName: aws.String("a b+c*é~")})
		return err
	},
	"ec2 query": func(ctx context.Context, c aws.Config) error {
		_, err := awsec2.NewFromConfig(c).DescribeVpcs(ctx, nil)
		return err
	},
	"json": func(ctx context.Context, c aws.Config) error {
		_, err := awstagging.NewFromConfig(c).GetResources(ctx, nil)
		return err
	},
	"cbor": func(ctx context.Context, c aws.Config) error {
		_, err := awscloudwatch.NewFromConfig(c).ListMetrics(ctx, nil)
		return err
	},
	"cbor compressed": func(ctx context.Context, c aws.Config) error {
		data := make([]cwtypes.MetricDatum, 500)
		for i := range data {
			data[i] = cwtypes.MetricDatum{MetricName: aws.String("a-metric-with-a-name"), Value: aws.Float64(float64(i))}
		}
		_, err := awscloudwatch.NewFromConfig(c).PutMetricData(ctx, &awscloudwatch.PutMetricDataInput{Namespace: aws.String("n"), MetricData: data})
		return err
	},
	"rest xml": func(ctx context.Context, c aws.Config) error {
		_, err := awsroute53.NewFromConfig(c).CreateHostedZone(ctx, &awsroute53.CreateHostedZoneInput{Name: aws.String("é.example"), CallerReference: aws.String("1")})
		return err
	},
	"rest xml with a query": func(ctx context.Context, c aws.Config) error {
		_, err := awsroute53.NewFromConfig(c).ListResourceRecordSets(ctx, &awsroute53.ListResourceRecordSetsInput{
			HostedZoneId: aws.String("Z1"), StartRecordName: aws.String(`\052.a b+c/é~*.example`), StartRecordType: "A",
		})
		return err
	},
	"rest json": func(ctx context.Context, c aws.Config) error {
		_, err := awseks.NewFromConfig(c).CreateCluster(ctx, &awseks.CreateClusterInput{Name: aws.String("blue"), RoleArn: aws.String(userARN), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{}})
		return err
	},
	"rest json with a label that is escaped": func(ctx context.Context, c aws.Config) error {
		_, err := awseks.NewFromConfig(c).DescribeAccessEntry(ctx, &awseks.DescribeAccessEntryInput{
			ClusterName: aws.String("blue"), PrincipalArn: aws.String(userARN + " 100%2A é~$&'()+,;=:@!"),
		})
		return err
	},
	"rest json with a parameter that repeats": func(ctx context.Context, c aws.Config) error {
		_, err := awseks.NewFromConfig(c).UntagResource(ctx, &awseks.UntagResourceInput{ResourceArn: aws.String(eksARN), TagKeys: []string{"b/", "a", "a-b", "a b", ""}})
		return err
	},
}

func TestSignaturesOfTheSDKAreVerified(t *testing.T) {
	w := start(t, verifying())
	for name, call := range signed {
		t.Run(name, func(t *testing.T) {
			for _, token := range []string{"", "a session/token+="} {
				c := w.config()
				c.Credentials = credentials.NewStaticCredentialsProvider("AKIDLAB", "secret-of-the-lab", token)
				if err := call(t.Context(), c); err != nil {
					t.Errorf("token %q: %v", token, err)
				}
			}
		})
	}
}

func TestBadSignaturesAreRefusedInTheWordsOfTheService(t *testing.T) {
	unknown := credentials.NewStaticCredentialsProvider("AKIDSTRANGER", "secret-of-the-lab", "")
	wrong := credentials.NewStaticCredentialsProvider("AKIDLAB", "another-secret", "")
	for name, want := range map[string]struct {
		unknown, wrong, late, unsigned string
		status                         int // where the secret is wrong
	}{
		"query":     {"InvalidClientTokenId", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "MissingAuthenticationToken", 403},
		"rest xml":  {"InvalidClientTokenId", "SignatureDoesNotMatch", "SignatureDoesNotMatch", "MissingAuthenticationToken", 403},
		"ec2 query": {"AuthFailure", "AuthFailure", "RequestExpired", "MissingAuthenticationToken", 401},
		"json":      {"UnrecognizedClientException", "InvalidSignatureException", "InvalidSignatureException", "MissingAuthenticationTokenException", 400},
		"cbor":      {"UnrecognizedClientException", "InvalidSignatureException", "InvalidSignatureException", "MissingAuthenticationTokenException", 400},
		"rest json": {"UnrecognizedClientException", "InvalidSignatureException", "InvalidSignatureException", "MissingAuthenticationTokenException", 403},
	} {
		t.Run(name, func(t *testing.T) {
			late := false
			cfg := verifying()
			cfg.Now = func() time.Time {
				if late {
					return time.Now().Add(16 * time.Minute)
				}
				return time.Now()
			}
			w := start(t, cfg)
			refused := func(code string, credentials aws.CredentialsProvider) {
				t.Helper()
				c := w.config()
				if credentials != nil {
					c.Credentials = credentials
				}
				if err := signed[name](t.Context(), c); apiError(err) != code {
					t.Errorf("%v; want %s", err, code)
				}
				if w.served() > 0 {
					t.Errorf("the service was asked: %+v", w.requests)
				}
			}
			refused(want.unknown, unknown)
			refused(want.wrong, wrong)
			if got := w.status(); got != want.status {
				t.Errorf("status %d, want %d", got, want.status)
			}
			refused(want.unsigned, aws.AnonymousCredentials{})
			late = true
			refused(want.late, nil)
		})
	}
}

func TestCallsThatAWSTakesUnsignedPass(t *testing.T) {
	w := start(t, verifying())
	c := awssts.NewFromConfig(w.config())
	_, err := c.AssumeRoleWithWebIdentity(t.Context(), &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(userARN), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String("jwt"),
	})
	if err != nil || w.last(t).AccessKeyID != "" {
		t.Errorf("%v, %+v", err, w.requests)
	}
}

// Signing time and now are at most 15 minutes apart.
func TestSignaturesLiveFifteenMinutes(t *testing.T) {
	for off, code := range map[time.Duration]string{
		-15*time.Minute + 5*time.Second: "", -15*time.Minute - 5*time.Second: "SignatureDoesNotMatch",
		15*time.Minute - 5*time.Second: "", 15*time.Minute + 5*time.Second: "SignatureDoesNotMatch",
	} {
		t.Run(off.String(), func(t *testing.T) {
			cfg := verifying()
			cfg.Now = func() time.Time { return time.Now().Add(off) }
			if err := signed["query"](t.Context(), start(t, cfg).config()); apiError(err) != code {
				t.Errorf("%v; want %q", err, code)
			}
		})
	}
}

// The example of AWS's reference for creating a signed request, IAM's ListUsers.
func TestSignatureOfTheReferenceIsVerified(t *testing.T) {
	cfg := verifying()
	cfg.Now = func() time.Time { return time.Date(2015, 8, 30, 12, 40, 0, 0, time.UTC) }
	cfg.Secret = func(key string) (string, bool) {
		return "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", key == "AKIDEXAMPLE"
	}
	m := wire.NewMux(cfg)
	for _, r := range registrations() {
		m.Register(r)
	}
	hr := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", nil)
	hr.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "X-Amz-Date": {"20150830T123600Z"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, " +
			"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	}
	res := httptest.NewRecorder()
	m.ServeHTTP(res, hr)
	if res.Code != http.StatusOK {
		t.Errorf("%d %s", res.Code, res.Body)
	}
}

// A signature is for one service, and for the body that came.
func TestWellSignedRequestsForSomethingElseAreRefused(t *testing.T) {
	w := start(t, verifying())
	empty := fmt.Sprintf("%x", sha256.Sum256(nil))
	for name, tc := range map[string]struct {
		service, payload string
		header           http.Header
		status           int
	}{
		"as it should be":           {service: "monitoring", payload: empty, status: 200},
		"for another service":       {service: "sts", payload: empty, status: 400},
		"a payload that is left":    {service: "monitoring", payload: "UNSIGNED-PAYLOAD", header: http.Header{"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"}}, status: 400},
		"the hash of another body":  {service: "monitoring", payload: empty[1:] + "0", header: http.Header{"X-Amz-Content-Sha256": {empty[1:] + "0"}}, status: 400},
		"the hash of the body":      {service: "monitoring", payload: empty, header: http.Header{"X-Amz-Content-Sha256": {empty}}, status: 200},
		"a header with more spaces": {service: "monitoring", payload: empty, header: http.Header{"X-Amz-Meta": {"  a  b   c "}, "X-Amz-Two": {"1", " 2"}}, status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			hr, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/service/GraniteServiceVersion20100801/operation/ListMetrics", nil)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(hr.Header, tc.header)
			caller := aws.Credentials{AccessKeyID: "AKIDLAB", SecretAccessKey: "secret-of-the-lab"}
			if err := v4.NewSigner().SignHTTP(t.Context(), caller, hr, tc.payload, tc.service, "eu-west-1", time.Now()); err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(hr)
			if err != nil {
				t.Fatal(err)
			}
			if body := bodyOf(t, res); res.StatusCode != tc.status {
				t.Errorf("status %d, %q; want %d", res.StatusCode, body, tc.status)
			}
		})
	}
}

// The SDK cannot be made to sign these, so the test does, by AWS's reference.
func TestSignaturesThatLeaveOpenWhatAWSWantsFixedAreRefused(t *testing.T) {
	mac := func(key []byte, data string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(data))
		return h.Sum(nil)
	}
	w := start(t, verifying())
	now := time.Now().UTC()
	yesterday := now.AddDate(0, 0, -1)
	empty := fmt.Sprintf("%x", sha256.Sum256(nil))
	for name, tc := range map[string]struct {
		headers, date string // that are signed; the scope's
		status        int
	}{
		"as it should be":      {"host;x-amz-date", now.Format("20060102"), 200},
		"the host":             {"x-amz-date", now.Format("20060102"), 403},
		"the time":             {"host", now.Format("20060102"), 403},
		"the day of the scope": {"host;x-amz-date", yesterday.Format("20060102"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			at := now.Format("20060102T150405Z")
			canonical := "GET\n/clusters\n\n"
			for name := range strings.SplitSeq(tc.headers, ";") {
				canonical += name + ":" + map[string]string{"host": strings.TrimPrefix(w.url, "http://"), "x-amz-date": at}[name] + "\n"
			}
			canonical += "\n" + tc.headers + "\n" + empty
			scope := tc.date + "/eu-west-1/eks/aws4_request"
			key := []byte("AWS4secret-of-the-lab")
			for part := range strings.SplitSeq(scope, "/") {
				key = mac(key, part)
			}
			signature := mac(key, fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", at, scope, sha256.Sum256([]byte(canonical))))
			s := sent{method: http.MethodGet, url: w.url + "/clusters", header: http.Header{
				"X-Amz-Date":    {at},
				"Authorization": {fmt.Sprintf("AWS4-HMAC-SHA256 Credential=AKIDLAB/%s,SignedHeaders=%s,Signature=%x", scope, tc.headers, signature)},
			}}
			if status := s.again(t, func(*sent) {}); status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
		})
	}
}

// sent is a request as it went out.
type sent struct {
	method, url string
	header      http.Header
	host        string
	body        []byte
}

// wiretap keeps the requests that it lets through.
type wiretap struct{ sent []sent }

func (w *wiretap) Do(hr *http.Request) (*http.Response, error) {
	s := sent{method: hr.Method, url: hr.URL.String(), header: hr.Header.Clone(), host: hr.Host}
	if hr.Body != nil {
		body, err := io.ReadAll(hr.Body)
		if err != nil {
			return nil, err
		}
		s.body = body
		hr.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.sent = append(w.sent, s)
	return http.DefaultClient.Do(hr)
}

// again sends s once more, after change, and returns the answer's status.
func (s sent) again(t *testing.T, change func(*sent)) int {
	t.Helper()
	s.header = s.header.Clone()
	change(&s)
	hr, err := http.NewRequestWithContext(t.Context(), s.method, s.url, bytes.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	hr.Header, hr.Host = s.header, s.host
	res, err := http.DefaultClient.Do(hr)
	if err != nil {
		t.Fatal(err)
	}
	_ = bodyOf(t, res)
	return res.StatusCode
}

// tampering changes one part of a request each, if it has that part.
func tampering(s sent) map[string]func(*sent) {
	out := map[string]func(*sent){
		"another method": func(s *sent) { s.method = http.MethodPatch },
		"another host":   func(s *sent) { s.host = "127.0.0.1:1" },
		"a query more": func(s *sent) {
			s.url += map[bool]string{true: "&", false: "?"}[strings.Contains(s.url, "?")] + "more=1"
		},
		"an AWS header more": func(s *sent) { s.header.Set("X-Amz-More", "1") },
	}
	if !strings.Contains(s.url, "X-Amz-Signature") {
		for _, part := range []string{"AKIDLAB", "/eu-west-1/", "/aws4_request", "SignedHeaders=", "Signature="} {
			out["an Authorization with another "+part] = func(s *sent) {
				s.header.Set("Authorization", strings.Replace(s.header.Get("Authorization"), part, part+"0", 1))
			}
		}
		_, list, _ := strings.Cut(s.header.Get("Authorization"), "SignedHeaders=")
		list, _, _ = strings.Cut(list, ",")
		for name := range strings.SplitSeq(list, ";") {
			out["without "+name+" among the signed headers"] = func(s *sent) {
				less := strings.Trim(strings.Replace(";"+list+";", ";"+name+";", ";", 1), ";")
				s.header.Set("Authorization", strings.Replace(s.header.Get("Authorization"), list, less, 1))
			}
			if name != "host" && name != "content-length" { // which the client sets
				out["another header "+name] = func(s *sent) { s.header.Set(name, s.header.Get(name)+"0") }
				out["no header "+name] = func(s *sent) { s.header.Del(name) }
			}
		}
	}
	if len(s.body) > 0 {
		out["another body of the same length"] = func(s *sent) {
			s.body = bytes.Clone(s.body)
			s.body[len(s.body)/2] ^= 1
		}
		out["no body"] = func(s *sent) { s.body = nil }
	} else {
		out["a body"] = func(s *sent) { s.body = []byte("x") }
	}
	return out
}

func TestTamperedRequestsAreRefused(t *testing.T) {
	w := start(t, verifying())
	for name, call := range signed {
		t.Run(name, func(t *testing.T) {
			tap := &wiretap{}
			c := w.config()
			c.HTTPClient = tap
			if err := call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			w.judgeTampering(t, tap.sent[0])
		})
	}
}

func (w *world) judgeTampering(t *testing.T, s sent) {
	t.Helper()
	if status := s.again(t, func(*sent) {}); status >= 300 {
		t.Fatalf("the request itself, sent again: %d", status)
	}
	served := w.served()
	for how, change := range tampering(s) {
		if status := s.again(t, change); status < 400 || status >= 500 || w.served() != served {
			t.Errorf("%s: status %d", how, status)
		}
	}
}

// presign is the URL of an EKS token, and the headers that belong to it.
func presign(t *testing.T, c aws.Config) sent {
	t.Helper()
	p := awssts.NewPresignClient(awssts.NewFromConfig(c))
	req, err := p.PresignGetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{}, func(o *awssts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *awssts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", "blue"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return sent{method: req.Method, url: req.URL, header: req.SignedHeader, host: req.SignedHeader.Get("Host")}
}

func TestPresignedURLsAreVerified(t *testing.T) {
	later := time.Duration(0)
	cfg := verifying()
	cfg.Now = func() time.Time { return time.Now().Add(later) }
	w := start(t, cfg)
	s := presign(t, w.config())
	s.header.Del("Host")
	w.judgeTampering(t, s)
	for _, part := range []string{
		"Action=Get", "X-Amz-Algorithm=AWS4", "X-Amz-Credential=AKIDLAB", "X-Amz-Date=20", "X-Amz-Expires=6", "X-Amz-SignedHeaders=host", "X-Amz-Signature=", "Version=2011",
	} {
		status := s.again(t, func(s *sent) {
			if !strings.Contains(s.url, part) {
				t.Fatalf("no %s in %s", part, s.url)
			}
			s.url = strings.Replace(s.url, part, part+"0", 1)
		})
		if status < 400 || status >= 500 {
			t.Errorf("another %s: status %d", part, status)
		}
	}
	for name, value := range map[string]string{"x-k8s-aws-id": "green", "X-Amz-Other": "x"} {
		if status := s.again(t, func(s *sent) { s.header.Set(name, value) }); status != http.StatusForbidden {
			t.Errorf("%s: %s: status %d", name, value, status)
		}
	}
	later = 14 * time.Minute // X-Amz-Expires says one
	if status := s.again(t, func(*sent) {}); status != http.StatusOK {
		t.Errorf("14 minutes later: %d", status)
	}
	later = 16 * time.Minute
	if status := s.again(t, func(*sent) {}); status != http.StatusForbidden {
		t.Errorf("16 minutes later: %d", status)
	}
	token := w.config()
	token.Credentials = credentials.NewStaticCredentialsProvider("AKIDLAB", "secret-of-the-lab", "session")
	later = 0
	s = presign(t, token)
	s.header.Del("Host")
	w.judgeTampering(t, s)
}
