// Package argocd keeps registrations as cluster Secrets of one Argo CD, and reads which of
// them its ApplicationSets select.
//
// A Secret is ours when it carries the whole mark: the labels LabelManagedBy, LabelSet and
// LabelSetNamespace, the annotation AnnotationSet that says the same, and the cluster's
// ARN. One with a part of it, or a mark that contradicts itself, is somebody else's: it is
// listed as such and never touched.
//
// What is written is a merge patch of nothing but our own keys, on the version that was
// read: what others keep on a Secret stays, and a Secret that has changed since is refused.
package argocd

// What Argo CD knows a cluster Secret by, and the keys of its data.
const (
	LabelSecretType   = "argocd.argoproj.io/secret-type" //nolint:gosec // a label, no secret
	SecretTypeCluster = "cluster"

	keyName       = "name"
	keyServer     = "server"
	keyConfig     = "config" // JSON, may hold credentials
	keyProject    = "project"
	keyShard      = "shard"
	keyNamespaces = "namespaces"
)

// The mark: whose Secret it is, and of which cluster.
const (
	// LabelManagedBy is always ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "norikae"
	// LabelSet is the name of the ClusterSet, LabelSetNamespace its namespace.
	LabelSet          = "norikae.dev/clusterset"
	LabelSetNamespace = "norikae.dev/clusterset-namespace"
	// AnnotationSet is NAMESPACE/NAME of the ClusterSet.
	AnnotationSet = "norikae.dev/clusterset"
	// AnnotationARN is the cluster's ARN.
	AnnotationARN = "norikae.dev/cluster-arn"
)

// What is noted beside the mark. Times are RFC 3339.
const (
	// AnnotationCreated is when EKS created the cluster.
	AnnotationCreated = "norikae.dev/cluster-created"
	// AnnotationApplied lists the keys that the ClusterSet declared last time, as JSON:
	// {"labels":[…],"annotations":[…]}.
	AnnotationApplied = "norikae.dev/applied"
	// AnnotationMissingSince is when AWS first said that the cluster is gone.
	AnnotationMissingSince = "norikae.dev/missing-since"
	// AnnotationUnselectedSince is when the ClusterSet first did not select it any more.
	AnnotationUnselectedSince = "norikae.dev/unselected-since"
	// AnnotationYieldedAt is when others were deleted, and it was one too many.
	AnnotationYieldedAt = "norikae.dev/yielded-at"
)

// What a person may ask for.
const (
	// AnnotationAdopt is NAMESPACE/NAME of the ClusterSet that shall take the Secret over.
	AnnotationAdopt = "norikae.dev/adopt"
	// AnnotationAllow is a comma-separated list of registry.AllowRelabel and AllowReplace.
	AnnotationAllow = "norikae.dev/allow"
)

// annotationLastApplied is where kubectl keeps a copy of what was applied, credentials
// too: it is never read.
const annotationLastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// reservedLabels and reservedAnnotations are never declared, and never removed as
// something that was.
var (
	reservedLabels = map[string]bool{LabelSecretType: true, LabelManagedBy: true, LabelSet: true, LabelSetNamespace: true}

	reservedAnnotations = map[string]bool{
		AnnotationSet: true, AnnotationARN: true, AnnotationCreated: true, AnnotationApplied: true,
		AnnotationMissingSince: true, AnnotationUnselectedSince: true, AnnotationYieldedAt: true, AnnotationAdopt: true, AnnotationAllow: true,
		annotationLastApplied: true,
	}
)
