//go:build e2e

package argocd

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// scene is the whole: a lab, a management cluster with Argo CD, and an ApplicationSet
// that deploys to every cluster of production.
type scene struct {
	lab        *lab
	management *cluster
	argo       *argoCD
	argoRole   string // that Argo CD runs as
}

func openScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{}
	timed(t, "a lab, a management cluster and Argo CD start", func() {
		s.lab = startLab(t)
		s.argoRole = s.lab.createRole(t, "argocd", s.lab.root(), "")
		s.management = startManagement(t)
		s.argo = startArgoCD(t, s.management, s.lab.session(t, s.argoRole))
		s.management.create(t, []byte(strings.ReplaceAll(applicationSet, "REPOSITORY", repository(t))))
	})
	t.Cleanup(func() { t.Logf("Argo CD's memory in MB: %s", s.argo.memory()) })
	return s
}

// timed tells how long a step took.
func timed(t *testing.T, what string, step func()) {
	t.Helper()
	begun := time.Now()
	step()
	t.Logf("%6.2fs  %s", time.Since(begun).Seconds(), what)
}

const argoVersion = "argoproj.io/v1alpha1"

// application that the ApplicationSet makes for a cluster, by Argo CD's name of it.
func (s *scene) application(t *testing.T, cluster string) *unstructured.Unstructured {
	t.Helper()
	return s.management.get(t, argoVersion, "Application", argoNamespace, "shop-"+cluster)
}

var errNoApplication = errors.New("there is no Application")

func (s *scene) noApplication(t *testing.T, cluster string) error {
	t.Helper()
	if app := s.application(t, cluster); app != nil {
		return fmt.Errorf("there is the Application %s, finalizers %v", app.GetName(), app.GetFinalizers())
	}
	return nil
}

// inOrder tells what is missing until Argo CD has deployed to a cluster: its last sync
// went well, and what it compared there is Synced and Healthy.
func (s *scene) inOrder(t *testing.T, name string) error {
	t.Helper()
	app := s.application(t, name)
	if app == nil {
		return errNoApplication
	}
	for path, want := range map[string]string{
		"status.sync.status": "Synced", "status.health.status": "Healthy", "status.operationState.phase": "Succeeded",
		"status.sync.comparedTo.destination.name": name,
	} {
		if got := text(app, strings.Split(path, ".")...); got != want {
			return fmt.Errorf("%s of %s is %q, want %q; conditions %v", path, app.GetName(), got, want, conditionsOf(app))
		}
	}
	return nil
}

// workload is what was deployed to the cluster: kinds and UIDs.
func (c *eksCluster) workload(t *testing.T) map[string]string {
	t.Helper()
	uids := map[string]string{}
	for _, kind := range [][2]string{{"v1", "ConfigMap"}, {"v1", "ServiceAccount"}, {"v1", "Service"}, {"rbac.authorization.k8s.io/v1", "Role"}} {
		u := c.get(t, kind[0], kind[1], "shop", "shop")
		if u == nil || u.GetDeletionTimestamp() != nil {
			t.Errorf("the %s of the workload is not on %s", kind[1], c.name)
			continue
		}
		uids[c.name+": "+kind[1]] = string(u.GetUID())
	}
	return uids
}

// everything that must not be lost: cluster Secrets, Applications and what was deployed to
// the clusters, with their UIDs; what is being deleted is not there any more.
func (s *scene) everything(t *testing.T, clusters ...*eksCluster) map[string]string {
	t.Helper()
	uids := map[string]string{}
	for _, kind := range []struct {
		version, kind string
		labels        client.MatchingLabels
	}{
		{"v1", "Secret", client.MatchingLabels{"argocd.argoproj.io/secret-type": "cluster"}},
		{argoVersion, "Application", nil},
	} {
		l := &unstructured.UnstructuredList{}
		l.SetAPIVersion(kind.version)
		l.SetKind(kind.kind + "List")
		if err := s.management.List(t.Context(), l, client.InNamespace(argoNamespace), kind.labels); err != nil {
			t.Fatal(err)
		}
		for _, u := range l.Items {
			if u.GetDeletionTimestamp() == nil {
				uids[kind.kind+" "+u.GetName()] = string(u.GetUID())
			}
		}
	}
	for _, c := range clusters {
		maps.Copy(uids, c.workload(t))
	}
	return uids
}

// same wants the same objects.
func same(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	if d := cmp.Diff(before, after); d != "" {
		t.Fatalf("%s changed (-before +after):\n%s", what, d)
	}
}
