package elbv2

import "github.com/norikae/norikae/internal/awssim/wire"

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return operations().Operations(
		"AddTrustStoreRevocations", "CreateTrustStore", "DeleteSharedTrustStoreAssociation", "DeleteTrustStore",
		"DescribeCapacityReservation", "DescribeTrustStoreAssociations", "DescribeTrustStoreRevocations", "DescribeTrustStores",
		"GetResourcePolicy", "GetTrustStoreCaCertificatesBundle", "GetTrustStoreRevocationContent",
		"ModifyCapacityReservation", "ModifyIpPools", "ModifyTrustStore", "RemoveTrustStoreRevocations",
	)
}

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	full, partly := wire.Full[*call], wire.Partly[*call]
	const noEC2 = "subnets and security groups are checked by form only; each subnet counts as a zone of its own, in one fixed VPC"
	const noQUIC = "all protocols but QUIC, TCP_QUIC and GENEVE"
	const noACM = "any well-formed certificate ARN is accepted"
	return wire.Table[*call]{
		partly("CreateLoadBalancer", "types application and network; "+noEC2, (*call).createLoadBalancer),
		full("DescribeLoadBalancers", (*call).describeLoadBalancers),
		full("DeleteLoadBalancer", (*call).deleteLoadBalancer),
		full("DescribeLoadBalancerAttributes", (*call).describeLoadBalancerAttributes),
		partly("ModifyLoadBalancerAttributes", "values are kept; log buckets are not looked at", (*call).modifyLoadBalancerAttributes),
		partly("SetSecurityGroups", noEC2, (*call).setSecurityGroups),
		partly("SetSubnets", noEC2, (*call).setSubnets),
		full("SetIpAddressType", (*call).setIPAddressType),

		partly("CreateListener", noQUIC+"; mutual authentication off or passthrough; "+noACM, (*call).createListener),
		full("DescribeListeners", (*call).describeListeners),
		partly("ModifyListener", noQUIC+"; mutual authentication off or passthrough; "+noACM, (*call).modifyListener),
		full("DeleteListener", (*call).deleteListener),
		full("DescribeListenerAttributes", (*call).describeListenerAttributes),
		partly("ModifyListenerAttributes", "header values are kept, not applied; the client certificate headers are absent", (*call).modifyListenerAttributes),
		partly("AddListenerCertificates", noACM, (*call).addListenerCertificates),
		full("RemoveListenerCertificates", (*call).removeListenerCertificates),
		full("DescribeListenerCertificates", (*call).describeListenerCertificates),

		partly("CreateRule", "on a Network Load Balancer source-ip by address type only, as on AWS, but with any number of rules; authentication actions and transforms are kept and shown, not applied to traffic", (*call).createRule),
		full("DescribeRules", (*call).describeRules),
		partly("ModifyRule", "authentication actions and transforms are kept and shown, not applied to traffic", (*call).modifyRule),
		full("DeleteRule", (*call).deleteRule),
		full("SetRulePriorities", (*call).setRulePriorities),

		partly("CreateTargetGroup", "all protocols but QUIC, TCP_QUIC and GENEVE; target types ip, instance and alb", (*call).createTargetGroup),
		full("DescribeTargetGroups", (*call).describeTargetGroups),
		full("ModifyTargetGroup", (*call).modifyTargetGroup),
		full("DeleteTargetGroup", (*call).deleteTargetGroup),
		full("DescribeTargetGroupAttributes", (*call).describeTargetGroupAttributes),
		full("ModifyTargetGroupAttributes", (*call).modifyTargetGroupAttributes),

		partly("RegisterTargets", "loopback addresses are accepted; instances need not exist", (*call).registerTargets),
		full("DeregisterTargets", (*call).deregisterTargets),
		full("DescribeTargetHealth", (*call).describeTargetHealth),

		full("AddTags", (*call).addTags),
		full("RemoveTags", (*call).removeTags),
		full("DescribeTags", (*call).describeTags),

		partly("DescribeAccountLimits", "the quotas of Application and Network Load Balancers that the simulator holds", (*call).describeAccountLimits),
		partly("DescribeSSLPolicies", "a selection of policies with shortened cipher lists", (*call).describeSSLPolicies),
	}
}
