package authz

import (
	"fmt"
	"slices"
	"strings"
)

// services by their SigV4 signing names.
func services() map[string]service {
	return map[string]service{
		"elasticloadbalancing": loadBalancing(),
		"route53":              route53(),
		"monitoring":           cloudwatch(),
		"eks":                  eks(),
		"tagging":              tagging(),
		"sts":                  sts(),
		"iam":                  iam(),
		"ec2":                  ec2(),
		"sqs":                  sqs(),
	}
}

func loadBalancing() service {
	const prefix = "elasticloadbalancing"
	// created is AddTags for what a call creates with tags; its ARN ends in "*".
	created := func(resource func(*call) string) func(*call) []check {
		return func(c *call) []check {
			if len(c.p.List("Tags")) == 0 {
				return nil
			}
			return []check{{prefix + ":AddTags", []string{resource(c)}, map[string]string{prefix + ":CreateAction": c.r.Operation}}}
		}
	}
	kind := func(c *call) string {
		return map[string]string{"network": "net", "gateway": "gwy"}[c.p.Str("Type")]
	}
	newBalancer := func(c *call) string {
		k := kind(c)
		if k == "" {
			k = "app"
		}
		return c.arn(prefix, "loadbalancer/"+k+"/"+c.p.Str("Name")+"/*")
	}
	newGroup := func(c *call) string { return c.arn(prefix, "targetgroup/"+c.p.Str("Name")+"/*") }
	below := func(member, from, to string) func(*call) string {
		return func(c *call) string { return strings.Replace(c.p.Str(member), from, to, 1) + "/*" }
	}
	one := func(f func(*call) string) func(*call) []string {
		return func(c *call) []string { return []string{f(c)} }
	}
	return service{prefix: prefix, operations: join(
		plain("DescribeAccountLimits", "DescribeListenerAttributes", "DescribeListenerCertificates", "DescribeListeners",
			"DescribeLoadBalancerAttributes", "DescribeLoadBalancers", "DescribeRules", "DescribeSSLPolicies", "DescribeTags",
			"DescribeTargetGroupAttributes", "DescribeTargetGroups", "DescribeTargetHealth"),
		on(param("LoadBalancerArn"), "DeleteLoadBalancer", "ModifyLoadBalancerAttributes", "SetIpAddressType", "SetSecurityGroups", "SetSubnets"),
		on(param("ListenerArn"), "AddListenerCertificates", "DeleteListener", "ModifyListener", "ModifyListenerAttributes", "RemoveListenerCertificates"),
		on(param("RuleArn"), "DeleteRule", "ModifyRule"),
		on(param("TargetGroupArn"), "DeleteTargetGroup", "DeregisterTargets", "ModifyTargetGroup", "ModifyTargetGroupAttributes", "RegisterTargets"),
		on(param("ResourceArns"), "AddTags", "RemoveTags"),
		map[string]operation{
			"CreateLoadBalancer": {resources: one(newBalancer), also: created(newBalancer)},
			"CreateTargetGroup":  {resources: one(newGroup), also: created(newGroup)},
			"CreateListener":     {resources: param("LoadBalancerArn"), also: created(below("LoadBalancerArn", ":loadbalancer/", ":listener/"))},
			"CreateRule":         {resources: param("ListenerArn"), also: created(below("ListenerArn", ":listener/", ":listener-rule/"))},
			"SetRulePriorities": {resources: func(c *call) []string {
				var out []string
				for _, p := range c.p.List("RulePriorities") {
					out = append(out, p.Str("RuleArn"))
				}
				return out
			}},
		},
	), keys: func(c *call, k Keys) {
		k.Set(prefix+":Scheme", c.p.Str("Scheme"))
		k.Set(prefix+":ListenerProtocol", c.p.Str("Protocol"))
		k.Set(prefix+":SecurityPolicy", c.p.Str("SslPolicy"))
		k.Set(prefix+":Subnet", c.p.Strings("Subnets")...)
		k.Set(prefix+":SecurityGroup", c.p.Strings("SecurityGroups")...)
	}}
}

