package sts

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxToken bounds a web identity token, in characters.
const maxToken = 20_000

// claims of a token.
type claims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Audience  oneOrMore   `json:"aud"`
	Party     string      `json:"azp"` // the client that the token was made for, if not the audience
	Methods   oneOrMore   `json:"amr"`
	Expires   json.Number `json:"exp"`
	NotBefore json.Number `json:"nbf"`
}

// oneOrMore is a claim that holds a text or a list of them.
type oneOrMore []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// token is a JSON Web Token in its parts.
type token struct {
	keyID     string
	algorithm string
	claims    claims
	signed    string // header and claims, as they were signed
	signature []byte
}

func parseToken(text string) (token, error) {
	var t token
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, errors.New("it does not have three parts")
	}
	var header struct{ Alg, Kid string }
	if err := decodePart(parts[0], &header); err != nil {
		return t, err
	}
	if err := decodePart(parts[1], &t.claims); err != nil {
		return t, err
	}
	var err error
	if t.signature, err = base64.RawURLEncoding.DecodeString(parts[2]); err != nil {
		return t, errors.New("its signature is not base64url")
	}
	t.algorithm, t.keyID, t.signed = header.Alg, header.Kid, parts[0]+"."+parts[1]
	return t, nil
}

func decodePart(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return errors.New("a part of it is not base64url")
	}
	if json.Unmarshal(raw, into) != nil {
		return errors.New("a part of it is not the JSON that it should be")
	}
	return nil
}

// verify the signature with the key of a JSON Web Key Set that the token names.
func (t token) verify(set []byte) error {
	var doc struct {
		Keys []struct{ Kty, Kid, N, E string }
	}
	if err := json.Unmarshal(set, &doc); err != nil {
		return errors.New("the issuer's key set is not JSON")
	}
	hash := sha256.Sum256([]byte(t.signed))
	for _, k := range doc.Keys {
		n, nerr := base64.RawURLEncoding.DecodeString(k.N)
		e, eerr := base64.RawURLEncoding.DecodeString(k.E)
		exponent := new(big.Int).SetBytes(e)
		if k.Kty != "RSA" || t.keyID != "" && k.Kid != t.keyID || nerr != nil || eerr != nil || !exponent.IsInt64() {
			continue
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
		if rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], t.signature) == nil {
			return nil
		}
	}
	return errors.New("no key of the issuer verifies the token's signature")
}

func (s *Service) assumeRoleWithWebIdentity(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	q, err := s.newRequest(r)
	if err != nil {
		return nil, err
	}
	text := r.Params.Str("WebIdentityToken")
	if len(text) < 4 || len(text) > maxToken {
		return nil, invalid(wire.Params{"WebIdentityToken": "…"}, "WebIdentityToken", "have a length of 4 to 20000")
	}
	if r.Params.Str("ProviderId") != "" {
		return nil, wire.NotSimulated("sts", "AssumeRoleWithWebIdentity with a ProviderId")
	}
	seconds, err := durationIn(r.Params, minDuration, maxDuration, defaultDuration)
	if err != nil {
		return nil, err
	}
	t, provider, err := s.identity(ctx, q, text)
	if err != nil {
		return nil, err
	}
	role, err := s.trust(q, t, provider)
	if err != nil {
		return nil, err
	}
	if seconds > int(role.MaxSession.Seconds()) {
		return nil, tooLong()
	}
	k := s.issue(q, key{}, role, seconds)
	return wire.Struct{
		k.credentials(), k.assumedRoleUser(),
		{Name: "SubjectFromWebIdentityToken", Value: t.claims.Subject},
		{Name: "PackedPolicySize", Value: q.packed},
		{Name: "Provider", Value: provider.ARN},
		{Name: "Audience", Value: t.claims.audience()},
	}, nil
}

// audience is the client that the token is for.
func (c claims) audience() string {
	if c.Party != "" {
		return c.Party
	}
	if len(c.Audience) > 0 {
		return c.Audience[0]
	}
	return ""
}

// identity verifies a token against the provider that the role's account has for its issuer.
func (s *Service) identity(ctx context.Context, q *request, text string) (token, authz.Provider, error) {
	var provider authz.Provider
	t, err := parseToken(text)
	if err != nil {
		return t, provider, failure("InvalidIdentityToken", 0, "The ID Token provided is not a valid JWT: %v", err)
	}
	if t.algorithm != "RS256" {
		return t, provider, failure("InvalidIdentityToken", 0, "The ID Token's algorithm %q is not RS256", t.algorithm)
	}
	issuer := t.claims.Issuer
	provider, ok := s.cfg.IAM.Provider(q.account, issuer)
	if !ok || !strings.HasPrefix(issuer, "https://") {
		return t, provider, failure("InvalidIdentityToken", 0, "No OpenIDConnect provider found in your account for %s", issuer)
	}
	client := slices.Contains(provider.ClientIDs, t.claims.Party)
	for _, a := range t.claims.Audience {
		client = client || t.claims.Party == "" && slices.Contains(provider.ClientIDs, a)
	}
	if !client {
		return t, provider, failure("InvalidIdentityToken", 0, "Incorrect token audience")
	}
	if s.cfg.JWKS == nil {
		return t, provider, failure("IDPCommunicationError", 0, "The identity provider %s cannot be reached", issuer)
	}
	set, err := s.cfg.JWKS(ctx, issuer)
	if err != nil {
		return t, provider, failure("IDPCommunicationError", 0, "The identity provider %s cannot be reached: %v", issuer, err)
	}
	if err := t.verify(set); err != nil {
		return t, provider, failure("InvalidIdentityToken", 0,
			"Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements: %v", err)
	}
	return t, provider, s.inForce(t.claims)
}

// inForce checks the claims that are AWS's to check, once the signature is known to be good.
func (s *Service) inForce(c claims) error {
	now := s.now().Unix()
	expires, err := c.Expires.Float64()
	switch {
	case err != nil:
		return failure("InvalidIdentityToken", 0, "Missing a required claim: exp")
	case float64(now) >= expires:
		return failure("ExpiredTokenException", 0, "Token expired: current date/time %d must be before the expiration date/time %.0f", now, expires)
	case c.Subject == "":
		return failure("IDPRejectedClaim", http.StatusForbidden, "Missing a required claim: sub")
	case c.NotBefore == "":
		return nil
	}
	if from, err := c.NotBefore.Float64(); err != nil || float64(now) < from {
		return failure("IDPRejectedClaim", http.StatusForbidden, "Token is not valid yet: current date/time %d, not before %s", now, c.NotBefore)
	}
	return nil
}

// trust asks the role's trust policy about the token.
func (s *Service) trust(q *request, t token, provider authz.Provider) (authz.Role, error) {
	const action = "sts:AssumeRoleWithWebIdentity"
	role, ok := s.cfg.IAM.Role(q.arn)
	if !ok {
		return role, denied("Not authorized to perform " + action)
	}
	caller := authz.Principal{Federated: provider.ARN}
	keys := s.sessionKeys(q, caller, role)
	issuer := strings.TrimPrefix(t.claims.Issuer, "https://")
	keys.Set(issuer+":sub", t.claims.Subject)
	if t.claims.Party != "" {
		keys.Set(issuer+":aud", t.claims.Party)
		keys.Set(issuer+":oaud", t.claims.Audience...)
	} else {
		keys.Set(issuer+":aud", t.claims.Audience...)
	}
	keys.Set(issuer+":amr", t.claims.Methods...)
	if authz.MayAssume(role, caller, action, keys).Effect != authz.Allowed {
		return role, denied("Not authorized to perform " + action)
	}
	return role, nil
}
