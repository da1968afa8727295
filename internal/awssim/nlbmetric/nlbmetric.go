// Package nlbmetric writes a network load balancer's metrics down as AWS/NetworkELB has
// them: flows, bytes and resets of the load balancer and of each of its zones, and of a
// target group the host counts only. Nothing says to which group a flow went.
package nlbmetric

import (
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/albmetric"
	"github.com/norikae/norikae/internal/awssim/model"
)

const namespace = "AWS/NetworkELB"

// Flows of one protocol in a period. A TCP connection is one flow.
type Flows struct {
	New    int64
	Active int64 // at the end of the period
	Bytes  int64 // to and from targets
}

func (f *Flows) add(o Flows) {
	f.New += o.New
	f.Active += o.Active
	f.Bytes += o.Bytes
}

// Tally of one load balancer in a period.
type Tally struct {
	TCP, TLS, UDP        Flows
	ClientResets         int64
	TargetResets         int64
	ELBResets            int64
	PortAllocationErrors int64
	UnhealthyRouting     int64 // flows that went to any target because too few were healthy
}

// Of is the flows that a listener's protocol counts: TCP, TLS or UDP.
func (t *Tally) Of(protocol string) *Flows {
	switch protocol {
	case "TLS":
		return &t.TLS
	case "UDP":
		return &t.UDP
	default:
		return &t.TCP
	}
}

// Report is the data of a load balancer for the period that began at start. A load
// balancer is taken to have one node in each zone, with an equal part of the traffic:
// each node is one sample. As on AWS there is a data point where there is a value other
// than 0, so none at all without traffic.
func Report(start time.Time, balancerARN string, zones []string, t Tally) []model.Datum {
	nodes := max(1, len(zones))
	names, values := t.list()
	balancer := sheet(start, balancerARN)
	parts := make([]albmetric.Sheet, len(zones))
	for i, zone := range zones {
		parts[i] = sheet(start, balancerARN, model.Dimension{Name: "AvailabilityZone", Value: zone})
	}
	for i, name := range names {
		unit := "Count"
		if strings.HasPrefix(name, bytesName) {
			unit = "Bytes"
		}
		var all albmetric.Statistics
		for n := range nodes {
			v := float64(values[i] / int64(nodes))
			if int64(n) < values[i]%int64(nodes) {
				v++
			}
			if v == 0 {
				continue
			}
			all.Merge(albmetric.Of(v))
			if n < len(parts) {
				parts[n].Single(name, unit, v)
			}
		}
		if all.Count > 0 {
			balancer.Put(name, unit, all, nil)
		}
	}
	out := balancer.Data
	for _, p := range parts {
		out = append(out, p.Data...)
	}
	return out
}

const bytesName = "ProcessedBytes"

// list names the metrics and their values, in a stable order.
func (t *Tally) list() (names []string, values []int64) {
	put := func(name string, v int64) {
		names = append(names, name)
		values = append(values, v)
	}
	var all Flows
	for _, f := range []struct {
		suffix string
		flows  Flows
	}{{"_TCP", t.TCP}, {"_TLS", t.TLS}, {"_UDP", t.UDP}} {
		all.add(f.flows)
		put("NewFlowCount"+f.suffix, f.flows.New)
		put("ActiveFlowCount"+f.suffix, f.flows.Active)
		put(bytesName+f.suffix, f.flows.Bytes)
	}
	put("NewFlowCount", all.New)
	put("ActiveFlowCount", all.Active)
	put(bytesName, all.Bytes)
	put("TCP_Client_Reset_Count", t.ClientResets)
	put("TCP_Target_Reset_Count", t.TargetResets)
	put("TCP_ELB_Reset_Count", t.ELBResets)
	put("PortAllocationErrorCount", t.PortAllocationErrors)
	put("UnhealthyRoutingFlowCount", t.UnhealthyRouting)
	return names, values
}

// Hosts is the data of a target group behind a load balancer, 0 included; zone is "" for
// all zones together.
func Hosts(start time.Time, balancerARN, groupARN, zone string, healthy, unhealthy albmetric.Statistics) []model.Datum {
	s := sheet(start, balancerARN, model.Dimension{Name: "TargetGroup", Value: model.TargetGroupDimension(groupARN)})
	if zone != "" {
		s.Dimensions = append(s.Dimensions, model.Dimension{Name: "AvailabilityZone", Value: zone})
	}
	s.Hosts(healthy, unhealthy)
	return s.Data
}

func sheet(start time.Time, balancerARN string, more ...model.Dimension) albmetric.Sheet {
	dims := append([]model.Dimension{{Name: "LoadBalancer", Value: model.LoadBalancerDimension(balancerARN)}}, more...)
	return albmetric.Sheet{Namespace: namespace, Start: start, Dimensions: dims}
}
