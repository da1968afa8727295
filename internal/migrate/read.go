package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kinds and groups of the tools' objects. Sources: api/v1alpha1/groupversion_info.go of
// both; crd.md of okra writes another group, which its code never served.
const (
	kind          = "ClusterSet"
	argoCDVersion = "clusterset.mumo.co/v1alpha1"
	okraVersion   = "okra.mumo.co/v1alpha1"
	okraDocs      = "okra.mumoshu.github.io/v1alpha1"
	ownGroup      = "norikae.dev/"
)

// MaxSize of a file, in bytes.
const MaxSize = 1 << 20

// unknown are fields that an object has and its kind has not.
type unknown map[string]yaml.Node

// head is what all objects have.
type head struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	} `yaml:"metadata"`
	Spec  yaml.Node   `yaml:"spec"`
	Items []yaml.Node `yaml:"items"` // of a List, as kubectl get -o yaml prints it
}

// Read the tool's objects from a file: several documents, or a List. name is the file's,
// for messages.
func Read(tool Tool, name string, data []byte) ([]Declared, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%s: more than %d bytes (1 MiB): is it the right file?", name, MaxSize)
	}
	var out []Declared
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: not valid YAML: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
			continue // nothing between two "---"
		}
		found, err := object(tool, doc.Content[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: there is no %s of %s in it", name, kind, versionOf(tool))
	}
	return out, nil
}

func versionOf(t Tool) string {
	if t == Okra {
		return okraVersion
	}
	return argoCDVersion
}

// object reads one object, or those of a List.
func object(tool Tool, n *yaml.Node) ([]Declared, error) {
	var h head
	if err := n.Decode(&h); err != nil {
		return nil, fmt.Errorf("line %d: not an object: %w", n.Line, err)
	}
	if h.Kind == "List" || h.Kind == kind+"List" {
		var out []Declared
		for i := range h.Items {
			found, err := object(tool, &h.Items[i])
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
		return out, nil
	}
	if err := wanted(tool, h, n.Line); err != nil {
		return nil, err
	}
	d := Declared{Tool: tool, Name: h.Metadata.Name, Namespace: h.Metadata.Namespace}
	read := d.argoCD
	if tool == Okra {
		read = d.okra
	}
	if err := read(&h.Spec); err != nil {
		return nil, fmt.Errorf("line %d: %s %q: %w", n.Line, kind, h.Metadata.Name, err)
	}
	return []Declared{d}, nil
}

// wanted refuses objects of other kinds, and says where they belong.
func wanted(tool Tool, h head, line int) error {
	what := fmt.Sprintf("line %d: this is a %s of %s", line, orNothing(h.Kind, "nothing"), orNothing(h.APIVersion, "no group"))
	switch {
	case h.Kind == kind && h.APIVersion == versionOf(tool):
		return nil
	case h.Kind == kind && h.APIVersion == argoCDVersion:
		return errors.New(what + ": norikae migrate argocd-clusterset reads it")
	case h.Kind == kind && h.APIVersion == okraVersion:
		return errors.New(what + ": norikae migrate okra reads it")
	case h.Kind == kind && h.APIVersion == okraDocs:
		return fmt.Errorf("%s, which okra never served: it stood in its documents only; write apiVersion: %s", what, okraVersion)
	case strings.HasPrefix(h.APIVersion, ownGroup):
		return errors.New(what + ", norikae's own: there is nothing to migrate")
	}
	return fmt.Errorf("%s; want a %s of %s", what, kind, versionOf(tool))
}

func orNothing(s, nothing string) string {
	if s == "" {
		return nothing
	}
	return s
}

// argoCD reads the spec of argocd-clusterset. Source: api/v1alpha1/types.go and
// charts/clusterset-controller/crds/clusterset.mumo.co_clustersets.yaml there.
func (d *Declared) argoCD(n *yaml.Node) error {
	var spec struct {
		Selector struct {
			RoleARN string            `yaml:"roleARN"`
			EKSTags map[string]string `yaml:"eksTags"`
			Rest    unknown           `yaml:",inline"`
		} `yaml:"selector"`
		Template struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
				Config struct {
					AWSAuthConfig struct {
						RoleARN string  `yaml:"roleARN"`
						Rest    unknown `yaml:",inline"`
					} `yaml:"awsAuthConfig"`
					Rest unknown `yaml:",inline"`
				} `yaml:"config"`
				Rest unknown `yaml:",inline"`
			} `yaml:"metadata"`
			Rest unknown `yaml:",inline"`
		} `yaml:"template"`
		Rest unknown `yaml:",inline"`
	}
	if err := n.Decode(&spec); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	meta := spec.Template.Metadata
	d.Sources = []Source{{RoleARN: spec.Selector.RoleARN, Tags: spec.Selector.EKSTags}}
	d.Labels, d.AuthRoleARN = meta.Labels, meta.Config.AWSAuthConfig.RoleARN
	d.noteEmptyRole()
	return errors.Join(
		spec.Rest.refuse("spec"), spec.Selector.Rest.refuse("spec.selector"), spec.Template.Rest.refuse("spec.template"),
		meta.Rest.refuse("spec.template.metadata"), meta.Config.Rest.refuse("spec.template.metadata.config"),
		meta.Config.AWSAuthConfig.Rest.refuse("spec.template.metadata.config.awsAuthConfig"),
	)
}

