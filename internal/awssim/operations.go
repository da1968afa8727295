package awssim

import (
	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/sts"
)

// Operation is what a reader of the lab's documentation needs to know of one API call.
type Operation struct {
	Service  string `json:"service"` // sts, elbv2, cloudwatch
	Name     string `json:"name"`
	Fidelity string `json:"fidelity"`      // simulated, simplified or absent
	How      string `json:"how,omitempty"` // it is simplified
}

// Operations of all services, by service and name. What is not listed, or listed as
// absent, answers NotSimulated.
func Operations() []Operation {
	var out []Operation
	for _, op := range sts.Operations() {
		out = append(out, Operation{"sts", op.Name, string(op.Fidelity), op.How})
	}
	for _, op := range elbv2.Operations() {
		out = append(out, Operation{"elbv2", op.Name, string(op.Fidelity), op.How})
	}
	for _, op := range cloudwatch.Operations() {
		out = append(out, Operation{"cloudwatch", op.Name, string(op.Fidelity), op.How})
	}
	return out
}
