package workload

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/internal/fault"
)

// Delete an object and wait until it is gone, its finalizers done. The kind is named as
// kubectl takes it: Service, svc, ingresses.networking.k8s.io. It is no error when there is
// no such object. fault.ErrNotFound: the cluster has no such kind; fault.ErrConflict:
// somebody made the object again. progress may be nil.
func (c *Client) Delete(ctx context.Context, namespace, kind, name string, timeout time.Duration, progress func(string)) error {
	if kind == "" || name == "" {
		return fault.Terminal("InvalidObject", fmt.Errorf("kind %q and name %q: want both of the object to delete", kind, name))
	}
	m, err := c.kind(kind)
	if err != nil {
		return err
	}
	what := m.GroupVersionKind.Kind + " " + name
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		what = m.GroupVersionKind.Kind + " " + namespace + "/" + name
	}
	client := c.resource(m, namespace)
	object, err := client.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		tell(progress, "%s: there is none", what)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", what, err)
	}
	uid, background := object.GetUID(), metav1.DeletePropagationBackground
	err = client.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting %s: %w", what, err)
	}
	tell(progress, "%s is being deleted", what)
	var last error
	return c.until(ctx, timeout, func(ctx context.Context) (bool, error) {
		now, err := client.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			last = nil
			tell(progress, "%s is gone", what)
			return true, nil
		}
		if err != nil {
			if ctx.Err() == nil {
				last = err
			}
			return false, nil
		}
		if last = nil; now.GetUID() != uid {
			return false, fmt.Errorf("%w: %s was deleted, and somebody made it again: stop who keeps it (a controller, GitOps), and try again", fault.ErrConflict, what)
		}
		object = now
		return false, nil
	}, func() error {
		held := "nothing says why"
		if f := object.GetFinalizers(); len(f) > 0 {
			held = "its finalizers are not done: " + strings.Join(f, ", ")
		}
		err := fmt.Errorf("%s is not gone after %s: %s", what, timeout, held)
		return errors.Join(err, last)
	})
}
