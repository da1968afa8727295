package sts

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Resolve is the account that an access key belongs to: one that was not issued here is
// of the lab's own.
func (s *Service) Resolve(accessKeyID string) string {
	if k, ok := s.keys.get(accessKeyID); ok {
		return k.account
	}
	if k, ok := s.cfg.IAM.Key(accessKeyID); ok {
		return k.Owner.Account
	}
	return wire.DefaultAccountID
}

// Check refuses keys that were issued here and have expired, or that come without their
// session token, and users' keys that are inactive or deleted. Keys that it has never
// seen are welcome: the lab takes any.
func (s *Service) Check(accessKeyID, token string) error {
	invalid := &wire.Error{
		Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid.",
		Status: http.StatusForbidden,
	}
	if k, ok := s.keys.get(accessKeyID); ok {
		switch {
		case k.token != token:
			return invalid
		case !s.now().Before(k.expires):
			return &wire.Error{
				Code: "ExpiredToken", Message: "The security token included in the request is expired",
				Status: http.StatusForbidden,
			}
		}
		return nil
	}
	k, ok := s.cfg.IAM.Key(accessKeyID)
	_, noIAM := s.cfg.IAM.(nobody)
	switch {
	case ok && !k.Active,
		// These were made here once. They must not become the administrator's.
		!ok && !noIAM && strings.HasPrefix(accessKeyID, userPrefix),
		!ok && s.cfg.Authz && strings.HasPrefix(accessKeyID, temporaryPrefix):
		return invalid
	}
	return nil
}

// Secret is the secret access key of a key that the lab made, or of its default one. It
// fits wire.Config.Secret.
func (s *Service) Secret(accessKeyID string) (string, bool) {
	if accessKeyID == LabAccessKeyID {
		return LabSecret, true
	}
	if k, ok := s.keys.get(accessKeyID); ok {
		return k.secret, true
	}
	k, ok := s.cfg.IAM.Key(accessKeyID)
	return k.Secret, ok
}

// Caller is who has an access key, with its policies as they are now. ok is false for
// keys that nobody created. It fits authz.Config.Caller.
func (s *Service) Caller(accessKeyID string) (p authz.Principal, ok bool) {
	if k, ok := s.keys.get(accessKeyID); ok {
		return s.session(k), true
	}
	k, ok := s.cfg.IAM.Key(accessKeyID)
	return k.Owner, ok
}

// session is the principal of temporary credentials. A role that is gone leaves its
// sessions without any policy.
func (s *Service) session(k key) authz.Principal {
	if k.roleARN == "" {
		if owner, ok := s.cfg.IAM.Key(k.of); ok {
			return owner.Owner
		}
		return authz.Principal{Account: k.account, ARN: k.arn, UserID: k.userID, Admin: k.arn == CallerARN(regionOf(k.arn), k.account)}
	}
	p := authz.Principal{Account: k.account, ARN: k.arn, RoleARN: k.roleARN, UserID: k.userID, Tags: map[string]string{}}
	role, ok := s.cfg.IAM.Role(k.roleARN)
	if ok {
		p.Policies = role.Policies
		maps.Copy(p.Tags, role.Tags)
	}
	maps.Copy(p.Tags, k.tags)
	p.Policies.Session = k.policies
	return p
}

// regionOf is some region of the partition that an ARN names.
func regionOf(arn string) string {
	switch strings.SplitN(arn, ":", 3)[1] {
	case "aws-cn":
		return "cn-north-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	}
	return ""
}

// caller is who calls. Whoever has a key that nobody created is the administrator.
func (s *Service) caller(r *wire.Request) authz.Principal {
	if p, ok := s.Caller(r.AccessKeyID); ok {
		return p
	}
	return authz.Principal{
		Account: r.AccountID, ARN: CallerARN(r.Region, r.AccountID), UserID: "AIDALAB" + r.AccountID, UserName: "lab", Admin: true,
	}
}

func (s *Service) callerIdentity(r *wire.Request) wire.Struct {
	p := s.caller(r)
	return wire.Struct{{Name: "UserId", Value: p.UserID}, {Name: "Account", Value: r.AccountID}, {Name: "Arn", Value: p.ARN}}
}

// CallerARN is who a caller with a key is that nobody created.
func CallerARN(region, account string) string {
	return fmt.Sprintf("arn:%s:iam::%s:user/lab", wire.Partition(region), account)
}

func (s *Service) sessionToken(r *wire.Request) (wire.Struct, error) {
	if _, ok := s.keys.get(r.AccessKeyID); ok {
		return nil, denied("Cannot call GetSessionToken with session credentials")
	}
	seconds, err := durationIn(r.Params, minDuration, maxUserDuration, defaultUserDuration)
	if err != nil {
		return nil, err
	}
	p := s.caller(r)
	k := s.keys.issue(key{account: p.Account, arn: p.ARN, userID: p.UserID, of: r.AccessKeyID, expires: s.expiry(seconds)}, "")
	return wire.Struct{k.credentials()}, nil
}

func (s *Service) accessKeyInfo(r *wire.Request) (wire.Struct, error) {
	id := r.Params.Str("AccessKeyId")
	if len(id) < 16 || len(id) > 128 || strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, invalid(r.Params, "AccessKeyId", `satisfy the pattern [\w]{16,128}`)
	}
	return wire.Struct{{Name: "Account", Value: s.Resolve(id)}}, nil
}

func denied(message string) error {
	return &wire.Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden}
}
