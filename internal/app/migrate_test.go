package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/norikae/norikae/internal/fleettest"
)

// oldSecret is as argocd-clusterset and okra made them: named as the cluster, in EKS and in
// Argo CD.
func (p *ground) oldSecret(t *testing.T, cluster, server string) {
	t.Helper()
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: cluster, Labels: map[string]string{"argocd.argoproj.io/secret-type": "cluster", "env": "prod"}},
		StringData: map[string]string{
			"name": cluster, "server": server,
			"config": fmt.Sprintf(`{"awsAuthConfig":{"clusterName":%q,"roleARN":""},"tlsClientConfig":{"insecure":false,"caData":"b2xk"}}`, cluster),
		},
	}
	if err := p.Client.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestAMigrationAdoptsTheSecretsOfTheOlderTool(t *testing.T) {
	p := newGround(t)
	old := filepath.Join(t.TempDir(), "old.yaml")
	text := fmt.Sprintf(`apiVersion: clusterset.mumo.co/v1alpha1
kind: ClusterSet
metadata: {name: fleet, namespace: %s}
spec:
  selector: {eksTags: {%s: %s}}
  template: {metadata: {labels: {env: prod}}}
`, p.Namespace, fleettest.TagKey, fleettest.TagValue)
	if err := os.WriteFile(old, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	blue, err := p.endpointOfBlue(t)
	if err != nil {
		t.Fatal(err)
	}
	p.oldSecret(t, "blue", blue)
	p.oldSecret(t, "vanished", "https://vanished.example")
	p.byHand(t, "mine", "https://mine.example", map[string]string{"env": "test"})

	migrate := []string{"migrate", "argocd-clusterset", "-f", old, "--region", p.world.Regions[0]}
	before := p.versions(t)
	code, out, errOut := p.norikae(t, append(migrate, "--adopt")...)
	if code != 2 || !strings.Contains(out, "nothing was written") || !strings.Contains(out, "https://vanished.example, which is that of no cluster") {
		t.Errorf("what it would do: exit code %d\n%s%s", code, out, errOut)
	}
	if d := cmp.Diff(before, p.versions(t)); d != "" {
		t.Fatalf("without --yes something was written (-before +after):\n%s", d)
	}
	if code, out, errOut := p.norikae(t, append(migrate, "--adopt", "--yes")...); code != 2 || !strings.Contains(out, "adopted  "+p.Namespace+"/blue") {
		t.Fatalf("exit code %d\n%s%s", code, out, errOut)
	}
	after := p.secrets(t)
	if len(after) != 3 || after["mine"].ResourceVersion == "" || before["mine"] != p.versions(t)["mine"] || before["vanished"] != p.versions(t)["vanished"] {
		t.Errorf("other Secrets were touched: before %v, after %v", before, p.versions(t))
	}
	if s := after["blue"]; s.Annotations["norikae.dev/cluster-arn"] != p.id("blue").ARN() || string(s.Data["name"]) != "blue" || strings.Contains(string(s.Data["config"]), "roleARN") {
		t.Errorf("the adopted Secret: %v, data %q", s.ObjectMeta, s.Data)
	}

	// The ClusterSet that is printed goes on with it: nothing but green is left to do.
	code, set, errOut := p.norikae(t, migrate...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errOut)
	}
	if err := os.WriteFile(p.file, []byte(strings.Replace(set, "  sources:", "  probe: {enabled: false}\n  sources:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	changes := decode(t, p.clusters(t, 1, "diff", "-o", "json")).ClusterSets[0].Changes
	if len(changes) != 1 || changes[0].ARN != p.id("green").ARN() || changes[0].Action != "create" {
		t.Errorf("left to do: %+v", changes)
	}
}
