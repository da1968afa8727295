// Package sts simulates AWS STS: who is calling, and temporary credentials that expire.
// By itself it lets everybody assume every role. With Config.Authz it holds callers to
// the roles of package iam and their trust policies. Web identity tokens it verifies
// always.
package sts

import (
	"context"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// The lab's default credentials, which are its administrator's.
const (
	LabAccessKeyID = "FAKEKEYOFTHELAB"
	LabSecret      = "fake-secret-of-the-lab"
)

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return []wire.Operation{
		{
			Name: "AssumeRole", Fidelity: wire.Simplified,
			How: "Every role exists and can be assumed by everybody, unless authorization is on: then roles, trust policies, external ids, session " +
				"policies and tags count as in AWS, without MFA. The credentials expire as they say, for all services.",
		},
		{Name: "AssumeRoleWithSAML", Fidelity: wire.Absent},
		{
			Name: "AssumeRoleWithWebIdentity", Fidelity: wire.Simplified,
			How: "Tokens signed with RS256, of an OpenID Connect provider that IAM has; the role must trust them. Session tags in tokens are ignored.",
		},
		{Name: "AssumeRoot", Fidelity: wire.Absent},
		{Name: "DecodeAuthorizationMessage", Fidelity: wire.Absent},
		{Name: "GetAccessKeyInfo", Fidelity: wire.Simplified, How: "Keys that the lab did not make are of its own account."},
		{Name: "GetCallerIdentity", Fidelity: wire.Simulated, How: "Also as a presigned URL, and in JSON where the caller accepts it."},
		{Name: "GetDelegatedAccessToken", Fidelity: wire.Absent},
		{Name: "GetFederationToken", Fidelity: wire.Absent},
		{Name: "GetSessionToken", Fidelity: wire.Simplified, How: "Without MFA; the credentials may do all that the user may, IAM calls too."},
		{Name: "GetWebIdentityToken", Fidelity: wire.Absent},
	}
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Service: s,
	}
}

// IAM is what STS asks of the account's identities. *iam.Service is one.
type IAM interface {
	// Role by its ARN.
	Role(arn string) (authz.Role, bool)
	// Key of a user.
	Key(accessKeyID string) (authz.Key, bool)
	// Provider of OpenID Connect tokens that an account trusts for an issuer.
	Provider(account, issuer string) (authz.Provider, bool)
	// Policy that is managed, for sessions of an account's roles.
	Policy(account, arn string) (authz.Policy, bool)
}

// Config of a Service.
type Config struct {
	Seed uint64           // of the keys that are issued
	Now  func() time.Time // default time.Now
	IAM  IAM              // nil: there are no users and no providers
	// Authz holds AssumeRole to IAM's roles and policies. It needs IAM. Without it every
	// role exists and everybody may assume it.
	Authz bool
	// JWKS fetches the JSON Web Key Set of an issuer, which is an https URL. nil: no
	// issuer can be reached.
	JWKS func(ctx context.Context, issuer string) ([]byte, error)
	// MaxSession caps the lifetime of all credentials that are issued, below the 15
	// minutes too that AWS gives at least. 0: as the calls ask.
	MaxSession time.Duration
}

// Service answers STS calls and knows the keys that it has issued.
type Service struct {
	cfg  Config
	now  func() time.Time
	keys *keys
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.IAM == nil {
		cfg.IAM, cfg.Authz = nobody{}, false
	}
	return &Service{cfg: cfg, now: cfg.Now, keys: newKeys(cfg.Seed)}
}

// nobody is an IAM without identities.
type nobody struct{}

func (nobody) Role(string) (authz.Role, bool)                 { return authz.Role{}, false }
func (nobody) Key(string) (authz.Key, bool)                   { return authz.Key{}, false }
func (nobody) Provider(string, string) (authz.Provider, bool) { return authz.Provider{}, false }
func (nobody) Policy(string, string) (authz.Policy, bool)     { return authz.Policy{}, false }

// Unsigned tells whether AWS takes a call without a signature. It fits
// wire.Config.Unsigned.
func Unsigned(r *wire.Request) bool {
	return r.Service == "sts" && r.Operation == "AssumeRoleWithWebIdentity"
}

// Serve answers one call.
func (s *Service) Serve(ctx context.Context, r *wire.Request) (wire.Struct, error) {
	switch r.Operation {
	case "GetCallerIdentity":
		return s.callerIdentity(r), nil
	case "AssumeRole":
		return s.assumeRole(r)
	case "AssumeRoleWithWebIdentity":
		return s.assumeRoleWithWebIdentity(ctx, r)
	case "GetSessionToken":
		return s.sessionToken(r)
	case "GetAccessKeyInfo":
		return s.accessKeyInfo(r)
	default:
		return nil, wire.NotSimulated("sts", r.Operation)
	}
}

// expiry of credentials that are to live for some seconds.
func (s *Service) expiry(seconds int) time.Time {
	life := time.Duration(seconds) * time.Second
	if s.cfg.MaxSession > 0 {
		life = min(life, s.cfg.MaxSession)
	}
	return s.now().Add(life).Truncate(time.Second)
}

// credentials as answers have them.
func (k key) credentials() wire.Member {
	return wire.Member{Name: "Credentials", Value: wire.Struct{
		{Name: "AccessKeyId", Value: k.id},
		{Name: "SecretAccessKey", Value: k.secret},
		{Name: "SessionToken", Value: k.token},
		{Name: "Expiration", Value: k.expires},
	}}
}

func (k key) assumedRoleUser() wire.Member {
	return wire.Member{Name: "AssumedRoleUser", Value: wire.Struct{
		{Name: "AssumedRoleId", Value: k.userID},
		{Name: "Arn", Value: k.arn},
	}}
}
