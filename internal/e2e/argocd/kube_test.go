//go:build e2e

package argocd

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/internal/awssim/kubeapi"
)

// cluster is an API server and an administrator's way in.
type cluster struct {
	client.Client

	kubeconfig string // file
}

// startManagement runs the API server that Argo CD and norikae live on.
func startManagement(t *testing.T) *cluster {
	t.Helper()
	s, err := kubeapi.Run(t.Context(), kubeapi.Config{Assets: os.Getenv(kubeVar), Dir: filepath.Join(t.TempDir(), "management"), ControllerManager: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return enter(t, s.Kubeconfig())
}

// enter an API server by a kubeconfig.
func enter(t *testing.T, kubeconfig string) *cluster {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS, cfg.Burst = 200, 400
	cfg.WarningHandler = rest.NoWarnings{}
	cfg.Timeout = 20 * time.Second
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return &cluster{c, kubeconfig}
}

// inNamespace writes a kubeconfig like the cluster's whose namespace is another: what
// Argo CD takes for its own is the current context's.
func (c *cluster) inNamespace(t *testing.T, path, namespace string) {
	t.Helper()
	cfg, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Contexts[cfg.CurrentContext].Namespace = namespace
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatal(err)
	}
}

// create the objects of some YAML, in order.
func (c *cluster) create(t *testing.T, text []byte) {
	t.Helper()
	for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		u := &unstructured.Unstructured{}
		switch err := d.Decode(u); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		case len(u.Object) == 0:
			continue
		}
		eventually(t, "the kind "+u.GetKind()+" is served", func() error {
			err := c.Create(t.Context(), u)
			if err != nil && !meta.IsNoMatchError(err) {
				t.Fatalf("creating the %s %s: %v", u.GetKind(), u.GetName(), err)
			}
			return err
		})
	}
}

// kubectl runs as an administrator of the cluster.
func (c *cluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(os.Getenv(kubeVar), "kubectl"), args...)
	cmd.Env = []string{"KUBECONFIG=" + c.kubeconfig, "HOME=" + t.TempDir()}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// object of a kind, such as argoproj.io/v1alpha1 Application.
func object(apiVersion, kind string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	return u
}

// get an object; nil when there is none.
func (c *cluster) get(t *testing.T, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	u := object(apiVersion, kind)
	err := c.Get(t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, u)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("reading the %s %s: %v", kind, name, err)
	}
	return u
}

// installCRDs of a folder, and waits until they serve.
func (c *cluster) installCRDs(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("CRDs in %s: %v %v", dir, files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c.create(t, b)
	}
	eventually(t, "all CRDs are established", func() error {
		l := &unstructured.UnstructuredList{}
		l.SetAPIVersion("apiextensions.k8s.io/v1")
		l.SetKind("CustomResourceDefinitionList")
		if err := c.List(t.Context(), l); err != nil {
			return fmt.Errorf("listing: %w", err)
		}
		for i := range l.Items {
			if conditionOf(&l.Items[i], "Established").status != "True" {
				return fmt.Errorf("%s is not", l.Items[i].GetName())
			}
		}
		return nil
	})
}

// condition of an object: type, status, reason and message.
type condition struct{ kind, status, reason, message string }

func conditionsOf(u *unstructured.Unstructured) (out []condition) {
	list, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range list {
		get := func(key string) string {
			s, _, _ := unstructured.NestedString(item.(map[string]any), key) //nolint:forcetypeassert // every API server's schema says so
			return s
		}
		out = append(out, condition{get("type"), get("status"), get("reason"), get("message")})
	}
	return out
}

// conditionOf an object; the zero condition when it has none of that type.
func conditionOf(u *unstructured.Unstructured, kind string) condition {
	for _, c := range conditionsOf(u) {
		if c.kind == kind {
			return c
		}
	}
	return condition{}
}

// text at a path of an object, "" when there is none.
func text(u *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(u.Object, path...)
	return s
}

// decoded is a value of a Secret.
func decoded(t *testing.T, u *unstructured.Unstructured, key string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text(u, "data", key))
	if err != nil {
		t.Fatalf("the Secret %s: %s: %v", u.GetName(), key, err)
	}
	return string(b)
}
