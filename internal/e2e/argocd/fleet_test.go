//go:build e2e

package argocd

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eks"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The whole life of a fleet, in the order in which it happens; each part begins where the
// one before has ended.
func TestAFleetIsRegisteredAndNothingOfItIsLostByAccident(t *testing.T) {
	t.Parallel()
	f := openFleet(t)
	shop := map[string]string{"fleet": "shop", "environment": "production", "ring": "first"}
	blue := f.registers(t, "us-east-1", "blue", shop)
	green := f.registers(t, "us-east-1", "green", shop)
	lime := f.registers(t, "eu-west-1", "lime", shop)
	f.says(t, "Ready", "True", "")
	all := []*eksCluster{blue, green, lime}

	f.followsATag(t, blue, "second")
	f.holdsLabelsThatAGeneratorSelects(t, all)
	f.survivesASelectorThatMissesAll(t, all)
	f.retires(t, lime, blue, green)
	f.survivesARevokedRole(t, []*eksCluster{blue, green})
	f.followsATag(t, blue, "third") // the tags are asked for again at once
	f.survivesAnEmptyRegion(t, blue, green)
}

// registers a new cluster: from CreateCluster to a workload that is Synced and Healthy.
func (f *fleet) registers(t *testing.T, region, name string, tags map[string]string) (c *eksCluster) {
	t.Helper()
	timed(t, name+": CreateCluster until it is ACTIVE and admits Argo CD", func() {
		c = f.lab.createCluster(t, region, name, tags)
		c.admit(t, f.argoRole)
	})
	timed(t, name+": until it has a Secret", func() {
		eventually(t, name+" has a Secret", func() error {
			if f.secret(t, name) == nil {
				return errors.New("it has none")
			}
			return nil
		})
	})
	timed(t, name+": until its Application is Synced and Healthy", func() {
		eventually(t, name+" is in order", func() error { return f.inOrder(t, name) })
	})
	return c
}

// secret by Argo CD's name of the cluster; nil when there is none.
func (f *fleet) secret(t *testing.T, cluster string) *unstructured.Unstructured {
	t.Helper()
	l := &unstructured.UnstructuredList{}
	l.SetAPIVersion("v1")
	l.SetKind("SecretList")
	if err := f.management.List(t.Context(), l, client.InNamespace(argoNamespace), client.MatchingLabels{"argocd.argoproj.io/secret-type": "cluster"}); err != nil {
		t.Fatal(err)
	}
	for i := range l.Items {
		if decoded(t, &l.Items[i], "name") == cluster {
			return &l.Items[i]
		}
	}
	return nil
}

func (f *fleet) followsATag(t *testing.T, c *eksCluster, ring string) {
	t.Helper()
	before := f.everything(t, c)
	timed(t, "a tag changes, until it is a label of the Application", func() {
		c.tag(t, map[string]string{"ring": ring})
		eventually(t, "the Application has the label", func() error {
			if got := f.application(t, c.name).GetLabels()["ring"]; got != ring {
				return fmt.Errorf("its ring is %q, the Secret's %q", got, f.secret(t, c.name).GetLabels()["ring"])
			}
			return nil
		})
	})
	same(t, "what is there", before, f.everything(t, c))
}

func (f *fleet) survivesARevokedRole(t *testing.T, all []*eksCluster) {
	t.Helper()
	before := f.everything(t, all...)
	timed(t, "wipe 3: the role is revoked; two passes", func() {
		f.lab.putPolicy(t, discoveryRole, revocation, nothing)
		f.says(t, "Discovered", "False", "")
		f.stays(t, 0, before, all...)
	})
	timed(t, "the role is given back, until the ClusterSet is Ready", func() {
		f.lab.putPolicy(t, discoveryRole, revocation, "")
		f.says(t, "Ready", "True", "")
	})
}

// The tag that the ApplicationSet selects by, through the Secrets' label, changes on all.
func (f *fleet) holdsLabelsThatAGeneratorSelects(t *testing.T, all []*eksCluster) {
	t.Helper()
	before := f.everything(t, all...)
	timed(t, "wipe 1: the tag behind the generator's label changes on all; two passes", func() {
		for _, c := range all {
			c.tag(t, map[string]string{"environment": "staging"})
		}
		f.states(t, "blue=Held", "green=Held", "lime=Held")
		f.stays(t, 0, before, all...)
	})
	timed(t, "the tag is set back, until the ClusterSet is Ready", func() {
		for _, c := range all {
			c.tag(t, map[string]string{"environment": "production"})
		}
		f.says(t, "Ready", "True", "")
	})
}

func (f *fleet) survivesASelectorThatMissesAll(t *testing.T, all []*eksCluster) {
	t.Helper()
	before := f.everything(t, all...)
	timed(t, "wipe 2: the tag that is selected changes on all; two passes", func() {
		for _, c := range all {
			c.tag(t, map[string]string{"fleet": "shopp"})
		}
		f.says(t, "Stalled", "True", "BlastRadius")
		f.stays(t, 0, before, all...)
	})
	if out, code := f.norikae(t, "clusters", "sync", "shop", "-n", argoNamespace); code != 3 {
		t.Errorf("norikae clusters sync exits with %d, want 3:\n%s", code, out)
	}
	timed(t, "the tag is set back, until the ClusterSet is Ready", func() {
		for _, c := range all {
			c.tag(t, map[string]string{"fleet": "shop"})
		}
		f.says(t, "Ready", "True", "")
	})
	same(t, "what is there", before, f.everything(t, all...))
}

// A cluster that is not selected any more keeps its Secret until a person retires it; then
// its Application goes, and its workload stays.
func (f *fleet) retires(t *testing.T, c *eksCluster, others ...*eksCluster) {
	t.Helper()
	before := f.everything(t, c)
	timed(t, "one cluster is no longer selected; two passes", func() {
		c.tag(t, map[string]string{"fleet": "retired"})
		f.states(t, c.name+"=Unselected")
		f.stays(t, 0, before, c)
	})
	workload, rest := c.workload(t), f.everything(t, others...)
	for _, key := range []string{"Secret " + f.secret(t, c.name).GetName(), "Application " + f.application(t, c.name).GetName()} {
		delete(rest, key)
	}
	timed(t, "norikae clusters retire, until its Application is gone", func() {
		if out, code := f.norikae(t, "clusters", "retire", c.name, "--set", "shop", "-n", argoNamespace, "--yes"); code != 0 {
			t.Fatalf("norikae clusters retire exits with %d:\n%s", code, out)
		}
		eventually(t, "it is gone", func() error { return f.noApplication(t, c.name) })
	})
	if s := f.secret(t, c.name); s != nil {
		t.Errorf("the Secret %s of the retired cluster is there", s.GetName())
	}
	same(t, "what is left", rest, f.everything(t, others...))
	f.stays(t, 0, rest, others...) // a pass does not bring it back
	same(t, "the workload of the retired cluster", workload, c.workload(t))
}

// Every cluster of the region is deleted, for real. That is more than may vanish at once,
// however long they are gone.
func (f *fleet) survivesAnEmptyRegion(t *testing.T, all ...*eksCluster) {
	t.Helper()
	before := f.everything(t)
	timed(t, "wipe 4: all clusters are deleted; until two passes after the grace", func() {
		for _, c := range all {
			do(t, eks.NewFromConfig(f.lab.admin(c.region)).DeleteCluster, &eks.DeleteClusterInput{Name: &c.name})
		}
		f.says(t, "Stalled", "True", "BlastRadius")
		f.stays(t, deletionGrace+5*time.Second, before)
	})
}
