package authz

import (
	"strings"
)

// iam's resources. Calls name roles, users and profiles without their path, which
// Config.Names knows.
func iam() service {
	named := func(kind, member string) func(*call) []string {
		return func(c *call) []string { return []string{c.iamARN(kind, c.p.Str(member))} }
	}
	created := func(kind, member string) func(*call) []string {
		return func(c *call) []string {
			path := strings.Trim(c.p.Str("Path"), "/")
			if path != "" {
				path += "/"
			}
			return []string{c.globalARN("iam", c.r.AccountID, kind+"/"+path+c.p.Str(member))}
		}
	}
	all := func(kind string) func(*call) []string {
		return func(c *call) []string {
			return []string{c.globalARN("iam", c.r.AccountID, kind+"/"+strings.TrimPrefix(c.p.Str("PathPrefix"), "/"))}
		}
	}
	role, user, profile := named("role", "RoleName"), named("user", "UserName"), named("instance-profile", "InstanceProfileName")
	provider := func(c *call) []string {
		url := strings.TrimPrefix(c.p.Str("Url"), "https://")
		return []string{c.globalARN("iam", c.r.AccountID, "oidc-provider/"+url)}
	}
	return service{prefix: "iam", global: true, operations: join(
		plain("GetAccountAuthorizationDetails", "GetAccountSummary", "ListAccountAliases", "ListOpenIDConnectProviders", "ListPolicies"),
		on(created("role", "RoleName"), "CreateRole"),
		on(role, "AttachRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DetachRolePolicy", "GetRole",
			"GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies", "ListRoleTags",
			"PutRolePermissionsBoundary", "PutRolePolicy", "TagRole", "UntagRole", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
		on(all("role"), "ListRoles"),
		on(created("policy", "PolicyName"), "CreatePolicy"),
		on(param("PolicyArn"), "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "GetPolicy", "GetPolicyVersion",
			"ListEntitiesForPolicy", "ListPolicyTags", "ListPolicyVersions", "SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy"),
		on(provider, "CreateOpenIDConnectProvider"),
		on(param("OpenIDConnectProviderArn"), "AddClientIDToOpenIDConnectProvider", "DeleteOpenIDConnectProvider", "GetOpenIDConnectProvider",
			"ListOpenIDConnectProviderTags", "RemoveClientIDFromOpenIDConnectProvider", "TagOpenIDConnectProvider",
			"UntagOpenIDConnectProvider", "UpdateOpenIDConnectProviderThumbprint"),
		on(created("instance-profile", "InstanceProfileName"), "CreateInstanceProfile"),
		on(profile, "DeleteInstanceProfile", "GetInstanceProfile", "ListInstanceProfileTags", "RemoveRoleFromInstanceProfile", "TagInstanceProfile",
			"UntagInstanceProfile"),
		on(all("instance-profile"), "ListInstanceProfiles"),
		on(created("user", "UserName"), "CreateUser"),
		on(user, "AttachUserPolicy", "CreateAccessKey", "DeleteAccessKey", "DeleteUser", "DeleteUserPolicy", "DetachUserPolicy", "GetUser",
			"GetUserPolicy", "ListAccessKeys", "ListAttachedUserPolicies", "ListUserPolicies", "ListUserTags", "PutUserPolicy",
			"TagUser", "UntagUser", "UpdateAccessKey"),
		on(all("user"), "ListUsers"),
		on(param("PolicySourceArn"), "SimulatePrincipalPolicy"),
		map[string]operation{
			"AddRoleToInstanceProfile": {resources: profile, also: func(c *call) []check {
				return []check{passed("ec2.amazonaws.com", role(c))}
			}},
		},
	), keys: func(c *call, k Keys) {
		k.Set("iam:PolicyARN", c.p.Str("PolicyArn"))
		k.Set("iam:PermissionsBoundary", c.p.Str("PermissionsBoundary"))
	}}
}

// iamARN finds the ARN of what a call names. Without a name it is the caller's user.
func (c *call) iamARN(kind, name string) string {
	if name == "" {
		if p, ok := c.cfg.Caller(c.r.AccessKeyID); ok && kind == "user" {
			return p.ARN
		}
	}
	if arn := c.cfg.Names(c.r.AccountID, kind, name); arn != "" {
		return arn
	}
	return c.globalARN("iam", c.r.AccountID, kind+"/"+name)
}
