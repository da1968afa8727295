package awssim_test

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// of makes the arguments of commands of one service.
func of(service string) func(op string, args ...string) []string {
	return func(op string, args ...string) []string { return append([]string{service, op}, args...) }
}

func (s shell) credentials(pod issuer) {
	s.Helper()
	sts := of("sts")
	s.want("000000000000", "Account", sts("get-caller-identity")...)
	role := []string{"--role-arn", "arn:aws:iam::111111111111:role/deploy", "--role-session-name", "cli"}
	s.want("arn:aws:sts::111111111111:assumed-role/deploy/cli", "AssumedRoleUser.Arn", sts("assume-role", role...)...)
	key := s.run("Credentials.AccessKeyId", sts("get-session-token")...)
	s.want("000000000000", "Account", sts("get-access-key-info", "--access-key-id", key)...)

	c := iam.NewFromConfig(s.config("us-east-1", nil))
	provider := do(s.T, c.CreateOpenIDConnectProvider, &iam.CreateOpenIDConnectProviderInput{Url: aws.String(issuerURL), ClientIDList: []string{"sts.amazonaws.com"}}).OpenIDConnectProviderArn
	do(s.T, c.CreateRole, &iam.CreateRoleInput{RoleName: aws.String("pod"), AssumeRolePolicyDocument: aws.String(podTrust)})
	s.want("system:serviceaccount:web:app", "SubjectFromWebIdentityToken", sts("assume-role-with-web-identity",
		"--role-arn", "arn:aws:iam::000000000000:role/pod", "--role-session-name", "cli", "--web-identity-token", pod.token(s.T))...)
	do(s.T, c.DeleteRole, &iam.DeleteRoleInput{RoleName: aws.String("pod")})
	do(s.T, c.DeleteOpenIDConnectProvider, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider})
}

func (s shell) identities() {
	s.Helper()
	s.roles()
	s.policies()
	s.users()
	s.providers()
}

// tagged runs the three commands that a kind of resource has for its tags.
func (s shell) tagged(kind, flag, value string) {
	s.Helper()
	cmd := of("iam")
	s.run("", cmd("tag-"+kind, flag, value, "--tags", "Key=team,Value=web")...)
	s.want("web", "Tags.0.Value", cmd("list-"+kind+"-tags", flag, value)...)
	s.run("", cmd("untag-"+kind, flag, value, "--tag-keys", "team")...)
}

func (s shell) roles() {
	s.Helper()
	cmd := of("iam")
	role := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--role-name", "node"}, args...)...)
	}
	profile := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--instance-profile-name", "nodes"}, args...)...)
	}
	s.want("arn:aws:iam::000000000000:role/node", "Role.Arn", role("create-role", "--assume-role-policy-document", trustAll)...)
	s.run("", role("update-role", "--max-session-duration", "7200")...)
	s.run("", role("update-role-description", "--description", "of nodes")...)
	s.run("", role("update-assume-role-policy", "--policy-document", trustAll)...)
	s.want("sts:AssumeRole", "Role.AssumeRolePolicyDocument.Statement.0.Action", role("get-role")...)
	s.want("node", "Roles.0.RoleName", cmd("list-roles")...)
	s.run("", role("put-role-policy", "--policy-name", "all", "--policy-document", everything)...)
	s.want("*", "PolicyDocument.Statement.0.Action", role("get-role-policy", "--policy-name", "all")...)
	s.want("all", "PolicyNames.0", role("list-role-policies")...)
	s.want("allowed", "EvaluationResults.0.EvalDecision", cmd("simulate-principal-policy",
		"--policy-source-arn", "arn:aws:iam::000000000000:role/node", "--action-names", "eks:ListClusters")...)
	s.run("", role("delete-role-policy", "--policy-name", "all")...)
	s.run("", role("attach-role-policy", "--policy-arn", awsPolicy)...)
	s.want(awsPolicy, "AttachedPolicies.0.PolicyArn", role("list-attached-role-policies")...)
	s.run("", role("detach-role-policy", "--policy-arn", awsPolicy)...)
	s.run("", role("put-role-permissions-boundary", "--permissions-boundary", awsPolicy)...)
	s.run("", role("delete-role-permissions-boundary")...)
	s.tagged("role", "--role-name", "node")

	s.run("", profile("create-instance-profile")...)
	s.run("", profile("add-role-to-instance-profile", "--role-name", "node")...)
	s.want("node", "InstanceProfile.Roles.0.RoleName", profile("get-instance-profile")...)
	s.want("nodes", "InstanceProfiles.0.InstanceProfileName", cmd("list-instance-profiles")...)
	s.want("nodes", "InstanceProfiles.0.InstanceProfileName", role("list-instance-profiles-for-role")...)
	s.tagged("instance-profile", "--instance-profile-name", "nodes")
	s.run("", profile("remove-role-from-instance-profile", "--role-name", "node")...)
	s.run("", profile("delete-instance-profile")...)
	s.run("", role("delete-role")...)
}

