package manifest

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registry"
)

// between is a range of durations.
type between struct{ least, most time.Duration }

func (b between) String() string { return Duration(b.least) + "–" + Duration(b.most) }

// The ranges, which are those of the API's schema.
var (
	intervalRange = between{10 * time.Second, 24 * time.Hour}
	refreshRange  = between{time.Minute, 24 * time.Hour}
	graceRange    = between{time.Minute, 720 * time.Hour}
	probeRange    = between{time.Second, time.Minute}
)

// What the API's schema takes, too.
const (
	maxSources    = 20
	maxMapEntries = 50
	maxEnv        = 20
	maxNamespaces = 200
	maxTemplate   = 1024 // characters of a template
	maxRole       = 2048
	maxProfile    = 256
)

// clusterSet checks every rule that can be checked without asking anybody.
func (v *validator) clusterSet(cs *v1alpha1.ClusterSet) {
	if name := cs.Name; len(name) > 63 || !isSubdomain(name) {
		v.missingOr("metadata.name", name, "want 1–63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends, such as production: it becomes a label's value")
	}
	v.sources("spec.sources", cs.Spec.Sources)
	v.template("spec.template", cs.Spec.Template)
	v.auth("spec.auth", cs.Spec.Auth)
	if ns := cs.Spec.ArgoCDNamespace; ns != "" && !isLabel(ns) {
		v.bad("spec.argocdNamespace", quote(ns), "%s", labelRule)
	}
	v.inRange("spec.interval", cs.Spec.Interval.Duration, intervalRange)
	v.inRange("spec.refreshInterval", cs.Spec.RefreshInterval.Duration, refreshRange)
	v.deletion("spec.deletion", cs.Spec.Deletion)
	v.inRange("spec.probe.timeout", cs.Spec.Probe.Timeout.Duration, probeRange)
}

func isSubdomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// inRange checks a duration; 0 is one that is not set.
func (v *validator) inRange(path string, d time.Duration, b between) {
	if d != 0 && (d < b.least || d > b.most) {
		v.bad(path, Duration(d), "want %s", b)
	}
}

// atMost checks how many there are of something.
func (v *validator) atMost(path string, n, most int, what string) {
	if n > most {
		v.bad(path, "", "has %d %s, want at most %d", n, what, most)
	}
}

func (v *validator) deletion(path string, d v1alpha1.Deletion) {
	v.oneOf(path+".policy", string(d.Policy), string(v1alpha1.DeletionRetain), string(v1alpha1.DeletionDelete))
	v.inRange(path+".grace", d.Grace.Duration, graceRange)
	if p := d.MaxPercent; p != nil && (*p < 0 || *p > 100) {
		v.bad(path+".maxPercent", fmt.Sprint(*p), "want 0–100 (percent of the registered clusters)")
	}
	if n := d.KeepLast; n != nil && *n < 0 {
		v.bad(path+".keepLast", fmt.Sprint(*n), "want 0 or more")
	}
}

func (v *validator) template(path string, t v1alpha1.ClusterTemplate) {
	v.text(path+".name", t.Name, maxTemplate)
	v.keys(path+".labels", t.Labels, func(p, s string) {
		if v.text(p, s, maxTemplate) && !strings.Contains(s, "{{") && !labelValue.MatchString(s) {
			v.bad(p, quote(s), "want a label's value, at most 63 letters, digits, -, _ and ., with a letter or digit at both ends; other texts can be annotations")
		}
	})
	v.keys(path+".annotations", t.Annotations, func(p, s string) { v.text(p, s, maxTemplate) })
	v.text(path+".project", t.Project, maxTemplate)
	if t.Shard != nil && *t.Shard < 0 {
		v.bad(path+".shard", fmt.Sprint(*t.Shard), "want 0 or more; without the line Argo CD decides")
	}
	v.atMost(path+".namespaces", len(t.Namespaces), maxNamespaces, "namespaces")
	seen := map[string]int{}
	for i, ns := range t.Namespaces {
		p := at(path+".namespaces", i)
		if !isLabel(ns) {
			v.missingOr(p, ns, labelRule)
		}
		v.unique(seen, p, ns, path+".namespaces", i)
	}
	if t.TargetGroups != nil {
		v.ways(path+".targetGroups", t.TargetGroups)
	}
}

