package kubeapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	account  = "000000000000"
	region   = "us-east-1"
	labUser  = "arn:aws:iam::000000000000:user/lab"
	labURL   = "http://127.0.0.1:4599"
	roleARN  = "arn:aws:iam::000000000000:role/team/argocd"
	bareRole = "arn:aws:iam::000000000000:role/argocd"
)

// labKey is the lab's own, which `norikae lab env` prints.
func labKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(sts.LabAccessKeyID, sts.LabSecret, "")
}

// signedAt signs at a time of its own.
type signedAt time.Time

func (at signedAt) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return v4.NewSigner().PresignHTTP(ctx, c, r, hash, service, region, time.Time(at), opts...)
}

// request for a token, as Argo CD, the AWS CLI and the SDK's other users make them.
type request struct {
	key      aws.CredentialsProvider
	cluster  string // "": the header is not sent
	region   string
	endpoint string    // AWS_ENDPOINT_URL
	at       time.Time // zero: now
	expires  string    // "": the parameter is left out
}

func (r request) presign(t testing.TB) string {
	t.Helper()
	o := awssts.Options{Region: r.region, Credentials: r.key}
	if r.endpoint != "" {
		o.BaseEndpoint = &r.endpoint
	}
	signer := awssts.NewPresignClient(awssts.New(o), func(o *awssts.PresignOptions) {
		if !r.at.IsZero() {
			o.Presigner = signedAt(r.at)
		}
		o.ClientOptions = append(o.ClientOptions, func(o *awssts.Options) {
			if r.cluster != "" {
				o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", r.cluster))
			}
			if r.expires != "" {
				o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Expires", r.expires))
			}
		})
	})
	return wiretest.Must(signer.PresignGetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{}))(t).URL
}

func wrap(url string) string {
	return tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(url))
}

// good is a request that is let in at the cluster green of the account and region.
func good() request {
	return request{key: labKey(), cluster: "green", region: region, expires: "60"}
}

func clusterARN(name string) arn {
	return arn{"arn:aws:eks:" + region + ":" + account + ":cluster/" + name, "aws", region, account, name}
}

func newTestVerifier() (*verifier, *sts.Service) {
	s := sts.New(sts.Config{Seed: 1})
	return newVerifier(s, time.Now, func() string { return labURL }), s
}

func TestTokensOfTheSDKAreVerified(t *testing.T) {
	v, s := newTestVerifier()
	lab := wiretest.Serve(t, wire.Config{Resolve: s.Resolve, Check: s.Check}, s.Registration())
	assumed := wiretest.Must(awssts.New(awssts.Options{Region: region, BaseEndpoint: &lab, Credentials: labKey()}).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("me@home"),
	}))(t).Credentials
	session := credentials.NewStaticCredentialsProvider(*assumed.AccessKeyId, *assumed.SecretAccessKey, *assumed.SessionToken)
	for name, change := range map[string]func(r *request) (ofSession bool){
		"as they are":                    func(*request) bool { return false },
		"of the lab's endpoint":          func(r *request) bool { r.endpoint = labURL; return false },
		"of the lab's name":              func(r *request) bool { r.endpoint = "http://localhost:4599"; return false },
		"of another region's STS":        func(r *request) bool { r.region = "eu-west-1"; return false },
		"of the longest expiry":          func(r *request) bool { r.expires = "900"; return false },
		"fourteen minutes old":           func(r *request) bool { r.at = time.Now().Add(-14 * time.Minute); return false },
		"of a role's session":            func(r *request) bool { r.key = session; return true },
		"of a session, through the lab":  func(r *request) bool { r.key, r.endpoint = session, labURL; return true },
		"of the global endpoint":         func(r *request) bool { r.endpoint = "https://sts.amazonaws.com"; return false },
		"of the dual-stack endpoint":     func(r *request) bool { r.endpoint = "https://sts.us-east-1.api.aws"; return false },
		"of a FIPS endpoint":             func(r *request) bool { r.endpoint = "https://sts-fips.us-east-1.amazonaws.com"; return false },
		"of a clock five minutes before": func(r *request) bool { r.at = time.Now().Add(5 * time.Minute); return false },
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			ofSession := change(&r)
			id, err := v.verify(t.Context(), wrap(r.presign(t)), clusterARN("green"))
			if err != nil {
				t.Fatal(err)
			}
			want := identity{Account: account, ARN: labUser, Principal: labUser, UserID: "AIDALAB" + account, KeyID: sts.LabAccessKeyID}
			if ofSession {
				want = identity{
					Account: account, ARN: "arn:aws:sts::000000000000:assumed-role/argocd/me@home", Principal: roleARN,
					UserID: id.UserID, Session: "me@home", KeyID: *assumed.AccessKeyId,
				}
				if id.canonical() != bareRole {
					t.Errorf("the canonical ARN is %s", id.canonical())
				}
			}
			if id != want {
				t.Errorf("the identity is %+v, want %+v", id, want)
			}
		})
	}
}

