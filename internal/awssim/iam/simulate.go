package iam

import (
	"fmt"
	"strings"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// simulatePrincipalPolicy evaluates what a user or role may do, with the condition keys
// that the call gives.
func (c *call) simulatePrincipalPolicy() (wire.Struct, error) {
	who, err := c.simulated()
	if err != nil {
		return nil, err
	}
	actions, resources := c.p.Strings("ActionNames"), c.p.Strings("ResourceArns")
	if len(actions) == 0 {
		return nil, violation(nil, "ActionNames", "not be null")
	}
	for _, a := range actions {
		if !strings.Contains(a, ":") {
			return nil, wire.Errorf("InvalidInput", "Invalid Action Name: %s", a)
		}
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	if c.p.Str("ResourcePolicy") != "" {
		return nil, wire.NotSimulated("iam", "SimulatePrincipalPolicy with a ResourcePolicy")
	}
	keys := authz.Keys{}
	who.SetKeys(keys)
	for _, e := range c.p.List("ContextEntries") {
		keys.Set(e.Str("ContextKeyName"), e.Strings("ContextKeyValues")...)
	}
	type result struct {
		key string
		out wire.Struct
	}
	var results []result
	for _, a := range actions {
		for _, r := range resources {
			d := who.Evaluate(authz.Request{Action: a, Resource: r, Keys: keys})
			matched := wire.List{}
			if d.Policy != "" {
				matched = append(matched, wire.Struct{kv("SourcePolicyId", d.Policy), kv("SourcePolicyType", "IAM Policy")})
			}
			results = append(results, result{fmt.Sprintf("%06d", len(results)), wire.Struct{
				kv("EvalActionName", a), kv("EvalResourceName", r), kv("EvalDecision", d.Effect.String()),
				kv("MatchedStatements", matched), kv("MissingContextValues", wire.List{}),
			}})
		}
	}
	return page(c, "EvaluationResults", results, func(r result) string { return r.key }, func(r result) any { return r.out })
}

// simulated is the user or role of PolicySourceArn, with the call's own policies added.
func (c *call) simulated() (authz.Principal, error) {
	arn, err := c.required("PolicySourceArn")
	if err != nil {
		return authz.Principal{}, err
	}
	var who authz.Principal
	name := strings.ToLower(arn[strings.LastIndex(arn, "/")+1:])
	if u := c.users[name]; u != nil && u.arn == arn {
		who = c.s.principal(u)
	} else if r := c.roles[name]; r != nil && r.arn == arn {
		who = authz.Principal{Account: c.account, ARN: arn, RoleARN: arn, Tags: r.tags, Policies: c.policiesOf(&r.holder)}
	} else {
		return who, noSuchEntity("%s cannot be found.", arn)
	}
	add := func(member string, to *[]authz.Policy) error {
		for i, text := range c.p.Strings(member) {
			p, err := authz.Parse(fmt.Sprintf("%s.%d", member, i+1), text, authz.Identity)
			if err != nil {
				return wire.Errorf("InvalidInput", "%s.%d: %v", member, i+1, err)
			}
			*to = append(*to, p)
		}
		return nil
	}
	if err := add("PolicyInputList", &who.Policies.Identity); err != nil {
		return who, err
	}
	if c.p.Has("PermissionsBoundaryPolicyInputList") {
		who.Policies.Boundary = nil
	}
	return who, add("PermissionsBoundaryPolicyInputList", &who.Policies.Boundary)
}
