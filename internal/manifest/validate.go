package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/traffic"
)

// What an Application Load Balancer holds:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const (
	maxDestinations = 5   // target groups in one action
	maxWeight       = 999 // of one target group
	maxPriority     = 50_000
	maxCondition    = 5   // condition values in one rule
	maxWildcards    = 5   // * and ? in one rule
	maxPattern      = 128 // characters of a host, path, header or query value
	maxName         = 40  // characters of a header's name or a method
)

// maxDuration bounds every declared duration: a shift is no matter of weeks.
const maxDuration = 7 * 24 * time.Hour

// Validate checks every rule that can be checked without asking AWS. Defaults need not
// be filled in. The problems have no lines; see Load.
func Validate(ts *v1alpha1.TrafficShift) []Problem {
	v := &validator{}
	v.head(ts)
	v.route(ts.Spec.Route)
	v.destinations(ts.Spec.Route, ts.Spec.Destinations)
	v.places(&ts.Spec)
	if role := ts.Spec.AWS.AssumeRole; role != nil {
		v.role("spec.aws.assumeRole", role)
	}
	v.strategy(ts.Spec.Strategy)
	v.analysis(ts.Spec.Analysis)
	v.judges(&ts.Spec)
	return v.problems
}

type validator struct{ problems []Problem }

// bad reports what is wrong with the value at path; value is "" when there is none.
func (v *validator) bad(path, value, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Value: value, Message: fmt.Sprintf(format, args...)})
}

// badAmong reports what is wrong with some fields of the object at path together.
func (v *validator) badAmong(path string, fields []string, format string, args ...any) {
	p := Problem{Path: path, Message: fmt.Sprintf(format, args...)}
	for _, f := range fields {
		p.among = append(p.among, join(path, f))
	}
	v.problems = append(v.problems, p)
}

func (v *validator) head(ts *v1alpha1.TrafficShift) {
	if ts.APIVersion != v1alpha1.GroupVersion {
		v.missingOr("apiVersion", ts.APIVersion, "want "+v1alpha1.GroupVersion)
	}
	if ts.Kind != v1alpha1.KindTrafficShift {
		v.missingOr("kind", ts.Kind, "want "+v1alpha1.KindTrafficShift)
	}
	if name := ts.Metadata.Name; !isLabel(name) {
		v.missingOr("metadata.name", name, labelRule)
	}
}

// missingOr reports a text that is wrong, or not there.
func (v *validator) missingOr(path, value, want string) {
	if value == "" {
		v.bad(path, "", "is missing: %s", want)
		return
	}
	v.bad(path, quote(value), "%s", want)
}

const labelRule = "want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1"

