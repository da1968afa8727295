package authz

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of an Authorizer.
type Config struct {
	// Caller knows who has an access key; nil, or ok false: nobody created the key, and
	// whoever has it is the administrator of the account that the request names.
	Caller func(accessKeyID string) (Principal, bool)
	// Tags of a resource, for aws:ResourceTag/…; nil: nothing has tags.
	Tags func(arn string) map[string]string
	// Names is the ARN of an IAM resource (kinds role, user, policy, instance-profile),
	// whose path calls do not name; nil, or "": it has the path "/".
	Names func(account, kind, name string) string
	Now   func() time.Time // default time.Now
}

// Authorizer decides on API calls.
type Authorizer struct {
	cfg   Config
	table map[string]service
}

// New returns an Authorizer.
func New(cfg Config) *Authorizer {
	if cfg.Caller == nil {
		cfg.Caller = func(string) (Principal, bool) { return Principal{}, false }
	}
	if cfg.Tags == nil {
		cfg.Tags = func(string) map[string]string { return nil }
	}
	if cfg.Names == nil {
		cfg.Names = func(string, string, string) string { return "" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Authorizer{cfg: cfg, table: services()}
}

// Authorize refuses a call that its caller's policies do not allow, with the error that
// AWS would answer. It fits wire.Config.Authorize. Calls that assume a role pass:
// package sts judges those, by the role's trust policy too.
func (a *Authorizer) Authorize(_ context.Context, r *wire.Request) error {
	svc, ok := a.table[r.Service]
	if !ok {
		return denied(r.Service, "The service "+r.Service+" is not known to the simulator's authorization")
	}
	op, ok := svc.operations[r.Operation]
	if !ok {
		return denied(r.Service, "The operation "+svc.prefix+":"+r.Operation+" is not known to the simulator's authorization")
	}
	switch {
	case r.Operation == "AssumeRoleWithWebIdentity": // the one call that nobody signs
		return nil
	case r.AccessKeyID == "":
		return &wire.Error{
			Code: "MissingAuthenticationToken", Message: "Request is missing Authentication Token", Status: http.StatusForbidden,
		}
	case op.open:
		return nil
	}
	caller, ok := a.cfg.Caller(r.AccessKeyID)
	if !ok || caller.Admin {
		return nil
	}
	c := newCall(&a.cfg, r)
	for _, ch := range op.checks(c, svc.prefix, r.Operation) {
		if err := a.check(c, svc, caller, ch); err != nil {
			return err
		}
	}
	return nil
}

// check one action on each of its resources.
func (a *Authorizer) check(c *call, svc service, caller Principal, ch check) error {
	for _, resource := range ch.resources {
		keys := a.keys(c, svc, caller, resource)
		for name, value := range ch.keys {
			keys.Set(name, value)
		}
		d := caller.Evaluate(Request{Action: ch.action, Resource: resource, Keys: keys})
		if d.Effect != Allowed {
			return denied(c.r.Service, d.Message(caller.ARN, ch.action, resource))
		}
	}
	return nil
}

// keys of a request for one of its resources.
func (a *Authorizer) keys(c *call, svc service, caller Principal, resource string) Keys {
	keys := GlobalKeys(c.r, caller, a.cfg.Now())
	if svc.global {
		keys.Set("aws:RequestedRegion", "us-east-1")
	}
	tags, names := requestTags(c.p)
	for k, v := range tags {
		keys.setTag("aws:RequestTag/", k, v)
	}
	keys.Set("aws:TagKeys", names...)
	for k, v := range a.cfg.Tags(resource) {
		keys.setTag("aws:ResourceTag/", k, v)
		keys.setTag(svc.prefix+":ResourceTag/", k, v)
	}
	if svc.keys != nil {
		svc.keys(c, keys)
	}
	return keys
}

// GlobalKeys are the condition keys that every call has, whatever its service. Plain
// HTTP on loopback stands for AWS's HTTPS, so aws:SecureTransport is true.
func GlobalKeys(r *wire.Request, caller Principal, now time.Time) Keys {
	keys := Keys{}
	caller.SetKeys(keys)
	keys.Set("aws:RequestedRegion", r.Region)
	keys.Set("aws:SecureTransport", "true")
	keys.Set("aws:CurrentTime", now.UTC().Format(time.RFC3339))
	keys.Set("aws:EpochTime", strconv.FormatInt(now.Unix(), 10))
	if r.HTTP != nil {
		keys.Set("aws:UserAgent", r.HTTP.UserAgent())
		if host, _, err := net.SplitHostPort(r.HTTP.RemoteAddr); err == nil {
			keys.Set("aws:SourceIp", host)
		}
	}
	return keys
}

// Message is AWS's wording for a decision that denies.
func (d Decision) Message(caller, action, resource string) string {
	m := "User: " + caller + " is not authorized to perform: " + action
	if resource != "*" {
		m += " on resource: " + resource
	}
	article := "a "
	if d.Source == fromIdentity {
		article = "an "
	}
	if d.Effect == ExplicitDeny {
		return m + " with an explicit deny in " + article + d.Source
	}
	return m + " because no " + d.Source + " allows the " + action + " action"
}

// denied is the error of a service for what is not allowed: each family of services has
// its own code.
func denied(service, message string) *wire.Error {
	e := &wire.Error{Code: "AccessDenied", Message: message, Status: http.StatusForbidden}
	switch service {
	case "ec2":
		e.Code, e.Message = "UnauthorizedOperation", "You are not authorized to perform this operation. "+message
	case "eks", "tagging":
		e.Code = "AccessDeniedException"
	}
	return e
}
