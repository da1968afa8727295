package eksctl

import (
	"context"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

// Eksctl runs the program. internal/eksctl has the one that does.
type Eksctl interface {
	// Run gives the tail of the output, also of a run that failed.
	Run(ctx context.Context, c eksctl.Command) (output string, err error)
}

// Clusters are those of EKS, and who may do what in them.
type Clusters interface {
	// Describe a cluster. fault.ErrNotFound: there is none of that name.
	Describe(ctx context.Context, c connection.Connection, name string) (Cluster, error)
	// NodeGroups are the names of the managed node groups, sorted. Those that are being
	// deleted, or could not be created, are none.
	NodeGroups(ctx context.Context, c connection.Connection, cluster string) ([]string, error)
	// NodeGroup describes a managed node group. fault.ErrNotFound: there is none.
	NodeGroup(ctx context.Context, c connection.Connection, cluster, name string) (NodeGroup, error)
	// AccessEntries of people and programs. The cluster's AuthMode must have them.
	AccessEntries(ctx context.Context, c connection.Connection, cluster string) ([]AccessEntry, error)
	// AccessEntry of a person or a program; ok is false where there is none.
	AccessEntry(ctx context.Context, c connection.Connection, cluster, principal string) (e AccessEntry, ok bool, err error)
	// PutAccessEntry makes an entry, or makes it what it should be.
	PutAccessEntry(ctx context.Context, c connection.Connection, cluster string, e AccessEntry) error
	// DeleteAccessEntry: it is no error when there is none. One of nodes stays.
	DeleteAccessEntry(ctx context.Context, c connection.Connection, cluster, principal string) error
}

// Cluster is what EKS says of one.
type Cluster struct {
	Name, ARN, Region string
	Status            string // CREATING, ACTIVE, UPDATING, DELETING, FAILED
	Version           string // minor of Kubernetes
	Endpoint          string // https URL; "": none yet
	CA                []byte // PEM
	Issuer            string // https URL of its OIDC issuer; "": none yet
	AuthMode          string // CONFIG_MAP, API_AND_CONFIG_MAP, API
	// SecurityGroups of the control plane: the cluster's own first, then the additional ones.
	SecurityGroups []string
}

// providerARN of the IAM OIDC provider that stands for the cluster's issuer.
func (c Cluster) providerARN() string {
	part := strings.Split(c.ARN, ":") // arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME
	if len(part) < 6 || c.Issuer == "" {
		return ""
	}
	return "arn:" + part[1] + ":iam::" + part[4] + ":oidc-provider/" + strings.TrimPrefix(c.Issuer, "https://")
}

// hasEntries tells whether the cluster's authentication mode knows access entries.
func (c Cluster) hasEntries() bool { return strings.HasPrefix(c.AuthMode, "API") }

// hasConfigMap tells whether it reads aws-auth.
func (c Cluster) hasConfigMap() bool { return c.AuthMode != onlyEntries }

// NodeGroup is a managed one.
type NodeGroup struct {
	Name, Status string
}

// AccessEntry gives an IAM principal access to a cluster.
type AccessEntry struct {
	Principal string // ARN
	Username  string
	Groups    []string // none begins with system:
	// Admin: the access policy AmazonEKSClusterAdminPolicy holds in the whole cluster.
	Admin bool
}

// Credentials put a connection into a program's environment.
type Credentials interface {
	// Serve gives variables of AWS by their names, which hold until stop is called: of a role
	// to assume, its credentials are made anew as often as the program needs them. Without a
	// role nobody is called. stop is never nil.
	Serve(ctx context.Context, c connection.Connection) (variables map[string]string, stop func(), err error)
}

// Releases of programs.
type Releases interface {
	// Eksctl is the path of exactly this release, which is fetched when it is not there.
	Eksctl(ctx context.Context, version string) (string, error)
}

// Target is a cluster, and as whom it is spoken to.
type Target struct {
	Cluster    Cluster
	Connection connection.Connection
}

// Kubeconfigs are files that lead to clusters. They hold no secret, and nobody but their
// owner may read them.
type Kubeconfigs interface {
	// Write a file, and the folders that it needs; one that says so already stays as it is.
	// fault.ErrConflict: there is one that somebody else wrote.
	Write(path string, t Target) error
	// Remove a file that Write made; it is no error when there is none, or that of another
	// cluster, which stays. Of the target, the cluster's name and region are known.
	Remove(path string, t Target) error
}

// Workloads of a cluster.
type Workloads interface {
	// Ready waits until the pods with these labels are ready: at least one.
	Ready(ctx context.Context, t Target, namespace string, labels map[string]string, timeout time.Duration) error
	// Apply manifests, YAML of one or more objects each, in order.
	Apply(ctx context.Context, t Target, manifests []string) error
	// Delete an object and wait until it is gone; it is no error when there is none.
	Delete(ctx context.Context, t Target, namespace, kind, name string) error
}
