//go:build e2e

package argocd

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Without norikae: what Argo CD does with a cluster Secret that a person writes. The rest
// of the tests stands on this.
func TestArgoCDEntersAClusterOfTheLabByItsOwnTokenAlone(t *testing.T) {
	t.Parallel()
	s := openScene(t)
	blue := s.lab.createCluster(t, s.lab.Region, "blue", map[string]string{})
	d := blue.describe(t)
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
	timed(t, "an Application of a cluster that does not know Argo CD's role says so", func() {
		eventually(t, "it is refused", func() error {
			app := s.application(t, "blue")
			if app == nil {
				return errNoApplication
			}
			if got := fmt.Sprint(conditionsOf(app)); !strings.Contains(got, "ComparisonError") || !strings.Contains(got, "provide credentials") {
				return fmt.Errorf("its conditions are %s", got)
			}
			return nil
		})
	})
	blue.admit(t, s.argoRole)
	timed(t, "its role is given an access entry, until it is Synced and Healthy", func() {
		eventually(t, "blue is in order", func() error { return s.inOrder(t, "blue") })
	})
	before := blue.workload(t)
	timed(t, "its Secret is deleted, until it is gone", func() {
		if err := s.management.Delete(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is gone", func() error { return s.noApplication(t, "blue") })
	})
	same(t, "the workload", before, blue.workload(t))
}
