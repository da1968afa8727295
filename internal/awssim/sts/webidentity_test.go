package sts_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	issuer  = "https://oidc.example.com/id/1"
	podRole = "arn:aws:iam::000000000000:role/pod"
)

// signer is an issuer's key.
type signer struct{ key *rsa.PrivateKey }

func newSigner(t *testing.T) signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{k}
}

func part(v any) string {
	b, _ := json.Marshal(v) // maps of text and numbers marshal
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s signer) token(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	signed := part(header) + "." + part(claims)
	hash := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (s signer) jwks() []byte {
	e := big.NewInt(int64(s.key.E)).Bytes()
	b, _ := json.Marshal(map[string]any{"keys": []any{
		map[string]string{"kty": "EC", "kid": "1"},
		map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
			"n": base64.RawURLEncoding.EncodeToString(s.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(e),
		},
	}})
	return b
}

// pods is an IAM with the issuer as a provider and a role for one service account.
func pods(t *testing.T, now func() time.Time) *iam.Service {
	t.Helper()
	users := iam.New(iam.Config{Now: now})
	for _, c := range []wire.Request{
		{Operation: "CreateOpenIDConnectProvider", Params: wire.Params{"Url": issuer, "ClientIDList": []any{"sts.amazonaws.com"}}},
		{Operation: "CreateRole", Params: wire.Params{"RoleName": "pod", "AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":[{
			"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",
			"Principal":{"Federated":"arn:aws:iam::000000000000:oidc-provider/oidc.example.com/id/1"},
			"Condition":{"StringEquals":{"oidc.example.com/id/1:sub":"system:serviceaccount:argocd:server","oidc.example.com/id/1:aud":"sts.amazonaws.com"}}}]}`}},
	} {
		c.Region, c.AccountID = "us-east-1", wire.DefaultAccountID
		if _, err := users.Serve(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	return users
}

func TestWebIdentityTokensAreVerified(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	good, other := newSigner(t), newSigner(t)
	header := map[string]any{"alg": "RS256", "kid": "1"}
	valid := map[string]any{
		"iss": issuer, "sub": "system:serviceaccount:argocd:server", "aud": []string{"sts.amazonaws.com"}, "exp": now.Unix() + 60, "nbf": now.Unix(),
	}
	with := func(base map[string]any, key string, value any) map[string]any {
		out := maps.Clone(base)
		if out[key] = value; value == nil {
			delete(out, key)
		}
		return out
	}
	client := serve(t, sts.Config{Now: clock, IAM: pods(t, clock), JWKS: func(_ context.Context, iss string) ([]byte, error) {
		if iss != issuer {
			return nil, errors.New("asked for another issuer")
		}
		return good.jwks(), nil
	}})(aws.AnonymousCredentials{})
	assume := func(token string, change func(*awssts.AssumeRoleWithWebIdentityInput)) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
		in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String(podRole), RoleSessionName: aws.String("pod-1"), WebIdentityToken: &token}
		if change != nil {
			change(in)
		}
		return client.AssumeRoleWithWebIdentity(t.Context(), in)
	}

	out, err := assume(good.token(t, header, valid), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *out.SubjectFromWebIdentityToken != "system:serviceaccount:argocd:server" || *out.Audience != "sts.amazonaws.com" ||
		*out.Provider != "arn:aws:iam::000000000000:oidc-provider/oidc.example.com/id/1" ||
		*out.AssumedRoleUser.Arn != "arn:aws:sts::000000000000:assumed-role/pod/pod-1" || !out.Credentials.Expiration.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v %+v", out, *out.AssumedRoleUser)
	}

	token := good.token(t, header, valid)
	for name, tc := range map[string]struct {
		token   string
		change  func(*awssts.AssumeRoleWithWebIdentityInput)
		code    string
		message string
	}{
		"text that is no token":         {"hello", nil, "InvalidIdentityToken", "three parts"},
		"a token that is not base64":    {"a.b.!", nil, "InvalidIdentityToken", "base64url"},
		"another algorithm":             {good.token(t, with(header, "alg", "HS256"), valid), nil, "InvalidIdentityToken", `"HS256"`},
		"no algorithm":                  {part(map[string]any{"alg": "none"}) + "." + part(valid) + ".", nil, "InvalidIdentityToken", `"none"`},
		"another key":                   {other.token(t, header, valid), nil, "InvalidIdentityToken", "signature"},
		"another key's id":              {good.token(t, with(header, "kid", "2"), valid), nil, "InvalidIdentityToken", "signature"},
		"claims changed afterwards":     {strings.Replace(token, "."+part(valid)+".", "."+part(with(valid, "x", 1))+".", 1), nil, "InvalidIdentityToken", "signature"},
		"an issuer without a provider":  {good.token(t, header, with(valid, "iss", issuer+"2")), nil, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " + issuer + "2"},
		"another audience":              {good.token(t, header, with(valid, "aud", "x")), nil, "InvalidIdentityToken", "Incorrect token audience"},
		"no audience":                   {good.token(t, header, with(valid, "aud", nil)), nil, "InvalidIdentityToken", "Incorrect token audience"},
		"made for another client":       {good.token(t, header, with(valid, "azp", "x")), nil, "InvalidIdentityToken", "Incorrect token audience"},
		"expired":                       {good.token(t, header, with(valid, "exp", now.Unix())), nil, "ExpiredTokenException", "Token expired"},
		"no expiry":                     {good.token(t, header, with(valid, "exp", nil)), nil, "InvalidIdentityToken", "exp"},
		"not valid yet":                 {good.token(t, header, with(valid, "nbf", now.Unix()+1)), nil, "IDPRejectedClaim", "not valid yet"},
		"no subject":                    {good.token(t, header, with(valid, "sub", nil)), nil, "IDPRejectedClaim", "sub"},
		"another service account":       {good.token(t, header, with(valid, "sub", "system:serviceaccount:default:x")), nil, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"},
		"a role that is not there":      {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.RoleArn = aws.String(podRole + "x") }, "AccessDenied", "Not authorized"},
		"a role of another account":     {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.RoleArn = aws.String(role) }, "InvalidIdentityToken", "No OpenIDConnect provider"},
		"longer than the role allows":   {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.DurationSeconds = aws.Int32(3601) }, "ValidationError", "MaxSessionDuration"},
		"899 seconds":                   {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.DurationSeconds = aws.Int32(899) }, "ValidationError", "durationSeconds"},
		"a provider of another kind":    {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.ProviderId = aws.String("www.amazon.com") }, "NotSimulated", "ProviderId"},
		"a session policy that is none": {token, func(i *awssts.AssumeRoleWithWebIdentityInput) { i.Policy = aws.String("{}") }, "MalformedPolicyDocument", "Statement"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := assume(tc.token, tc.change)
			if wiretest.Code(err) != tc.code || !strings.Contains(err.Error(), tc.message) {
				t.Errorf("%v, want %s with %q", err, tc.code, tc.message)
			}
		})
	}
}

func TestIssuersThatCannotBeReached(t *testing.T) {
	s := newSigner(t)
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	token := s.token(t, map[string]any{"alg": "RS256"}, map[string]any{"iss": issuer, "sub": "x", "aud": "sts.amazonaws.com", "exp": now.Unix() + 60})
	call := func(cfg sts.Config) error {
		cfg.Now = clock
		_, err := serve(t, cfg)(aws.AnonymousCredentials{}).AssumeRoleWithWebIdentity(t.Context(), &awssts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(podRole), RoleSessionName: aws.String("pod-1"), WebIdentityToken: &token,
		})
		return err
	}
	if err := call(sts.Config{}); wiretest.Code(err) != "InvalidIdentityToken" {
		t.Errorf("without an IAM: %v", err)
	}
	if err := call(sts.Config{IAM: pods(t, clock)}); wiretest.Code(err) != "IDPCommunicationError" {
		t.Errorf("without a way to the issuer: %v", err)
	}
	failing := func(context.Context, string) ([]byte, error) { return nil, errors.New("connection refused") }
	if err := call(sts.Config{IAM: pods(t, clock), JWKS: failing}); wiretest.Code(err) != "IDPCommunicationError" || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("with an issuer that is down: %v", err)
	}
	garbage := func(context.Context, string) ([]byte, error) { return []byte("<html>"), nil }
	if err := call(sts.Config{IAM: pods(t, clock), JWKS: garbage}); wiretest.Code(err) != "InvalidIdentityToken" || !strings.Contains(err.Error(), "not JSON") {
		t.Errorf("with an issuer that answers something else: %v", err)
	}
}

func TestALabCanHandOutShorterCredentialsThanAWS(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	client := serve(t, sts.Config{Now: func() time.Time { return now }, MaxSession: 20 * time.Second})
	for name, assume := range map[string]func() (*types.Credentials, error){
		"AssumeRole": func() (*types.Credentials, error) {
			out, err := client(static("AKID")).AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("ci")})
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		},
		"GetSessionToken": func() (*types.Credentials, error) {
			out, err := client(static("AKID")).GetSessionToken(t.Context(), nil)
			if err != nil {
				return nil, err
			}
			return out.Credentials, nil
		},
	} {
		c, err := assume()
		if err != nil {
			t.Fatal(err)
		}
		if !c.Expiration.Equal(now.Add(20 * time.Second)) {
			t.Errorf("%s: credentials until %s", name, c.Expiration)
		}
	}
}

func TestARoleThatExistsGivesItsSessionsItsIdentifier(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }
	users := pods(t, now)
	known, ok := users.Role(podRole)
	if !ok {
		t.Fatal("the role is not there")
	}
	// Its trust policy knows a service account only, which without authorization does not count.
	out, err := serve(t, sts.Config{IAM: users, Now: now})(static("AKID")).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(podRole), RoleSessionName: aws.String("ci"), DurationSeconds: aws.Int32(7200),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := *out.AssumedRoleUser.AssumedRoleId; got != known.ID+":ci" {
		t.Errorf("%s, want %s:ci", got, known.ID)
	}
	_, err = serve(t, sts.Config{IAM: users, Now: now, Authz: true})(static("AKID")).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(podRole), RoleSessionName: aws.String("ci"),
	})
	if wiretest.Code(err) != "AccessDenied" {
		t.Errorf("with authorization: %v", err)
	}
}

func TestSecretsOfKeys(t *testing.T) {
	svc := sts.New(sts.Config{})
	if s, ok := svc.Secret(sts.LabAccessKeyID); !ok || s != sts.LabSecret {
		t.Errorf("the lab's own: %q %v", s, ok)
	}
	if _, ok := svc.Secret("AKIDUNKNOWN"); ok {
		t.Error("a key that nobody knows has a secret")
	}
	if _, ok := svc.Caller("AKIDUNKNOWN"); ok {
		t.Error("a key that nobody knows is somebody's")
	}
}

func TestTransitiveTagsAreInherited(t *testing.T) {
	client := serve(t, sts.Config{})
	out, err := client(static("AKID")).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("one"), TransitiveTagKeys: []string{"team"},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("web")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client(issued(out.Credentials)).AssumeRole(t.Context(), &awssts.AssumeRoleInput{
		RoleArn: aws.String(role), RoleSessionName: aws.String("two"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("db")}},
	})
	if wiretest.Code(err) != "InvalidParameterValue" || !strings.Contains(err.Error(), "transitive") {
		t.Errorf("a transitive tag was overridden: %v", err)
	}
}
