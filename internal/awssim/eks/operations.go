package eks

import (
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	return operations().Operations(
		"ActivateCertificateAuthority", "AssociateEncryptionConfig", "AssociateIdentityProviderConfig", "CancelUpdate",
		"CreateCapability", "CreateCertificateAuthority", "CreateEksAnywhereSubscription", "CreateFargateProfile",
		"DeleteCapability", "DeleteCertificateAuthority", "DeleteEksAnywhereSubscription", "DeleteFargateProfile", "DeregisterCluster",
		"DescribeAddonConfiguration", "DescribeCapability", "DescribeCertificateAuthority", "DescribeEksAnywhereSubscription",
		"DescribeFargateProfile", "DescribeIdentityProviderConfig", "DescribeInsight", "DescribeInsightsRefresh",
		"DisassociateIdentityProviderConfig", "ListCapabilities", "ListCertificateAuthorities", "ListEksAnywhereSubscriptions",
		"ListFargateProfiles", "ListIdentityProviderConfigs", "ListInsights", "RegisterCluster", "StartInsightsRefresh",
		"UpdateCapability", "UpdateEksAnywhereSubscription",
	)
}

// operation is one that is answered.
type operation = wire.Entry[*call]

// at puts an operation at a method and a path.
func at(method, path string, handle handler, name string) operation {
	return wire.Full(name, handle).At(wire.Route{Method: method, Path: path})
}

const (
	noIAM   = "Roles are checked by form only."
	noNodes = "There are no nodes: sizes, labels and taints are kept and shown."
	noPods  = "Nothing is installed in a cluster."
)

// Paths of the API.
const (
	clustersPath   = "/clusters"
	clusterPath    = "/clusters/{name}"
	updatesPath    = clusterPath + "/updates"
	insidePath     = "/clusters/{clusterName}"
	entriesPath    = insidePath + "/access-entries"
	entryPath      = entriesPath + "/{principalArn}"
	nodegroupsPath = insidePath + "/node-groups"
	nodegroupPath  = nodegroupsPath + "/{nodegroupName}"
	addonsPath     = insidePath + "/addons"
	addonPath      = addonsPath + "/{addonName}"
	identitiesPath = insidePath + "/pod-identity-associations"
	identityPath   = identitiesPath + "/{associationId}"
	tagsPath       = "/tags/{resourceArn+}"
)

// Registration of s with a wire.Mux.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{Name: "eks", Version: "2017-11-01", RESTJSON: true, Service: s, Routes: operations().Routes()}
}

// operations is the table of what the service answers.
func operations() wire.Table[*call] {
	return slices.Concat(clusterOperations(), accessOperations(), insideOperations())
}

func clusterOperations() []operation {
	return []operation{
		at("POST", clustersPath, (*call).createCluster, "CreateCluster").But("Roles, security groups and keys are checked by form only; " +
			"no Outposts, Auto Mode or hybrid nodes; there is a Kubernetes API only where the lab gives it one."),
		at("GET", clusterPath, (*call).describeCluster, "DescribeCluster"),
		at("GET", clustersPath, (*call).listClusters, "ListClusters").But("No clusters of EKS Connector."),
		at("DELETE", clusterPath, (*call).deleteCluster, "DeleteCluster"),
		at("POST", updatesPath, (*call).updateClusterVersion, "UpdateClusterVersion").But("Rollback: once, by one minor within 7 days, " +
			"unless a node group has the newer version; no insights block an update, so force and rollbackConfig change nothing."),
		at("POST", clusterPath+"/update-config", (*call).updateClusterConfig, "UpdateClusterConfig").But("Endpoint access, subnets and security groups, " +
			"logging, authentication mode, deletion protection, upgrade policy, zonal shift."),
		at("GET", updatesPath+"/{updateId}", (*call).describeUpdate, "DescribeUpdate"),
		at("GET", updatesPath, (*call).listUpdates, "ListUpdates"),
		at("GET", "/cluster-versions", (*call).describeClusterVersions, "DescribeClusterVersions").But("Dates and patch versions are made up by a rule."),
		at("POST", tagsPath, (*call).tagResource, "TagResource"),
		at("DELETE", tagsPath, (*call).untagResource, "UntagResource"),
		at("GET", tagsPath, (*call).listTagsForResource, "ListTagsForResource"),
	}
}

func accessOperations() []operation {
	const policies = entryPath + "/access-policies"
	return []operation{
		at("POST", entriesPath, (*call).createAccessEntry, "CreateAccessEntry").But(noIAM),
		at("GET", entryPath, (*call).describeAccessEntry, "DescribeAccessEntry"),
		at("GET", entriesPath, (*call).listAccessEntries, "ListAccessEntries"),
		at("POST", entryPath, (*call).updateAccessEntry, "UpdateAccessEntry"),
		at("DELETE", entryPath, (*call).deleteAccessEntry, "DeleteAccessEntry"),
		at("POST", policies, (*call).associateAccessPolicy, "AssociateAccessPolicy"),
		at("DELETE", policies+"/{policyArn}", (*call).disassociateAccessPolicy, "DisassociateAccessPolicy"),
		at("GET", policies, (*call).listAssociatedAccessPolicies, "ListAssociatedAccessPolicies"),
		at("GET", "/access-policies", (*call).listAccessPolicies, "ListAccessPolicies").But("Those for people and programs."),
		at("POST", identitiesPath, (*call).createPodIdentityAssociation, "CreatePodIdentityAssociation").But(noIAM),
		at("GET", identityPath, (*call).describePodIdentityAssociation, "DescribePodIdentityAssociation"),
		at("GET", identitiesPath, (*call).listPodIdentityAssociations, "ListPodIdentityAssociations"),
		at("POST", identityPath, (*call).updatePodIdentityAssociation, "UpdatePodIdentityAssociation").But(noIAM),
		at("DELETE", identityPath, (*call).deletePodIdentityAssociation, "DeletePodIdentityAssociation"),
	}
}

func insideOperations() []operation {
	return []operation{
		at("POST", nodegroupsPath, (*call).createNodegroup, "CreateNodegroup").But(noNodes + " " + noIAM),
		at("GET", nodegroupPath, (*call).describeNodegroup, "DescribeNodegroup"),
		at("GET", nodegroupsPath, (*call).listNodegroups, "ListNodegroups"),
		at("POST", nodegroupPath+"/update-config", (*call).updateNodegroupConfig, "UpdateNodegroupConfig").But(noNodes),
		at("POST", nodegroupPath+"/update-version", (*call).updateNodegroupVersion, "UpdateNodegroupVersion").But(noNodes),
		at("DELETE", nodegroupPath, (*call).deleteNodegroup, "DeleteNodegroup"),
		at("POST", addonsPath, (*call).createAddon, "CreateAddon").But(noPods + " No pod identities of add-ons."),
		at("GET", addonPath, (*call).describeAddon, "DescribeAddon"),
		at("GET", addonsPath, (*call).listAddons, "ListAddons"),
		at("POST", addonPath+"/update", (*call).updateAddon, "UpdateAddon").But(noPods + " No pod identities of add-ons."),
		at("DELETE", addonPath, (*call).deleteAddon, "DeleteAddon").But(noPods),
		at("GET", "/addons/supported-versions", (*call).describeAddonVersions, "DescribeAddonVersions").But("Six of AWS's own add-ons, with made-up versions."),
	}
}
