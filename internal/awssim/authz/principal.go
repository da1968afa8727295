package authz

import (
	"slices"
	"strings"
	"time"
)

// Principal is a caller, as package iam and package sts know it.
type Principal struct {
	Account  string
	ARN      string // of the user, or of the role's session
	RoleARN  string // of a role's session; "" for users
	UserID   string
	UserName string // "" for sessions
	// Federated is the ARN of the identity provider that vouches for the caller, who
	// has no other identity yet.
	Federated string
	// Admin may do everything in its own account. Its policies are not looked at.
	Admin    bool
	Tags     map[string]string // aws:PrincipalTag/…: of the user, or of role and session
	Policies Policies
}

// Role is what must be known of a role to assume it.
type Role struct {
	ARN        string
	ID         string // AROA…
	Account    string
	Trust      Policy
	MaxSession time.Duration
	Tags       map[string]string
	Policies   Policies // of its sessions, without session policies
}

// Key is a user's access key.
type Key struct {
	Secret string
	Active bool
	Owner  Principal
}

// Provider is an OpenID Connect provider that an account trusts.
type Provider struct {
	ARN       string
	ClientIDs []string // the audiences that it is registered for
}

// Evaluate decides on a request of the principal.
func (p Principal) Evaluate(r Request) Decision {
	if p.Admin {
		return Decision{Effect: Allowed, Source: fromIdentity, Policy: "administrator"}
	}
	return Evaluate(p.Policies, r)
}

// SetKeys fills in the condition keys that tell about the caller.
func (p Principal) SetKeys(k Keys) {
	k.Set("aws:PrincipalAccount", p.Account)
	k.Set("aws:userid", p.UserID)
	k.Set("aws:username", p.UserName)
	k.Set("aws:PrincipalArn", p.arnOfIdentity())
	switch {
	case p.Federated != "":
		k.Set("aws:FederatedProvider", p.Federated)
	case p.RoleARN != "":
		k.Set("aws:PrincipalType", "AssumedRole")
		k.Set("aws:MultiFactorAuthPresent", "false")
	default:
		k.Set("aws:PrincipalType", "User")
	}
	for key, value := range p.Tags {
		k.setTag("aws:PrincipalTag/", key, value)
	}
}

// arnOfIdentity is the ARN without the session.
func (p Principal) arnOfIdentity() string {
	if p.RoleARN != "" {
		return p.RoleARN
	}
	return p.ARN
}

// MayAssume decides whether a caller may assume a role, by one of the actions
// sts:AssumeRole, sts:AssumeRoleWithWebIdentity, sts:TagSession and
// sts:SetSourceIdentity. The role's trust policy must allow it. That is enough for
// federated callers, and for callers of the role's account whom it names themselves;
// all others need their own policies to allow it as well.
func MayAssume(role Role, caller Principal, action string, keys Keys) Decision {
	r := Request{Action: action, Resource: role.ARN, Keys: keys}
	trusted := nobody
	for _, s := range role.Trust.Statements {
		who := s.Principals.match(caller)
		if who == nobody || !s.matches(r, role.Trust.variables) {
			continue
		}
		if s.Deny {
			return Decision{ExplicitDeny, fromTrust, role.Trust.Name, s.Sid}
		}
		trusted = max(trusted, who)
	}
	if trusted == nobody {
		return Decision{Effect: ImplicitDeny, Source: fromTrust}
	}
	allowed := Decision{Effect: Allowed, Source: fromTrust, Policy: role.Trust.Name}
	if caller.Federated != "" {
		return allowed
	}
	own := caller.Evaluate(r)
	if own.Effect == ImplicitDeny && own.Source == fromIdentity && trusted == itself && caller.Account == role.Account {
		return allowed
	}
	return own
}

// How a statement's principals name a caller.
type naming int

const (
	nobody  naming = iota
	account        // the whole of its account, which then decides by its own policies
	itself
)

func (p *Principals) match(caller Principal) naming {
	if p == nil {
		return nobody
	}
	if caller.Federated != "" {
		if slices.Contains(p.Federated, caller.Federated) {
			return itself
		}
		return nobody
	}
	found := nobody
	for _, a := range p.AWS {
		switch {
		case a == "*", a == caller.ARN, a == caller.RoleARN:
			return itself
		case accountOf(a) == caller.Account && (!strings.Contains(a, ":") || strings.HasSuffix(a, ":root")):
			found = account
		}
	}
	return found
}