func (s shell) policies() {
	s.Helper()
	cmd := of("iam")
	arn := s.run("Policy.Arn", cmd("create-policy", "--policy-name", "shift", "--policy-document", everything)...)
	policy := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--policy-arn", arn}, args...)...)
	}
	s.want("v2", "PolicyVersion.VersionId", policy("create-policy-version", "--policy-document", everything)...)
	s.run("", policy("set-default-policy-version", "--version-id", "v2")...)
	s.want("*", "PolicyVersion.Document.Statement.0.Action", policy("get-policy-version", "--version-id", "v2")...)
	s.want("true", "Versions.1.IsDefaultVersion", policy("list-policy-versions")...)
	s.run("", policy("delete-policy-version", "--version-id", "v1")...)
	s.want("v2", "Policy.DefaultVersionId", policy("get-policy")...)
	s.want(arn, "Policies.0.Arn", cmd("list-policies", "--scope", "Local")...)
	s.tagged("policy", "--policy-arn", arn)
	s.run("", policy("delete-policy")...)
}

func (s shell) users() {
	s.Helper()
	cmd := of("iam")
	user := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--user-name", "ann"}, args...)...)
	}
	s.run("User.Arn", user("create-user")...)
	s.want("ann", "User.UserName", user("get-user")...)
	s.want("ann", "Users.0.UserName", cmd("list-users")...)
	s.run("", user("put-user-policy", "--policy-name", "all", "--policy-document", everything)...)
	s.want("*", "PolicyDocument.Statement.0.Action", user("get-user-policy", "--policy-name", "all")...)
	s.want("all", "PolicyNames.0", user("list-user-policies")...)
	s.run("", user("delete-user-policy", "--policy-name", "all")...)
	s.run("", user("attach-user-policy", "--policy-arn", awsPolicy)...)
	s.want(awsPolicy, "AttachedPolicies.0.PolicyArn", user("list-attached-user-policies")...)
	s.run("", user("detach-user-policy", "--policy-arn", awsPolicy)...)
	s.tagged("user", "--user-name", "ann")
	key := s.run("AccessKey.AccessKeyId", user("create-access-key")...)
	s.run("", user("update-access-key", "--access-key-id", key, "--status", "Inactive")...)
	s.want("Inactive", "AccessKeyMetadata.0.Status", user("list-access-keys")...)
	s.run("", user("delete-access-key", "--access-key-id", key)...)
	s.run("", user("delete-user")...)
}

func (s shell) providers() {
	s.Helper()
	cmd, thumbprint := of("iam"), strings.Repeat("a", 40)
	arn := s.run("OpenIDConnectProviderArn", cmd("create-open-id-connect-provider", "--url", issuerURL, "--client-id-list", "sts.amazonaws.com", "--thumbprint-list", thumbprint)...)
	provider := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--open-id-connect-provider-arn", arn}, args...)...)
	}
	s.run("", provider("add-client-id-to-open-id-connect-provider", "--client-id", "other")...)
	s.run("", provider("remove-client-id-from-open-id-connect-provider", "--client-id", "sts.amazonaws.com")...)
	s.run("", provider("update-open-id-connect-provider-thumbprint", "--thumbprint-list", thumbprint)...)
	s.want("other", "ClientIDList.0", provider("get-open-id-connect-provider")...)
	s.want(arn, "OpenIDConnectProviderList.0.Arn", cmd("list-open-id-connect-providers")...)
	s.tagged("open-id-connect-provider", "--open-id-connect-provider-arn", arn)
	s.run("", provider("delete-open-id-connect-provider")...)
}

