package cli

import (
	"testing"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

func TestWhatAClusterIsCalled(t *testing.T) {
	o := registrar.Outcome{Action: registry.Action{
		Cluster: registry.ID{Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "blue"},
		Entry:   &registry.Entry{Namespace: "argocd", Name: "eks-blue-1", Registration: registry.Registration{ClusterName: "blue-us"}},
	}}
	for name, want := range map[string]bool{
		"arn:aws:eks:us-east-1:111122223333:cluster/blue": true,
		"111122223333/us-east-1/blue":                     true,
		"blue":                                            true,
		"blue-us":                                         true,
		"eks-blue-1":                                      true,
		"argocd/eks-blue-1":                               true,
		"111122223333/eu-west-1/blue":                     false,
		"us-east-1/blue":                                  false,
		"":                                                false,
	} {
		if called(o, name) != want {
			t.Errorf("%q: %v, want %v", name, !want, want)
		}
	}
}
