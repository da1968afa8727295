package terraform

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// hurried is a resource whose operations may take no longer than they get.
type hurried struct {
	address string
	// hcl with these timeouts. Another revision is something to update.
	hcl     func(l *lab, timeouts string, revision int) string
	updates bool // eksctl is run for an update
	there   func(t *testing.T, l *lab) bool
}

func clusterNamed(name string) func(*lab, string, int) string {
	return func(l *lab, timeouts string, revision int) string {
		return fmt.Sprintf(`
resource "eksctl_cluster" "this" {
  name   = %q
  region = %q
  spec   = <<-EOS
    managedNodeGroups:
      - name: ng%d
  EOS
  timeouts {
%s
  }
}
`, name, l.Region, revision, timeouts)
	}
}

func hurries() []hurried {
	beside := func(resource, rest string) func(*lab, string, int) string {
		return func(l *lab, timeouts string, _ int) string {
			return fmt.Sprintf("resource %q \"this\" {\n  cluster = \"host\"\n  region = %q\n  name = \"late\"\n%s\n  timeouts {\n%s\n  }\n}\n", resource, l.Region, rest, timeouts)
		}
	}
	return []hurried{
		{
			address: "eksctl_cluster.this", hcl: clusterNamed("late"), updates: true,
			there: func(t *testing.T, l *lab) bool { return slices.Contains(l.names(t), "late") },
		},
		{
			address: "eksctl_nodegroup.this", hcl: beside("eksctl_nodegroup", "managed = true"),
			there: func(t *testing.T, l *lab) bool { return slices.Contains(l.managed(t, "host"), "late") },
		},
		{
			address: "eksctl_iamserviceaccount.this", hcl: beside("eksctl_iamserviceaccount", `attach_policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"`),
			there: func(t *testing.T, l *lab) bool { return l.tagged(t, "host", "standin/serviceaccount/default/late") },
		},
	}
}

const host = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata: {name: host, region: REGION}\n"

// An operation that takes too long is ended, and says which timeout to raise; the state has
// what is live, and the next apply goes on from there.
func TestTimeoutsOfClusters(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	l.eksctl(t, strings.ReplaceAll(host, "REGION", l.Region), "create", "cluster", "-f", "-")
	for _, h := range hurries() {
		t.Run(h.address, func(t *testing.T) {
			t.Parallel()
			h.runsOut(t, l)
		})
	}
}

// Timeouts: the one that is short is named.
func short(operation string, operations ...string) string {
	var b strings.Builder
	for _, o := range operations {
		d := "5m"
		if o == operation {
			d = "1s"
		}
		fmt.Fprintf(&b, "    %s = %q\n", o, d)
	}
	return b.String()
}

func (h hurried) runsOut(t *testing.T, l *lab) {
	operations := []string{"create", "delete"}
	if h.updates {
		operations = append(operations, "update")
	}
	f, _ := l.clusters(t, "")
	late := func(operation string, args ...string) {
		t.Helper()
		env := f.env
		f.env = append(slices.Clone(env), "EKSCTL_SLEEP=5m")
		began := time.Now()
		contains(t, f.fails(t, append(args, "-auto-approve")...).errors(), "timeouts."+operation, "interrupted")
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s to end after a timeout of 1s", took)
		}
		f.env = env
	}
	set := func(operation string, revision int) { f.write(t, h.hcl(l, short(operation, operations...), revision)) }

	set("create", 1)
	late("create", "apply")
	if state := f.state(t); len(state) != 0 || h.there(t, l) {
		t.Errorf("nothing was made, and the state has %q; it is there: %t", state, h.there(t, l))
	}
	set("update", 1)
	f.apply(t)
	f.empty(t)
	if h.updates {
		set("update", 2)
		late("update", "apply")
		f.pending(t)
		set("delete", 2)
		f.apply(t)
		f.empty(t)
	}
	set("delete", 2)
	f.apply(t)
	late("delete", "destroy")
	if state := f.state(t); len(state) != 1 || !h.there(t, l) {
		t.Errorf("it was not deleted, and the state has %q; it is there: %t", state, h.there(t, l))
	}
	set("", 2)
	f.apply(t)
	f.ok(t, "destroy", "-auto-approve", "-no-color")
	if h.there(t, l) {
		t.Error("it is there after destroy")
	}
}
