package terraform

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
)

// killed runs Terraform until eksctl runs and more is true, kills Terraform and the provider
// together, and returns what runs on: eksctl, which is in a process group of its own.
func (f *folder) killed(t *testing.T, s *standin, more func() bool, args ...string) (eksctl int) {
	t.Helper()
	s.runs(t)
	p := f.start(t, append(args, "-auto-approve", "-no-color")...)
	var runs []ran
	until(t, "eksctl runs", func() bool {
		select {
		case <-p.done:
			t.Fatalf("it had ended by itself:\n%s%s", p.out.String(), p.err.String())
		default:
		}
		runs = append(runs, s.runs(t)...)
		return len(runs) > 0 && more()
	})
	eksctl = runs[len(runs)-1].PID
	t.Cleanup(func() { _ = syscall.Kill(eksctl, syscall.SIGKILL) })
	p.kill()
	if r := p.wait(t); r.code != -1 {
		t.Fatalf("it was not killed: exit code %d\n%s", r.code, r)
	}
	return eksctl
}

// ended waits for a process that is nobody's child here.
func ended(t *testing.T, pid int) {
	t.Helper()
	until(t, "eksctl has ended", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
}

// status of a cluster; "": there is none.
func (l *lab) status(t *testing.T, name string) types.ClusterStatus {
	t.Helper()
	out, err := l.eks().DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
	if gone := new(types.ResourceNotFoundException); errors.As(err, &gone) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Cluster.Status
}

// tagged tells whether a cluster has a tag.
func (l *lab) tagged(t *testing.T, name, key string) bool {
	t.Helper()
	out, err := l.eks().DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	_, ok := out.Cluster.Tags[key]
	return ok
}

// Whoever kills Terraform and the provider does not reach eksctl. Killed before it has begun,
// it ends at the first line that nobody reads any more; after that it, or CloudFormation,
// goes on. Either way the next runs of Terraform get to what is declared.
func TestClustersWhoseTerraformIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("before eksctl has begun", func(t *testing.T) {
		t.Parallel()
		l := startLab(t, "--seed", "")
		f, s := l.clusters(t, clusterNamed("early")(l, "", 1))
		env := f.env
		f.env = append(slices.Clone(env), "EKSCTL_SLEEP=5s")
		pid := f.killed(t, s, func() bool { return true }, "apply")
		f.env = env
		f.apply(t)
		f.empty(t)
		ended(t, pid)
		f.empty(t)
		f.ok(t, "destroy", "-auto-approve")
	})
	t.Run("while EKS makes the cluster", func(t *testing.T) {
		t.Parallel()
		l := startLab(t, "--seed", "")
		f, s := l.clusters(t, clusterNamed("halfway")(l, "", 1))
		l.fault(t, `{"kind":"cluster-delay","duration":"4s"}`)
		pid := f.killed(t, s, func() bool { return l.status(t, "halfway") == types.ClusterStatusCreating }, "apply")
		l.clearFaults(t)
		// Nothing is made twice, and nothing is taken over without being asked.
		text := f.fails(t, "apply", "-auto-approve").errors()
		contains(t, text, "exists already", "terraform import eksctl_cluster.NAME "+l.Region+"/halfway")
		if state := f.state(t); len(state) != 0 {
			t.Errorf("the state has %q", state)
		}
		ended(t, pid)
		until(t, "the cluster is made", func() bool { return l.status(t, "halfway") == types.ClusterStatusActive })
		f.ok(t, "import", "-no-color", "eksctl_cluster.this", l.Region+"/halfway")
		f.apply(t)
		f.empty(t)
		if got := l.managed(t, "halfway"); !slices.Equal(got, []string{"ng1"}) {
			t.Errorf("node groups: %q", got)
		}
		f.ok(t, "destroy", "-auto-approve")
	})
	t.Run("in an update, and while it is deleted", func(t *testing.T) {
		t.Parallel()
		l := startLab(t, "--seed", "")
		f, s := l.clusters(t, clusterNamed("later")(l, "", 1))
		f.apply(t)
		f.write(t, clusterNamed("later")(l, "", 2))
		const slow = 8 * time.Second // of the new node group
		l.fault(t, fmt.Sprintf(`{"kind":"cluster-delay","duration":%q}`, slow))
		pid := f.killed(t, s, func() bool { return slices.Contains(l.managed(t, "later"), "ng2") }, "apply")
		l.clearFaults(t)
		_ = syscall.Kill(pid, syscall.SIGKILL) // as with the whole machine
		made, before := l.created(t, "later", "ng2"), len(l.calls(t))
		f.apply(t)
		f.empty(t)
		if got := l.managed(t, "later"); !slices.Equal(got, []string{"ng2"}) {
			t.Errorf("node groups: %q", got)
		}
		for _, c := range l.calls(t)[before:] {
			if ready := made.Add(slow); c.Operation == "DeleteNodegroup" && c.Time.Before(ready) {
				t.Errorf("the old node group was deleted %s before the new one could take its pods", ready.Sub(c.Time))
			}
		}
		l.fault(t, `{"kind":"cluster-delay","duration":"3s"}`)
		pid = f.killed(t, s, func() bool { return l.deleting(t, "later", "ng2") }, "destroy")
		f.ok(t, "destroy", "-auto-approve")
		ended(t, pid)
		if s := l.status(t, "later"); s != "" {
			t.Errorf("the cluster is %s", s)
		}
	})
}

// created is when a node group was.
func (l *lab) created(t *testing.T, cluster, name string) time.Time {
	t.Helper()
	out, err := l.eks().DescribeNodegroup(t.Context(), &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToTime(out.Nodegroup.CreatedAt)
}

// deleting tells whether a node group is being deleted.
func (l *lab) deleting(t *testing.T, cluster, name string) bool {
	t.Helper()
	n, err := l.eks().DescribeNodegroup(t.Context(), &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &name})
	return err == nil && n.Nodegroup.Status == types.NodegroupStatusDeleting
}
