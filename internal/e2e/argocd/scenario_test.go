//go:build e2e

package argocd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	timed(t, "lab, management cluster and Argo CD run", func() {
		s.lab = startLab(t)
		s.argoRole = s.lab.createRole(t, "argocd", "arn:aws:iam::"+s.lab.Account+":root", "")
		s.management = startManagement(t)
		s.argo = startArgoCD(t, s.management, s.lab.session(t, s.argoRole))
		s.management.create(t, []byte(strings.ReplaceAll(applicationSet, "REPOSITORY", repository(t))))
	})
	return s
}

// timed tells how long a step took.
func timed(t *testing.T, what string, step func()) {
	t.Helper()
	begun := time.Now()
	step()
	t.Logf("%6.2fs  %s", time.Since(begun).Seconds(), what)
}

// application that the ApplicationSet makes for a cluster, by Argo CD's name of it.
func (s *scene) application(t *testing.T, cluster string) *unstructured.Unstructured {
	t.Helper()
	return s.management.get(t, "argoproj.io/v1alpha1", "Application", argoNamespace, "shop-"+cluster)
}

// inOrder tells what is missing until Argo CD has deployed to a cluster: its last sync
// went well, to that server, and all that it compared is Synced and Healthy.
func (s *scene) inOrder(t *testing.T, name, server string) error {
	t.Helper()
	app := s.application(t, name)
	if app == nil {
		return fmt.Errorf("there is no Application for %s", name)
	}
	for path, want := range map[string]string{
		"status.sync.status": "Synced", "status.health.status": "Healthy", "status.operationState.phase": "Succeeded",
		"status.sync.comparedTo.destination.name": name,
	} {
		if got := text(app, strings.Split(path, ".")...); got != want {
			conditions, _, _ := unstructured.NestedSlice(app.Object, "status", "conditions")
			return fmt.Errorf("%s of %s is %q, want %q; server %s; conditions %v", path, app.GetName(), got, want, server, conditions)
		}
	}
	return nil
}

// deployed is what the workload's objects are on a cluster: their UIDs.
func deployed(t *testing.T, c *cluster) map[string]string {
	t.Helper()
	uids := map[string]string{}
	for _, kind := range [][2]string{{"v1", "ConfigMap"}, {"v1", "ServiceAccount"}, {"v1", "Service"}, {"rbac.authorization.k8s.io/v1", "Role"}} {
		u := c.get(t, kind[0], kind[1], "shop", "shop")
		if u == nil || u.GetDeletionTimestamp() != nil {
			t.Errorf("the %s of the workload is not on the cluster", kind[1])
			continue
		}
		uids[kind[1]] = string(u.GetUID())
	}
	return uids
}

func TestArgoCDEntersAClusterOfTheLabWithItsOwnTokenAndDeploys(t *testing.T) {
	s := openScene(t)
	var blue *eksCluster
	timed(t, "CreateCluster until ACTIVE", func() {
		blue = s.lab.createCluster(t, s.lab.Region, "blue", s.argoRole, map[string]string{"environment": "production"})
	})
	d := blue.describe(t)
	timed(t, "Secret until its Application is Synced and Healthy", func() {
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "blue", Namespace: argoNamespace, Labels: map[string]string{
				"argocd.argoproj.io/secret-type": "cluster", "environment": "production", "ring": "first",
			}},
			StringData: map[string]string{
				"name": "blue", "server": *d.Endpoint,
				"config": fmt.Sprintf(`{"awsAuthConfig":{"clusterName":"blue"},"tlsClientConfig":{"caData":%q}}`, *d.CertificateAuthority.Data),
			},
		}
		if err := s.management.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		eventually(t, "blue is in order", func() error { return s.inOrder(t, "blue", *d.Endpoint) })
	})
	before := deployed(t, blue.cluster)
	timed(t, "Secret deleted until its Application is gone", func() {
		if err := s.management.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "blue", Namespace: argoNamespace}}, client.Preconditions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the Application is gone", func() error {
			if s.application(t, "blue") != nil {
				return fmt.Errorf("it is there")
			}
			return nil
		})
	})
	after := deployed(t, blue.cluster)
	for kind, uid := range before {
		if after[kind] != uid {
			t.Errorf("the %s of the workload has the UID %q, had %q", kind, after[kind], uid)
		}
	}
	t.Logf("memory in MB: %s", s.argo.memory())
}
