package discover

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	tagapi "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// pages are answers that the lab's index does not give: page n for the token n.
type pages func(n int) (arns []string, more bool)

func (p pages) GetResources(_ context.Context, in *tagapi.GetResourcesInput, _ ...func(*tagapi.Options)) (*tagapi.GetResourcesOutput, error) {
	n := 0
	if token := aws.ToString(in.PaginationToken); token != "" {
		if _, err := fmt.Sscan(token, &n); err != nil {
			return nil, err
		}
	}
	arns, more := p(n)
	out := &tagapi.GetResourcesOutput{PaginationToken: aws.String("")} // AWS ends with an empty one
	if more {
		out.PaginationToken = aws.String(fmt.Sprint(n + 1))
	}
	for _, arn := range arns {
		r := tagtypes.ResourceTagMapping{Tags: []tagtypes.Tag{{Key: aws.String("env"), Value: aws.String("prod")}}}
		if arn != "" {
			r.ResourceARN = &arn
		}
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, r)
	}
	return out, nil
}

// placeOf an index.
func placeOf(p pages) *place {
	return &place{
		placeKey: placeKey{region: "us-east-1"}, tags: p,
		access: &access{who: identity{"aws", "111111111111", "arn:aws:iam::111111111111:user/x"}},
	}
}

const ours = "arn:aws:eks:us-east-1:111111111111:cluster/"

func TestAnswersOfTheIndexThatAreNoClustersOfThePlace(t *testing.T) {
	for name, arns := range map[string][]string{
		"none":                 {},
		"no ARN":               {""},
		"no cluster":           {"arn:aws:eks:us-east-1:111111111111:nodegroup/a/b/c", "x", ours + "a/b"},
		"another account":      {"arn:aws:eks:us-east-1:222222222222:cluster/a"},
		"another region":       {"arn:aws:eks:eu-west-1:111111111111:cluster/a"},
		"another partition":    {"arn:aws-cn:eks:us-east-1:111111111111:cluster/a"},
		"a name that is a lie": {ours + "-a", ours + strings.Repeat("a", 101)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := placeOf(func(n int) ([]string, bool) {
				if n == 1 {
					return []string{ours + "good"}, false
				}
				return arns, true
			}).byTags(t.Context(), nil)
			if err != nil || len(got) != 1 || got["good"]["env"] != "prod" {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestD1_EmptyPagesAreReadOn(t *testing.T) {
	got, err := placeOf(func(n int) ([]string, bool) {
		if n%3 == 0 {
			return []string{ours + fmt.Sprint("c", n)}, true
		}
		return nil, n < 29 // the last page is empty, too
	}).byTags(t.Context(), nil)
	if err != nil || len(got) != 10 {
		t.Errorf("%d clusters, %v", len(got), err)
	}
}

func TestAListingIsBounded(t *testing.T) {
	_, err := placeOf(func(int) ([]string, bool) { return nil, true }).byTags(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "did not end after 2000 pages") {
		t.Errorf("pages for ever: %v", err)
	}
	_, err = placeOf(func(n int) (arns []string, more bool) {
		for i := range perPage {
			arns = append(arns, ours+fmt.Sprint("c", n*perPage+i))
		}
		return arns, true
	}).byTags(t.Context(), nil)
	if !fault.IsTerminal(err) || !strings.Contains(err.Error(), "more than 20000 clusters") {
		t.Errorf("clusters for ever: %v", err)
	}
}

// described answers with one cluster whatever is asked for.
type described struct{ cluster *ekstypes.Cluster }

func (d described) ListClusters(context.Context, *eks.ListClustersInput, ...func(*eks.Options)) (*eks.ListClustersOutput, error) {
	return &eks.ListClustersOutput{}, nil
}

func (d described) DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error) {
	return &eks.DescribeClusterOutput{Cluster: d.cluster}, nil
}

func TestAnAnswerAboutAnotherClusterSaysNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster *ekstypes.Cluster
		want    registry.Presence
	}{
		"the one that was asked for, with hardly anything": {&ekstypes.Cluster{Arn: aws.String(ours + "a")}, registry.Present},
		"none":            {nil, registry.Unknown},
		"one without ARN": {&ekstypes.Cluster{Name: aws.String("a")}, registry.Unknown},
		"another one":     {&ekstypes.Cluster{Arn: aws.String(ours + "b")}, registry.Unknown},
		"another account's": {
			&ekstypes.Cluster{Arn: aws.String("arn:aws:eks:us-east-1:222222222222:cluster/a")}, registry.Unknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pl := placeOf(nil)
			pl.eks, pl.turns = described{tc.cluster}, make(chan struct{}, 1)
			_, got, err := pl.describe(t.Context(), &words{}, "a")
			if got != tc.want || (err == nil) != (tc.want == registry.Present) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
