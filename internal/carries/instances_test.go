package carries

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/registry"
)

func byInstances() *registry.TargetGroups { return &registry.TargetGroups{Instances: true} }

func TestInstancesTellWhoseATargetGroupIs(t *testing.T) {
	for name, tag := range map[string][2]string{
		"of any tool":             {"kubernetes.io/cluster/blue", "owned"},
		"shared between clusters": {"kubernetes.io/cluster/blue", "shared"},
		"of a managed node group": {"eks:cluster-name", "blue"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, awssim.Config{}, func(w *world) {
				vpc, subnet := w.network()
				mine, others := w.instance(subnet, tag[0], tag[1]), w.instance(subnet, "kubernetes.io/cluster/green", "owned")
				a, b := w.group("a", inVPC(vpc)), w.group("b", inVPC(vpc))
				w.register(a, others, mine)
				w.register(b, others)
				w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, to(a, 1, b, 99))
				w.wantRoutes(w.look(byInstances(), cluster("blue")), "weight 1 of 100 for target group a,")
				w.wantRoutes(w.look(byInstances(), cluster("green")), "weight 1 of 100 for target group a,", "weight 99 of 100 for target group b,")
			})
		})
	}
}

func TestInstancesThatAreNotRegisteredAreNoTraffic(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		vpc, subnet := w.network()
		w.instance(subnet, "eks:cluster-name", "blue")
		green := w.instance(subnet, "eks:cluster-name", "green")
		a := w.group("a", inVPC(vpc))
		w.register(a, green)
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(a))
		w.wantRoutes(w.look(byInstances(), cluster("blue")))
	})
}

func TestAClusterWithoutInstances(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		vpc, _ := w.network()
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("a", inVPC(vpc), addresses)))
		going := cluster("blue")
		going.Status, going.VPC = registry.Deleting, vpc
		w.wantRoutes(w.look(byInstances(), going))
		w.wantRoutes(w.look(byInstances(), gone("blue")))
		w.wantUnknown(w.look(byInstances(), cluster("blue")), "no EC2 instance has a tag", "kubernetes.io/cluster/blue", "Fargate")
	})
}

func TestInstancesThatOutliveTheirClusterStillGetTraffic(t *testing.T) {
	inLab(t, awssim.Config{ClusterDelay: 5 * time.Minute}, func(w *world) {
		vpc, subnet := w.network()
		id := w.instance(subnet, "kubernetes.io/cluster/blue", "owned")
		a := w.group("a", inVPC(vpc))
		w.register(a, id)
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(a))
		w.wantRoutes(w.look(byInstances(), gone("blue")), "group a,")
		wiretest.Must(w.ec2.TerminateInstances(w.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}))(w.T)
		w.wantRoutes(w.look(byInstances(), gone("blue")), "group a,")
		time.Sleep(2 * time.Minute) // it is terminated now
		w.wantRoutes(w.look(byInstances(), gone("blue")))
	})
}

func TestWhoseAddressesAreCannotBeTold(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		vpc, subnet := w.network()
		elsewhere, _ := w.network()
		id := w.instance(subnet, "kubernetes.io/cluster/blue", "owned")
		a, pods, far := w.group("a", inVPC(vpc)), w.group("pods", inVPC(vpc), addresses), w.group("far", inVPC(elsewhere), addresses)
		w.register(a, id)
		ln := w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(far))
		w.rule(ln, 1, to(a, 0, pods, 0))
		w.wantRoutes(w.look(byInstances(), cluster("blue")))
		moved := cluster("blue")
		moved.VPC = elsewhere
		w.wantUnknown(w.look(byInstances(), moved), "for target group far", "IP addresses")

		w.rule(ln, 2, to(a, 0, pods, 1))
		w.wantUnknown(w.look(byInstances(), cluster("blue")), "rule 2 of listener HTTP:80", "weight 1 of 1 for target group pods", "IP addresses", "by name or tags")

		w.rule(ln, 3, to(a, 1, pods, 1))
		w.wantRoutes(w.look(byInstances(), cluster("blue")), "rule 3 of listener HTTP:80")
	})
}

func TestInstancesOnLaterPagesAreSeen(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		vpc, subnet := w.network()
		var last string
		for range 7 {
			last = w.instance(subnet, "kubernetes.io/cluster/blue", "owned")
		}
		a := w.group("a", inVPC(vpc))
		w.register(a, last)
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(a))
		w.fail(fault.Rule{Kind: fault.ShortPages, Service: "ec2", Operation: "DescribeInstances", Count: 2})
		w.wantRoutes(w.look(byInstances(), cluster("blue")), "group a,")
	})
}

func TestInstancesThatCannotBeReadAreNotNoTraffic(t *testing.T) {
	for op, says := range map[string]string{"DescribeInstances": "(ec2:DescribeInstances)", "DescribeTargetHealth": "(elasticloadbalancing:DescribeTargetHealth)"} {
		t.Run(op, func(t *testing.T) {
			inLab(t, awssim.Config{}, func(w *world) {
				vpc, subnet := w.network()
				w.instance(subnet, "eks:cluster-name", "blue")
				w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("a", inVPC(vpc))))
				w.fail(fault.Rule{Kind: fault.AccessDenied, Operation: op})
				w.wantUnknown(w.look(byInstances(), cluster("blue")), says)
			})
		})
	}
}
