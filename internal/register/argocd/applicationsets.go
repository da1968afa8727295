package argocd

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/registry"
)

// ApplicationSets of this Argo CD; none where the kind is not installed. When it cannot be
// known of one whom it selects, that is an error which names it: another answer would be a
// guess about what Argo CD deletes.
//
// What their own policy says is taken for what happens. A controller that was started with
// --policy and without --enable-policy-override ignores it.
func (s *Secrets) ApplicationSets(ctx context.Context) ([]registry.ApplicationSet, error) {
	var out []registry.ApplicationSet
	var problems []error
	for _, namespace := range append([]string{s.cfg.Namespace}, s.cfg.ApplicationSetNamespaces...) {
		had, hadProblems := len(out), len(problems)
		err := pages(ctx, s.cfg.Reader, emptyList, func(l *unstructured.UnstructuredList) {
			for i := range l.Items {
				a, err := applicationSet(&l.Items[i])
				if err != nil {
					problems = append(problems, err)
				}
				out = append(out, a)
			}
		}, func() { out, problems = out[:had], problems[:hadProblems] }, client.InNamespace(namespace))
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) { // there is no such kind
			continue
		}
		if err != nil {
			return nil, classify("listing the ApplicationSets of namespace "+namespace, err)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return out, nil
}

func emptyList() *unstructured.UnstructuredList {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "ApplicationSetList"})
	return l
}

// applicationSet that an object declares.
func applicationSet(u *unstructured.Unstructured) (registry.ApplicationSet, error) {
	a := registry.ApplicationSet{Namespace: u.GetNamespace(), Name: u.GetName()}
	fail := func(err error) (registry.ApplicationSet, error) {
		return a, fmt.Errorf("ApplicationSet %s/%s: %w", a.Namespace, a.Name, err)
	}
	spec, err := object(u.Object, "spec")
	if err != nil {
		return fail(err)
	}
	if a.Keeps, a.Preserves, err = policy(spec); err != nil {
		return fail(err)
	}
	generators, err := list(spec, "generators")
	if err != nil {
		return fail(at("spec", err))
	}
	r := generatorReader{}
	for i, g := range generators {
		if err := r.top(g); err != nil {
			return fail(at(fmt.Sprintf("spec.generators[%d]", i), err))
		}
	}
	if err := r.names(spec, generators); err != nil {
		return fail(at("spec", err))
	}
	a.Selectors = r.selectors
	return a, nil
}

// policy says what happens to Applications that are no longer generated: whether they are
// kept, and whether their workloads are when they are not.
func policy(spec map[string]any) (keeps, preserves bool, err error) {
	sync, err := object(spec, "syncPolicy")
	if err != nil {
		return false, false, at("spec", err)
	}
	switch p := sync["applicationsSync"]; p {
	case "create-only", "create-update":
		keeps = true
	case nil, "", "sync", "create-delete":
	default:
		return false, false, fmt.Errorf("spec.syncPolicy.applicationsSync is %#v, which is not known", p)
	}
	switch p := sync["preserveResourcesOnDeletion"].(type) {
	case nil:
	case bool:
		preserves = p
	default:
		return false, false, fmt.Errorf("spec.syncPolicy.preserveResourcesOnDeletion is %#v, want true or false", p)
	}
	return keeps, preserves, nil
}
