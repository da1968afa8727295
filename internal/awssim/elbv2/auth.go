package elbv2

import (
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// authMember is a member of an authentication action's configuration.
type authMember struct {
	name     string
	required bool
	url      bool // https, with a host
	max      int  // characters; 0: not limited here
	enum     []string
	fallback string // what AWS fills in
}

func authMembers(actionType string) []authMember {
	session := []authMember{
		{name: "SessionCookieName", fallback: "AWSELBAuthSessionCookie"},
		{name: "Scope", fallback: "openid"},
		{name: "SessionTimeout", fallback: "604800"},
		{name: "OnUnauthenticatedRequest", enum: []string{"deny", "allow", "authenticate"}, fallback: "authenticate"},
	}
	switch actionType {
	case authOIDC:
		return append([]authMember{
			{name: "Issuer", required: true, url: true},
			{name: "AuthorizationEndpoint", required: true, url: true},
			{name: "TokenEndpoint", required: true, url: true},
			{name: "UserInfoEndpoint", required: true, url: true},
			{name: "ClientId", required: true},
		}, session...)
	case authCognito:
		return append([]authMember{
			{name: "UserPoolArn", required: true},
			{name: "UserPoolClientId", required: true},
			{name: "UserPoolDomain", required: true},
		}, session...)
	default:
		return []authMember{
			{name: "JwksEndpoint", required: true, url: true, max: 256},
			{name: "Issuer", required: true, max: 256},
		}
	}
}

// maxExtraParams bounds AuthenticationRequestExtraParams and AdditionalClaims.
const maxExtraParams = 10

func httpsURL() *regexp.Regexp { return regexp.MustCompile(`^https://[^/?#]+`) }

// parseAuth keeps an authentication action's parameters, secrets left out.
func parseAuth(p wire.Params, actionType string, l *listener) (map[string]any, error) {
	if l.protocol != "HTTPS" {
		return nil, wire.Errorf("InvalidLoadBalancerAction", "Actions of type '%s' are supported only on HTTPS listeners", actionType)
	}
	member := configMember(actionType)
	p = p.Struct(member)
	out := map[string]any{}
	for _, m := range authMembers(actionType) {
		v := p.Str(m.name)
		switch {
		case v == "" && m.required:
			return nil, constraint.Violation(nil, wire.Camel(member)+"."+wire.Camel(m.name), "not be null")
		case v == "":
			v = m.fallback
		case m.url && !httpsURL().MatchString(v):
			return nil, invalid("%s '%s' must be a full URL with the HTTPS protocol", m.name, v)
		case m.max > 0 && len(v) > m.max:
			return nil, constraint.Violation(v, wire.Camel(member)+"."+wire.Camel(m.name), "have length less than or equal to 256")
		case len(m.enum) > 0 && !slices.Contains(m.enum, v):
			return nil, constraint.OneOf(v, wire.Camel(member)+"."+wire.Camel(m.name), m.enum...)
		}
		out[m.name] = v
	}
	if actionType == authJWT {
		claims, err := parseClaims(p.List("AdditionalClaims"))
		if err != nil {
			return nil, err
		}
		out["AdditionalClaims"] = claims
		return out, nil
	}
	if _, _, err := constraint.Int(p, "SessionTimeout", wire.Camel(member)+".sessionTimeout", 1, maxStickiness); err != nil {
		return nil, err
	}
	extra := extraParams(p)
	if len(extra) > maxExtraParams {
		return nil, invalid("AuthenticationRequestExtraParams can have at most %d entries, not %d", maxExtraParams, len(extra))
	}
	out["AuthenticationRequestExtraParams"] = extra
	return out, nil
}

// param is an entry of AuthenticationRequestExtraParams. Exported fields let tests
// compare snapshots.
type param struct{ Key, Value string }

// extraParams reads the query protocol's form of a map: entry.N.key, entry.N.value.
func extraParams(p wire.Params) []param {
	var out []param
	entries := p.Struct("AuthenticationRequestExtraParams").Struct("entry")
	for n := range entries {
		e := entries.Struct(n)
		out = append(out, param{e.Str("key"), e.Str("value")})
	}
	slices.SortFunc(out, func(a, b param) int { return strings.Compare(a.Key, b.Key) })
	return out
}

type claim struct {
	Name, Format string
	Values       []string
}

func parseClaims(list []wire.Params) ([]claim, error) {
	if len(list) > maxExtraParams {
		return nil, invalid("AdditionalClaims can have at most %d claims, not %d", maxExtraParams, len(list))
	}
	var out []claim
	for i, p := range list {
		path := at("jwtValidationConfig.additionalClaims", i)
		cl := claim{p.Str("Name"), p.Str("Format"), p.Strings("Values")}
		if cl.Name == "" || len(cl.Values) == 0 {
			return nil, invalid("%s must have a Name and Values", path)
		}
		if slices.Contains([]string{"exp", "iss", "nbf", "iat"}, cl.Name) {
			return nil, invalid("The claim '%s' cannot be specified: it is always validated", cl.Name)
		}
		if err := constraint.OneOf(cl.Format, path+".format", "single-string", "string-array", "space-separated-values"); err != nil {
			return nil, err
		}
		out = append(out, cl)
	}
	return out, nil
}

// clientSecret is the secret that an authenticate-oidc action will have: a new one, or
// with UseExistingClientSecret that of the action it replaces.
func clientSecret(p wire.Params, old actions) (string, error) {
	keep, _, err := p.Bool("UseExistingClientSecret")
	if err != nil {
		return "", err
	}
	given := p.Str("ClientSecret")
	switch {
	case keep && given != "":
		return "", invalid("You cannot specify both ClientSecret and UseExistingClientSecret")
	case keep && old.clientSecret == "":
		return "", invalid("UseExistingClientSecret is set, but the rule has no client secret yet; specify ClientSecret")
	case keep:
		return old.clientSecret, nil
	case given == "":
		return "", invalid("ClientSecret must be specified unless UseExistingClientSecret is true")
	}
	return given, nil
}

func describeAuth(a model.Action) wire.Struct {
	var out wire.Struct
	for _, m := range authMembers(a.Type) {
		v, _ := a.Auth[m.name].(string)
		out = append(out, kv(m.name, wire.Opt(v)))
	}
	if extra, _ := a.Auth["AuthenticationRequestExtraParams"].([]param); len(extra) > 0 {
		// A map in the query protocol's XML: one "entry" for each key.
		var entries wire.Struct
		for _, e := range extra {
			entries = append(entries, kv("entry", wire.Struct{kv("key", e.Key), kv("value", e.Value)}))
		}
		out = append(out, kv("AuthenticationRequestExtraParams", entries))
	}
	if claims, _ := a.Auth["AdditionalClaims"].([]claim); len(claims) > 0 {
		out = append(out, kv("AdditionalClaims", wire.ListOf(claims, func(c claim) wire.Struct {
			return wire.Struct{kv("Format", c.Format), kv("Name", c.Name), kv("Values", wire.Texts(c.Values))}
		})))
	}
	return out
}
