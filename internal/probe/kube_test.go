package probe

import (
	"encoding/base64"
	"os"
	"testing"

	"github.com/norikae/norikae/internal/kubetest"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

func TestARealAPIServerIsReachedWithItsOwnCAOnly(t *testing.T) {
	cfg := kube.Cluster(t).Config
	ca := base64.StdEncoding.EncodeToString(cfg.CAData)
	if err := New(Config{}).Probe(t.Context(), cluster(cfg.Host, ca)); err != nil {
		t.Error(err)
	}
	fails(t, New(Config{}).Probe(t.Context(), cluster(cfg.Host, newAuthority(t).data())), "not of the CA that EKS gives")
}
