package registry

// Selector selects clusters that satisfy all of it; the zero Selector selects all.
type Selector struct {
	Tags         map[string]string // that a cluster must have
	Requirements []Requirement     // on tags
	Names        []string          // patterns as of path.Match, of which one must match; none: every name
	Exclude      Exclude
}

// Exclude leaves clusters out whatever else says.
type Exclude struct {
	Names []string // patterns as of path.Match
	ARNs  []string
	Tags  map[string]string // one is enough
}

// Operator of a Requirement.
type Operator string

// The operators, which mean what they mean in Kubernetes.
const (
	In           Operator = "In"
	NotIn        Operator = "NotIn" // satisfied by what has no such key
	Exists       Operator = "Exists"
	DoesNotExist Operator = "DoesNotExist"
)

// Requirement is a condition on one key of labels or tags.
type Requirement struct {
	Key      string
	Operator Operator
	Values   []string
}

// LabelSelector is a selector of Kubernetes; an empty one selects everything.
type LabelSelector []Requirement
