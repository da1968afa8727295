package workload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/fault"
)

// established is how long a kind may take to be there after its definition was applied.
const established = 30 * time.Second

// document is one object of the manifests, and where it stands.
type document struct {
	at     string
	object *unstructured.Unstructured
}

// Apply YAML manifests, each of one or more documents, in their order, by server-side
// apply: fields that others manage become norikae's where a manifest names them. All
// documents are read before anything is sent. The first that is refused ends it; what
// stands before it stays applied. progress may be nil.
func (c *Client) Apply(ctx context.Context, manifests []string, progress func(string)) error {
	docs, err := read(manifests)
	if err != nil {
		return err
	}
	definitions := false
	for _, d := range docs {
		if err := c.apply(ctx, d.object, definitions); err != nil {
			if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || meta.IsNoMatchError(err) {
				err = fault.Terminal("InvalidManifest", err)
			}
			return fmt.Errorf("%s (%s): %w", d.at, described(d.object), err)
		}
		definitions = definitions || d.object.GetKind() == "CustomResourceDefinition"
		tell(progress, "applied %s", described(d.object))
	}
	return nil
}

// CheckManifests tells whether Apply could read them, without a cluster.
func CheckManifests(manifests []string) error {
	_, err := read(manifests)
	return err
}

func (c *Client) apply(ctx context.Context, o *unstructured.Unstructured, definitions bool) error {
	gvk := o.GroupVersionKind()
	m, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) && definitions {
		err = c.until(ctx, established, func(context.Context) (bool, error) {
			c.mapper.Reset()
			var asked error
			m, asked = c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
			return asked == nil, nil
		}, func() error { return err })
	}
	if err != nil {
		return err
	}
	if m.Scope.Name() == meta.RESTScopeNameNamespace && o.GetNamespace() == "" {
		o.SetNamespace(metav1.NamespaceDefault)
	}
	_, err = c.resource(m, o.GetNamespace()).Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true})
	return err
}

// read all documents.
func read(manifests []string) ([]document, error) {
	var out []document
	for i, text := range manifests {
		reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for n := 1; ; n++ {
			at := fmt.Sprintf("manifests[%d], document %d", i, n)
			raw, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			var object map[string]any
			if err == nil {
				err = yaml.UnmarshalStrict(raw, &object)
			}
			if err != nil {
				return nil, fault.Terminal("InvalidManifest", fmt.Errorf("%s is not an object in YAML: %w", at, err))
			}
			if object == nil {
				continue // nothing, or comments
			}
			docs, err := objects(at, object)
			if err != nil {
				return nil, fault.Terminal("InvalidManifest", err)
			}
			out = append(out, docs...)
		}
	}
	return out, nil
}

// objects of a document: itself, or a List's items.
func objects(at string, object map[string]any) ([]document, error) {
	u := &unstructured.Unstructured{Object: object}
	if u.GetAPIVersion() == "" || u.GetKind() == "" {
		return nil, fmt.Errorf("%s has no apiVersion or no kind", at)
	}
	if !u.IsList() {
		if u.GetName() == "" {
			return nil, fmt.Errorf("%s (%s) has no metadata.name", at, u.GetKind())
		}
		u.SetManagedFields(nil)
		return []document{{at, u}}, nil
	}
	list, err := u.ToList()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	var out []document
	for i, item := range list.Items {
		docs, err := objects(fmt.Sprintf("%s, items[%d]", at, i), item.Object)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

func described(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}