var (
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	roleARN    = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::[0-9]{12}:role/[!-~]+$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// keys checks the keys of labels or annotations, and each value.
func (v *validator) keys(path string, m map[string]string, value func(path, s string)) {
	v.atMost(path, len(m), maxMapEntries, "entries")
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p := path + "[" + k + "]"
		if err := registry.ValidKey(k); err != nil {
			v.bad(p, "", "%s", err)
			continue
		}
		value(p, m[k])
	}
}

// text checks a template; "" is one that is not there.
func (v *validator) text(path, source string, most int) bool {
	if n := len([]rune(source)); n > most {
		v.bad(path, quote(source), "has %d characters, want at most %d", n, most)
		return false
	}
	_, err := registry.ParseText(source)
	if err != nil {
		v.bad(path, quote(source), "%s", withoutSource(err.Error(), source))
	}
	return err == nil
}

// withoutSource is a message about a template without the template, which is shown anyway.
func withoutSource(msg, source string) string {
	if before, after, ok := strings.Cut(msg, source); ok && len(before) == len("template ")+1 && len(after) > 3 {
		return after[len("': "):]
	}
	return msg
}

// ways checks how a cluster's target groups are found.
func (v *validator) ways(path string, g *v1alpha1.TargetGroups) {
	v.exactlyOne(path, []string{"name", "tags", "registeredInstances", "none"}, []bool{g.Name != "", len(g.Tags) > 0, g.RegisteredInstances, g.None},
		"write none: true if no load balancer ever sends these clusters traffic")
	v.text(path+".name", g.Name, maxTemplate)
	v.tags(path+".tags", g.Tags, func(p, s string) { v.text(p, s, maxTemplate) })
}

// exactlyOne of some members of an object.
func (v *validator) exactlyOne(path string, members []string, given []bool, hint string) {
	var has []string
	for i, m := range members {
		if given[i] {
			has = append(has, m)
		}
	}
	if len(has) == 1 {
		return
	}
	last := len(members) - 1
	list := strings.Join(members[:last], ", ") + " and " + members[last]
	if len(has) == 0 {
		v.badAmong(path, members, "has none of %s, want exactly one; %s", list, hint)
		return
	}
	v.badAmong(path, members, "has %s, want exactly one of %s; %s", strings.Join(has, " and "), list, hint)
}

func (v *validator) auth(path string, a v1alpha1.Auth) {
	if a.AWSAuthConfig != nil || a.Exec != nil || a.EKSARN {
		v.exactlyOne(path, []string{"awsAuthConfig", "exec", "eksARN"}, []bool{a.AWSAuthConfig != nil, a.Exec != nil, a.EKSARN}, "Argo CD enters a cluster in one way")
	}
	if c := a.AWSAuthConfig; c != nil {
		v.templatedRole(path+".awsAuthConfig.roleARN", c.RoleARN)
		if len(c.Profile) > maxProfile {
			v.bad(path+".awsAuthConfig.profile", quote(c.Profile), "want at most %d characters", maxProfile)
		}
	}
	if e := a.Exec; e != nil {
		v.templatedRole(path+".exec.roleARN", e.RoleARN)
		v.atMost(path+".exec.env", len(e.Env), maxEnv, "variables")
		for _, k := range slices.Sorted(maps.Keys(e.Env)) {
			p := path + ".exec.env[" + k + "]"
			if !envName.MatchString(k) {
				v.bad(p, "", "the name %q: want letters, digits and underscores, without a digit in front, such as AWS_REGION", k)
			}
			v.text(p, e.Env[k], maxTemplate)
		}
	}
}

func (v *validator) templatedRole(path, s string) {
	if v.text(path, s, maxRole) && s != "" && !strings.Contains(s, "{{") && !roleARN.MatchString(s) {
		v.bad(path, quote(s), "want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME, or a template of one; without the line it is the role that Argo CD runs as")
	}
}

func (v *validator) sources(path string, all []v1alpha1.Source) {
	if n := len(all); n == 0 || n > maxSources {
		v.bad(path, "", "has %d sources, want 1–%d: each says in which regions, and maybe accounts, to look for clusters", n, maxSources)
	}
	for i, s := range all {
		p := at(path, i)
		for j, earlier := range all[:i] {
			if reflect.DeepEqual(s, earlier) {
				v.bad(p, "", "is the same as %s: want each of them once", at(path, j))
				break
			}
		}
		v.eks(p+".eks", s.EKS)
	}
}