// isLabel tells whether s is a DNS label (RFC 1123).
func isLabel(s string) bool {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`).MatchString(s)
}

func (v *validator) destinations(r v1alpha1.Route, ds []v1alpha1.Destination) {
	const path = "spec.destinations"
	limits, what := limitsOf(r)
	if n := len(ds); n == 0 || n > limits.MaxDestinations {
		v.bad(path, "", "has %d destinations, want 1–%d: %s", n, limits.MaxDestinations, what)
	}
	names := map[string]int{}
	sum, complete := 0, true
	for i, d := range ds {
		p := at(path, i)
		v.destinationName(p+".name", d.Name)
		v.unique(names, p+".name", d.Name, path, i)
		switch {
		case d.Weight == nil:
			v.bad(p+".weight", "", "is missing: want 0–%d; write 0 for a destination that shall get no traffic in the end", limits.MaxWeight)
			complete = false
		case *d.Weight < 0 || *d.Weight > limits.MaxWeight:
			v.bad(p+".weight", fmt.Sprint(*d.Weight), "want 0–%d; weights are relative, so 90 and 10 say the same as 9 and 1", limits.MaxWeight)
			complete = false
		default:
			sum += *d.Weight
		}
	}
	switch {
	case r.Route53 != nil && (r.ALB != nil || r.NLB != nil): // which of them is meant?
	case r.Route53 != nil:
		v.setIdentifiers(ds)
	default:
		v.targetGroups(ds)
	}
	if complete && len(ds) > 0 && sum == 0 {
		what := "with all weights 0 the load balancer answers errors"
		if r.Route53 != nil {
			what = "with all weights 0 Route 53 gives all of them the same share"
		}
		v.bad(path, "", "the weights sum to 0, want 1 or more: %s; give the destination that shall serve a weight above 0", what)
	}
}

// limitsOf a route, and the sentence that says why.
func limitsOf(r v1alpha1.Route) (traffic.Limits, string) {
	switch {
	case r.Route53 != nil:
		return traffic.Limits{MaxWeight: 255, MaxDestinations: 100}, "a name holds at most 100 weighted records of a type"
	case r.NLB != nil:
		return traffic.Limits{MaxWeight: maxWeight, MaxDestinations: maxDestinations}, fmt.Sprintf("a listener's action holds at most %d target groups", maxDestinations)
	}
	return traffic.Limits{MaxWeight: maxWeight, MaxDestinations: maxDestinations}, fmt.Sprintf("an ALB action holds at most %d target groups", maxDestinations)
}

func (v *validator) destinationName(path, name string) {
	const want = "want 1–63 characters without spaces, such as blue or eks-1-34"
	odd := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if n := len([]rune(name)); n == 0 || n > 63 || strings.ContainsFunc(name, odd) {
		v.missingOr(path, name, want)
	}
}

// unique reports a value that an earlier entry of the list has too.
func (v *validator) unique(seen map[string]int, path, value, list string, i int) {
	if value == "" {
		return
	}
	if first, twice := seen[value]; twice {
		v.bad(path, quote(value), "is the same as that of %s: want each of them once", at(list, first))
		return
	}
	seen[value] = i
}

// badARN reports an ARN that could not be read. The parser's words begin with the ARN.
func (v *validator) badARN(path, value string, err error, list string) {
	if value == "" {
		v.bad(path, "", "is missing: list those that exist with `%s`", list)
		return
	}
	v.bad(path, quote(value), "%s; list those that exist with `%s`", strings.TrimPrefix(err.Error(), fmt.Sprintf("%q ", value)), list)
}

// places checks that everything lives in the same partition, region and account.
func (v *validator) places(spec *v1alpha1.TrafficShiftSpec) {
	type placed struct {
		path string
		arn.Name
	}
	var all []placed
	add := func(path, s string) {
		if n, err := arn.Parse(s); err == nil && n.Service == "elasticloadbalancing" {
			all = append(all, placed{path, n})
		}
	}
	if alb := spec.Route.ALB; alb != nil {
		add("spec.route.alb.listenerARN", alb.ListenerARN)
		add("spec.route.alb.ruleARN", alb.RuleARN)
	}
	if nlb := spec.Route.NLB; nlb != nil {
		add("spec.route.nlb.listenerARN", nlb.ListenerARN)
	}
	if spec.Route.Route53 != nil { // records may lead anywhere
		return
	}
	for i, d := range spec.Destinations {
		add(at("spec.destinations", i)+".targetGroupARN", d.TargetGroupARN)
	}
	if len(all) == 0 {
		return
	}
	first := all[0]
	for _, p := range all[1:] {
		if !p.SamePlace(first.Name) {
			v.bad(p.path, quote(p.ARN), "lives in %s, but %s in %s: a load balancer and its target groups live in one region and account", p.Place(), first.path, first.Place())
		}
	}
	if r := spec.AWS.Region; r != "" && r != first.Region {
		v.bad("spec.aws.region", quote(r), "but the ARNs are in %s: remove the line", first.Region)
	}
}

func (v *validator) role(path string, role *v1alpha1.AssumeRole) {
	if !regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/.+$`).MatchString(role.RoleARN) {
		v.missingOr(path+".roleARN", role.RoleARN, "want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with `aws iam list-roles`")
	}
}

// oneOf checks a word that may be left out.
func (v *validator) oneOf(path, value string, allowed ...string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	hint := ""
	if near := Nearest(value, allowed); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	v.bad(path, quote(value), "want %s%s", orList(allowed), hint)
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// duration checks one that lies between least and maxDuration.
func (v *validator) duration(path string, d, least time.Duration) {
	if d < least || d > maxDuration {
		v.bad(path, Duration(d), "want %s–%s", Duration(least), Duration(maxDuration))
	}
}

// positive checks a duration that must be above 0.
func (v *validator) positive(path string, d time.Duration) {
	if d <= 0 || d > maxDuration {
		v.bad(path, Duration(d), "want a duration above 0s, at most %s", Duration(maxDuration))
	}
}

// optional checks a duration whose 0 means that it is not set.
func (v *validator) optional(path string, d time.Duration) {
	if d != 0 {
		v.positive(path, d)
	}
}

// Duration is d as a manifest would write it, without zeros at its end: 1h, not 1h0m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
