package authz

import (
	"slices"
)

// Policies that bound what a caller may do.
type Policies struct {
	Identity []Policy
	// Boundary and Session allow nothing by themselves: what they do not allow is denied.
	// nil: there is none.
	Boundary []Policy
	Session  []Policy
}

// Request is one action on one resource.
type Request struct {
	Action   string // e.g. elasticloadbalancing:ModifyRule
	Resource string // an ARN, or "*" for actions without a resource
	Keys     Keys
}

// Effect of an evaluation.
type Effect int

// Effects. What nothing allows is denied.
const (
	ImplicitDeny Effect = iota
	Allowed
	ExplicitDeny
)

func (e Effect) String() string {
	switch e {
	case Allowed:
		return "allowed"
	case ExplicitDeny:
		return "explicitDeny"
	case ImplicitDeny:
		return "implicitDeny"
	}
	return "implicitDeny"
}

// The sources of a decision, as AWS's messages call them.
const (
	fromIdentity = "identity-based policy"
	fromBoundary = "permissions boundary"
	fromSession  = "session policy"
	fromTrust    = "resource-based policy"
)

// Decision is the outcome of an evaluation.
type Decision struct {
	Effect Effect
	// Source is the kind of policy that decided, as AWS's messages call it.
	Source string
	// Policy and Sid name the statement that allowed or denied; empty for ImplicitDeny.
	Policy, Sid string
}

// Evaluate decides on a request: a statement that denies it, anywhere, wins; otherwise
// the identity's policies must allow it, and so must the boundary and the session
// policies where there are any.
func Evaluate(p Policies, r Request) Decision {
	sets := []struct {
		source   string
		policies []Policy
		absent   bool
	}{
		{fromIdentity, p.Identity, false},
		{fromBoundary, p.Boundary, p.Boundary == nil},
		{fromSession, p.Session, p.Session == nil},
	}
	for _, s := range sets {
		if policy, sid, ok := find(s.policies, r, true); ok {
			return Decision{ExplicitDeny, s.source, policy, sid}
		}
	}
	allowed := Decision{}
	for _, s := range sets {
		if s.absent {
			continue
		}
		policy, sid, ok := find(s.policies, r, false)
		if !ok {
			return Decision{Effect: ImplicitDeny, Source: s.source}
		}
		if s.source == fromIdentity {
			allowed = Decision{Allowed, s.source, policy, sid}
		}
	}
	return allowed
}

// find the first statement with an effect that speaks of the request.
func find(policies []Policy, r Request, deny bool) (policy, sid string, ok bool) {
	for _, p := range policies {
		for _, s := range p.Statements {
			if s.Deny == deny && s.matches(r, p.variables) {
				return p.Name, s.Sid, true
			}
		}
	}
	return "", "", false
}

// matches tells whether the statement speaks of the request. Principals are not looked at.
func (s Statement) matches(r Request, variables bool) bool {
	return s.matchesAction(r.Action) && s.matchesResource(r, variables) &&
		!slices.ContainsFunc(s.Conditions, func(c Condition) bool { return !c.holds(r.Keys, variables) })
}

// matchesAction compares without case, as IAM does.
func (s Statement) matchesAction(action string) bool {
	matches := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool {
			p, _ := compile(a, true, false, nil)
			return p.match(action, true)
		})
	}
	if len(s.NotActions) > 0 {
		return !matches(s.NotActions)
	}
	return matches(s.Actions)
}

func (s Statement) matchesResource(r Request, variables bool) bool {
	matches := func(list []string) bool {
		return slices.ContainsFunc(list, func(a string) bool {
			p, ok := compile(a, true, variables, r.Keys)
			return ok && p.match(r.Resource, false)
		})
	}
	switch {
	case len(s.NotResources) > 0:
		return !matches(s.NotResources)
	case len(s.Resources) > 0:
		return matches(s.Resources)
	default: // a trust policy is about the role that it belongs to
		return true
	}
}