// query changes a presigned URL's parameters.
func query(change func(url.Values)) func(string) string {
	return func(text string) string {
		head, tail, _ := strings.Cut(text, "?")
		q, err := url.ParseQuery(tail)
		if err != nil {
			return err.Error()
		}
		change(q)
		return head + "?" + q.Encode()
	}
}

func set(name, value string) func(string) string {
	return query(func(q url.Values) { q.Set(name, value) })
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func TestRequestsAreRefusedThatAre(t *testing.T) {
	v, _ := newTestVerifier()
	static := credentials.NewStaticCredentialsProvider
	for name, tc := range map[string]struct {
		change func(*request)
		want   string
	}{
		"for another cluster":           {func(r *request) { r.cluster = "blue" }, "SignatureDoesNotMatch"},
		"for no cluster":                {func(r *request) { r.cluster = "" }, "x-k8s-aws-id is not signed"},
		"signed with another secret":    {func(r *request) { r.key = static(sts.LabAccessKeyID, "guess", "") }, "SignatureDoesNotMatch"},
		"of a key that nobody made":     {func(r *request) { r.key = static("AKIDSTRANGER", "guess", "") }, "InvalidClientTokenId"},
		"sixteen minutes old":           {func(r *request) { r.at = time.Now().Add(-16 * time.Minute) }, "older than 15m0s"},
		"of a time far ahead":           {func(r *request) { r.at = time.Now().Add(16 * time.Minute) }, "SignatureDoesNotMatch"},
		"valid for too long":            {func(r *request) { r.expires = "901" }, "X-Amz-Expires"},
		"valid for ever":                {func(r *request) { r.expires = "" }, "X-Amz-Expires"},
		"of another partition":          {func(r *request) { r.region = "cn-north-1" }, "partition"},
		"of a host that is not STS":     {func(r *request) { r.endpoint = "https://sts.example.com" }, "host of STS"},
		"of a host that only begins so": {func(r *request) { r.endpoint = "https://sts.amazonaws.com.example.com" }, "host of STS"},
		"not encrypted":                 {func(r *request) { r.endpoint = "http://sts.us-east-1.amazonaws.com" }, "host of STS"},
		"of another port of the lab's":  {func(r *request) { r.endpoint = "http://127.0.0.1:4600" }, "host of STS"},
		"of another machine":            {func(r *request) { r.endpoint = "http://192.0.2.1:4599" }, "host of STS"},
		"of the lab by https":           {func(r *request) { r.endpoint = "https://127.0.0.1:4599" }, "host of STS"},
		"of a region that is not the host's": {
			func(r *request) { r.endpoint = "https://sts.eu-west-1.amazonaws.com" }, `"us-east-1" is not that of the host`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			tc.change(&r)
			refused(t, v, wrap(r.presign(t)), tc.want)
		})
	}
}

// refused wants a token to be refused for green with a reason that tells no secret.
func refused(t *testing.T, v *verifier, token, want string) {
	t.Helper()
	id, err := v.verify(t.Context(), token, clusterARN("green"))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q", err, want)
	}
	if err != nil && (strings.Contains(err.Error(), sts.LabSecret) || len(token) > 40 && strings.Contains(err.Error(), token[:40])) {
		t.Errorf("the error tells a secret: %v", err)
	}
	if id != (identity{}) {
		t.Errorf("whoever is refused is %+v", id)
	}
}

