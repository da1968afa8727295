package iam

import (
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists what the API has that clients of clusters and load balancers use,
// sorted by name. The rest of the API is absent.
func Operations() []wire.Operation {
	return operations().Operations(
		"AddUserToGroup", "CreateAccountAlias", "CreateGroup", "CreateLoginProfile", "CreateSAMLProvider", "CreateServiceLinkedRole",
		"DeleteServiceLinkedRole", "EnableMFADevice", "GenerateCredentialReport", "GetAccessKeyLastUsed", "GetAccountAuthorizationDetails",
		"GetAccountPasswordPolicy", "GetAccountSummary", "GetContextKeysForPrincipalPolicy", "GetGroup", "ListAccountAliases",
		"ListEntitiesForPolicy", "ListGroups", "ListGroupsForUser", "ListMFADevices", "ListServerCertificates", "SimulateCustomPolicy",
		"UpdateUser", "UploadServerCertificate",
	)
}

// operation is one that is answered.
type operation = wire.Entry[*call]

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	tagged := func(kind string, find func(*call) (*tags, error)) []operation {
		tag, untag, list := tagging(find)
		return []operation{wire.Full("Tag"+kind, tag), wire.Full("Untag"+kind, untag), wire.Full("List"+kind+"Tags", list)}
	}
	return slices.Concat(roleOperations(), userOperations(), policyOperations(), otherOperations(),
		tagged("Role", roleTags), tagged("User", userTags), tagged("Policy", policyTags),
		tagged("InstanceProfile", profileTags), tagged("OpenIDConnectProvider", providerTags))
}

func roleOperations() []operation {
	p := policyOps{"role", roleHolder}
	const trust = "the principals of a trust policy need not exist"
	return []operation{
		wire.Partly("CreateRole", trust, (*call).createRole),
		wire.Partly("GetRole", "without RoleLastUsed", (*call).getRole),
		wire.Full("ListRoles", (*call).listRoles),
		wire.Full("UpdateRole", (*call).updateRole),
		wire.Full("UpdateRoleDescription", (*call).updateRoleDescription),
		wire.Partly("UpdateAssumeRolePolicy", trust, (*call).updateAssumeRolePolicy),
		wire.Full("DeleteRole", (*call).deleteRole),
		wire.Full("PutRolePolicy", p.put),
		wire.Full("GetRolePolicy", p.get),
		wire.Full("DeleteRolePolicy", p.remove),
		wire.Full("ListRolePolicies", p.list),
		wire.Full("AttachRolePolicy", p.attach),
		wire.Full("DetachRolePolicy", p.detach),
		wire.Full("ListAttachedRolePolicies", p.listAttached),
		wire.Full("PutRolePermissionsBoundary", p.putBoundary),
		wire.Full("DeleteRolePermissionsBoundary", p.deleteBoundary),
	}
}

func userOperations() []operation {
	p := policyOps{"user", userHolder}
	return []operation{
		wire.Full("CreateUser", (*call).createUser),
		wire.Partly("GetUser", "without PasswordLastUsed; the lab's own user does not exist", (*call).getUser),
		wire.Full("ListUsers", (*call).listUsers),
		wire.Full("DeleteUser", (*call).deleteUser),
		wire.Full("PutUserPolicy", p.put),
		wire.Full("GetUserPolicy", p.get),
		wire.Full("DeleteUserPolicy", p.remove),
		wire.Full("ListUserPolicies", p.list),
		wire.Full("AttachUserPolicy", p.attach),
		wire.Full("DetachUserPolicy", p.detach),
		wire.Full("ListAttachedUserPolicies", p.listAttached),
		wire.Full("CreateAccessKey", (*call).createAccessKey),
		wire.Full("UpdateAccessKey", (*call).updateAccessKey),
		wire.Full("DeleteAccessKey", (*call).deleteAccessKey),
		wire.Full("ListAccessKeys", (*call).listAccessKeys),
	}
}

func policyOperations() []operation {
	const aws = "AWS's own policies exist under any name; some twenty grant shortened permissions, the others none"
	return []operation{
		wire.Full("CreatePolicy", (*call).createPolicy),
		wire.Partly("GetPolicy", aws, (*call).getPolicy),
		wire.Partly("ListPolicies", aws, (*call).listPolicies),
		wire.Full("DeletePolicy", (*call).deletePolicy),
		wire.Full("CreatePolicyVersion", (*call).createPolicyVersion),
		wire.Partly("GetPolicyVersion", aws, (*call).getPolicyVersion),
		wire.Partly("ListPolicyVersions", aws, (*call).listPolicyVersions),
		wire.Full("SetDefaultPolicyVersion", (*call).setDefaultPolicyVersion),
		wire.Full("DeletePolicyVersion", (*call).deletePolicyVersion),
		wire.Partly("SimulatePrincipalPolicy", "without resource policies and missing context keys", (*call).simulatePrincipalPolicy),
	}
}

func otherOperations() []operation {
	return []operation{
		wire.Partly("CreateOpenIDConnectProvider", "the issuer is not asked for its certificate", (*call).createProvider),
		wire.Full("GetOpenIDConnectProvider", (*call).getProvider),
		wire.Full("ListOpenIDConnectProviders", (*call).listProviders),
		wire.Full("DeleteOpenIDConnectProvider", (*call).deleteProvider),
		wire.Partly("UpdateOpenIDConnectProviderThumbprint", "thumbprints are kept, not verified", (*call).updateThumbprints),
		wire.Full("AddClientIDToOpenIDConnectProvider", (*call).addClientID),
		wire.Full("RemoveClientIDFromOpenIDConnectProvider", (*call).removeClientID),
		wire.Full("CreateInstanceProfile", (*call).createProfile),
		wire.Full("GetInstanceProfile", (*call).getProfile),
		wire.Full("ListInstanceProfiles", (*call).listProfiles),
		wire.Full("ListInstanceProfilesForRole", (*call).listProfilesForRole),
		wire.Full("AddRoleToInstanceProfile", (*call).addRoleToProfile),
		wire.Full("RemoveRoleFromInstanceProfile", (*call).removeRoleFromProfile),
		wire.Full("DeleteInstanceProfile", (*call).deleteProfile),
	}
}