// noteEmptyRole: argocd-clusterset wrote "roleARN": "" where none was declared, which Argo
// CD takes for a role (argo-cd #17064). Source: pkg/run/run.go.
func (d *Declared) noteEmptyRole() {
	if d.AuthRoleARN == "" {
		d.Notes = append(d.Notes, "awsAuthConfig: the tool wrote an empty roleARN into the Secrets; adopted Secrets have none")
	}
}

// okra reads the spec of okra. Source: api/v1alpha1/types.go and
// charts/okra/crds/okra.mumo.co_clustersets.yaml there.
func (d *Declared) okra(n *yaml.Node) error {
	var spec struct {
		Generators []struct {
			AWSEKS struct {
				Selector struct {
					MatchTags map[string]string `yaml:"matchTags"`
					Rest      unknown           `yaml:",inline"`
				} `yaml:"selector"`
				Rest unknown `yaml:",inline"`
			} `yaml:"awseks"`
			Rest unknown `yaml:",inline"`
		} `yaml:"generators"`
		Template struct {
			Metadata struct {
				Labels map[string]string `yaml:"labels"`
				Rest   unknown           `yaml:",inline"`
			} `yaml:"metadata"`
			Rest unknown `yaml:",inline"`
		} `yaml:"template"`
		Rest unknown `yaml:",inline"`
	}
	if err := n.Decode(&spec); err != nil {
		return fmt.Errorf("spec: %w", err)
	}
	if len(spec.Generators) == 0 {
		return errors.New("spec.generators: there is none: okra's controller did nothing with it")
	}
	errs := []error{
		spec.Rest.refuse("spec"), spec.Template.Rest.refuse("spec.template"), spec.Template.Metadata.Rest.refuse("spec.template.metadata"),
	}
	for i, g := range spec.Generators {
		at := fmt.Sprintf("spec.generators[%d]", i)
		errs = append(errs, g.Rest.refuse(at), g.AWSEKS.Rest.refuse(at+".awseks"), g.AWSEKS.Selector.Rest.refuse(at+".awseks.selector"))
		// Its controller read generators[0] alone. Source: pkg/controllers/clusterset.go.
		if i == 0 {
			d.Sources = []Source{{Tags: g.AWSEKS.Selector.MatchTags}}
			continue
		}
		d.Notes = append(d.Notes, fmt.Sprintf("%s was never looked at by okra, which read the first one only, and is left out: add a source with matchTags %s if you want its clusters", at, pairs(g.AWSEKS.Selector.MatchTags)))
	}
	d.Labels = spec.Template.Metadata.Labels
	return errors.Join(errs...)
}

// refuse fields that the tool's kind has not: it ignored them, but who wrote them meant
// something, perhaps fewer clusters.
func (u unknown) refuse(path string) error {
	if len(u) == 0 {
		return nil
	}
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(u)) {
		keys = append(keys, fmt.Sprintf("%s (line %d)", k, u[k].Line))
	}
	return fmt.Errorf("%s has no field %s, and the tool ignored it: remove it, or write what you meant", path, strings.Join(keys, ", "))
}

// pairs is {a: b, c: d}.
func pairs(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s: %q", k, m[k]))
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// awsClusterName is awsAuthConfig.clusterName of a Secret's config; "" when there is none.
func awsClusterName(config string) string {
	var c struct {
		AWSAuthConfig struct {
			ClusterName string `json:"clusterName"`
		} `json:"awsAuthConfig"`
	}
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return "" // not one of the tool's
	}
	return c.AWSAuthConfig.ClusterName
}
