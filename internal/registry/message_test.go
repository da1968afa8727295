package registry

import (
	"slices"
	"testing"
)

func TestClustersOfOneNameAreToldApart(t *testing.T) {
	blue := ID{Partition: "aws", Account: "222222222222", Region: "eu-west-1", Name: "blue"}
	green := ID{Partition: "aws", Account: "111111111111", Region: "us-east-1", Name: "green"}
	again := green
	again.Name = "blue"
	if got := distinct([]ID{green, blue}); !slices.Equal(got, []string{"blue", "green"}) {
		t.Errorf("two names: %q", got)
	}
	want := []string{"111111111111/us-east-1/blue", "111111111111/us-east-1/green", "222222222222/eu-west-1/blue"}
	if got := distinct([]ID{green, blue, again}); !slices.Equal(got, want) {
		t.Errorf("one name twice: %q", got)
	}
}
