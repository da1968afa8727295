package sts

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Limits, from the API reference.
const (
	minDuration         = 900     // seconds
	maxDuration         = 43_200  // seconds
	maxChained          = 3_600   // seconds, where the caller's credentials are a role's
	defaultDuration     = 3_600   // seconds
	maxUserDuration     = 129_600 // seconds, of GetSessionToken
	defaultUserDuration = 43_200  // seconds, of GetSessionToken
	maxTags             = 50
	maxExternalID       = 1224
	maxPolicies         = 10   // managed session policies
	maxPolicy           = 2048 // characters of a session policy
	packedSize          = 4096 // characters of session policies and tags that fill the packed form here
)

var (
	roleARN     = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`) // and at most maxExternalID long
)

// request for a role's session, as both ways to get one have it.
type request struct {
	r                        *wire.Request
	partition, account, name string // of the role
	arn, session             string
	source                   string // source identity
	policies                 []authz.Policy
	packed                   int // percent of what session policies and tags may fill
}

// newRequest reads and checks the members that both calls share.
func (s *Service) newRequest(r *wire.Request) (*request, error) {
	q := &request{r: r, arn: r.Params.Str("RoleArn"), session: r.Params.Str("RoleSessionName")}
	role := roleARN.FindStringSubmatch(q.arn)
	if role == nil {
		return nil, invalid(r.Params, "RoleArn", "be a role's ARN, arn:PARTITION:iam::ACCOUNT:role/NAME")
	}
	q.partition, q.account, q.name = role[1], role[2], role[3]
	if !sessionName.MatchString(q.session) {
		return nil, invalid(r.Params, "RoleSessionName", `satisfy the pattern [\w+=,.@-]{2,64}`)
	}
	return q, s.sessionPolicies(q)
}

// sessionPolicies reads the members Policy and PolicyArns.
func (s *Service) sessionPolicies(q *request) error {
	text := q.r.Params.Str("Policy")
	size := len(text)
	if text != "" {
		if utf8.RuneCountInString(text) > maxPolicy {
			return invalid(wire.Params{"Policy": "…"}, "Policy", fmt.Sprintf("have length less than or equal to %d", maxPolicy))
		}
		p, err := authz.Parse("Policy", text, authz.Identity)
		if err != nil {
			return wire.Errorf("MalformedPolicyDocument", "%s", err)
		}
		q.policies = append(q.policies, p)
	}
	arns := q.r.Params.List("PolicyArns")
	if len(arns) > maxPolicies {
		return wire.Errorf("ValidationError",
			"1 validation error detected: 'policyArns' has %d elements; Member must have length less than or equal to %d", len(arns), maxPolicies)
	}
	for _, a := range arns {
		arn := a.Str("arn")
		size += len(arn)
		p, ok := s.cfg.IAM.Policy(q.account, arn)
		if !ok && s.cfg.Authz {
			return wire.Errorf("ValidationError", "The requested policy %s does not exist or cannot be used by the account %s", arn, q.account)
		}
		q.policies = append(q.policies, p)
	}
	for _, t := range q.r.Params.List("Tags") {
		size += len(t.Str("Key")) + len(t.Str("Value"))
	}
	if q.packed = (size*100 + packedSize - 1) / packedSize; q.packed > 100 {
		return wire.Errorf("PackedPolicyTooLarge", "Packed size of session tags and policies consumes %d%% of allotted space.", q.packed)
	}
	return nil
}

// issue credentials for the role's session.
func (s *Service) issue(q *request, k key, role authz.Role, seconds int) key {
	k.account, k.session, k.roleARN = q.account, q.session, q.arn
	k.arn = fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s", q.partition, q.account, q.name, q.session)
	k.policies, k.source, k.expires = q.policies, q.source, s.expiry(seconds)
	return s.keys.issue(k, role.ID)
}

func (s *Service) assumeRole(r *wire.Request) (wire.Struct, error) {
	q, err := s.newRequest(r)
	if err != nil {
		return nil, err
	}
	if id, ok := r.Params.String("ExternalId"); ok && (len(id) > maxExternalID || !externalID.MatchString(id)) {
		return nil, invalid(r.Params, "ExternalId", `satisfy the pattern [\w+=,.@:/-]{2,1224}`)
	}
	if q.source = r.Params.Str("SourceIdentity"); q.source != "" && !sessionName.MatchString(q.source) {
		return nil, invalid(r.Params, "SourceIdentity", `satisfy the pattern [\w+=,.@-]{2,64}`)
	}
	if err := checkTags(r.Params); err != nil {
		return nil, err
	}
	seconds, err := durationIn(r.Params, minDuration, maxDuration, defaultDuration)
	if err != nil {
		return nil, err
	}
	before, chained := s.keys.get(r.AccessKeyID)
	chained = chained && before.roleARN != ""
	k := key{tags: map[string]string{}, transitive: slices.Concat(before.transitive, r.Params.Strings("TransitiveTagKeys"))}
	for _, t := range r.Params.List("Tags") {
		k.tags[t.Str("Key")] = t.Str("Value")
	}
	if err := inherit(&k, before); err != nil {
		return nil, err
	}
	if chained && q.source == "" {
		q.source = before.source
	}
	role, err := s.authorize(q, k)
	if err != nil {
		return nil, err
	}
	switch {
	case chained && seconds > maxChained:
		return nil, wire.Errorf("ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case s.cfg.Authz && seconds > int(role.MaxSession.Seconds()):
		return nil, tooLong()
	}
	k = s.issue(q, k, role, seconds)
	out := wire.Struct{k.credentials(), k.assumedRoleUser(), {Name: "PackedPolicySize", Value: q.packed}}
	if q.source != "" {
		out = append(out, wire.Member{Name: "SourceIdentity", Value: q.source})
	}
	return out, nil
}

func tooLong() error {
	return wire.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
}

// inherit takes over the transitive tags of the session that assumes the role.
func inherit(k *key, before key) error {
	for _, name := range before.transitive {
		value, ok := before.tags[name]
		if !ok {
			continue
		}
		if _, given := k.tags[name]; given {
			return wire.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		k.tags[name] = value
	}
	return nil
}

// authorize the session, where authorization is on. Where it is off, the role may be one
// that nobody created.
func (s *Service) authorize(q *request, k key) (authz.Role, error) {
	role, ok := s.cfg.IAM.Role(q.arn)
	if !s.cfg.Authz {
		return role, nil
	}
	caller := s.caller(q.r)
	if !ok {
		return role, denied("User: " + caller.ARN + " is not authorized to perform: sts:AssumeRole on resource: " + q.arn)
	}
	keys := s.sessionKeys(q, caller, role)
	keys.Set("sts:ExternalId", q.r.Params.Str("ExternalId"))
	for name, value := range k.tags {
		keys["aws:requesttag/"+strings.ToLower(name)] = []string{value}
	}
	keys.Set("aws:TagKeys", slices.Sorted(maps.Keys(k.tags))...)
	keys.Set("sts:TransitiveTagKeys", k.transitive...)
	actions := []string{"sts:AssumeRole"}
	if len(k.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if q.source != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	for _, a := range actions {
		if d := authz.MayAssume(role, caller, a, keys); d.Effect != authz.Allowed {
			return role, denied(d.Message(caller.ARN, a, q.arn))
		}
	}
	return role, nil
}

// sessionKeys are the condition keys of a call that assumes a role.
func (s *Service) sessionKeys(q *request, caller authz.Principal, role authz.Role) authz.Keys {
	keys := authz.GlobalKeys(q.r, caller, s.now())
	keys.Set("sts:RoleSessionName", q.session)
	keys.Set("sts:SourceIdentity", q.source)
	for name, value := range role.Tags {
		keys["aws:resourcetag/"+strings.ToLower(name)] = []string{value}
		keys["iam:resourcetag/"+strings.ToLower(name)] = []string{value}
	}
	return keys
}

// durationIn is the optional member DurationSeconds.
func durationIn(p wire.Params, lo, hi, otherwise int) (int, error) {
	seconds, ok, err := p.Int("DurationSeconds")
	if err != nil {
		return 0, err
	}
	if !ok {
		return otherwise, nil
	}
	if seconds < lo || seconds > hi {
		return 0, invalid(p, "DurationSeconds", fmt.Sprintf("have a value of %d to %d", lo, hi))
	}
	return seconds, nil
}

func checkTags(p wire.Params) error {
	tags := p.List("Tags")
	if len(tags) > maxTags {
		return wire.Errorf("ValidationError",
			"1 validation error detected: 'tags' has %d elements; Member must have length less than or equal to %d", len(tags), maxTags)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		if n := utf8.RuneCountInString(t.Str("Key")); n < 1 || n > 128 {
			return invalid(t, "Key", "have a length of 1 to 128")
		}
		if utf8.RuneCountInString(t.Str("Value")) > 256 {
			return invalid(t, "Value", "have a length of at most 256")
		}
		name := strings.ToLower(t.Str("Key"))
		if seen[name] {
			return wire.Errorf("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		seen[name] = true
	}
	return nil
}

// invalid is worded like AWS's own validation.
func invalid(p wire.Params, name, want string) error {
	return wire.Errorf("ValidationError",
		"1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s",
		p.Str(name), strings.ToLower(name[:1])+name[1:], want)
}

// failure is an error with a status of its own.
func failure(code string, status int, format string, args ...any) error {
	if status == 0 {
		status = http.StatusBadRequest
	}
	return &wire.Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}
