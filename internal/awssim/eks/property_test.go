package eks_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// drawJunk is any value that a body can hold; many mean something here.
func drawJunk(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 7).Draw(t, "kind")
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64Range(-2, 200).Draw(t, "number")
	case 6:
		var list []any
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			list = append(list, drawJunk(t, depth-1))
		}
		return list
	case 7:
		return drawParams(t, depth-1)
	default:
		return rapid.SampledFrom([]string{
			"", "blue", "green", "a", "1.35", "1.36", "subnet-1", "sg-1", role, lister, admin, "API", "cluster", "vpc-cni",
			"arn:aws:eks:us-east-1:000000000000:cluster/blue",
		}).Draw(t, "text")
	}
}

func drawParams(t *rapid.T, depth int) wire.Params {
	p := wire.Params{}
	for range rapid.IntRange(0, 8).Draw(t, "members") {
		name := rapid.SampledFrom([]string{
			"name", "clusterName", "nodegroupName", "addonName", "principalArn", "policyArn", "resourceArn", "roleArn", "nodeRole", "version",
			"resourcesVpcConfig", "subnetIds", "securityGroupIds", "endpointPublicAccess", "subnets", "scalingConfig", "desiredSize",
			"accessConfig", "authenticationMode", "accessScope", "type", "namespaces", "logging", "clusterLogging", "types", "tags", "tagKeys",
			"maxResults", "nextToken", "updateId", "labels", "taints", "kubernetesGroups", "namespace", "serviceAccount", "encryptionConfig",
			"deletionProtection", "launchTemplate", "updateConfig", "upgradePolicy", "clientRequestToken", "configurationValues",
		}).Draw(t, "name")
		p[name] = drawJunk(t, depth)
	}
	return p
}

// Whatever is asked, there is an answer or an error of the API, and the world stays whole:
// every cluster that is listed can be described.
func TestAnyCallIsAnsweredOrRefused(t *testing.T) {
	operations := []string{}
	for _, op := range eks.Operations() {
		if op.Fidelity != wire.Absent {
			operations = append(operations, op.Name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		s, err := eks.New(eks.Config{Now: c.Now, CreateDelay: time.Minute, UpdateDelay: time.Minute, DeleteDelay: time.Minute, InnerDelay: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "blue", Version: "1.34"}); err != nil {
			t.Fatal(err)
		}
		call := func(op string, p wire.Params) (wire.Struct, error) {
			return s.Serve(t.Context(), &wire.Request{Operation: op, Params: p, Region: region, AccountID: account})
		}
		for range rapid.IntRange(1, 12).Draw(t, "calls") {
			p := drawParams(t, 3)
			if rapid.Bool().Draw(t, "on blue") {
				p["name"], p["clusterName"] = "blue", "blue"
			}
			op := rapid.SampledFrom(operations).Draw(t, "operation")
			if _, err := call(op, p); err != nil {
				if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code == "" || e.Message == "" {
					t.Fatalf("%s: %v is no error of the API", op, err)
				}
			}
			c.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
		}
		out, err := call("ListClusters", wire.Params{})
		if err != nil {
			t.Fatal(err)
		}
		names, _ := out[0].Value.(wire.List)
		for _, name := range names {
			if _, err := call("DescribeCluster", wire.Params{"name": fmt.Sprint(name)}); err != nil {
				t.Errorf("%v is listed, but: %v", name, err)
			}
		}
	})
}
