// Package workload does in a cluster what else would be kubectl's: it waits for pods,
// applies manifests and deletes objects.
package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/norikae/norikae/internal/fault"
)

const (
	manager = "norikae" // of the fields that are applied
	poll    = 2 * time.Second
	// attempt bounds one request, so that a lost answer leaves time for others.
	attempt = 30 * time.Second
)

// Cluster to work in.
type Cluster struct {
	Endpoint string // https URL of the API server
	CA       []byte // PEM
	// Token gives a bearer token that is good now, such as ekstoken.Source's. It is called
	// before each request.
	Token func(context.Context) (string, error)
}

// Client of a cluster. It may be used by many at once.
type Client struct {
	dynamic dynamic.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	names   meta.RESTMapper // mapper, and the short names of kinds
	poll    time.Duration
}

// Connect to a cluster. It calls nobody yet.
func Connect(c Cluster) (*Client, error) {
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fault.Terminal("InvalidCluster", fmt.Errorf("the endpoint %q is not an https URL", c.Endpoint))
	}
	if !bytes.Contains(c.CA, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, fault.Terminal("InvalidCluster", errors.New("the cluster's certificate authority is not PEM"))
	}
	if c.Token == nil {
		return nil, fault.Terminal("InvalidCluster", errors.New("nobody makes tokens for the cluster"))
	}
	return New(&rest.Config{
		Host: c.Endpoint, TLSClientConfig: rest.TLSClientConfig{CAData: c.CA},
		WrapTransport: func(next http.RoundTripper) http.RoundTripper { return bearer{c.Token, next} },
	})
}

// New Client of the cluster that a configuration leads to.
func New(cfg *rest.Config) (*Client, error) {
	own := rest.CopyConfig(cfg)
	own.UserAgent, own.WarningHandler, own.Timeout = manager, rest.NoWarnings{}, attempt
	own.QPS = -1 // few calls; a limiter of ours would only say something else than the server
	d, err := dynamic.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	disc, err := discovery.NewDiscoveryClientForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("making a client of the cluster: %w", err)
	}
	cached := memory.NewMemCacheClient(disc)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(cached)
	return &Client{dynamic: d, mapper: mapper, names: restmapper.NewShortcutExpander(mapper, cached, nil), poll: poll}, nil
}

// bearer puts a fresh token on each request.
type bearer struct {
	token func(context.Context) (string, error)
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.token(r.Context())
	if err != nil {
		return nil, fmt.Errorf("getting a token for the cluster: %w", err)
	}
	own := r.Clone(r.Context())
	own.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(own)
}

// resource of a kind.
func (c *Client) resource(m *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.dynamic.Resource(m.Resource).Namespace(namespace)
	}
	return c.dynamic.Resource(m.Resource)
}

// kind as a person names it: Service, svc, ingresses.networking.k8s.io.
func (c *Client) kind(word string) (*meta.RESTMapping, error) {
	full, short := schema.ParseResourceArg(strings.ToLower(word))
	var gvk schema.GroupVersionKind
	err := error(&meta.NoResourceMatchError{})
	if full != nil {
		gvk, err = c.names.KindFor(*full)
	}
	if meta.IsNoMatchError(err) {
		gvk, err = c.names.KindFor(short.WithVersion(""))
	}
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("%w: the cluster has no kind %q", fault.ErrNotFound, word)
	}
	if err != nil {
		return nil, fmt.Errorf("asking the cluster for its kinds: %w", err)
	}
	m, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("asking the cluster for its kinds: %w", err)
	}
	return m, nil
}

// until asks, at once and then every poll, until it is done or the time is up; then the
// error is late's. Errors of ask itself do not heal.
func (c *Client) until(ctx context.Context, timeout time.Duration, ask func(context.Context) (done bool, err error), late func() error) error {
	if timeout <= 0 {
		return fault.Terminal("InvalidTimeout", fmt.Errorf("the timeout %s is not more than 0s", timeout))
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(c.poll)
	defer tick.Stop()
	for {
		done, err := ask(bounded)
		if done || err != nil && bounded.Err() == nil {
			return err
		}
		select {
		case <-bounded.Done():
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("%w: %w", late(), err)
			}
			return late()
		case <-tick.C:
		}
	}
}

func tell(progress func(string), format string, args ...any) {
	if progress != nil {
		progress(fmt.Sprintf(format, args...))
	}
}
