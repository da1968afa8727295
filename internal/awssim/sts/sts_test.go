package sts_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// serve returns an SDK client maker for a service on a real listener.
func serve(t *testing.T, cfg sts.Config) func(aws.CredentialsProvider) *awssts.Client {
	t.Helper()
	svc := sts.New(cfg)
	url := wiretest.Serve(t, wire.Config{Resolve: svc.Resolve, Check: svc.Check}, svc.Registration())
	return func(c aws.CredentialsProvider) *awssts.Client {
		return awssts.New(awssts.Options{
			BaseEndpoint: &url, Region: "us-east-1", Credentials: c, RetryMaxAttempts: 1,
		})
	}
}

func static(id string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, "fake", "")
}

func issued(c *types.Credentials) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
}

const role = "arn:aws:iam::111122223333:role/path/shifter"

func TestAnyKeyIsTheLabsUser(t *testing.T) {
	client := serve(t, sts.Config{})
	out, err := client(static("AKIDANY")).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != "000000000000" || *out.Arn != "arn:aws:iam::000000000000:user/lab" {
		t.Errorf("%s %s", *out.Account, *out.Arn)
	}
}

func TestAssumedRoleIsAnotherCallerUntilItExpires(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	client := serve(t, sts.Config{Now: func() time.Time { return now }})
	out, err := client(static("AKIDANY")).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("ci@run-1"), DurationSeconds: aws.Int32(900), ExternalId: aws.String("a:b/c"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	if !strings.HasPrefix(*c.AccessKeyId, "ASIA") || len(*c.AccessKeyId) != 20 || !c.Expiration.Equal(now.Add(15*time.Minute)) {
		t.Errorf("credentials %s until %s", *c.AccessKeyId, c.Expiration)
	}
	me, err := client(issued(c)).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *me.Arn != "arn:aws:sts::111122223333:assumed-role/shifter/ci@run-1" || *me.Account != "111122223333" || *me.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("%s %s %s", *me.Arn, *me.Account, *me.UserId)
	}

	_, err = client(static(*c.AccessKeyId)).GetCallerIdentity(t.Context(), nil)
	if wiretest.Code(err) != "InvalidClientTokenId" {
		t.Errorf("without the session token: %v", err)
	}
	_, err = client(issued(c)).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("chained"), DurationSeconds: aws.Int32(3601),
	})
	if wiretest.Code(err) != "ValidationError" || !strings.Contains(err.Error(), "role chaining") {
		t.Errorf("chained for more than an hour: %v", err)
	}
	now = now.Add(15 * time.Minute)
	_, err = client(issued(c)).GetCallerIdentity(t.Context(), nil)
	if wiretest.Code(err) != "ExpiredToken" {
		t.Errorf("after the expiry: %v", err)
	}
}

func TestAssumeRoleRefuses(t *testing.T) {
	client := serve(t, sts.Config{})(static("AKIDANY"))
	for name, tc := range map[string]struct {
		change func(*awssts.AssumeRoleInput)
		want   string
	}{
		"a user's ARN":              {func(i *awssts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::111122223333:user/x") }, "roleArn"},
		"a session name of 1":       {func(i *awssts.AssumeRoleInput) { i.RoleSessionName = aws.String("x") }, "roleSessionName"},
		"a session name with space": {func(i *awssts.AssumeRoleInput) { i.RoleSessionName = aws.String("a b") }, "roleSessionName"},
		"899 seconds":               {func(i *awssts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(899) }, "Value '899' at 'durationSeconds'"},
		"43201 seconds":             {func(i *awssts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(43201) }, "900 to 43200"},
		"an external id of 1":       {func(i *awssts.AssumeRoleInput) { i.ExternalId = aws.String("x") }, "externalId"},
		"51 tags": {func(i *awssts.AssumeRoleInput) {
			for range 51 {
				i.Tags = append(i.Tags, types.Tag{Key: aws.String("k"), Value: aws.String("v")})
			}
		}, "51 elements"},
		"a tag key of 129": {func(i *awssts.AssumeRoleInput) {
			i.Tags = []types.Tag{{Key: aws.String(strings.Repeat("k", 129)), Value: aws.String("v")}}
		}, "1 to 128"},
		"a tag value of 257": {func(i *awssts.AssumeRoleInput) {
			i.Tags = []types.Tag{{Key: aws.String("k"), Value: aws.String(strings.Repeat("v", 257))}}
		}, "at most 256"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &awssts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("ok")}
			tc.change(in)
			_, err := client.AssumeRole(t.Context(), in)
			if wiretest.Code(err) != "ValidationError" || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want a ValidationError with %q", err, tc.want)
			}
		})
	}
}

func TestPresignedCallAnswersInJSON(t *testing.T) {
	// The way of an EKS token: the API server of the cluster sends what the client signed.
	client := serve(t, sts.Config{})(static("AKIDANY"))
	signed, err := awssts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), nil, func(o *awssts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *awssts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", "blue"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, signed.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-K8s-Aws-Id", "blue")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body struct {
		GetCallerIdentityResponse struct {
			GetCallerIdentityResult struct{ Account, Arn, UserId string }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	me := body.GetCallerIdentityResponse.GetCallerIdentityResult
	if res.StatusCode != http.StatusOK || me.Account != "000000000000" || me.Arn != "arn:aws:iam::000000000000:user/lab" || me.UserId == "" {
		t.Errorf("%s %+v", res.Status, body)
	}
}

func TestOperationsTellWhatIsAnswered(t *testing.T) {
	client := sts.New(sts.Config{})
	for _, op := range sts.Operations() {
		_, err := client.Serve(t.Context(), &wire.Request{Operation: op.Name, Params: wire.Params{}})
		e, _ := errors.AsType[*wire.Error](err)
		if absent := e != nil && e.Code == "NotSimulated"; absent != (op.Fidelity == wire.Absent) {
			t.Errorf("%s is said to be %s: %v", op.Name, op.Fidelity, err)
		}
	}
}

func TestOtherOperationsAreNotSimulatedAndNotRetried(t *testing.T) {
	svc := sts.New(sts.Config{})
	calls := 0
	url := wiretest.Serve(t, wire.Config{Observe: func(wire.Call) { calls++ }}, svc.Registration())
	c := awssts.New(awssts.Options{BaseEndpoint: &url, Region: "us-east-1", Credentials: static("AKID")})
	_, err := c.GetFederationToken(t.Context(), &awssts.GetFederationTokenInput{Name: aws.String("x")})
	if wiretest.Code(err) != "NotSimulated" || !strings.Contains(err.Error(), "sts GetFederationToken") {
		t.Error(err)
	}
	if calls != 1 {
		t.Errorf("%d calls, want 1", calls)
	}
}

func TestEqualSeedsIssueEqualKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issue := func() wire.Struct {
			out, err := sts.New(sts.Config{Seed: 7}).Serve(t.Context(), &wire.Request{
				Operation: "AssumeRole", Params: wire.Params{"RoleArn": role, "RoleSessionName": "same"},
			})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		a, b := issue(), issue()
		if x, y := a[0].Value.(wire.Struct), b[0].Value.(wire.Struct); x[0] != y[0] || x[2] != y[2] { //nolint:forcetypeassert // a panic is a failure too
			t.Errorf("%v, %v", x, y)
		}
	})
}
