package eks

import (
	"cmp"
	"slices"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operations lists all operations of the API, sorted by name.
func Operations() []wire.Operation {
	var out []wire.Operation
	for _, op := range operations() {
		out = append(out, op.Operation)
	}
	for _, name := range []string{
		"ActivateCertificateAuthority", "AssociateEncryptionConfig", "AssociateIdentityProviderConfig", "CancelUpdate",
		"CreateCapability", "CreateCertificateAuthority", "CreateEksAnywhereSubscription", "CreateFargateProfile",
		"DeleteCapability", "DeleteCertificateAuthority", "DeleteEksAnywhereSubscription", "DeleteFargateProfile", "DeregisterCluster",
		"DescribeAddonConfiguration", "DescribeCapability", "DescribeCertificateAuthority", "DescribeEksAnywhereSubscription",
		"DescribeFargateProfile", "DescribeIdentityProviderConfig", "DescribeInsight", "DescribeInsightsRefresh",
		"DisassociateIdentityProviderConfig", "ListCapabilities", "ListCertificateAuthorities", "ListEksAnywhereSubscriptions",
		"ListFargateProfiles", "ListIdentityProviderConfigs", "ListInsights", "RegisterCluster", "StartInsightsRefresh",
		"UpdateCapability", "UpdateEksAnywhereSubscription",
	} {
		out = append(out, wire.Operation{Name: name, Fidelity: wire.Absent})
	}
	slices.SortFunc(out, func(a, b wire.Operation) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// operation is one that is answered, and where it is found.
type operation struct {
	wire.Operation
	method, path string
	handle       handler
}

// at puts an operation at a method and a path.
func at(method, path string, handle handler, name string) operation {
	return operation{wire.Operation{Name: name, Fidelity: wire.Simulated}, method, path, handle}
}

// but says in what way an operation is simplified.
func (o operation) but(how string) operation {
	o.Fidelity, o.How = wire.Simplified, how
	return o
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
	r := wire.Registration{Name: "eks", Version: "2017-11-01", RESTJSON: true, Service: s}
	for _, op := range operations() {
		r.Routes = append(r.Routes, wire.Route{Operation: op.Name, Method: op.method, Path: op.path})
	}
	return r
}

// operations is the table of what the service answers.
func operations() []operation {
	return slices.Concat(clusterOperations(), accessOperations(), insideOperations())
}

func clusterOperations() []operation {
	return []operation{
		at("POST", clustersPath, (*call).createCluster, "CreateCluster").but("Roles, security groups and keys are checked by form only; " +
			"no Outposts, Auto Mode or hybrid nodes; there is a Kubernetes API only where the lab gives it one."),
		at("GET", clusterPath, (*call).describeCluster, "DescribeCluster"),
		at("GET", clustersPath, (*call).listClusters, "ListClusters").but("No clusters of EKS Connector."),
		at("DELETE", clusterPath, (*call).deleteCluster, "DeleteCluster"),
		at("POST", updatesPath, (*call).updateClusterVersion, "UpdateClusterVersion").but("Rollback: once, by one minor within 7 days, " +
			"unless a node group has the newer version; no insights block an update, so force and rollbackConfig change nothing."),
		at("POST", clusterPath+"/update-config", (*call).updateClusterConfig, "UpdateClusterConfig").but("Endpoint access, subnets and security groups, " +
			"logging, authentication mode, deletion protection, upgrade policy, zonal shift."),
		at("GET", updatesPath+"/{updateId}", (*call).describeUpdate, "DescribeUpdate"),
		at("GET", updatesPath, (*call).listUpdates, "ListUpdates"),
		at("GET", "/cluster-versions", (*call).describeClusterVersions, "DescribeClusterVersions").but("Dates and patch versions are made up by a rule."),
		at("POST", tagsPath, (*call).tagResource, "TagResource"),
		at("DELETE", tagsPath, (*call).untagResource, "UntagResource"),
		at("GET", tagsPath, (*call).listTagsForResource, "ListTagsForResource"),
	}
}

func accessOperations() []operation {
	const policies = entryPath + "/access-policies"
	return []operation{
		at("POST", entriesPath, (*call).createAccessEntry, "CreateAccessEntry").but(noIAM),
		at("GET", entryPath, (*call).describeAccessEntry, "DescribeAccessEntry"),
		at("GET", entriesPath, (*call).listAccessEntries, "ListAccessEntries"),
		at("POST", entryPath, (*call).updateAccessEntry, "UpdateAccessEntry"),
		at("DELETE", entryPath, (*call).deleteAccessEntry, "DeleteAccessEntry"),
		at("POST", policies, (*call).associateAccessPolicy, "AssociateAccessPolicy"),
		at("DELETE", policies+"/{policyArn}", (*call).disassociateAccessPolicy, "DisassociateAccessPolicy"),
		at("GET", policies, (*call).listAssociatedAccessPolicies, "ListAssociatedAccessPolicies"),
		at("GET", "/access-policies", (*call).listAccessPolicies, "ListAccessPolicies").but("Those for people and programs."),
		at("POST", identitiesPath, (*call).createPodIdentityAssociation, "CreatePodIdentityAssociation").but(noIAM),
		at("GET", identityPath, (*call).describePodIdentityAssociation, "DescribePodIdentityAssociation"),
		at("GET", identitiesPath, (*call).listPodIdentityAssociations, "ListPodIdentityAssociations"),
		at("POST", identityPath, (*call).updatePodIdentityAssociation, "UpdatePodIdentityAssociation").but(noIAM),
		at("DELETE", identityPath, (*call).deletePodIdentityAssociation, "DeletePodIdentityAssociation"),
	}
}

func insideOperations() []operation {
	return []operation{
		at("POST", nodegroupsPath, (*call).createNodegroup, "CreateNodegroup").but(noNodes + " " + noIAM),
		at("GET", nodegroupPath, (*call).describeNodegroup, "DescribeNodegroup"),
		at("GET", nodegroupsPath, (*call).listNodegroups, "ListNodegroups"),
		at("POST", nodegroupPath+"/update-config", (*call).updateNodegroupConfig, "UpdateNodegroupConfig").but(noNodes),
		at("POST", nodegroupPath+"/update-version", (*call).updateNodegroupVersion, "UpdateNodegroupVersion").but(noNodes),
		at("DELETE", nodegroupPath, (*call).deleteNodegroup, "DeleteNodegroup"),
		at("POST", addonsPath, (*call).createAddon, "CreateAddon").but(noPods + " No pod identities of add-ons."),
		at("GET", addonPath, (*call).describeAddon, "DescribeAddon"),
		at("GET", addonsPath, (*call).listAddons, "ListAddons"),
		at("POST", addonPath+"/update", (*call).updateAddon, "UpdateAddon").but(noPods + " No pod identities of add-ons."),
		at("DELETE", addonPath, (*call).deleteAddon, "DeleteAddon").but(noPods),
		at("GET", "/addons/supported-versions", (*call).describeAddonVersions, "DescribeAddonVersions").but("Six of AWS's own add-ons, with made-up versions."),
	}
}
