package registry

import "time"

// Entry is a cluster Secret of Argo CD as it is.
type Entry struct {
	Namespace, Name      string
	UID, ResourceVersion string
	Registration
	// Owner is the set whose mark it carries; the zero Owner: it is not ours.
	Owner Owner
	// Cluster is whose Secret it is by its mark; zero when it is not ours.
	Cluster ID
	// Created of the cluster that it was made for; zero when it is not known.
	Created time.Time
	// Applied are the keys of labels and annotations that were set by us last time: what is
	// no longer declared of these goes, all others stay.
	Applied Keys
	Notes
	// Adopt is the set that a person asked to adopt it; zero: nobody asked.
	Adopt Owner
	// Allow lists what a person allowed to be done to it although Argo CD will delete
	// Applications: AllowRelabel, AllowReplace.
	Allow []string
}

// Notes are what passes have to remember of a Secret, and keep on it: a process that has
// just started knows them too.
type Notes struct {
	// MissingSince and UnselectedSince are when a pass found it so first; zero: it is not.
	MissingSince, UnselectedSince time.Time
	// YieldedAt is when others that were gone, too, were deleted, and it was one too many
	// for the limit of deletion: its turn comes a grace later. Zero when it is not missing.
	YieldedAt time.Time
}

// Equal tells whether they say the same.
func (n Notes) Equal(o Notes) bool {
	return n.MissingSince.Equal(o.MissingSince) && n.UnselectedSince.Equal(o.UnselectedSince) && n.YieldedAt.Equal(o.YieldedAt)
}

// Ours tells whether it carries a set's mark.
func (e Entry) Ours() bool { return e.Owner != Owner{} }

// AllowKey is the annotation in which a person allows it, comma-separated.
const AllowKey = "norikae.dev/allow"

// What a person may allow.
const (
	AllowRelabel = "relabel" // labels that an ApplicationSet selects by may change
	AllowReplace = "replace" // it may be deleted and made anew, with another name or server
)

// Registration is what Argo CD reads of a cluster Secret.
type Registration struct {
	ClusterName string // Argo CD's name of the cluster
	Server      string // its identity for Argo CD: URL, or ARN for the managed one
	Config      string // JSON; "" for the managed one
	Project     string
	Shard       string // decimal; "" when Argo CD decides
	Namespaces  string // comma-separated; "": all
	Labels      map[string]string
	Annotations map[string]string
}

// Keys of labels and annotations, sorted.
type Keys struct{ Labels, Annotations []string }

// ApplicationSet is what matters of one: whom its cluster generators select, and what it
// does when they no longer do.
type ApplicationSet struct {
	Namespace, Name string
	Selectors       []LabelSelector
	// Keeps: its policy (create-only, create-update) leaves Applications alone.
	Keeps bool
	// Preserves: deleted Applications leave their workloads (preserveResourcesOnDeletion).
	Preserves bool
}

// Traffic is what is known of the traffic of a cluster.
type Traffic struct {
	Routes []string // that send some, as a person would name them; none: it gets none
	Err    error    // it cannot be known; why
}
