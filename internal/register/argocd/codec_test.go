package argocd

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/registry"
)

func drawMap(t *rapid.T, what string, values *rapid.Generator[string]) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "example.com/d", "e.f"}), values, 0, 4).Draw(t, what)
}

func drawTime(t *rapid.T, what string) time.Time {
	if !rapid.Bool().Draw(t, what+"?") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(1, 4e9).Draw(t, what), rapid.Int64Range(0, 1e9-1).Draw(t, what+" ns")).UTC()
}

func drawNotes(t *rapid.T) registry.Notes {
	return registry.Notes{MissingSince: drawTime(t, "missing"), UnselectedSince: drawTime(t, "unselected"), YieldedAt: drawTime(t, "yielded")}
}

func drawWant(t *rapid.T) registry.Registration {
	text := rapid.String()
	return registry.Registration{
		ClusterName: text.Draw(t, "name"), Server: rapid.StringMatching(`https://[a-z]{1,9}`).Draw(t, "server"), Config: text.Draw(t, "config"),
		Project: text.Draw(t, "project"), Shard: text.Draw(t, "shard"), Namespaces: text.Draw(t, "namespaces"),
		Labels:      drawMap(t, "labels", rapid.StringMatching(`([a-zA-Z0-9]{1,63})?`)),
		Annotations: drawMap(t, "annotations", text),
	}
}

// without what is noted on it; what is left is what is declared, and the others'.
func without(e registry.Entry) registry.Entry {
	e.ResourceVersion, e.UID = "", ""
	e.Labels, e.Annotations = maps.Clone(e.Labels), maps.Clone(e.Annotations)
	maps.DeleteFunc(e.Labels, func(k, _ string) bool { return reservedLabels[k] })
	maps.DeleteFunc(e.Annotations, func(k, _ string) bool { return reservedAnnotations[k] })
	return e
}

// merged is what the port promises: of what was there, what was declared and is not any
// more goes.
func merged(live map[string]string, applied []string, want map[string]string) map[string]string {
	out := maps.Clone(live)
	maps.DeleteFunc(out, func(k, _ string) bool { return slices.Contains(applied, k) })
	maps.Copy(out, want)
	return out
}

// TestWhatIsWrittenIsReadBack is a history of one Secret on the API server, in which we
// and others write.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	c := kube.Cluster(t)
	s := newSecrets(t, c)
	rapid.Check(t, func(rt *rapid.T) {
		// What an attempt that failed left behind would hide why.
		if err := c.Client.DeleteAllOf(t.Context(), &corev1.Secret{}, client.InNamespace(c.Namespace)); err != nil {
			rt.Fatal(err)
		}
		action := func(do registry.Do, e *registry.Entry) registry.Action {
			return registry.Action{Cluster: blue, Do: do, Entry: e, Want: drawWant(rt), Created: drawTime(rt, "created")}
		}
		expect := func(e registry.Entry, a registry.Action) registry.Entry {
			labels, annotations := merged(e.Labels, e.Applied.Labels, a.Want.Labels), merged(e.Annotations, e.Applied.Annotations, a.Want.Annotations)
			e.Registration, e.Labels, e.Annotations = a.Want, labels, annotations
			e.Applied = registry.Keys{Labels: slices.Sorted(maps.Keys(a.Want.Labels)), Annotations: slices.Sorted(maps.Keys(a.Want.Annotations))}
			e.Namespace, e.Name, e.Owner, e.Cluster, e.Created = c.Namespace, registry.SecretName(blue), owner, blue, a.Created
			e.Notes = a.Notes
			return e
		}
		a := action(registry.Create, nil)
		if err := s.Create(t.Context(), owner, a); err != nil {
			rt.Fatal(err)
		}
		want := expect(registry.Entry{Registration: registry.Registration{Labels: map[string]string{}, Annotations: map[string]string{}}}, a)
		for step := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			got := only(t, s)
			if d := cmp.Diff(want, without(got), cmpopts.EquateEmpty()); d != "" {
				rt.Fatalf("after step %d (-want +got):\n%s", step, d)
			}
			switch rapid.SampledFrom([]string{"update", "mark", "others"}).Draw(rt, "what") {
			case "update":
				a := action(registry.Update, &got)
				a.Notes = drawNotes(rt)
				if err := s.Update(t.Context(), owner, a); err != nil {
					rt.Fatal(err)
				}
				want = expect(want, a)
			case "mark":
				a := registry.Action{Cluster: blue, Entry: &got, Notes: drawNotes(rt)}
				if err := s.Mark(t.Context(), a); err != nil {
					rt.Fatal(err)
				}
				want.Notes = a.Notes
			case "others":
				live := secret(t, c, got.Name)
				theirs := drawMap(rt, "theirs", rapid.StringMatching(`[a-z]{1,5}`))
				maps.Copy(live.Labels, theirs)
				maps.Copy(want.Labels, theirs)
				if err := c.Client.Update(t.Context(), live); err != nil {
					rt.Fatal(err)
				}
			}
		}
		got := only(t, s)
		if d := cmp.Diff(want, without(got), cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("at the end (-want +got):\n%s", d)
		}
		if err := s.Delete(t.Context(), got); err != nil {
			rt.Fatal(err)
		}
	})
}

// marked is a Secret with the whole mark and every note.
func marked() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "argocd", Name: "x", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "norikae"}},
			Labels: map[string]string{LabelSecretType: SecretTypeCluster, LabelManagedBy: ManagedBy, LabelSet: "all", LabelSetNamespace: "fleet"},
			Annotations: map[string]string{
				AnnotationSet: "fleet/all", AnnotationARN: blue.ARN(), AnnotationCreated: "2026-11-23T10:00:00Z",
				AnnotationApplied: `{"labels":["env"]}`, AnnotationMissingSince: "2026-11-23T11:00:00Z",
				AnnotationAdopt: "fleet/other", AnnotationAllow: "relabel, replace,",
			},
		},
		Data: map[string][]byte{"name": []byte("n"), "server": []byte("https://s/"), "config": []byte("s3cret"), "other": []byte("s3cret")},
	}
}