func TestTokensAreRefusedThatWereTamperedWith(t *testing.T) {
	v, _ := newTestVerifier()
	signature := good().presign(t)
	signature = signature[strings.Index(signature, "X-Amz-Signature=")+16:][:64]
	for name, tc := range map[string]struct {
		change func(string) string
		want   string
	}{
		"in the signature":              {set("X-Amz-Signature", strings.Repeat("0", 64)), "SignatureDoesNotMatch"},
		"in a digit of the signature":   {query(func(q url.Values) { q.Set("X-Amz-Signature", flip(q.Get("X-Amz-Signature"))) }), "SignatureDoesNotMatch"},
		"so that there is no signature": {query(func(q url.Values) { q.Del("X-Amz-Signature") }), "IncompleteSignature"},
		"in the date":                   {set("X-Amz-Date", time.Now().Add(-time.Minute).UTC().Format(amzDate)), "SignatureDoesNotMatch"},
		"in the date's form":            {set("X-Amz-Date", "yesterday"), "X-Amz-Date"},
		"in the key":                    {replace(sts.LabAccessKeyID, "FAKEKEYOFANOTHER"), "InvalidClientTokenId"},
		"in the expiry":                 {set("X-Amz-Expires", "600"), "SignatureDoesNotMatch"},
		"so that the expiry is no number": {
			set("X-Amz-Expires", "soon"), "X-Amz-Expires",
		},
		"in the action":                        {set("Action", "AssumeRole"), `"AssumeRole" is not GetCallerIdentity`},
		"in the version":                       {set("Version", "2010-05-08"), "STS refuses"},
		"in the algorithm":                     {set("X-Amz-Algorithm", "none"), "STS refuses"},
		"in the path":                          {replace(".com/", ".com/x"), "more than a host"},
		"by a user in the URL":                 {replace("https://", "https://me@"), "more than a host"},
		"by a fragment":                        {func(s string) string { return s + "#x" }, "more than a host"},
		"by a parameter":                       {func(s string) string { return s + "&RoleArn=x" }, `"RoleArn" is not allowed`},
		"by a parameter twice":                 {func(s string) string { return s + "&Action=GetCallerIdentity" }, "action is there more than once"},
		"by a parameter in other letters":      {func(s string) string { return s + "&aCTION=GetCallerIdentity" }, "action is there more than once"},
		"by a signature in other letters":      {func(s string) string { return s + "&x-amz-signature=" + signature }, "more than once"},
		"so that the header is not signed":     {set("X-Amz-SignedHeaders", "host"), "x-k8s-aws-id is not signed"},
		"so that the host is not signed":       {set("X-Amz-SignedHeaders", "x-k8s-aws-id"), "SignatureDoesNotMatch"},
		"by a session's token":                 {func(s string) string { return s + "&X-Amz-Security-Token=x" }, "SignatureDoesNotMatch"},
		"so that the query is malformed":       {func(s string) string { return s + "&%zz" }, "malformed"},
		"so that the query has a semicolon":    {func(s string) string { return s + ";x=y" }, "malformed"},
		"so that there is nothing":             {func(string) string { return "" }, "more than a host"},
		"so that it is no URL":                 {func(string) string { return "https://%zz/" }, "no URL"},
		"so that it is huge":                   {func(s string) string { return s + strings.Repeat("x", 4096) }, "more than 4096"},
		"so that the credential has no region": {set("X-Amz-Credential", sts.LabAccessKeyID), "IncompleteSignature"},
		"so that it is another service's": {
			query(func(q url.Values) {
				q.Set("X-Amz-Credential", strings.Replace(q.Get("X-Amz-Credential"), "/sts/", "/eks/", 1))
			}), "STS refuses",
		},
	} {
		t.Run(name, func(t *testing.T) { refused(t, v, wrap(tc.change(good().presign(t))), tc.want) })
	}
	whole := wrap(good().presign(t))
	for name, tc := range map[string]struct{ token, want string }{
		"nothing":               {"", errNoToken.Error()},
		"a service account's":   {"eyJhbGciOiJSUzI1NiJ9.e30.x", errNoToken.Error()},
		"another version":       {strings.Replace(whole, "v1", "v2", 1), errNoToken.Error()},
		"the prefix alone":      {tokenPrefix, "more than a host"},
		"padded":                {whole + "=", "base64url"},
		"of the other alphabet": {tokenPrefix + "a+b/", "base64url"},
		"of too many bytes":     {tokenPrefix + strings.Repeat("A", maxTokenSize), "more than 4096"},
	} {
		t.Run("a token that is "+name, func(t *testing.T) { refused(t, v, tc.token, tc.want) })
	}
}

