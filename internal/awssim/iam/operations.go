package iam

import (
	"cmp"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists what the API has that clients of clusters and load balancers use,
// sorted by name. The rest of the API is absent.
func Operations() []wire.Operation {
	var out []wire.Operation
	for _, op := range operations() {
		out = append(out, op.Operation)
	}
	for _, name := range []string{
		"AddUserToGroup", "CreateAccountAlias", "CreateGroup", "CreateLoginProfile", "CreateSAMLProvider", "CreateServiceLinkedRole",
		"DeleteServiceLinkedRole", "EnableMFADevice", "GenerateCredentialReport", "GetAccessKeyLastUsed", "GetAccountAuthorizationDetails",
		"GetAccountPasswordPolicy", "GetAccountSummary", "GetContextKeysForPrincipalPolicy", "GetGroup", "ListAccountAliases",
		"ListEntitiesForPolicy", "ListGroups", "ListGroupsForUser", "ListMFADevices", "ListServerCertificates", "SimulateCustomPolicy",
		"UpdateUser", "UploadServerCertificate",
	} {
		out = append(out, wire.Operation{Name: name, Fidelity: wire.Absent})
	}
	slices.SortFunc(out, func(a, b wire.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

type operation struct {
	wire.Operation
	handle handler
}

func full(name string, h handler) operation {
	return operation{wire.Operation{Name: name, Fidelity: wire.Simulated}, h}
}

func partly(name, how string, h handler) operation {
	return operation{wire.Operation{Name: name, Fidelity: wire.Simplified, How: how}, h}
}

// operations is the table of what the service answers.
func operations() []operation {
	tagged := func(kind string, find func(*call) (*tags, error)) []operation {
		tag, untag, list := tagging(find)
		return []operation{full("Tag"+kind, tag), full("Untag"+kind, untag), full("List"+kind+"Tags", list)}
	}
	return slices.Concat(roleOperations(), userOperations(), policyOperations(), otherOperations(),
		tagged("Role", roleTags), tagged("User", userTags), tagged("Policy", policyTags),
		tagged("InstanceProfile", profileTags), tagged("OpenIDConnectProvider", providerTags))
}

func roleOperations() []operation {
	p := policyOps{"role", roleHolder}
	const trust = "the principals of a trust policy need not exist"
	return []operation{
		partly("CreateRole", trust, (*call).createRole),
		partly("GetRole", "without RoleLastUsed", (*call).getRole),
		full("ListRoles", (*call).listRoles),
		full("UpdateRole", (*call).updateRole),
		full("UpdateRoleDescription", (*call).updateRoleDescription),
		partly("UpdateAssumeRolePolicy", trust, (*call).updateAssumeRolePolicy),
		full("DeleteRole", (*call).deleteRole),
		full("PutRolePolicy", p.put),
		full("GetRolePolicy", p.get),
		full("DeleteRolePolicy", p.remove),
		full("ListRolePolicies", p.list),
		full("AttachRolePolicy", p.attach),
		full("DetachRolePolicy", p.detach),
		full("ListAttachedRolePolicies", p.listAttached),
		full("PutRolePermissionsBoundary", p.putBoundary),
		full("DeleteRolePermissionsBoundary", p.deleteBoundary),
	}
}

func userOperations() []operation {
	p := policyOps{"user", userHolder}
	return []operation{
		full("CreateUser", (*call).createUser),
		partly("GetUser", "without PasswordLastUsed; the lab's own user does not exist", (*call).getUser),
		full("ListUsers", (*call).listUsers),
		full("DeleteUser", (*call).deleteUser),
		full("PutUserPolicy", p.put),
		full("GetUserPolicy", p.get),
		full("DeleteUserPolicy", p.remove),
		full("ListUserPolicies", p.list),
		full("AttachUserPolicy", p.attach),
		full("DetachUserPolicy", p.detach),
		full("ListAttachedUserPolicies", p.listAttached),
		full("CreateAccessKey", (*call).createAccessKey),
		full("UpdateAccessKey", (*call).updateAccessKey),
		full("DeleteAccessKey", (*call).deleteAccessKey),
		full("ListAccessKeys", (*call).listAccessKeys),
	}
}

func policyOperations() []operation {
	const aws = "AWS's own policies exist under any name; some twenty grant shortened permissions, the others none"
	return []operation{
		full("CreatePolicy", (*call).createPolicy),
		partly("GetPolicy", aws, (*call).getPolicy),
		partly("ListPolicies", aws, (*call).listPolicies),
		full("DeletePolicy", (*call).deletePolicy),
		full("CreatePolicyVersion", (*call).createPolicyVersion),
		partly("GetPolicyVersion", aws, (*call).getPolicyVersion),
		partly("ListPolicyVersions", aws, (*call).listPolicyVersions),
		full("SetDefaultPolicyVersion", (*call).setDefaultPolicyVersion),
		full("DeletePolicyVersion", (*call).deletePolicyVersion),
		partly("SimulatePrincipalPolicy", "without resource policies and missing context keys", (*call).simulatePrincipalPolicy),
	}
}

func otherOperations() []operation {
	return []operation{
		partly("CreateOpenIDConnectProvider", "the issuer is not asked for its certificate", (*call).createProvider),
		full("GetOpenIDConnectProvider", (*call).getProvider),
		full("ListOpenIDConnectProviders", (*call).listProviders),
		full("DeleteOpenIDConnectProvider", (*call).deleteProvider),
		partly("UpdateOpenIDConnectProviderThumbprint", "thumbprints are kept, not verified", (*call).updateThumbprints),
		full("AddClientIDToOpenIDConnectProvider", (*call).addClientID),
		full("RemoveClientIDFromOpenIDConnectProvider", (*call).removeClientID),
		full("CreateInstanceProfile", (*call).createProfile),
		full("GetInstanceProfile", (*call).getProfile),
		full("ListInstanceProfiles", (*call).listProfiles),
		full("ListInstanceProfilesForRole", (*call).listProfilesForRole),
		full("AddRoleToInstanceProfile", (*call).addRoleToProfile),
		full("RemoveRoleFromInstanceProfile", (*call).removeRoleFromProfile),
		full("DeleteInstanceProfile", (*call).deleteProfile),
	}
}
