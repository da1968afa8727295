package argocd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// Config of Secrets.
type Config struct {
	// Reader may be a cache, which should have CacheTransform, or the API server.
	Reader client.Reader
	Writer client.Writer
	// Namespace of Argo CD.
	Namespace string
	// ApplicationSetNamespaces are namespaces besides it in which Argo CD looks for
	// ApplicationSets (its applicationsetcontroller.namespaces).
	ApplicationSetNamespaces []string
	// DryRun: the API server validates what would be written, and writes nothing.
	DryRun bool
}

// Secrets are the cluster Secrets of one Argo CD. It needs get, list, create, patch and
// delete on secrets (with a cache, watch), and list on applicationsets.argoproj.io.
type Secrets struct{ cfg Config }

var _ registrar.Secrets = (*Secrets)(nil)

// New makes Secrets.
func New(cfg Config) (*Secrets, error) {
	if cfg.Reader == nil || cfg.Writer == nil || cfg.Namespace == "" {
		return nil, errors.New("argocd: Reader, Writer and Namespace are needed")
	}
	return &Secrets{cfg: cfg}, nil
}

// WithDryRun is the same Argo CD, of which nothing is written.
func (s *Secrets) WithDryRun() *Secrets {
	cfg := s.cfg
	cfg.DryRun = true
	return &Secrets{cfg: cfg}
}

// List every cluster Secret, in the order of the API server or the cache.
func (s *Secrets) List(ctx context.Context) ([]registry.Entry, error) {
	var out []registry.Entry
	err := pages(ctx, s.cfg.Reader, func() *corev1.SecretList { return &corev1.SecretList{} }, func(l *corev1.SecretList) {
		for i := range l.Items {
			out = append(out, entryOf(&l.Items[i]))
		}
	}, func() { out = nil }, client.InNamespace(s.cfg.Namespace), client.MatchingLabels{LabelSecretType: SecretTypeCluster})
	if err != nil {
		return nil, classify("listing the cluster Secrets of namespace "+s.cfg.Namespace, err)
	}
	return out, nil
}

// pageSize is how many objects one answer has at most: some megabytes.
const pageSize = 500

// pages reads a whole list, page by page. again is called when it has to begin anew,
// because the API server has forgotten the state that the pages are of.
func pages[L client.ObjectList](ctx context.Context, r client.Reader, empty func() L, page func(L), again func(), opts ...client.ListOption) error {
	// Objects of a cache are shared: they are only read here.
	opts = append(opts, client.UnsafeDisableDeepCopy)
	const tries = 3
	for try, token := 1, ""; ; {
		l := empty()
		err := r.List(ctx, l, append(slices.Clip(opts), client.Limit(pageSize), client.Continue(token))...)
		if err == nil && l.GetResourceVersion() == "" {
			// A cache: it has no pages, and cuts the list off at the limit.
			l = empty()
			if err = r.List(ctx, l, opts...); err == nil {
				page(l)
			}
			return err
		}
		switch {
		case apierrors.IsResourceExpired(err) && try < tries:
			again()
			try, token = try+1, ""
			continue
		case err != nil:
			return err
		}
		page(l)
		if token = l.GetContinue(); token == "" {
			return nil
		}
	}
}

// Create the Secret of a cluster.
func (s *Secrets) Create(ctx context.Context, owner registry.Owner, a registry.Action) error {
	secret, err := secretFor(s.cfg.Namespace, owner, a)
	if err != nil {
		return err
	}
	what := "creating the Secret " + s.cfg.Namespace + "/" + secret.Name
	if s.cfg.DryRun && a.Do == registry.Replace {
		// The one that it replaces is still there.
		secret.GenerateName, secret.Name = secret.Name+"-", ""
	}
	var opts []client.CreateOption
	if s.cfg.DryRun {
		opts = append(opts, client.DryRunAll)
	}
	return classify(what, s.cfg.Writer.Create(ctx, secret, opts...))
}

// Update or adopt a.Entry. Without a.Do being Adopt, one that is not the owner's is
// refused.
func (s *Secrets) Update(ctx context.Context, owner registry.Owner, a registry.Action) error {
	if a.Do != registry.Adopt && (a.Entry.Owner != owner || a.Entry.Cluster != a.Cluster) {
		return notOurs(*a.Entry, owner.String())
	}
	p := patchOf(a.Entry)
	if err := p.declare(owner, a); err != nil {
		return err
	}
	return s.patch(ctx, *a.Entry, p)
}

// Mark notes on a.Entry since when it is missing or unselected.
func (s *Secrets) Mark(ctx context.Context, a registry.Action) error {
	if !a.Entry.Ours() {
		return notOurs(*a.Entry, "a ClusterSet")
	}
	p := patchOf(a.Entry)
	p.note(a)
	p.use(a)
	return s.patch(ctx, *a.Entry, p)
}

func (s *Secrets) patch(ctx context.Context, e registry.Entry, p patch) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	var opts []client.PatchOption
	if s.cfg.DryRun {
		opts = append(opts, client.DryRunAll)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name}}
	err = s.cfg.Writer.Patch(ctx, secret, client.RawPatch(types.MergePatchType, body), opts...)
	return classifyOf("updating", e, err)
}

// Delete the Secret that was read, and no other of its name.
func (s *Secrets) Delete(ctx context.Context, e registry.Entry) error {
	if !e.Ours() {
		return notOurs(e, "a ClusterSet")
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: e.Name}}
	opts := []client.DeleteOption{client.Preconditions{UID: new(types.UID(e.UID)), ResourceVersion: &e.ResourceVersion}}
	if s.cfg.DryRun {
		opts = append(opts, client.DryRunAll)
	}
	return classifyOf("deleting", e, s.cfg.Writer.Delete(ctx, secret, opts...))
}

// notOurs is the last line of defence: whoever decided this has an error.
func notOurs(e registry.Entry, who string) error {
	return fault.Terminal("NotOurs", fmt.Errorf("the Secret %s/%s does not carry the mark of %s: it is not touched", e.Namespace, e.Name, who))
}

// classifyOf an error about a Secret that was there.
func classifyOf(doing string, e registry.Entry, err error) error {
	what := fmt.Sprintf("%s the Secret %s/%s", doing, e.Namespace, e.Name)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: somebody has deleted it: %w: %w", what, fault.ErrConflict, err)
	}
	return classify(what, err)
}

// classify an answer of the API server.
func classify(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w: %w", what, fault.ErrConflict, err)
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: %w: %w", what, fault.ErrDenied, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", what, fault.ErrNotFound, err)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return fault.Terminal("Refused", fmt.Errorf("%s: %w", what, err))
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}
