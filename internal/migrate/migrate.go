// Package migrate reads what older tools declared about clusters and says the same as a
// ClusterSet, with everything that does not carry over. It does no I/O.
package migrate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registry"
)

// Tool is an older tool that made cluster Secrets.
type Tool string

// The tools.
const (
	ArgoCDClusterSet Tool = "argocd-clusterset" // github.com/mumoshu/argocd-clusterset
	Okra             Tool = "okra"              // github.com/mumoshu/okra
)

// Options say what neither tool declared.
type Options struct {
	// Regions to look in: both tools looked in the one region of their environment.
	Regions []string
	// Namespace of objects whose file names none, and so of their Secrets; "": argocd.
	Namespace string
}

// Declared is what one object, or one call, of an older tool said.
type Declared struct {
	Tool            Tool
	Name, Namespace string // of the object; the Secrets were made in its namespace
	Sources         []Source
	Labels          map[string]string // of the Secrets
	AuthRoleARN     string            // that Argo CD assumes
	// Notes tell what was found besides.
	Notes []string
}

// Source is what one selector said.
type Source struct {
	RoleARN string // to list clusters with; "": the tool's own credentials
	Tags    map[string]string
}

// Converted is a ClusterSet that selects the same clusters.
type Converted struct {
	Set   *v1alpha1.ClusterSet
	Notes []string // what does not carry over, and what to look at, as sentences
	// Made tells whether the older tool made this Secret, as far as can be seen.
	Made func(registry.Entry) bool
}

// argoCDNamespace is where Argo CD is unless somebody says otherwise.
const argoCDNamespace = "argocd"

// typeLabel is the label that makes a Secret a cluster's. Source: Argo CD,
// docs/operator-manual/declarative-setup.md, "Clusters".
const typeLabel = "argocd.argoproj.io/secret-type"

var (
	setName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	region  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)
	roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`)
)

// Convert says as a ClusterSet what was declared.
func Convert(d Declared, o Options) (Converted, error) {
	if err := check(d, o); err != nil {
		return Converted{}, fmt.Errorf("%s %q: %w", d.Tool, d.Name, err)
	}
	set := &v1alpha1.ClusterSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion, Kind: v1alpha1.KindClusterSet},
		ObjectMeta: metav1.ObjectMeta{Name: d.Name, Namespace: namespace(d, o)},
	}
	for _, s := range d.Sources {
		eks := v1alpha1.EKSSource{Regions: slices.Clone(o.Regions), Selector: v1alpha1.ClusterSelector{MatchTags: maps.Clone(s.Tags)}}
		if s.RoleARN != "" {
			eks.Accounts = []v1alpha1.Account{{RoleARN: s.RoleARN}}
		}
		set.Spec.Sources = append(set.Spec.Sources, v1alpha1.Source{EKS: eks})
	}
	labels := literals(d.Labels)
	delete(labels, typeLabel) // every cluster Secret has it
	// Both tools named the cluster in Argo CD as EKS does, and Applications may go by that
	// name. Source: pkg/run/run.go of argocd-clusterset, pkg/clusterset/run.go of okra.
	set.Spec.Template = v1alpha1.ClusterTemplate{Name: "{{ .Name }}", Labels: labels}
	if d.AuthRoleARN != "" {
		set.Spec.Auth.AWSAuthConfig = &v1alpha1.AWSAuthConfig{RoleARN: literal(d.AuthRoleARN)}
	}
	set.Spec.ArgoCDNamespace = set.Namespace
	set.Spec.Deletion.Policy = v1alpha1.DeletionRetain
	return Converted{Set: set, Notes: append(slices.Clone(d.Notes), notes(d, o)...), Made: made(maps.Clone(d.Labels))}, nil
}

func check(d Declared, o Options) error {
	if len(o.Regions) == 0 {
		return errors.New("no region: the tool looked in the region of its environment, which its declaration does not name; name it")
	}
	for _, r := range o.Regions {
		if !region.MatchString(r) {
			return fmt.Errorf("region %q: want a region such as us-east-1", r)
		}
	}
	if !setName.MatchString(d.Name) {
		return fmt.Errorf("metadata.name %q: a ClusterSet's name is 1–63 lower-case letters, digits and hyphens; give it another", d.Name)
	}
	for _, s := range d.Sources {
		if s.RoleARN != "" && !roleARN.MatchString(s.RoleARN) {
			return fmt.Errorf("the role %q: want arn:PARTITION:iam::ACCOUNT:role/NAME", s.RoleARN)
		}
	}
	return nil
}

func namespace(d Declared, o Options) string {
	for _, n := range []string{d.Namespace, o.Namespace} {
		if n != "" {
			return n
		}
	}
	return argoCDNamespace
}

// notes are what holds for both tools.
func notes(d Declared, o Options) []string {
	var out []string
	if d.Namespace == "" && o.Namespace == "" {
		out = append(out, "no namespace is declared, so argocd is taken, where Argo CD is by default; the tool made its Secrets in the namespace of its object")
	}
	for i, s := range d.Sources {
		if len(s.Tags) == 0 {
			out = append(out, fmt.Sprintf("spec.sources[%d] selects every cluster there, as the tool did without tags: is that what you want?", i))
		}
	}
	return append(out,
		"deletion: "+string(d.Tool)+" deleted the Secret of every cluster that it did not find, at once; that does not carry over (deletion.policy is Retain: a person retires a cluster's Secret, or says Delete)",
		"template.name keeps the names that Argo CD knows the clusters by; clusters of one name in two regions or accounts are then a conflict, which only another template solves, such as {{ .Name }}-{{ .Region }}",
		"template.targetGroups is not declared: without it nobody can tell whether a cluster gets traffic, and its Secret is not removed",
		fmt.Sprintf("stop %s before you adopt its Secrets: it would go on deleting them", d.Tool),
	)
}

// literals escapes what is no template but would be read as one.
func literals(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := map[string]string{}
	for k, v := range m {
		out[k] = literal(v)
	}
	return out
}

func literal(s string) string { return strings.ReplaceAll(s, "{{", `{{ "{{" }}`) }

// made tells the tools' Secrets, as far as their config may be read: named as the cluster is named in EKS and in Argo CD, with
// the declared labels. Source: newClusterSecretFromValues in pkg/run/run.go of
// argocd-clusterset and in pkg/clusterset/run.go of okra.
func made(labels map[string]string) func(registry.Entry) bool {
	return func(e registry.Entry) bool {
		if e.Ours() || e.Name != e.ClusterName {
			return false
		}
		for k, v := range labels {
			if e.Labels[k] != v && k != typeLabel {
				return false
			}
		}
		return e.Config == "" || awsClusterName(e.Config) == e.Name
	}
}
