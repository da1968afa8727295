package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/kubetest"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/registry"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

const kindClusterSet = "kind: ClusterSet\n"

// clusterSets are the ClusterSets that people copy: the files of examples/ and the YAML
// blocks of the pages, by where they stand.
func clusterSets(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob(filepath.Join(root, "examples", "clusterset*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range slices.Concat(files, pages, []string{filepath.Join(root, "README.md")}) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(file, root+"/")
		if strings.HasSuffix(name, ".yaml") {
			out[name] = string(text)
			continue
		}
		for i, block := range yamlBlocks(string(text)) {
			if strings.Contains(block, kindClusterSet) && strings.HasPrefix(block, "apiVersion: norikae.dev/") {
				out[fmt.Sprintf("%s, block %d", name, i+1)] = block
			}
		}
	}
	return out
}

// sample is a cluster that has the tags that an example asks for.
func sample(set *registry.Set) registry.Cluster {
	region := set.Sources[0].Regions[0]
	partition := "aws"
	if strings.HasPrefix(region, "cn-") {
		partition = "aws-cn"
	}
	return registry.Cluster{
		ID:     registry.ID{Partition: partition, Account: "111122223333", Region: region, Name: "prod-blue"},
		Status: registry.Active, Version: "1.36", Endpoint: "https://0123456789ABCDEF.gr7.eks.amazonaws.com", CA: "QUFB", VPC: "vpc-0123",
		Tags: map[string]string{"env": "production", "environment": "production", "team": "web", "fleet": "main", "tier": "web"}, Created: time.Unix(1_700_000_000, 0),
	}
}

func TestEveryClusterSetThatPeopleCopyIsGood(t *testing.T) {
	all := clusterSets(t)
	if len(all) < 5 {
		t.Errorf("only %d ClusterSets were found", len(all))
	}
	for name, text := range all {
		t.Run(name, func(t *testing.T) {
			sets, err := manifest.LoadClusterSets(name, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, cs := range sets {
				if cs.Namespace == "" {
					cs.Namespace = "argocd"
				}
				set, err := manifest.CompileClusterSet(cs)
				if err != nil {
					t.Fatal(err)
				}
				r, err := set.Render(sample(set))
				if err != nil {
					t.Fatal(err)
				}
				if r.ClusterName == "" || r.Server == "" || (r.Config == "") != set.Auth.EKSARN {
					t.Errorf("a cluster is registered as %+v", r)
				}
			}
		})
	}
}

func TestTheAPIServerTakesEveryClusterSetThatPeopleCopy(t *testing.T) {
	c := kube.Cluster(t)
	all := clusterSets(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		// In the test's own namespace.
		text := strings.NewReplacer(", namespace: argocd}", "}", "\n  namespace: argocd\n", "\n").Replace(all[name])
		if out, ok := c.Kubectl(t, text, "apply", "--dry-run=server", "--validate=strict", "-f", "-"); !ok {
			t.Errorf("%s: %s", name, out)
		}
	}
}