func (s shell) names() {
	s.Helper()
	cmd := of("route53")
	id := s.run("HostedZone.Id", cmd("create-hosted-zone", "--name", "shop.example.com", "--caller-reference", "once")...)
	zone := func(op string, args ...string) []string { return cmd(op, append([]string{"--id", id}, args...)...) }
	s.want("shop.example.com.", "HostedZone.Name", zone("get-hosted-zone")...)
	s.want("shop.example.com.", "HostedZones.0.Name", cmd("list-hosted-zones")...)
	s.want("shop.example.com.", "HostedZones.0.Name", cmd("list-hosted-zones-by-name", "--dns-name", "shop.example.com")...)
	s.run("", zone("update-hosted-zone-comment", "--comment", "of the shop")...)
	s.want("1", "HostedZoneCount", cmd("get-hosted-zone-count")...)
	s.want("10000", "Limit.Value", cmd("get-hosted-zone-limit", "--hosted-zone-id", id, "--type", "MAX_RRSETS_BY_ZONE")...)
	s.want("500", "Limit.Value", cmd("get-account-limit", "--type", "MAX_HOSTED_ZONES_BY_OWNER")...)

	check := s.healthCheck()
	change := func(action string, weight int) []string {
		return cmd("change-resource-record-sets", "--hosted-zone-id", id, "--change-batch", fmt.Sprintf(`{"Changes":[{"Action":%q,"ResourceRecordSet":{
			"Name":"www.shop.example.com","Type":"A","SetIdentifier":"blue","Weight":%d,"TTL":60,"ResourceRecords":[{"Value":"127.0.0.1"}],"HealthCheckId":%q}}]}`, action, weight, check))
	}
	s.run("", change("CREATE", 10)...)
	s.want("INSYNC", "ChangeInfo.Status", cmd("get-change", "--id", s.run("ChangeInfo.Id", change("UPSERT", 90)...))...)
	s.want("90", "ResourceRecordSets.0.Weight", cmd("list-resource-record-sets", "--hosted-zone-id", id, "--start-record-name", "www.shop.example.com", "--start-record-type", "A")...)
	s.want("127.0.0.1", "RecordData.0", cmd("test-dns-answer", "--hosted-zone-id", id, "--record-name", "www.shop.example.com", "--record-type", "A")...)
	s.run("", change("DELETE", 90)...)
	s.run("", cmd("delete-health-check", "--health-check-id", check)...)
	s.run("", zone("delete-hosted-zone")...)
}

// healthCheck makes one, tags it and returns its ID.
func (s shell) healthCheck() string {
	s.Helper()
	cmd := of("route53")
	id := s.run("HealthCheck.Id", cmd("create-health-check", "--caller-reference", "once", "--health-check-config", "Type=HTTP,IPAddress=192.0.2.1,Port=80,ResourcePath=/")...)
	check := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--health-check-id", id}, args...)...)
	}
	s.run("", check("update-health-check", "--resource-path", "/live")...)
	s.want("/live", "HealthCheck.HealthCheckConfig.ResourcePath", check("get-health-check")...)
	s.want(id, "HealthChecks.0.Id", cmd("list-health-checks")...)
	s.want("1", "HealthCheckCount", cmd("get-health-check-count")...)
	s.run("HealthCheckObservations.0.StatusReport.Status", check("get-health-check-status")...)
	s.run("", check("get-health-check-last-failure-reason")...)
	s.run("", cmd("change-tags-for-resource", "--resource-type", "healthcheck", "--resource-id", id, "--add-tags", "Key=team,Value=web")...)
	s.want("web", "ResourceTagSet.Tags.0.Value", cmd("list-tags-for-resource", "--resource-type", "healthcheck", "--resource-id", id)...)
	s.want("web", "ResourceTagSets.0.Tags.0.Value", cmd("list-tags-for-resources", "--resource-type", "healthcheck", "--resource-ids", id)...)
	return id
}

