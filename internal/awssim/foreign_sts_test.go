package awssim_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim"
)

const podTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity",
	"Principal":{"Federated":"arn:aws:iam::000000000000:oidc-provider/oidc.example.com/id/1"},
	"Condition":{"StringEquals":{"oidc.example.com/id/1:sub":"system:serviceaccount:web:app"}}}]}`

// issuer of a cluster's web identities.
type issuer struct{ key *rsa.PrivateKey }

func newIssuer(t *testing.T) issuer {
	t.Helper()
	return issuer{got[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))}
}

// jwks is the issuer's key set, for awssim.Config.
func (i issuer) jwks(_ context.Context, url string) ([]byte, error) {
	if url != issuerURL {
		return nil, fmt.Errorf("%s is not there", url)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": b64(i.key.N.Bytes()), "e": b64(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

// token of a pod.
func (i issuer) token(t *testing.T) string {
	t.Helper()
	claims := fmt.Sprintf(`{"iss":%q,"sub":"system:serviceaccount:web:app","aud":["sts.amazonaws.com"],"exp":%d}`, issuerURL, time.Now().Add(time.Hour).Unix())
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + b64([]byte(claims))
	hash := sha256.Sum256([]byte(signed))
	return signed + "." + b64(got[[]byte](t)(rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, hash[:])))
}

// foreignLab is the lab that a client drives every operation of.
func foreignLab(t *testing.T) (fixture, issuer) {
	t.Helper()
	i := newIssuer(t)
	f, end := start(t, awssim.Config{DataPlane: awssim.PlaneSynth, JWKS: i.jwks}, nil)
	t.Cleanup(end)
	return f, i
}

func (f fixture) sdkCredentials(t *testing.T, pod issuer) {
	t.Helper()
	if me := do(t, f.sts.GetCallerIdentity, &sts.GetCallerIdentityInput{}); *me.Account != "000000000000" {
		t.Errorf("caller %s", *me.Account)
	}
	role := do(t, f.sts.AssumeRole, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::111111111111:role/deploy"), RoleSessionName: aws.String("sdk")})
	if *role.AssumedRoleUser.Arn != "arn:aws:sts::111111111111:assumed-role/deploy/sdk" {
		t.Errorf("role %s", *role.AssumedRoleUser.Arn)
	}
	if info := do(t, f.sts.GetAccessKeyInfo, &sts.GetAccessKeyInfoInput{AccessKeyId: role.Credentials.AccessKeyId}); *info.Account != "111111111111" {
		t.Errorf("the role's key is of %s", *info.Account)
	}
	do(t, f.sts.GetSessionToken, &sts.GetSessionTokenInput{})
	c := iam.NewFromConfig(f.config("us-east-1", nil))
	provider := do(t, c.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{Url: aws.String(issuerURL), ClientIDList: []string{"sts.amazonaws.com"}}).OpenIDConnectProviderArn
	do(t, c.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("pod"), AssumeRolePolicyDocument: aws.String(podTrust)})
	who := do(t, f.sts.AssumeRoleWithWebIdentity, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::000000000000:role/pod"), RoleSessionName: aws.String("sdk"), WebIdentityToken: aws.String(pod.token(t)),
	})
	if *who.SubjectFromWebIdentityToken != "system:serviceaccount:web:app" {
		t.Errorf("subject %s", *who.SubjectFromWebIdentityToken)
	}
	do(t, c.DeleteRole, &iam.DeleteRoleInput{RoleName: aws.String("pod")})
	do(t, c.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider})
}