func TestAMarkIsWholeOrItIsNone(t *testing.T) {
	if e := entryOf(marked()); e.Owner != owner || e.Cluster != blue || e.Config != "s3cret" || len(e.Allow) != 2 || e.Adopt.Name != "other" {
		t.Fatalf("a whole mark is read as %+v", e)
	}
	for name, change := range map[string]func(s *corev1.Secret){
		"another manages it":                func(s *corev1.Secret) { s.Labels[LabelManagedBy] = "Helm" },
		"nobody manages it":                 func(s *corev1.Secret) { delete(s.Labels, LabelManagedBy) },
		"the set's name is not there":       func(s *corev1.Secret) { delete(s.Labels, LabelSet) },
		"the set's namespace is not there":  func(s *corev1.Secret) { delete(s.Labels, LabelSetNamespace) },
		"the set's annotation is not there": func(s *corev1.Secret) { delete(s.Annotations, AnnotationSet) },
		"the label names another set":       func(s *corev1.Secret) { s.Labels[LabelSet] = "some" },
		"the annotation names another set":  func(s *corev1.Secret) { s.Annotations[AnnotationSet] = "fleet/some" },
		"the ARN is not there":              func(s *corev1.Secret) { delete(s.Annotations, AnnotationARN) },
		"the ARN is broken":                 func(s *corev1.Secret) { s.Annotations[AnnotationARN] = "arn:aws:eks:us-east-1:1:cluster/blue" },
		"the ARN is of something else":      func(s *corev1.Secret) { s.Annotations[AnnotationARN] = "arn:aws:iam::111122223333:role/blue" },
		"it is not a cluster's":             func(s *corev1.Secret) { s.Labels[LabelSecretType] = "repository" },
		"it is made by hand": func(s *corev1.Secret) {
			s.Labels, s.Annotations = map[string]string{LabelSecretType: SecretTypeCluster}, nil
		},
		"the labels are there but no other":   func(s *corev1.Secret) { s.Annotations = nil },
		"only the annotations were copied":    func(s *corev1.Secret) { s.Labels = map[string]string{LabelSecretType: SecretTypeCluster} },
		"the set has an empty name":           func(s *corev1.Secret) { s.Labels[LabelSet], s.Annotations[AnnotationSet] = "", "fleet/" },
		"the ARN has a line of its own in it": func(s *corev1.Secret) { s.Annotations[AnnotationARN] += "\n" },
	} {
		t.Run(name, func(t *testing.T) {
			s := marked()
			change(s)
			e := entryOf(s)
			if e.Ours() || e.Cluster != (registry.ID{}) || e.Config != "" || !e.MissingSince.IsZero() || len(e.Applied.Labels) != 0 {
				t.Errorf("it is read as %+v", e)
			}
		})
	}
}

func TestNotesThatCannotBeReadAreAsIfTheyWereNotThere(t *testing.T) {
	s := marked()
	maps.Copy(s.Annotations, map[string]string{
		AnnotationCreated: "yesterday", AnnotationMissingSince: "2026-13-01T00:00:00Z", AnnotationUnselectedSince: "1",
		AnnotationApplied: `{"labels":"env"}`, AnnotationAdopt: "fleet", AnnotationAllow: " , ",
	})
	e := entryOf(s)
	if !e.Ours() || !e.Created.IsZero() || !e.MissingSince.IsZero() || !e.UnselectedSince.IsZero() || len(e.Applied.Labels) != 0 || e.Adopt != (registry.Owner{}) || e.Allow != nil {
		t.Errorf("read as %+v", e)
	}
}

func TestWhatIsReservedIsNeverRemovedAsDeclared(t *testing.T) {
	s := marked()
	s.Annotations[AnnotationApplied] = `{"labels":["argocd.argoproj.io/secret-type","env"],"annotations":["norikae.dev/cluster-arn","a"]}`
	if d := cmp.Diff(registry.Keys{Labels: []string{"env"}, Annotations: []string{"a"}}, entryOf(s).Applied); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestACacheHoldsNoCredentials(t *testing.T) {
	foreign, password := marked(), marked()
	delete(foreign.Annotations, AnnotationARN)
	foreign.Annotations[annotationLastApplied] = "s3cret"
	delete(password.Labels, LabelSecretType)
	for name, tc := range map[string]struct {
		in   *corev1.Secret
		want []string
	}{
		"ours keeps what Argo CD reads":       {marked(), []string{"config", "name", "server"}},
		"another's keeps its name and server": {foreign, []string{"name", "server"}},
		"no cluster's keeps nothing":          {password, nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := CacheTransform(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			s, ok := out.(*corev1.Secret)
			if !ok || s.ManagedFields != nil || s.Annotations[annotationLastApplied] != "" {
				t.Fatalf("got %+v", out)
			}
			if d := cmp.Diff(tc.want, slices.Sorted(maps.Keys(s.Data))); d != "" {
				t.Errorf("data (-want +got):\n%s", d)
			}
		})
	}
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{{}}}, Data: map[string]string{"a": "b"}}
	if out, err := CacheTransform(other); err != nil || out != any(other) || other.ManagedFields != nil || other.Data["a"] != "b" {
		t.Errorf("a ConfigMap became %+v, %v", out, err)
	}
	if out, err := CacheTransform("x"); err != nil || out != "x" {
		t.Errorf("a text became %v, %v", out, err)
	}
}