func (s shell) clusters() {
	s.Helper()
	cmd := of("eks")
	cluster := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--name", "blue"}, args...)...)
	}
	arn := s.run("cluster.arn", cluster("create-cluster", "--kubernetes-version", "1.34", "--role-arn", eksRole,
		"--resources-vpc-config", "subnetIds=subnet-0a,subnet-0b", "--tags", "env=prod")...)
	s.want("blue", "clusters.0", cmd("list-clusters")...)
	update := s.run("update.id", cluster("update-cluster-version", "--kubernetes-version", "1.35")...)
	s.want("Successful", "update.status", cluster("describe-update", "--update-id", update)...)
	s.run("update.id", cluster("update-cluster-config", "--resources-vpc-config", "endpointPrivateAccess=true")...)
	s.run("updateIds.1", cluster("list-updates")...)
	s.want("1.35", "cluster.version", cluster("describe-cluster")...)
	s.run("", cmd("tag-resource", "--resource-arn", arn, "--tags", "team=web")...)
	s.run("", cmd("untag-resource", "--resource-arn", arn, "--tag-keys", "env")...)
	s.want("web", "tags.team", cmd("list-tags-for-resource", "--resource-arn", arn)...)
	s.tagging(arn)
	s.inside()
	s.run("", cluster("delete-cluster")...)
}

// tagging finds the cluster, which has the tag team=web, by it.
func (s shell) tagging(arn string) {
	s.Helper()
	cmd := of("resourcegroupstaggingapi")
	s.run("", cmd("tag-resources", "--resource-arn-list", arn, "--tags", "cell=1")...)
	s.want(arn, "ResourceTagMappingList.0.ResourceARN", cmd("get-resources", "--resource-type-filters", "eks:cluster", "--tag-filters", "Key=cell,Values=1")...)
	s.want("team", "TagKeys.1", cmd("get-tag-keys")...)
	s.want("1", "TagValues.0", cmd("get-tag-values", "--key", "cell")...)
	s.run("", cmd("untag-resources", "--resource-arn-list", arn, "--tag-keys", "cell")...)
}

// inside of a cluster are node groups and add-ons.
func (s shell) inside() {
	s.Helper()
	cmd := of("eks")
	nodes := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--cluster-name", "blue", "--nodegroup-name", "workers"}, args...)...)
	}
	s.run("", nodes("create-nodegroup", "--node-role", eksRole, "--subnets", "subnet-0a", "--kubernetes-version", "1.34")...)
	s.run("", nodes("update-nodegroup-config", "--scaling-config", "minSize=1,maxSize=9,desiredSize=5")...)
	s.run("", nodes("update-nodegroup-version")...)
	s.want("1.35", "nodegroup.version", nodes("describe-nodegroup")...)
	s.want("workers", "nodegroups.0", cmd("list-nodegroups", "--cluster-name", "blue")...)
	s.run("", nodes("delete-nodegroup")...)

	addon := func(op string, args ...string) []string {
		return cmd(op, append([]string{"--cluster-name", "blue", "--addon-name", "vpc-cni"}, args...)...)
	}
	version := s.run("addons.0.addonVersions.0.addonVersion", cmd("describe-addon-versions", "--addon-name", "vpc-cni", "--kubernetes-version", "1.35")...)
	s.run("", addon("create-addon")...)
	s.run("", addon("update-addon", "--addon-version", version)...)
	s.want(version, "addon.addonVersion", addon("describe-addon")...)
	s.want("vpc-cni", "addons.0", cmd("list-addons", "--cluster-name", "blue")...)
	s.run("", addon("delete-addon")...)
}
