package wire

import "strings"

// Fidelity says how true an operation is to AWS.
type Fidelity string

// Fidelities of an operation.
const (
	Simulated  Fidelity = "simulated"
	Simplified Fidelity = "simplified" // How says in what way
	Absent     Fidelity = "absent"     // answers NotSimulated
)

// Operation of a service's API, for documentation.
type Operation struct {
	Name     string   `json:"name"`
	Fidelity Fidelity `json:"fidelity"`
	How      string   `json:"how,omitempty"` // it is simplified
}

// Partition of AWS that a region is in, as ARNs spell it.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}
