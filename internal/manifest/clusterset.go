package manifest

import (
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/api/v1alpha1"
)

// clusterSetFile is what a file says of a ClusterSet.
type clusterSetFile struct {
	APIVersion string                  `json:"apiVersion"`
	Kind       string                  `json:"kind"`
	Metadata   v1alpha1.Metadata       `json:"metadata"`
	Spec       v1alpha1.ClusterSetSpec `json:"spec"`
}

// ofTheServer are the fields that `kubectl get -o yaml` prints besides.
func ofTheServer() map[string]bool {
	ignored := map[string]bool{"status": true}
	for _, field := range []string{
		"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generation",
		"managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid",
	} {
		ignored["metadata."+field] = true
	}
	return ignored
}

// LoadClusterSets decodes the ClusterSets of a file, one in each document, and checks
// them. The error is an *Error with every problem of all of them. A ClusterSet that names
// no namespace has none; no defaults are filled in.
func LoadClusterSets(name string, data []byte) ([]*v1alpha1.ClusterSet, error) {
	roots, problem := documents(data, v1alpha1.KindClusterSet)
	if problem != nil {
		return nil, asError(name, []Problem{*problem})
	}
	var out []*v1alpha1.ClusterSet
	var problems []Problem
	first := map[string]int{} // line by name
	for _, root := range roots {
		var file clusterSetFile
		lines := &Lines{at: map[string]int{}}
		d := decoder{lines: lines.at, ignored: ofTheServer()}
		d.value(root, "", reflect.ValueOf(&file).Elem())
		cs := file.clusterSet()
		if _, ok := decoded(asError(name, d.problems)); !ok {
			problems = append(problems, d.problems...)
			continue
		}
		v := &validator{}
		v.clusterSetHead(file)
		v.clusterSet(cs)
		key := cs.Namespace + "/" + cs.Name
		if line, twice := first[key]; twice && cs.Name != "" {
			v.bad("metadata.name", quote(cs.Name), "is declared twice in this file, first on line %d: keep one", line)
		}
		first[key] = lines.Of("metadata.name")
		problems = append(problems, withLines(d.problems, v.problems, lines)...)
		out = append(out, cs)
	}
	if err := asError(name, problems); err != nil {
		return nil, err
	}
	return out, nil
}

func (f clusterSetFile) clusterSet() *v1alpha1.ClusterSet {
	return &v1alpha1.ClusterSet{
		TypeMeta: metav1.TypeMeta{APIVersion: f.APIVersion, Kind: f.Kind},
		ObjectMeta: metav1.ObjectMeta{
			Name: f.Metadata.Name, Namespace: f.Metadata.Namespace, Labels: f.Metadata.Labels, Annotations: f.Metadata.Annotations,
		},
		Spec: f.Spec,
	}
}

// clusterSetHead is what only a file can get wrong: the API server has seen to it.
func (v *validator) clusterSetHead(f clusterSetFile) {
	if f.APIVersion != v1alpha1.GroupVersion {
		v.missingOr("apiVersion", f.APIVersion, "want "+v1alpha1.GroupVersion)
	}
	if f.Kind != v1alpha1.KindClusterSet {
		v.missingOr("kind", f.Kind, "want "+v1alpha1.KindClusterSet)
	}
	if ns := f.Metadata.Namespace; ns != "" && !isLabel(ns) {
		v.bad("metadata.namespace", quote(ns), "%s", labelRule)
	}
}

// clusterSetZero is zeroUnset of a ClusterSet.
func clusterSetZero(path string) (want, unset string) {
	if strings.HasPrefix(path, "spec.sources[") && strings.HasSuffix(path, "].externalID") {
		return fmt.Sprintf("2–%d characters", maxExternals), "not sent"
	}
	switch path {
	case "spec.argocdNamespace":
		return "the name of a namespace", defaultArgoCDNamespace
	case "spec.interval":
		return intervalRange.String(), Duration(defaultInterval)
	case "spec.refreshInterval":
		return refreshRange.String(), Duration(defaultRefreshInterval)
	case "spec.deletion.policy":
		return fmt.Sprintf("%s or %s", v1alpha1.DeletionRetain, v1alpha1.DeletionDelete), string(v1alpha1.DeletionRetain)
	case "spec.deletion.grace":
		return graceRange.String(), Duration(defaultGrace)
	case "spec.probe.timeout":
		return probeRange.String(), Duration(defaultProbeTimeout)
	case "spec.template.name":
		return "1–1024 characters", defaultClusterName
	case "spec.template.targetGroups.name":
		return "1–1024 characters", "not looked at"
	}
	return "", ""
}