func route53() service {
	resource := func(kind string, members ...string) func(*call) []string {
		return func(c *call) []string {
			id := c.first(members...)
			return []string{c.globalARN("route53", "", kind+"/"+id[strings.LastIndex(id, "/")+1:])}
		}
	}
	zone := resource("hostedzone", "HostedZoneId", "Id")
	check := resource("healthcheck", "HealthCheckId")
	tagged := func(c *call) []string { return resource(c.p.Str("ResourceType"), "ResourceId")(c) }
	return service{prefix: "route53", global: true, operations: join(
		plain("CreateHealthCheck", "CreateHostedZone", "GetAccountLimit", "GetCheckerIpRanges", "GetGeoLocation", "GetHealthCheckCount",
			"GetHostedZoneCount", "ListGeoLocations", "ListHealthChecks", "ListHostedZones", "ListHostedZonesByName", "TestDNSAnswer"),
		on(zone, "AssociateVPCWithHostedZone", "ChangeResourceRecordSets", "DeleteHostedZone", "DisassociateVPCFromHostedZone",
			"GetHostedZone", "GetHostedZoneLimit", "ListResourceRecordSets", "UpdateHostedZoneComment"),
		on(check, "DeleteHealthCheck", "GetHealthCheck", "GetHealthCheckLastFailureReason", "GetHealthCheckStatus", "UpdateHealthCheck"),
		on(resource("change", "Id", "ChangeId"), "GetChange"),
		on(tagged, "ChangeTagsForResource", "ListTagsForResource"),
		// A policy must allow it for every resource that is asked about.
		on(func(c *call) []string {
			var out []string
			for _, id := range c.p.Strings("ResourceIds") {
				out = append(out, c.globalARN("route53", "", c.p.Str("ResourceType")+"/"+id))
			}
			return out
		}, "ListTagsForResources"),
	), keys: recordKeys}
}

// recordKeys tell what a batch of record set changes touches.
func recordKeys(c *call, k Keys) {
	var names, types, actions []string
	for _, ch := range c.p.Struct("ChangeBatch").List("Changes") {
		set := ch.Struct("ResourceRecordSet")
		names = append(names, NormalizedRecordName(set.Str("Name")))
		types = append(types, set.Str("Type"))
		actions = append(actions, ch.Str("Action"))
	}
	unique := func(list []string) []string {
		slices.Sort(list)
		return slices.Compact(list)
	}
	k.Set("route53:ChangeResourceRecordSetsNormalizedRecordNames", unique(names)...)
	k.Set("route53:ChangeResourceRecordSetsRecordTypes", unique(types)...)
	k.Set("route53:ChangeResourceRecordSetsActions", unique(actions)...)
}

// NormalizedRecordName is a record's name as Route 53's condition key has it: lower case,
// without the last dot, and everything but letters, digits, "-", "_" and "." as the
// octal code of its byte. Codes that the name has already are kept.
func NormalizedRecordName(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	var b strings.Builder
	for i := range len(name) {
		switch ch := name[i]; {
		case ch >= 'a' && ch <= 'z', ch >= '0' && ch <= '9', ch == '-', ch == '_', ch == '.', ch == '\\' && isOctal(name[i+1:]):
			b.WriteByte(ch)
		default:
			fmt.Fprintf(&b, `\%03o`, ch)
		}
	}
	return b.String()
}

// isOctal tells whether s begins with three octal digits.
func isOctal(s string) bool {
	return len(s) >= 3 && strings.Trim(s[:3], "01234567") == ""
}

func cloudwatch() service {
	return service{
		prefix:     "cloudwatch",
		operations: plain("GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData"),
		keys:       func(c *call, k Keys) { k.Set("cloudwatch:namespace", c.p.Str("Namespace")) },
	}
}

func tagging() service {
	// Besides its own action, writing needs that of each resource's service. AWS tells
	// of the resources that it left out; here one refusal refuses the call.
	own := func(actions map[string]string) func(*call) []check {
		return func(c *call) []check {
			var out []check
			for _, arn := range c.p.Strings("ResourceARNList") {
				if p := strings.SplitN(arn, ":", 6); len(p) == 6 && actions[p[2]] != "" {
					out = append(out, check{action: p[2] + ":" + actions[p[2]], resources: []string{arn}})
				}
			}
			return out
		}
	}
	ops := plain("DescribeReportCreation", "GetComplianceSummary", "GetResources", "GetTagKeys", "GetTagValues")
	ops["TagResources"] = operation{also: own(map[string]string{
		"elasticloadbalancing": "AddTags", "ec2": "CreateTags", "eks": "TagResource", "route53": "ChangeTagsForResource",
	})}
	ops["UntagResources"] = operation{also: own(map[string]string{
		"elasticloadbalancing": "RemoveTags", "ec2": "DeleteTags", "eks": "UntagResource", "route53": "ChangeTagsForResource",
	})}
	return service{prefix: "tag", operations: ops}
}

