package eks_test

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
)

// group is the creation of a node group with what it must have.
func group(cluster, name string) *sdk.CreateNodegroupInput {
	return &sdk.CreateNodegroupInput{
		ClusterName: &cluster, NodegroupName: &name, NodeRole: aws.String(role), Subnets: []string{"subnet-1"},
	}
}
