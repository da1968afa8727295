package awssim

import (
	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/sqs"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/tagging"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Operation is what a reader of the lab's documentation needs to know of one API call.
type Operation struct {
	Service string `json:"service"` // sts, iam, elbv2, cloudwatch, route53, eks, ec2, tagging, sqs
	wire.Operation
}

// Operations of all services, by service and name. What is not listed, or listed as
// absent, answers NotSimulated.
func Operations() []Operation {
	var out []Operation
	add := func(service string, operations []wire.Operation) {
		for _, op := range operations {
			out = append(out, Operation{service, op})
		}
	}
	add("sts", sts.Operations())
	add("iam", iam.Operations())
	add("elbv2", elbv2.Operations())
	add("cloudwatch", cloudwatch.Operations())
	add("route53", route53.Operations())
	add("eks", eks.Operations())
	add("ec2", ec2.Operations())
	add("tagging", tagging.Operations())
	add("sqs", sqs.Operations())
	return out
}