func flip(hex string) string {
	last := byte('0')
	if hex[len(hex)-1] == '0' {
		last = '1'
	}
	return hex[:len(hex)-1] + string(last)
}

func TestSessionsAreRefusedThatHaveEndedOrLackTheirToken(t *testing.T) {
	now := time.Now()
	s := sts.New(sts.Config{Seed: 1, Now: func() time.Time { return now }})
	v := newVerifier(s, func() time.Time { return now }, func() string { return "" })
	lab := wiretest.Serve(t, wire.Config{Resolve: s.Resolve, Check: s.Check}, s.Registration())
	c := wiretest.Must(awssts.New(awssts.Options{Region: region, BaseEndpoint: &lab, Credentials: labKey()}).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(900),
	}))(t).Credentials
	r := good()
	for name, token := range map[string]string{"no token": "", "another token": "fake"} {
		r.key = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, token)
		t.Run(name, func(t *testing.T) { refused(t, v, wrap(r.presign(t)), "InvalidClientTokenId") })
	}
	r.key = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
	r.at = now.Add(14 * time.Minute)
	token := wrap(r.presign(t))
	now = now.Add(16 * time.Minute)
	refused(t, v, token, "ExpiredToken")
}

// Whatever is done to a token, it is let in only as it was made.
func TestNoChangedTokenIsLetIn(t *testing.T) {
	v, _ := newTestVerifier()
	whole, ctx := good().presign(t), t.Context()
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(whole)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		switch rapid.SampledFrom([]string{"replace", "insert", "delete", "cut"}).Draw(t, "how") {
		case "replace":
			b[at] = rapid.Byte().Draw(t, "byte")
		case "insert":
			b = append(b[:at], append([]byte{rapid.Byte().Draw(t, "byte")}, b[at:]...)...)
		case "delete":
			b = append(b[:at], b[at+1:]...)
		case "cut":
			b = b[:at]
		}
		id, err := v.verify(ctx, wrap(string(b)), clusterARN("green"))
		if err != nil {
			return
		}
		// What is let in says the same: escapes and letters that do not count differ.
		u, perr := url.Parse(string(b))
		want, werr := url.Parse(whole)
		if perr != nil || werr != nil || id.Principal != labUser {
			t.Fatalf("%q is let in as %+v", b, id)
		}
		got, wanted := u.Query(), want.Query()
		for name := range wanted {
			if name == "X-Amz-Signature" && strings.EqualFold(got.Get(name), wanted.Get(name)) {
				continue
			}
			if got.Get(name) != wanted.Get(name) {
				t.Fatalf("%q is let in though %s is %q", b, name, got.Get(name))
			}
		}
	})
}

func FuzzTokensAreRefusedWithoutPanic(f *testing.F) {
	v, _ := newTestVerifier()
	f.Add(wrap("https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Expires=60&X-Amz-Date=20260101T000000Z"))
	f.Add(tokenPrefix)
	f.Fuzz(func(t *testing.T, token string) {
		if id, err := v.verify(t.Context(), token, clusterARN("green")); err == nil {
			t.Errorf("%q is let in as %+v", token, id)
		}
	})
}

func TestOnlyARNsOfClustersAreRead(t *testing.T) {
	for _, text := range []string{
		"", "arn", "arn:aws:eks:us-east-1:000000000000:cluster/", "arn:aws:iam::000000000000:role/x", "arn:aws:eks:us-east-1:000000000000:nodegroup/a/b/c",
	} {
		if a, err := parseARN(text); err == nil {
			t.Errorf("%q is read as %+v", text, a)
		}
	}
	if a, err := parseARN(clusterARN("green").text); err != nil || a != clusterARN("green") {
		t.Errorf("it is read as %+v: %v", a, err)
	}
}
