package argocd

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/internal/registry"
)

// patch is a JSON merge patch of a Secret: a nil value removes the key, and what is not
// named stays.
type patch struct {
	Metadata patchMeta          `json:"metadata"`
	Data     map[string]*[]byte `json:"data,omitempty"`
}

type patchMeta struct {
	// ResourceVersion that the Secret must still have, or the API server refuses.
	ResourceVersion string             `json:"resourceVersion"`
	Labels          map[string]*string `json:"labels,omitempty"`
	Annotations     map[string]*string `json:"annotations,omitempty"`
}

func patchOf(e *registry.Entry) patch {
	return patch{Metadata: patchMeta{ResourceVersion: e.ResourceVersion, Labels: map[string]*string{}, Annotations: map[string]*string{}}}
}

// declare what is wanted, the mark and the notes.
func (p *patch) declare(owner registry.Owner, a registry.Action) error {
	labels, annotations, err := markFor(owner, a)
	if err != nil {
		return err
	}
	merge(p.Metadata.Labels, a.Entry.Applied.Labels, a.Want.Labels, reservedLabels)
	merge(p.Metadata.Annotations, a.Entry.Applied.Annotations, a.Want.Annotations, reservedAnnotations)
	set(p.Metadata.Labels, labels)
	set(p.Metadata.Annotations, annotations)
	p.Metadata.Annotations[AnnotationAdopt] = nil
	if a.Created.IsZero() {
		p.Metadata.Annotations[AnnotationCreated] = nil
	}
	p.note(a)
	p.use(a)
	p.Data = map[string]*[]byte{}
	for k, v := range dataOf(a.Want) {
		if v == "" {
			p.Data[k] = nil
			continue
		}
		p.Data[k] = new([]byte(v))
	}
	return nil
}

// note what passes have to remember.
func (p *patch) note(a registry.Action) {
	for key, t := range map[string]time.Time{
		AnnotationMissingSince: a.MissingSince, AnnotationUnselectedSince: a.UnselectedSince, AnnotationYieldedAt: a.YieldedAt,
	} {
		if t.IsZero() {
			p.Metadata.Annotations[key] = nil
			continue
		}
		p.Metadata.Annotations[key] = new(formatTime(t))
	}
}

// use a permission up. What is left is what the Secret itself says, not what else a
// person allowed.
func (p *patch) use(a registry.Action) {
	if a.Uses == "" {
		return
	}
	left := slices.DeleteFunc(parseList(a.Entry.Annotations[AnnotationAllow]), func(s string) bool { return s == a.Uses })
	p.Metadata.Annotations[AnnotationAllow] = nil
	if len(left) > 0 {
		p.Metadata.Annotations[AnnotationAllow] = new(strings.Join(left, ","))
	}
}

// merge sets what is wanted, and removes what was and is not any more.
func merge(out map[string]*string, applied []string, want map[string]string, reserved map[string]bool) {
	for _, k := range applied {
		if !reserved[k] {
			out[k] = nil
		}
	}
	for k, v := range want {
		if !reserved[k] {
			out[k] = new(v)
		}
	}
}

func set(out map[string]*string, values map[string]string) {
	for k, v := range values {
		out[k] = new(v)
	}
}

// secretFor a cluster that has none.
func secretFor(namespace string, owner registry.Owner, a registry.Action) (*corev1.Secret, error) {
	labels, annotations, err := markFor(owner, a)
	if err != nil {
		return nil, err
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: registry.SecretName(a.Cluster),
			Labels: map[string]string{}, Annotations: map[string]string{},
		},
		Type: corev1.SecretTypeOpaque, Data: map[string][]byte{},
	}
	if a.Do == registry.Replace && a.Entry != nil {
		keep(s.Labels, a.Entry.Labels, a.Entry.Applied.Labels, reservedLabels)
		keep(s.Annotations, a.Entry.Annotations, a.Entry.Applied.Annotations, reservedAnnotations)
	}
	maps.Copy(s.Labels, a.Want.Labels)
	maps.Copy(s.Annotations, a.Want.Annotations)
	maps.Copy(s.Labels, labels)
	maps.Copy(s.Annotations, annotations)
	for k, v := range dataOf(a.Want) {
		if v != "" {
			s.Data[k] = []byte(v)
		}
	}
	return s, nil
}

// keep what others had put on the Secret that this one replaces.
func keep(out, live map[string]string, applied []string, reserved map[string]bool) {
	for k, v := range live {
		if !reserved[k] && !slices.Contains(applied, k) {
			out[k] = v
		}
	}
}

// markFor the Secret of a.Cluster, and what is noted beside it.
func markFor(owner registry.Owner, a registry.Action) (labels, annotations map[string]string, err error) {
	applied, err := json.Marshal(appliedKeys{
		Labels:      slices.Sorted(maps.Keys(a.Want.Labels)),
		Annotations: slices.Sorted(maps.Keys(a.Want.Annotations)),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("writing %s: %w", AnnotationApplied, err)
	}
	labels = map[string]string{
		LabelSecretType: SecretTypeCluster, LabelManagedBy: ManagedBy,
		LabelSet: owner.Name, LabelSetNamespace: owner.Namespace,
	}
	annotations = map[string]string{
		AnnotationSet: owner.String(), AnnotationARN: a.Cluster.ARN(), AnnotationApplied: string(applied),
	}
	if !a.Created.IsZero() {
		annotations[AnnotationCreated] = formatTime(a.Created)
	}
	return labels, annotations, nil
}

// dataOf a registration, by key; "" is a key that must not be there.
func dataOf(r registry.Registration) map[string]string {
	return map[string]string{
		keyName: r.ClusterName, keyServer: r.Server, keyConfig: r.Config,
		keyProject: r.Project, keyShard: r.Shard, keyNamespaces: r.Namespaces,
	}
}
