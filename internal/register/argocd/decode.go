package argocd

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/norikae/norikae/internal/registry"
)

// entryOf a Secret. What somebody else's Secret has as config is not in it: credentials
// are nobody's business here.
func entryOf(s *corev1.Secret) registry.Entry {
	e := registry.Entry{
		Namespace: s.Namespace, Name: s.Name, UID: string(s.UID), ResourceVersion: s.ResourceVersion,
		Registration: registry.Registration{
			ClusterName: string(s.Data[keyName]),
			// Argo CD itself takes a server with and without it for the same.
			Server:      strings.TrimRight(string(s.Data[keyServer]), "/"),
			Project:     string(s.Data[keyProject]),
			Shard:       string(s.Data[keyShard]),
			Namespaces:  string(s.Data[keyNamespaces]),
			Labels:      maps.Clone(s.Labels),
			Annotations: maps.Clone(s.Annotations),
		},
		Adopt: parseOwner(s.Annotations[AnnotationAdopt]),
		Allow: parseList(s.Annotations[AnnotationAllow]),
	}
	delete(e.Annotations, annotationLastApplied)
	owner, id, ok := markOf(s)
	if !ok {
		return e
	}
	e.Owner, e.Cluster = owner, id
	e.Config = string(s.Data[keyConfig])
	e.Created = parseTime(s.Annotations[AnnotationCreated])
	e.Applied = parseKeys(s.Annotations[AnnotationApplied])
	e.MissingSince = parseTime(s.Annotations[AnnotationMissingSince])
	e.UnselectedSince = parseTime(s.Annotations[AnnotationUnselectedSince])
	e.YieldedAt = parseTime(s.Annotations[AnnotationYieldedAt])
	return e
}

// markOf a Secret, if it has all of it and the parts agree.
func markOf(s *corev1.Secret) (registry.Owner, registry.ID, bool) {
	owner := registry.Owner{Namespace: s.Labels[LabelSetNamespace], Name: s.Labels[LabelSet]}
	id, err := registry.ParseARN(s.Annotations[AnnotationARN])
	if s.Labels[LabelManagedBy] != ManagedBy || s.Labels[LabelSecretType] != SecretTypeCluster ||
		owner.Namespace == "" || owner.Name == "" || s.Annotations[AnnotationSet] != owner.String() || err != nil {
		return registry.Owner{}, registry.ID{}, false
	}
	return owner, id, true
}

// parseOwner reads NAMESPACE/NAME; the zero Owner is nobody.
func parseOwner(s string) registry.Owner {
	namespace, name, ok := strings.Cut(strings.TrimSpace(s), "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return registry.Owner{}
	}
	return registry.Owner{Namespace: namespace, Name: name}
}

func parseList(s string) []string {
	var out []string
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// parseTime of a note. One that cannot be read is as if it were not there: the time
// begins anew.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// appliedKeys is the form of AnnotationApplied.
type appliedKeys struct {
	Labels      []string `json:"labels,omitempty"`
	Annotations []string `json:"annotations,omitempty"`
}

// parseKeys that were declared. A list that cannot be read is empty: nothing is removed.
func parseKeys(s string) registry.Keys {
	var k appliedKeys
	if json.Unmarshal([]byte(s), &k) != nil {
		return registry.Keys{}
	}
	return registry.Keys{Labels: unreserved(k.Labels, reservedLabels), Annotations: unreserved(k.Annotations, reservedAnnotations)}
}

func unreserved(keys []string, reserved map[string]bool) []string {
	keys = slices.DeleteFunc(keys, func(k string) bool { return reserved[k] })
	slices.Sort(keys)
	return keys
}

// CacheTransform is for the cache that Secrets are read from: it keeps what a List needs,
// and of a Secret that is not ours no credentials. Objects of other kinds lose only their
// managed fields.
func CacheTransform(in any) (any, error) {
	if obj, err := meta.Accessor(in); err == nil && obj.GetManagedFields() != nil {
		obj.SetManagedFields(nil)
	}
	s, ok := in.(*corev1.Secret)
	if !ok {
		return in, nil
	}
	delete(s.Annotations, annotationLastApplied)
	keys := []string{keyName, keyServer, keyProject, keyShard, keyNamespaces}
	if _, _, ours := markOf(s); ours {
		keys = append(keys, keyConfig)
	}
	kept := make(map[string][]byte, len(keys))
	if s.Labels[LabelSecretType] == SecretTypeCluster {
		for _, k := range keys {
			if v, ok := s.Data[k]; ok {
				kept[k] = v
			}
		}
	}
	s.Data = kept
	return s, nil
}
