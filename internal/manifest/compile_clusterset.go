package manifest

import (
	"cmp"
	"time"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/registry"
)

// The defaults of a ClusterSet, the same as those of the API's schema: a file that no API
// server has seen means the same.
const (
	defaultArgoCDNamespace = "argocd"
	defaultClusterName     = "{{ .Name }}-{{ .Region }}-{{ .Account }}"
	defaultInterval        = time.Minute
	defaultRefreshInterval = 30 * time.Minute
	defaultGrace           = time.Hour
	defaultMaxPercent      = 10
	defaultKeepLast        = 1
	defaultProbeTimeout    = 5 * time.Second
)

// ArgoCDNamespace is where the Secrets of a ClusterSet are.
func ArgoCDNamespace(cs *v1alpha1.ClusterSet) string {
	return cmp.Or(cs.Spec.ArgoCDNamespace, defaultArgoCDNamespace)
}

// CompileClusterSet fills in the defaults. A ClusterSet that breaks a rule, or has no
// namespace, is an *Error that names all that is wrong.
func CompileClusterSet(cs *v1alpha1.ClusterSet) (*registry.Set, error) {
	v := &validator{}
	if cs.Namespace == "" {
		v.bad("metadata.namespace", "", "is missing: Secrets are marked with the namespace of their ClusterSet")
	}
	v.clusterSet(cs)
	if err := asError(cs.Name, v.problems); err != nil {
		return nil, err
	}
	c := compiler{}
	spec := cs.Spec
	set := &registry.Set{
		Owner:           registry.Owner{Namespace: cs.Namespace, Name: cs.Name},
		Generation:      cs.Generation,
		Sources:         sources(spec.Sources),
		Template:        c.template(spec.Template),
		Auth:            c.auth(spec.Auth),
		TargetGroups:    c.targetGroups(spec.Template.TargetGroups),
		Interval:        cmp.Or(spec.Interval.Duration, defaultInterval),
		RefreshInterval: cmp.Or(spec.RefreshInterval.Duration, defaultRefreshInterval),
		Deletion: registry.Deletion{
			Delete:     spec.Deletion.Policy == v1alpha1.DeletionDelete,
			Grace:      cmp.Or(spec.Deletion.Grace.Duration, defaultGrace),
			MaxPercent: orDefault(spec.Deletion.MaxPercent, defaultMaxPercent),
			KeepLast:   orDefault(spec.Deletion.KeepLast, defaultKeepLast),
		},
		Probe: registry.Probe{
			Enabled: spec.Probe.Enabled == nil || *spec.Probe.Enabled,
			Timeout: cmp.Or(spec.Probe.Timeout.Duration, defaultProbeTimeout),
		},
	}
	return set, c.err
}

func orDefault(v *int32, def int) int {
	if v == nil {
		return def
	}
	return int(*v)
}

func sources(in []v1alpha1.Source) []registry.Source {
	out := make([]registry.Source, len(in))
	for i, s := range in {
		out[i] = registry.Source{Regions: s.EKS.Regions, Selector: selector(s.EKS.Selector)}
		for _, a := range s.EKS.Accounts {
			out[i].Accounts = append(out[i].Accounts, registry.Account{RoleARN: a.RoleARN, ExternalID: a.ExternalID})
		}
		if len(s.EKS.Accounts) == 0 {
			out[i].Accounts = []registry.Account{{}} // that of the caller
		}
	}
	return out
}

func selector(s v1alpha1.ClusterSelector) registry.Selector {
	out := registry.Selector{
		Tags: s.MatchTags, Names: s.Names,
		Exclude: registry.Exclude{Names: s.Exclude.Names, ARNs: s.Exclude.ARNs, Tags: s.Exclude.Tags},
	}
	for _, e := range s.MatchExpressions {
		out.Requirements = append(out.Requirements, registry.Requirement{Key: e.Key, Operator: registry.Operator(e.Operator), Values: e.Values})
	}
	return out
}

// compiler parses templates that were found valid before; err is the first that is not.
type compiler struct{ err error }

func (c *compiler) text(source string) *registry.Text {
	t, err := registry.ParseText(source)
	c.err = cmp.Or(c.err, err)
	return t
}

// optional is nil for a text that is not there.
func (c *compiler) optional(source string) *registry.Text {
	if source == "" {
		return nil
	}
	return c.text(source)
}

func (c *compiler) texts(sources map[string]string) map[string]*registry.Text {
	if len(sources) == 0 {
		return nil
	}
	out := make(map[string]*registry.Text, len(sources))
	for k, s := range sources {
		out[k] = c.text(s)
	}
	return out
}

func (c *compiler) template(t v1alpha1.ClusterTemplate) registry.Template {
	out := registry.Template{
		Name:   c.text(cmp.Or(t.Name, defaultClusterName)),
		Labels: c.texts(t.Labels), Annotations: c.texts(t.Annotations),
		Project: c.optional(t.Project), Namespaces: t.Namespaces,
	}
	if t.Shard != nil {
		out.Shard = new(int(*t.Shard))
	}
	return out
}

func (c *compiler) auth(a v1alpha1.Auth) registry.Auth {
	switch {
	case a.EKSARN:
		return registry.Auth{EKSARN: true}
	case a.Exec != nil:
		return registry.Auth{Exec: &registry.ExecAuth{RoleARN: c.optional(a.Exec.RoleARN), Env: c.texts(a.Exec.Env)}}
	case a.AWSAuthConfig != nil:
		return registry.Auth{AWS: &registry.AWSAuth{RoleARN: c.optional(a.AWSAuthConfig.RoleARN), Profile: a.AWSAuthConfig.Profile}}
	default:
		return registry.Auth{AWS: &registry.AWSAuth{}}
	}
}

func (c *compiler) targetGroups(g *v1alpha1.TargetGroups) *registry.TargetGroups {
	if g == nil {
		return nil
	}
	return &registry.TargetGroups{Name: c.optional(g.Name), Tags: c.texts(g.Tags), Instances: g.RegisteredInstances, None: g.None}
}
