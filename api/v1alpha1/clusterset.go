package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KindClusterSet is the kind of ClusterSet.
const KindClusterSet = "ClusterSet"

// ClusterSet says which EKS clusters there are, and keeps one Argo CD cluster Secret for
// each of them.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:categories=norikae,shortName=cset
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Clusters",type=integer,JSONPath=`.status.counts.discovered`
// +kubebuilder:printcolumn:name="Registered",type=integer,JSONPath=`.status.counts.registered`
// +kubebuilder:printcolumn:name="Not in order",type=integer,JSONPath=`.status.counts.notInOrder`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name is at most 63 characters long: it becomes a label's value"
type ClusterSet struct {
	metav1.TypeMeta `json:",inline"`
	// Its name has at most 63 characters: it becomes a label's value.
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What a user declares.
	Spec ClusterSetSpec `json:"spec"`
	// What is; the controller writes it.
	// +optional
	Status ClusterSetStatus `json:"status,omitzero"`
}

// ClusterSetList is what listing answers.
//
// +kubebuilder:object:root=true
type ClusterSetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterSet `json:"items"`
}

// ClusterSetSpec is what a user declares.
type ClusterSetSpec struct {
	// Where to look for clusters, 1–20. A cluster that several sources find is one cluster.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	Sources []Source `json:"sources"`
	// What a cluster's Secret says.
	// +optional
	// +kubebuilder:default={}
	Template ClusterTemplate `json:"template,omitzero"`
	// How Argo CD enters the clusters.
	// +optional
	// +kubebuilder:default={}
	Auth Auth `json:"auth,omitzero"`
	// Namespace of Argo CD, where the Secrets are. It cannot be changed: the Secrets there
	// would be left behind, and two Argo CDs would deploy to the same clusters.
	// +optional
	// +kubebuilder:default=argocd
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="argocdNamespace cannot be changed: the Secrets there would be left behind; retire them, delete this ClusterSet, and make another"
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	ArgoCDNamespace string `json:"argocdNamespace,omitempty"`
	// How often AWS is asked which clusters there are, 10s–24h.
	// +optional
	// +kubebuilder:default="1m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('24h')",message="interval is 10s–24h"
	Interval Duration `json:"interval,omitzero"`
	// How old what is known of a cluster may become until it is described again, 1m–24h.
	// Endpoint, certificate authority and version change that late; tags with each interval.
	// +optional
	// +kubebuilder:default="30m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="refreshInterval is 1m–24h"
	RefreshInterval Duration `json:"refreshInterval,omitzero"`
	// When a Secret is removed.
	// +optional
	// +kubebuilder:default={}
	Deletion Deletion `json:"deletion,omitzero"`
	// Whether a cluster's API server must be reached before it is registered.
	// +optional
	// +kubebuilder:default={}
	Probe Probe `json:"probe,omitzero"`
	// Suspend: look at nothing and write nothing until it is false again.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// Source is a place to look for clusters.
type Source struct {
	EKS EKSSource `json:"eks"`
}

// EKSSource is EKS in some accounts and regions.
type EKSSource struct {
	// Regions, 1–40, such as us-east-1.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=40
	// +kubebuilder:validation:items:Pattern=`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`
	// +listType=set
	Regions []string `json:"regions"`
	// Accounts, at most 500. None: the account of the controller's own credentials.
	// +optional
	// +kubebuilder:validation:MaxItems=500
	// +listType=atomic
	Accounts []Account `json:"accounts,omitempty"`
	// Which clusters. None: every cluster.
	// +optional
	Selector ClusterSelector `json:"selector,omitzero"`
}

// Account is an AWS account and how to get into it.
type Account struct {
	// Role to assume there, arn:PARTITION:iam::ACCOUNT:role/NAME.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$`
	RoleARN string `json:"roleARN"`
	// External ID that the role's trust policy asks for, 2–1224 characters.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=1224
	ExternalID string `json:"externalID,omitempty"`
}

// ClusterSelector selects clusters that satisfy all of it.
type ClusterSelector struct {
	// Tags that a cluster must have, with these values.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	MatchTags map[string]string `json:"matchTags,omitempty"`
	// Conditions on tags, at most 50.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +listType=atomic
	MatchExpressions []TagExpression `json:"matchExpressions,omitempty"`
	// Patterns of names, at most 50, of which one must match: * is any text, ? any character,
	// [a-c] one of these. None: every name.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +listType=set
	Names []string `json:"names,omitempty"`
	// Clusters that are left out whatever else says.
	// +optional
	Exclude Exclude `json:"exclude,omitzero"`
}

// TagExpression is a condition on one tag.
//
// +kubebuilder:validation:XValidation:rule="self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",message="In and NotIn need values, Exists and DoesNotExist have none"
type TagExpression struct {
	// Key of the tag, 1–128 characters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Key string `json:"key"`
	// What must be so: the tag is there with one of the values (In) or with none of them
	// (NotIn), is there (Exists), or is not (DoesNotExist).
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist
	Operator string `json:"operator"`
	// At most 20. NotIn is satisfied by a cluster without the tag, as in Kubernetes.
	// +optional
	// +kubebuilder:validation:MaxItems=20
	// +listType=atomic
	Values []string `json:"values,omitempty"`
}

// Exclude leaves clusters out.
type Exclude struct {
	// Patterns of names, at most 50.
	// +optional
	// +kubebuilder:validation:MaxItems=50
	// +listType=set
	Names []string `json:"names,omitempty"`
	// ARNs of clusters, at most 500.
	// +optional
	// +kubebuilder:validation:MaxItems=500
	// +listType=set
	ARNs []string `json:"arns,omitempty"`
	// Tags of which one, with this value, is enough to be left out.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Tags map[string]string `json:"tags,omitempty"`
}

// ClusterTemplate says what a cluster's Secret has. Its texts are Go templates over
// .Name, .ARN, .Partition, .Account, .Region, .Version, .VPC, .Endpoint and .Tags; a key that
// is missing is an error of that cluster alone.
type ClusterTemplate struct {
	// Argo CD's name of the cluster; must be another for each cluster.
	// +optional
	// +kubebuilder:default="{{ .Name }}-{{ .Region }}-{{ .Account }}"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`
	// Labels of the Secret, at most 50; keys are not templates.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations of the Secret, at most 50; keys are not templates.
	// +optional
	// +kubebuilder:validation:MaxProperties=50
	Annotations map[string]string `json:"annotations,omitempty"`
	// Argo CD project that alone may use the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Project string `json:"project,omitempty"`
	// Shard of Argo CD's application controller. None: Argo CD decides.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Shard *int32 `json:"shard,omitempty"`
	// Namespaces that Argo CD manages there. None: all.
	// +optional
	// +kubebuilder:validation:MaxItems=200
	// +listType=set
	Namespaces []string `json:"namespaces,omitempty"`
	// How a cluster's target groups are found, so that a cluster that still gets traffic is
	// never removed. None: it cannot be known, and that blocks removal.
	// +optional
	TargetGroups *TargetGroups `json:"targetGroups,omitempty"`
}

// TargetGroups says which target groups are a cluster's: exactly one way.
//
// +kubebuilder:validation:XValidation:rule="(has(self.name) ? 1 : 0) + (has(self.tags) ? 1 : 0) + (has(self.registeredInstances) && self.registeredInstances ? 1 : 0) + (has(self.none) && self.none ? 1 : 0) == 1",message="exactly one of name, tags, registeredInstances and none"
type TargetGroups struct {
	// Template of their names; * is any text, such as "{{ .Name }}-*".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Name string `json:"name,omitempty"`
	// Tags that they all have; values are templates.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Tags map[string]string `json:"tags,omitempty"`
	// Those in which the cluster's EC2 instances are registered.
	// +optional
	RegisteredInstances bool `json:"registeredInstances,omitempty"`
	// The clusters have none: no load balancer ever sends them traffic.
	// +optional
	None bool `json:"none,omitempty"`
}

// Auth says how Argo CD enters the clusters: at most one way; awsAuthConfig when there is
// none.
//
// +kubebuilder:validation:XValidation:rule="(has(self.awsAuthConfig) ? 1 : 0) + (has(self.exec) ? 1 : 0) + (has(self.eksARN) && self.eksARN ? 1 : 0) <= 1",message="at most one of awsAuthConfig, exec and eksARN"
type Auth struct {
	// Argo CD makes tokens with its own AWS credentials.
	// +optional
	AWSAuthConfig *AWSAuthConfig `json:"awsAuthConfig,omitempty"`
	// Argo CD runs argocd-k8s-auth.
	// +optional
	Exec *ExecAuth `json:"exec,omitempty"`
	// The managed Argo CD of EKS: the server is the cluster's ARN, and there is no config.
	// +optional
	EKSARN bool `json:"eksARN,omitempty"`
}

// AWSAuthConfig is Argo CD's own way into EKS.
type AWSAuthConfig struct {
	// Template of a role that Argo CD assumes. None: the role that Argo CD runs as.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	RoleARN string `json:"roleARN,omitempty"`
	// Profile of Argo CD's AWS configuration.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Profile string `json:"profile,omitempty"`
}

// ExecAuth runs argocd-k8s-auth aws.
type ExecAuth struct {
	// Template of a role that Argo CD assumes. None: the role that Argo CD runs as.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	RoleARN string `json:"roleARN,omitempty"`
	// Environment of the command, at most 20; values are templates, such as AWS_REGION.
	// +optional
	// +kubebuilder:validation:MaxProperties=20
	Env map[string]string `json:"env,omitempty"`
}

// DeletionPolicy says what happens to the Secret of a cluster that is gone.
type DeletionPolicy string

// The deletion policies.
const (
	DeletionRetain DeletionPolicy = "Retain" // it stays, is reported, and a person retires it
	DeletionDelete DeletionPolicy = "Delete" // it is deleted once AWS has said twice that the cluster is gone, grace apart
)

// Deletion says when a Secret is removed.
type Deletion struct {
	// What happens to the Secret of a cluster that is gone: it stays until a person retires
	// it, or it is deleted once AWS has said twice that there is no such cluster, the grace
	// apart.
	// +optional
	// +kubebuilder:default=Retain
	// +kubebuilder:validation:Enum=Retain;Delete
	Policy DeletionPolicy `json:"policy,omitempty"`
	// How long AWS must say that a cluster is gone, 1m–720h; what vanishes within this time
	// vanishes at once.
	// +optional
	// +kubebuilder:default="1h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="grace is 1m–720h"
	Grace Duration `json:"grace,omitzero"`
	// Share of the registered clusters that may vanish at once, 0–100; one always may. More
	// stops everything until somebody has looked.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	MaxPercent *int32 `json:"maxPercent,omitempty"`
	// How many registered clusters stay whatever happens.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	KeepLast *int32 `json:"keepLast,omitempty"`
}

// Probe says whether a cluster's API server must be reached before it is registered.
type Probe struct {
	// False: a cluster is registered although nobody knows whether its API server can be
	// reached from here.
	// +optional
	// +kubebuilder:default=true
	Enabled *bool `json:"enabled,omitempty"`
	// How long to wait for its API server, 1s–60s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('60s')",message="timeout is 1s–60s"
	Timeout Duration `json:"timeout,omitzero"`
}

// The condition types of a ClusterSet.
const (
	// ConditionReady is true when everything is in order; kstatus knows it.
	ConditionReady = "Ready"
	// ConditionDiscovered is true when every account and region answered.
	ConditionDiscovered = "Discovered"
	// ConditionRegistered is true when every cluster that was found has its Secret as declared.
	ConditionRegistered = "Registered"
	// ConditionStalled is true when nothing goes on until somebody acts; absent otherwise.
	ConditionStalled = "Stalled"
)

// ClusterSetStatus is what is. It changes only when something has changed.
type ClusterSetStatus struct {
	// Generation of the spec that this is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Ready, Discovered, Registered and, only while nothing goes on until somebody acts,
	// Stalled.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// How many clusters there are.
	// +optional
	Counts ClusterCounts `json:"counts,omitzero"`
	// Clusters that are not in order, by ARN, at most 100; counts.notInOrder says how many
	// there are.
	// +optional
	// +kubebuilder:validation:MaxItems=100
	// +listType=atomic
	NotInOrder []ClusterProblem `json:"notInOrder,omitempty"`
}

// ClusterCounts counts clusters.
type ClusterCounts struct {
	// Selected clusters that were found.
	// +optional
	Discovered int32 `json:"discovered"`
	// Secrets of this ClusterSet.
	// +optional
	Registered int32 `json:"registered"`
	// Clusters and Secrets that are not as they should be.
	// +optional
	NotInOrder int32 `json:"notInOrder"`
}

// ClusterProblem is a cluster that is not in order.
type ClusterProblem struct {
	// ARN of the cluster.
	// +kubebuilder:validation:MaxLength=256
	ARN string `json:"arn"`
	// State that it is in, such as Conflict.
	// +kubebuilder:validation:MaxLength=64
	State string `json:"state"`
	// Why, in one stable word.
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason"`
	// Why, and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}
