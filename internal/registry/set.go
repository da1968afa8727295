package registry

import "time"

// Set is a declared ClusterSet with every default filled in, valid.
type Set struct {
	Owner      Owner
	Generation int64
	Sources    []Source
	Template   Template
	Auth       Auth
	// TargetGroups says how to find a cluster's; nil: unknown, which blocks removal.
	TargetGroups    *TargetGroups
	Interval        time.Duration // 10s–24h
	RefreshInterval time.Duration // 1m–24h
	Deletion        Deletion
	Probe           Probe
}

// Owner is the ClusterSet that a Secret is of.
type Owner struct{ Namespace, Name string }

func (o Owner) String() string { return o.Namespace + "/" + o.Name }

// Source is EKS in some accounts and regions.
type Source struct {
	Regions  []string
	Accounts []Account // one without a role: the caller's own account
	Selector Selector
}

// Account is how to get into an AWS account.
type Account struct {
	RoleARN, ExternalID string
}

// Deletion says when a Secret is removed.
type Deletion struct {
	Delete     bool          // else it stays until a person retires it
	Grace      time.Duration // 1m–720h
	MaxPercent int           // 0–100
	KeepLast   int
}

// Probe says whether an API server must be reached before its cluster is registered.
type Probe struct {
	Enabled bool
	Timeout time.Duration // 1s–60s
}

// TargetGroups says which target groups are a cluster's: one of these ways.
type TargetGroups struct {
	Name      *Text            // pattern of their names, * is any text
	Tags      map[string]*Text // that they all have
	Instances bool             // in which its EC2 instances are registered
	None      bool             // there are none
}

// Auth is how Argo CD enters a cluster; exactly one.
type Auth struct {
	AWS    *AWSAuth
	Exec   *ExecAuth
	EKSARN bool // the managed Argo CD
}

// AWSAuth is awsAuthConfig.
type AWSAuth struct {
	RoleARN *Text // nil: the role that Argo CD runs as
	Profile string
}

// ExecAuth runs argocd-k8s-auth aws.
type ExecAuth struct {
	RoleARN *Text
	Env     map[string]*Text
}

// Template of a Secret.
type Template struct {
	Name                *Text
	Labels, Annotations map[string]*Text
	Project             *Text // nil: none
	Shard               *int
	Namespaces          []string
}
