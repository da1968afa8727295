package iam

import (
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/model"
)

// Role is what package sts must know to let somebody assume a role.
func (s *Service) Role(arn string) (authz.Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, name, ok := s.named(arn, "role/")
	if !ok {
		return authz.Role{}, false
	}
	r := w.roles[strings.ToLower(name)]
	if r == nil || r.arn != arn {
		return authz.Role{}, false
	}
	return authz.Role{
		ARN: r.arn, ID: r.id, Account: w.account, Trust: r.trust.policy, MaxSession: time.Duration(r.maxSession) * time.Second,
		Tags: r.tags, Policies: w.policiesOf(&r.holder),
	}, true
}

// named finds the account and the name in an ARN, without creating a world.
func (s *Service) named(arn, kind string) (w *world, name string, ok bool) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[2] != "iam" || !strings.HasPrefix(p[5], kind) || s.worlds[p[4]] == nil {
		return nil, "", false
	}
	return s.worlds[p[4]], p[5][strings.LastIndex(p[5], "/")+1:], true
}

// Key finds a user's access key.
func (s *Service) Key(accessKeyID string) (authz.Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[accessKeyID]
	if k == nil {
		return authz.Key{}, false
	}
	return authz.Key{Secret: k.secret, Active: k.active, Owner: s.principal(k.owner)}, true
}

// principal is a user as authz knows callers.
func (s *Service) principal(u *user) authz.Principal {
	return authz.Principal{
		Account: u.account, ARN: u.arn, UserID: u.id, UserName: u.name, Tags: u.tags,
		Policies: s.worlds[u.account].policiesOf(&u.holder),
	}
}

// Provider finds the OpenID Connect provider of an account for an issuer, which is a URL
// with or without https://.
func (s *Service) Provider(account, issuer string) (authz.Provider, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.worlds[account]; w != nil {
		for _, p := range w.providers {
			if p.url == strings.TrimSuffix(strings.TrimPrefix(issuer, "https://"), "/") {
				return authz.Provider{ARN: p.arn, ClientIDs: p.clientIDs}, true
			}
		}
	}
	return authz.Provider{}, false
}

// Policy is the document in force of a managed policy that an account can use.
func (s *Service) Policy(account, arn string) (authz.Policy, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isAWS(arn) {
		return awsDocument(arn).policy, true
	}
	w := s.worlds[account]
	if w == nil {
		return authz.Policy{}, false
	}
	d, ok := w.managed(arn)
	return d.policy, ok
}

// ARN of a role, user, policy or instance-profile by its name, "" when there is none. It
// fits authz.Config.Names.
func (s *Service) ARN(account, kind, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worlds[account]
	if w == nil {
		return ""
	}
	name = strings.ToLower(name)
	switch kind {
	case "role":
		if r := w.roles[name]; r != nil {
			return r.arn
		}
	case "user":
		if u := w.users[name]; u != nil {
			return u.arn
		}
	case "policy":
		if p := w.policies[name]; p != nil {
			return p.arn
		}
	case "instance-profile":
		if p := w.profiles[name]; p != nil {
			return p.arn
		}
	}
	return ""
}

// Resources of an account, with their tags: roles, users, policies, instance profiles
// and OpenID Connect providers, each kind sorted by name.
func (s *Service) Resources(account string) []model.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worlds[account]
	if w == nil {
		return nil
	}
	var out []model.Resource
	for _, r := range sorted(w.roles) {
		out = append(out, model.Resource{ARN: r.arn, Tags: r.tags})
	}
	for _, u := range sorted(w.users) {
		out = append(out, model.Resource{ARN: u.arn, Tags: u.tags})
	}
	for _, p := range sorted(w.policies) {
		out = append(out, model.Resource{ARN: p.arn, Tags: p.tags})
	}
	for _, p := range sorted(w.profiles) {
		out = append(out, model.Resource{ARN: p.arn, Tags: p.tags})
	}
	for _, p := range sorted(w.providers) {
		out = append(out, model.Resource{ARN: p.arn, Tags: p.tags})
	}
	return out
}
