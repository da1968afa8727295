package kubetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
)

// Cluster is a user's view of the server, with a namespace of the test's own.
type Cluster struct {
	Config    *rest.Config
	Client    client.Client // reads from the server itself, no cache
	Scheme    *runtime.Scheme
	Namespace string

	server *Server
	dir    string // of the kubeconfig and kubectl's cache
}

// Cluster is the server as its administrator sees it, with a new namespace. It starts
// the server if need be, and ends the test if that fails.
func (s *Server) Cluster(t testing.TB) *Cluster {
	t.Helper()
	s.once.Do(func() { s.err = s.start(t.Context()) })
	if s.err != nil {
		t.Fatal(s.err)
	}
	c := s.cluster(t, s.env.Config)
	c.Namespace = c.NewNamespace(t)
	return c
}

func (s *Server) cluster(t testing.TB, cfg *rest.Config) *Cluster {
	t.Helper()
	c := &Cluster{Config: rest.CopyConfig(cfg), Scheme: scheme(t), server: s, dir: t.TempDir()}
	var err error
	if c.Client, err = client.New(c.Config, client.Options{Scheme: c.Scheme}); err != nil {
		t.Fatalf("making a client: %v", err)
	}
	return c
}

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatalf("making a scheme: %v", err)
		}
	}
	return s
}

// NewNamespace makes a namespace and returns its name.
func (c *Cluster) NewNamespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Client.Create(t.Context(), ns); err != nil {
		t.Fatalf("making a namespace: %v", err)
	}
	return ns.Name
}

// As is the server as another user sees it, who may do in the namespace what the rules
// say and nothing else.
func (c *Cluster) As(t testing.TB, user string, rules ...rbacv1.PolicyRule) *Cluster {
	t.Helper()
	user = c.Namespace + ":" + user
	cfg, err := c.server.addUser(user)
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{GenerateName: "test-", Namespace: c.Namespace}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: rules}
	if err := c.Client.Create(t.Context(), role); err != nil {
		t.Fatalf("making a role: %v", err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if err := c.Client.Create(t.Context(), binding); err != nil {
		t.Fatalf("binding a role: %v", err)
	}
	other := c.server.cluster(t, cfg)
	other.Namespace = c.Namespace
	return other
}

// Kubeconfig writes a kubeconfig for the user, whose context is in the namespace, and
// returns its path.
func (c *Cluster) Kubeconfig(t testing.TB) string {
	t.Helper()
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters["test"] = &clientcmdapi.Cluster{Server: c.Config.Host, CertificateAuthorityData: c.Config.CAData}
	cfg.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificateData: c.Config.CertData, ClientKeyData: c.Config.KeyData, Token: c.Config.BearerToken}
	cfg.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: c.Namespace}
	cfg.CurrentContext = "test"
	path := filepath.Join(c.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*cfg, path); err != nil {
		t.Fatalf("writing a kubeconfig: %v", err)
	}
	return path
}

// Kubectl runs kubectl in the namespace and returns what it printed, errors too, and
// whether it went well.
func (c *Cluster) Kubectl(t testing.TB, stdin string, args ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.server.env.ControlPlane.KubectlPath, args...) //nolint:gosec // the program that the tests are given
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "KUBECONFIG=" + c.Kubeconfig(t)}
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // Run returns it bare
		t.Fatal(fmt.Errorf("running kubectl: %w", err))
	}
	return out.String(), err == nil
}