func sqs() service {
	named := func(c *call) []string { return []string{c.arn("sqs", c.p.Str("QueueName"))} }
	// queue by its URL, …/ACCOUNT/NAME.
	queue := func(c *call) []string {
		p := strings.Split(c.p.Str("QueueUrl"), "/")
		return []string{c.arn("sqs", p[len(p)-1])}
	}
	ops := join(plain("ListQueues"), on(named, "CreateQueue", "GetQueueUrl"),
		on(queue, "DeleteMessage", "DeleteQueue", "GetQueueAttributes", "PurgeQueue", "ReceiveMessage", "SendMessage"))
	ops["DeleteMessageBatch"] = operation{action: "DeleteMessage", resources: queue} // batches have no actions of their own
	return service{prefix: "sqs", operations: ops}
}

func sts() service {
	ops := plain("GetAccessKeyInfo")
	// Who they are, everybody may know; a session of one's own needs no permission; and
	// who may assume a role, package sts decides.
	for _, name := range []string{"GetCallerIdentity", "GetSessionToken", "AssumeRole", "AssumeRoleWithWebIdentity"} {
		ops[name] = operation{open: true}
	}
	return service{prefix: "sts", operations: ops}
}

func eks() service {
	cluster := func(c *call) []string {
		return []string{c.arn("eks", "cluster/"+c.first("name", "clusterName"))}
	}
	// part of a cluster. Its ARN ends in an identifier that calls do not name: "*" here.
	part := func(kind, member string) func(*call) []string {
		return func(c *call) []string {
			return []string{c.arn("eks", kind+"/"+c.p.Str("clusterName")+"/"+c.p.Str(member)+"/*")}
		}
	}
	entry := func(c *call) []string {
		p := strings.SplitN(c.p.Str("principalArn"), ":", 6)
		if len(p) < 6 {
			return cluster(c)
		}
		kind, path, _ := strings.Cut(p[5], "/")
		name := path[strings.LastIndex(path, "/")+1:]
		return []string{c.arn("eks", strings.Join([]string{"access-entry", c.p.Str("clusterName"), kind, p[4], name, "*"}, "/"))}
	}
	all := func(c *call) []string { return []string{c.arn("eks", "cluster/*")} }
	return service{prefix: "eks", operations: join(
		plain("DescribeAddonConfiguration", "DescribeAddonVersions", "DescribeClusterVersions", "ListAccessPolicies"),
		on(all, "ListClusters"),
		on(cluster, "AssociateIdentityProviderConfig", "CreateAccessEntry", "CreateAddon", "CreatePodIdentityAssociation", "DeleteCluster",
			"DescribeCluster", "DescribeUpdate", "ListAccessEntries", "ListAddons", "ListFargateProfiles", "ListInsights",
			"ListIdentityProviderConfigs", "ListNodegroups", "ListPodIdentityAssociations", "ListUpdates", "UpdateClusterConfig", "UpdateClusterVersion"),
		on(part("nodegroup", "nodegroupName"), "DeleteNodegroup", "DescribeNodegroup", "UpdateNodegroupConfig", "UpdateNodegroupVersion"),
		on(part("addon", "addonName"), "DeleteAddon", "DescribeAddon", "UpdateAddon"),
		on(part("fargateprofile", "fargateProfileName"), "DeleteFargateProfile", "DescribeFargateProfile"),
		on(func(c *call) []string {
			return []string{c.arn("eks", "podidentityassociation/"+c.p.Str("clusterName")+"/"+c.p.Str("associationId"))}
		}, "DeletePodIdentityAssociation", "DescribePodIdentityAssociation", "UpdatePodIdentityAssociation"),
		on(entry, "AssociateAccessPolicy", "DeleteAccessEntry", "DescribeAccessEntry", "DisassociateAccessPolicy",
			"ListAssociatedAccessPolicies", "UpdateAccessEntry"),
		on(param("resourceArn"), "ListTagsForResource", "TagResource", "UntagResource"),
		map[string]operation{
			"CreateCluster":        {resources: cluster, also: passRole("eks.amazonaws.com", "roleArn")},
			"CreateNodegroup":      {resources: cluster, also: passRole("eks.amazonaws.com", "nodeRole")},
			"CreateFargateProfile": {resources: cluster, also: passRole("eks-fargate-pods.amazonaws.com", "podExecutionRoleArn")},
		},
	)}
}
