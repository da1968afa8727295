package migrate

import (
	"fmt"
	"strings"
)

// Flags are what the tools took on their command lines. Sources: main.go of
// argocd-clusterset, pkg/okra/cmd/sync_clusterset.go of okra.
type Flags struct {
	Name                 string   // for the ClusterSet: the tools had none
	Namespace            string   // --namespace
	EKSTags, Labels      []string // --eks-tags, --labels: KEY=VALUE
	RoleARN, AuthRoleARN string   // --role-arn, --aws-auth-config-role-arn, of argocd-clusterset only
}

// FromFlags says what a call of the tool's command line declared.
func FromFlags(tool Tool, f Flags) (Declared, error) {
	d := Declared{Tool: tool, Name: f.Name, Namespace: f.Namespace, AuthRoleARN: f.AuthRoleARN}
	tags, err := keyValues("--eks-tags", f.EKSTags)
	if err != nil {
		return d, err
	}
	d.Sources = []Source{{RoleARN: f.RoleARN, Tags: tags}}
	labels, err := keyValues("--labels", f.Labels)
	if err != nil {
		return d, err
	}
	if tool == ArgoCDClusterSet {
		d.noteEmptyRole()
		if len(labels) > 0 {
			// main.go, newLabels: an empty map, whatever was given.
			d.Notes = append(d.Notes, "--labels: argocd-clusterset took it on its command line and never used it, so its Secrets have no such labels; it is left out: add template.labels if you want them")
		}
		return d, nil
	}
	d.Labels = labels
	return d, nil
}

func keyValues(flag string, list []string) (map[string]string, error) {
	var m map[string]string
	for _, kv := range list {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("%s %q: want KEY=VALUE", flag, kv)
		}
		if m == nil {
			m = map[string]string{}
		}
		m[k] = v
	}
	return m, nil
}
