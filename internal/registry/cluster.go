package registry

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Status of a cluster, as EKS calls it.
type Status string

// The statuses of EKS.
const (
	Creating Status = "CREATING" // no endpoint yet
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING" // serves all the same
	Deleting Status = "DELETING"
	Failed   Status = "FAILED"
	Pending  Status = "PENDING" // of EKS Connector only
)

// Cluster is what EKS says of one cluster.
type Cluster struct {
	ID
	Status   Status
	Version  string // of Kubernetes, such as 1.36
	Endpoint string // URL of the API server; "" while it is created
	CA       string // base64 of PEM, as EKS has it and Argo CD wants it
	VPC      string
	Tags     map[string]string
	Created  time.Time // a cluster made anew under the same name has another

	// How its API server can be reached.
	PublicAccess, PrivateAccess bool
	PublicCIDRs                 []string
	ClusterSecurityGroup        string   // shared with managed nodes
	SecurityGroups              []string // additional ones, of the control plane only
}

// ID is what a cluster is known by. Names repeat across accounts and regions.
type ID struct{ Partition, Account, Region, Name string }

// ARN of the cluster: arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME.
func (id ID) ARN() string {
	return "arn:" + id.Partition + ":eks:" + id.Region + ":" + id.Account + ":cluster/" + id.Name
}

// Scope that the cluster is in.
func (id ID) Scope() Scope { return Scope{Account: id.Account, Region: id.Region} }

// Scope is one region of one account: what AWS answers about as a whole.
type Scope struct{ Account, Region string }

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// ParseARN reads a cluster's ARN.
func ParseARN(arn string) (ID, error) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) == 6 && p[0] == "arn" && strings.HasPrefix(p[1], "aws") && p[2] == "eks" && p[3] != "" && len(p[4]) == 12 {
		if name, ok := strings.CutPrefix(p[5], "cluster/"); ok && clusterName.MatchString(name) {
			return ID{Partition: p[1], Region: p[3], Account: p[4], Name: name}, nil
		}
	}
	return ID{}, fmt.Errorf("%q is not the ARN of an EKS cluster, arn:PARTITION:eks:REGION:ACCOUNT:cluster/NAME", arn)
}

// Presence is what AWS says of a cluster's being there.
type Presence int

const (
	// Unknown is that nobody could be asked, or that the answer was an error. It decides
	// nothing.
	Unknown Presence = iota
	// Present is that EKS described it.
	Present
	// Gone is that EKS, asked for it by name now, said that there is none.
	Gone
)

// Sighting is what was learnt of one cluster in one pass.
type Sighting struct {
	Cluster  Cluster // if Present; as old as the refresh interval at most, but for its tags
	Presence Presence
	Err      error // why it is Unknown
}

// ScopeResult tells how the listing of one scope went.
type ScopeResult struct {
	Scope   Scope  // Account is "" when the caller's own could not be learnt
	RoleARN string // with which it was asked; "": the caller's own credentials
	Source  int    // index of spec.sources
	Listed  int    // clusters that the listing named
	Err     error  // nil: the listing is complete
}

// Snapshot is what AWS said in one pass. Every ARN that was asked for has a Sighting.
type Snapshot struct {
	Scopes    []ScopeResult
	Sightings map[string]Sighting // by ARN: all that were listed, and all that were asked for
}
