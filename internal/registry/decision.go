package registry

import "time"

// State of a cluster in a set.
type State string

// The states. Only Registered is in order.
const (
	Registered  State = "Registered"  // its Secret is as declared, or will be when Do is done
	Waiting     State = "Waiting"     // EKS is creating it
	Unreachable State = "Unreachable" // its API server does not answer; not registered yet
	Broken      State = "Broken"      // EKS says that its creation failed
	Invalid     State = "Invalid"     // its template has an error
	Conflict    State = "Conflict"    // somebody else's Secret, or another cluster, is in its way
	Held        State = "Held"        // a change would make Argo CD delete Applications
	Draining    State = "Draining"    // EKS is deleting it
	Missing     State = "Missing"     // AWS says that there is none; its Secret is there
	Unselected  State = "Unselected"  // it is there, but not selected any more; its Secret stays
	Uncertain   State = "Uncertain"   // nobody could be asked; its Secret stays
	Unwritten   State = "Unwritten"   // what should be done could not be done
)

// Do is what is to be done about a Secret.
type Do string

// What can be done. The zero Do is nothing.
const (
	Create  Do = "create"
	Update  Do = "update"  // same name and server
	Mark    Do = "mark"    // only what we note on it changes: since when it is missing
	Adopt   Do = "adopt"   // put our mark on it, and update it
	Delete  Do = "delete"  // the cluster is gone
	Replace Do = "replace" // delete it and create it anew: a person allowed it
)

// Action is what a pass found about one cluster, and what it is going to do.
type Action struct {
	Cluster ID
	State   State
	Reason  string // one word, stable
	Message string // for a person: what is wrong and what to do; "" when all is well
	Do      Do
	Entry   *Entry // the Secret there is; nil: none
	// Want is what is declared, for Create, Update, Adopt and Replace; of other actions
	// only ClusterName and Server are there, where they are known. Its labels and
	// annotations are only ours. Who writes them merges: of the Secret's own, those in
	// Entry.Applied that are not here go, all others stay; Applied becomes Want's keys.
	Want Registration
	// Uses is the permission of Entry.Allow that is used up, to be taken off the Secret with
	// the write; "": none.
	Uses    string
	Created time.Time // of the cluster, for the mark
	// Notes as they will be, for every Do but Create and Delete.
	Notes
	// Effect tells what ApplicationSets will do because of it; "" when they will do nothing.
	Effect string
}

// Question is something that must be known before an action may be taken.
type Question string

// The questions.
const (
	AskTraffic Question = "traffic" // does the cluster get any?
	AskProbe   Question = "probe"   // does its API server answer?
)

// Asked is a question about a cluster.
type Asked struct {
	Question Question
	Cluster  Cluster
}

// Input is everything that is known in a pass.
type Input struct {
	Set             *Set
	Snapshot        Snapshot
	Entries         []Entry          // every cluster Secret in Argo CD's namespace
	ApplicationSets []ApplicationSet // every one in Argo CD's namespace; see ApplicationSetsErr
	// ApplicationSetsErr says why they are not known: then no label changes that one might
	// select by.
	ApplicationSetsErr error
	Traffic            map[string]Traffic // by ARN: answers to AskTraffic
	Probes             map[string]error   // by ARN: answers to AskProbe; nil: it answers
	// Began is when AWS began to be asked: what it says now is no older than that. Zero: Now.
	Began time.Time
	Now   time.Time
}

// Plan is what a pass is going to do.
type Plan struct {
	Actions []Action // sorted by ARN; one for each selected cluster and each of our Secrets
	// Ask has to be answered, and Decide called again; then Actions are final.
	Ask []Asked
	// Stopped says why nothing is written, and what to do; "": nothing stands against it.
	// Of a stopped plan only Mark is left, and only where a cluster that was missing is there
	// after all: else the time that it has been missing would go on.
	Stopped       string
	StoppedReason string // one word, stable
}
