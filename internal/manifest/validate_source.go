package manifest

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registry"
)

const (
	maxRegions   = 40
	maxAccounts  = 500
	maxPatterns  = 50
	maxListed    = 20 // of one expression
	maxTagKey    = 128
	maxTagValue  = 256
	maxExternals = 1224 // characters of an external ID, as STS has it
)

var (
	regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)
	externalID = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

func (v *validator) eks(p string, s v1alpha1.EKSSource) {
	if n := len(s.Regions); n == 0 || n > maxRegions {
		v.bad(p+".regions", "", "has %d regions, want 1–%d, such as us-east-1", n, maxRegions)
	}
	seen, partition, of := map[string]int{}, "", ""
	for i, r := range s.Regions {
		field := at(p+".regions", i)
		if !regionName.MatchString(r) {
			v.missingOr(field, r, "want a region, such as us-east-1; list those that exist with `aws account list-regions`")
			continue
		}
		v.unique(seen, field, r, p+".regions", i)
		switch in := partitionOf(r); partition {
		case "":
			partition, of = in, r
		case in:
		default:
			v.bad(field, quote(r), "is in the partition %s, but %s in %s: credentials are of one partition; give each a source of its own", in, of, partition)
		}
	}
	v.atMost(p+".accounts", len(s.Accounts), maxAccounts, "accounts")
	roles := map[string]int{}
	for i, a := range s.Accounts {
		v.account(at(p+".accounts", i), a, partition, of)
		v.unique(roles, at(p+".accounts", i)+".roleARN", a.RoleARN, p+".accounts", i)
	}
	v.selector(p+".selector", s.Selector)
}

// partitionOf a region, by the way that AWS names them.
func partitionOf(region string) string {
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"eusc-", "aws-eusc"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"eu-isoe-", "aws-iso-e"},
		{"us-iso-", "aws-iso"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}

// account checks one that is asked in regions of a partition, of which region is one.
func (v *validator) account(p string, a v1alpha1.Account, partition, region string) {
	m := roleARN.FindStringSubmatch(a.RoleARN)
	switch {
	case m == nil || len(a.RoleARN) > maxRole:
		v.missingOr(p+".roleARN", a.RoleARN, "want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with `aws iam list-roles`")
	case partition != "" && m[1] != partition:
		v.bad(p+".roleARN", quote(a.RoleARN), "is in the partition %s, but %s in %s: a role works in its own partition only", m[1], region, partition)
	}
	if id := a.ExternalID; id != "" && (len(id) < 2 || len(id) > maxExternals || !externalID.MatchString(id)) {
		v.bad(p+".externalID", quote(id), "want 2–%d letters, digits and +=,.@:/_-", maxExternals)
	}
}

func (v *validator) selector(p string, s v1alpha1.ClusterSelector) {
	v.tags(p+".matchTags", s.MatchTags, nil)
	v.atMost(p+".matchExpressions", len(s.MatchExpressions), maxPatterns, "expressions")
	for i, e := range s.MatchExpressions {
		v.expression(at(p+".matchExpressions", i), e)
	}
	v.patterns(p+".names", s.Names)
	v.patterns(p+".exclude.names", s.Exclude.Names)
	v.atMost(p+".exclude.arns", len(s.Exclude.ARNs), maxAccounts, "ARNs")
	seen := map[string]int{}
	for i, arn := range s.Exclude.ARNs {
		field := at(p+".exclude.arns", i)
		if _, err := registry.ParseARN(arn); err != nil {
			v.missingOr(field, arn, "want the ARN of an EKS cluster, arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME; to leave clusters out by name use exclude.names")
		}
		v.unique(seen, field, arn, p+".exclude.arns", i)
	}
	v.tags(p+".exclude.tags", s.Exclude.Tags, nil)
}

// tags checks keys as AWS has them. Without a check of their own values are texts as AWS
// has them.
func (v *validator) tags(p string, tags map[string]string, value func(path, s string)) {
	v.atMost(p, len(tags), maxMapEntries, "tags")
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		field := p + "[" + k + "]"
		v.tagKey(field, k)
		switch {
		case value != nil:
			value(field, tags[k])
		case len([]rune(tags[k])) > maxTagValue:
			v.bad(field, quote(tags[k]), "want at most %d characters", maxTagValue)
		}
	}
}

func (v *validator) tagKey(field, key string) {
	if n := len([]rune(key)); n == 0 || n > maxTagKey {
		v.bad(field, "", "the key %s: want 1–%d characters", quote(key), maxTagKey)
	}
}

func (v *validator) expression(p string, e v1alpha1.TagExpression) {
	switch {
	case e.Key == "":
		v.bad(p+".key", "", "is missing: want a tag's key")
	default:
		v.tagKey(p+".key", e.Key)
	}
	v.atMost(p+".values", len(e.Values), maxListed, "values")
	switch registry.Operator(e.Operator) {
	case registry.In, registry.NotIn:
		if len(e.Values) == 0 {
			v.bad(p+".values", "", "is missing: %s needs 1–%d values; for any value use Exists or DoesNotExist", e.Operator, maxListed)
		}
	case registry.Exists, registry.DoesNotExist:
		if len(e.Values) > 0 {
			v.bad(p+".values", "", "%s has no values: remove the line, or use In or NotIn", e.Operator)
		}
	case "":
		v.bad(p+".operator", "", "is missing: want In, NotIn, Exists or DoesNotExist")
	default:
		v.oneOf(p+".operator", e.Operator, string(registry.In), string(registry.NotIn), string(registry.Exists), string(registry.DoesNotExist))
	}
}

// patterns of names of clusters.
func (v *validator) patterns(p string, all []string) {
	v.atMost(p, len(all), maxPatterns, "patterns")
	seen := map[string]int{}
	for i, s := range all {
		field := at(p, i)
		if _, err := path.Match(s, ""); err != nil || s == "" {
			v.missingOr(field, s, "want a pattern of names: * is any text, ? any character, [a-c] one of these, and \\ takes the meaning off the next, such as prod-*")
		}
		v.unique(seen, field, s, p, i)
	}
}
