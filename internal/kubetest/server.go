package kubetest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"
)

// Server is an API server that starts when a test first asks for it. The zero Server is
// ready for use; it needs Main, or Stop.
type Server struct {
	// Bare: without any custom resource.
	Bare bool

	once  sync.Once
	err   error
	env   *envtest.Environment
	guard *guard
	users sync.Mutex // envtest's certificate authority is not safe for concurrent use
}

// Main runs the tests of a package and stops the server, if one was started. It returns
// the exit code for os.Exit.
func (s *Server) Main(m *testing.M) int {
	// Without a logger, controller-runtime complains after a while, with a stack.
	log.SetLogger(logr.Discard())
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		return max(code, 1)
	}
	return code
}

// Stop ends the processes and removes their files.
func (s *Server) Stop() error {
	s.once.Do(func() { s.err = errors.New("the API server was stopped before it was started") })
	var err error
	if s.env != nil {
		err = s.env.Stop()
		s.env = nil
	}
	if s.guard != nil {
		err = errors.Join(err, s.guard.dismiss())
		s.guard = nil
	}
	return err
}

// programs that the tests run, which are in the folder KUBEBUILDER_ASSETS.
func programs() (etcd, apiserver, kubectl string, err error) {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		return "", "", "", errors.New("KUBEBUILDER_ASSETS is not set: run `make test`, or `export KUBEBUILDER_ASSETS=$(make -s kube-assets)`")
	}
	paths := make([]string, 3)
	for i, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		paths[i] = filepath.Join(dir, name)
		if _, err := os.Stat(paths[i]); err != nil {
			return "", "", "", fmt.Errorf("KUBEBUILDER_ASSETS = %q has no %s: build it with `make kube-assets`: %w", dir, name, err)
		}
	}
	return paths[0], paths[1], paths[2], nil
}

// addUser makes a user who may do nothing yet, and returns how it reaches the server.
func (s *Server) addUser(name string) (*rest.Config, error) {
	s.users.Lock()
	defer s.users.Unlock()
	user, err := s.env.AddUser(envtest.User{Name: name}, s.env.Config)
	if err != nil {
		return nil, fmt.Errorf("adding the user %s: %w", name, err)
	}
	return user.Config(), nil
}

func (s *Server) start(ctx context.Context) error {
	etcd, apiserver, kubectl, err := programs()
	if err != nil {
		return err
	}
	s.guard, err = newGuard(ctx)
	if err != nil {
		return fmt.Errorf("guarding the API server: %w", err)
	}
	env := &envtest.Environment{UseExistingCluster: new(false)}
	env.ControlPlane.KubectlPath = kubectl
	env.ControlPlane.Etcd = &envtest.Etcd{}
	api := env.ControlPlane.GetAPIServer()
	for _, p := range []struct {
		program       string
		path, dataDir *string
	}{
		{etcd, &env.ControlPlane.Etcd.Path, &env.ControlPlane.Etcd.DataDir},
		{apiserver, &api.Path, &api.CertDir},
	} {
		if *p.path, *p.dataDir, err = s.guard.wrap(p.program); err != nil {
			return fmt.Errorf("guarding %s: %w", p.program, err)
		}
	}
	env.ControlPlane.Etcd.Configure().Set("log-level", "warn")
	// Nothing but the loopback interface is used, also where there is no other.
	api.Configure().
		Set("advertise-address", "127.0.0.1").
		Set("endpoint-reconciler-type", "none")
	if !s.Bare {
		if err := customResources(env); err != nil {
			return err
		}
	}
	s.env = env
	if _, err := env.Start(); err != nil {
		return fmt.Errorf("starting an API server from KUBEBUILDER_ASSETS = %q (is it what `make kube-assets` prints?): %w", filepath.Dir(etcd), err)
	}
	return nil
}

//go:embed testdata/applicationset-without-schema.yaml
var applicationSets []byte

// customResources that are installed when the server starts.
func customResources(env *envtest.Environment) error {
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	env.CRDDirectoryPaths = []string{filepath.Join(dir, "config", "crd")}
	env.ErrorIfCRDPathMissing = true
	appset := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(applicationSets, appset); err != nil {
		return fmt.Errorf("reading the CustomResourceDefinition of ApplicationSet: %w", err)
	}
	env.CRDs = []*apiextensionsv1.CustomResourceDefinition{appset}
	return nil
}

// moduleDir is the folder above the test's that has the module's go.mod.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("finding the module: no folder above has a go.mod")
		}
		dir = up
	}
}
