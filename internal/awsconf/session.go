package awsconf

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
)

// Session is what sts:AssumeRole may be asked for besides the role. The zero value asks for
// nothing.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
type Session struct {
	Duration          time.Duration // 15m–12h in whole seconds, at most what the role allows; 0: one hour
	Policy            string        // JSON, at most 2048 characters: the session may do no more than it says
	PolicyARNs        []string      // of managed policies, which do the same; at most 10
	Tags              map[string]string
	TransitiveTagKeys []string // of Tags: those that go on to the roles that the session assumes
}

// Limits of sts:AssumeRole. AWS packs policies and tags together, and may find what is
// within all of these too large all the same.
const (
	minSession     = 15 * time.Minute
	maxSession     = 12 * time.Hour
	maxPolicy      = 2048 // characters
	maxPolicyARNs  = 10
	maxSessionTags = 50
	maxTagKey      = 128 // characters
	maxTagValue    = 256 // characters
)

// narrow a request by the session.
func (s *Session) narrow(o *stscreds.AssumeRoleOptions) {
	if s == nil {
		return
	}
	if s.Duration != 0 {
		o.Duration = s.Duration
	}
	if s.Policy != "" {
		o.Policy = aws.String(s.Policy)
	}
	for _, p := range s.PolicyARNs {
		o.PolicyARNs = append(o.PolicyARNs, ststypes.PolicyDescriptorType{Arn: aws.String(p)})
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String(s.Tags[key])})
	}
	o.TransitiveTagKeys = s.TransitiveTagKeys
}

// validate names the first field that AWS would refuse, below the field in.
func (s *Session) validate(in string) error {
	if s == nil {
		return nil
	}
	wrong := func(field, why string, args ...any) error {
		return fault.Terminal("InvalidRole", fmt.Errorf("%s%s", fieldOf(in, field), fmt.Sprintf(why, args...)))
	}
	if d := s.Duration; d != 0 && (d < minSession || d > maxSession || d%time.Second != 0) {
		return wrong("duration", ": %s: want 15m–12h in whole seconds (900–43200), at most the role's maximum session duration, and at most 1h for a role that is assumed by a role", d)
	}
	switch n := utf8.RuneCountInString(s.Policy); {
	case s.Policy != "" && !json.Valid([]byte(s.Policy)):
		return wrong("policy", " is no JSON; want an IAM policy document")
	case n > maxPolicy:
		return wrong("policy", " has %d characters; want at most %d", n, maxPolicy)
	}
	if n := len(s.PolicyARNs); n > maxPolicyARNs {
		return wrong("policyARNs", ": %d of them; want at most %d", n, maxPolicyARNs)
	}
	for i, p := range s.PolicyARNs {
		if n, err := arn.Parse(p); err != nil || n.Service != "iam" || !strings.HasPrefix(n.Resource, "policy/") {
			return wrong(fmt.Sprintf("policyARNs[%d]", i), ": %q is not a managed policy's ARN; want arn:PARTITION:iam::ACCOUNT:policy/NAME", p)
		}
	}
	return s.validateTags(wrong)
}

func (s *Session) validateTags(wrong func(field, why string, args ...any) error) error {
	if n := len(s.Tags); n > maxSessionTags {
		return wrong("tags", ": %d of them; want at most %d", n, maxSessionTags)
	}
	allowed := regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		value := s.Tags[key]
		switch {
		case key == "" || utf8.RuneCountInString(key) > maxTagKey || !allowed.MatchString(key):
			return wrong("tags", ": key %q: want 1–%d letters, digits, spaces and _ . : / = + - @", key, maxTagKey)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return wrong("tags", ": key %q: aws: is AWS's own prefix", key)
		case utf8.RuneCountInString(value) > maxTagValue || !allowed.MatchString(value):
			return wrong("tags", ": %s = %q: want at most %d letters, digits, spaces and _ . : / = + - @", key, value, maxTagValue)
		}
	}
	for i, key := range s.TransitiveTagKeys {
		if _, ok := s.Tags[key]; !ok {
			return wrong(fmt.Sprintf("transitiveTagKeys[%d]", i), ": %q is no key of tags", key)
		}
	}
	return nil
}
