// Package sts simulates AWS STS: who is calling, and temporary credentials that
// expire. It judges no permission: every role can be assumed by everybody.
package sts

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits of AssumeRole, from its API reference.
const (
	minDuration     = 900    // seconds
	maxDuration     = 43_200 // seconds; a role's own MaxSessionDuration is not simulated
	maxChained      = 3_600  // seconds, where the caller's credentials are a role's
	defaultDuration = 3_600  // seconds
	maxTags         = 50
	maxExternalID   = 1224
)

var (
	roleARN     = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`) // and at most maxExternalID long
)

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return []wire.Operation{
		{
			Name: "AssumeRole", Fidelity: wire.Simplified,
			How: "Every role exists and can be assumed by everybody; session policies, MFA and the role's own maximum duration are ignored. " +
				"The credentials expire as they say, for all services.",
		},
		{Name: "AssumeRoleWithSAML", Fidelity: wire.Absent},
		{Name: "AssumeRoleWithWebIdentity", Fidelity: wire.Absent},
		{Name: "AssumeRoot", Fidelity: wire.Absent},
		{Name: "DecodeAuthorizationMessage", Fidelity: wire.Absent},
		{Name: "GetAccessKeyInfo", Fidelity: wire.Absent},
		{Name: "GetCallerIdentity", Fidelity: wire.Simulated, How: "Also as a presigned URL, and in JSON where the caller accepts it."},
		{Name: "GetDelegatedAccessToken", Fidelity: wire.Absent},
		{Name: "GetFederationToken", Fidelity: wire.Absent},
		{Name: "GetSessionToken", Fidelity: wire.Absent},
		{Name: "GetWebIdentityToken", Fidelity: wire.Absent},
	}
}

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/", Service: s,
	}
}

// Config of a Service.
type Config struct {
	Seed uint64           // of the keys that are issued
	Now  func() time.Time // default time.Now
}

// Service answers STS calls and knows the keys that it has issued.
type Service struct {
	now  func() time.Time
	keys *keys
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{now: cfg.Now, keys: newKeys(cfg.Seed)}
}

// Resolve is the account that an access key belongs to: one that was not issued here is
// of the lab's own.
func (s *Service) Resolve(accessKeyID string) string {
	if k, ok := s.keys.get(accessKeyID); ok {
		return k.account
	}
	return wire.DefaultAccountID
}

// Check refuses keys that were issued here and have expired, or that come without
// their session token. Keys that it has never seen are welcome: the lab takes any.
func (s *Service) Check(accessKeyID, token string) error {
	k, ok := s.keys.get(accessKeyID)
	switch {
	case !ok:
		return nil
	case k.token != token:
		return &wire.Error{
			Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid.",
			Status: http.StatusForbidden,
		}
	case !s.now().Before(k.expires):
		return &wire.Error{
			Code: "ExpiredToken", Message: "The security token included in the request is expired",
			Status: http.StatusForbidden,
		}
	}
	return nil
}

// Serve answers one call.
func (s *Service) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) {
	switch r.Operation {
	case "GetCallerIdentity":
		return s.callerIdentity(r), nil
	case "AssumeRole":
		return s.assumeRole(r)
	default:
		return nil, wire.NotSimulated("sts", r.Operation)
	}
}

func (s *Service) callerIdentity(r *wire.Request) wire.Struct {
	arn, userID := CallerARN(r.Region, r.AccountID), "AIDALAB"+r.AccountID
	if k, ok := s.keys.get(r.AccessKeyID); ok {
		arn, userID = k.arn, k.userID
	}
	return wire.Struct{{Name: "UserId", Value: userID}, {Name: "Account", Value: r.AccountID}, {Name: "Arn", Value: arn}}
}

// CallerARN is who a caller with a long-term key is.
func CallerARN(region, account string) string {
	return fmt.Sprintf("arn:%s:iam::%s:user/lab", wire.Partition(region), account)
}

func (s *Service) assumeRole(r *wire.Request) (wire.Struct, error) {
	role := roleARN.FindStringSubmatch(r.Params.Str("RoleArn"))
	if role == nil {
		return nil, invalid(r.Params, "RoleArn", "be a role's ARN, arn:PARTITION:iam::ACCOUNT:role/NAME")
	}
	session := r.Params.Str("RoleSessionName")
	if !sessionName.MatchString(session) {
		return nil, invalid(r.Params, "RoleSessionName", `satisfy the pattern [\w+=,.@-]{2,64}`)
	}
	if id, ok := r.Params.String("ExternalId"); ok && (len(id) > maxExternalID || !externalID.MatchString(id)) {
		return nil, invalid(r.Params, "ExternalId", `satisfy the pattern [\w+=,.@:/-]{2,1224}`)
	}
	if err := checkTags(r.Params); err != nil {
		return nil, err
	}
	seconds, err := s.duration(r)
	if err != nil {
		return nil, err
	}
	k := s.keys.issue(key{
		account: role[2],
		arn:     fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", role[1], role[2], role[3], session),
		session: session,
		expires: s.now().Add(time.Duration(seconds) * time.Second).Truncate(time.Second),
	})
	return wire.Struct{
		{Name: "Credentials", Value: wire.Struct{
			{Name: "AccessKeyId", Value: k.id},
			{Name: "SecretAccessKey", Value: k.secret},
			{Name: "SessionToken", Value: k.token},
			{Name: "Expiration", Value: k.expires},
		}},
		{Name: "AssumedRoleUser", Value: wire.Struct{
			{Name: "AssumedRoleId", Value: k.userID},
			{Name: "Arn", Value: k.arn},
		}},
		{Name: "PackedPolicySize", Value: 0},
	}, nil
}

func (s *Service) duration(r *wire.Request) (int, error) {
	seconds, ok, err := r.Params.Int("DurationSeconds")
	if err != nil {
		return 0, err
	}
	if !ok {
		return defaultDuration, nil
	}
	if seconds < minDuration || seconds > maxDuration {
		return 0, invalid(r.Params, "DurationSeconds", fmt.Sprintf("have a value of %d to %d", minDuration, maxDuration))
	}
	if _, chained := s.keys.get(r.AccessKeyID); chained && seconds > maxChained {
		return 0, wire.Errorf("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	return seconds, nil
}

func checkTags(p wire.Params) error {
	tags := p.List("Tags")
	if len(tags) > maxTags {
		return wire.Errorf("ValidationError",
			"1 validation error detected: 'tags' has %d elements; Member must have length less than or equal to %d", len(tags), maxTags)
	}
	for _, t := range tags {
		if n := utf8.RuneCountInString(t.Str("Key")); n < 1 || n > 128 {
			return invalid(t, "Key", "have a length of 1 to 128")
		}
		if utf8.RuneCountInString(t.Str("Value")) > 256 {
			return invalid(t, "Value", "have a length of at most 256")
		}
	}
	return nil
}

// invalid is worded like AWS's own validation.
func invalid(p wire.Params, name, want string) error {
	return wire.Errorf("ValidationError",
		"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s",
		p.Str(name), strings.ToLower(name[:1])+name[1:], want)
}
