package discover_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

const (
	region = awssim.Region
	europe = "eu-west-1"
	other  = "111111111111"
	third  = "222222222222"
)

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestD1_EveryPageIsReadByTagAndByName(t *testing.T) {
	for way, change := range map[string]func(*registry.Set) *registry.Set{
		"tagging:GetResources": func(s *registry.Set) *registry.Set { return s }, "eks:ListClusters": untagged,
	} {
		for n, pages := range map[int]int{0: 1, 1: 1, 100: 1, 101: 2, 301: 4} {
			t.Run(fmt.Sprintf("%d clusters by %s", n, way), func(t *testing.T) {
				virtually(t, nil, func(t *testing.T, w *world) {
					ids := w.fill(own, region, n)
					snap := w.pass(change(setOf([]string{own}, region)))
					if len(snap.Sightings) != n || snap.Scopes[0].Listed != n || snap.Scopes[0].Err != nil {
						t.Fatalf("%d sightings, scopes %+v", len(snap.Sightings), snap.Scopes)
					}
					for _, id := range ids {
						if s := snap.Sightings[id.ARN()]; s.Presence != registry.Present || s.Cluster.ID != id {
							t.Errorf("%s: %+v", id.ARN(), s)
						}
					}
					want := map[string]int{way: pages, "sts:GetCallerIdentity": 1}
					if n > 0 {
						want["eks:DescribeCluster"] = n
					}
					equal(t, "calls", w.calls(), want)
				})
			})
		}
	}
}

func TestD1_ShortPagesAreReadOn(t *testing.T) {
	for name, change := range map[string]func(*registry.Set) *registry.Set{
		"by tag": func(s *registry.Set) *registry.Set { return s }, "by name": untagged,
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, w *world) {
				w.fill(own, region, 25)
				w.fault(fault.Rule{Kind: fault.ShortPages, Count: 3})
				if snap := w.pass(change(setOf([]string{own}, region))); len(snap.Sightings) != 25 {
					t.Errorf("%d clusters", len(snap.Sightings))
				}
				if c := w.calls(); c["tagging:GetResources"]+c["eks:ListClusters"] != 9 {
					t.Errorf("calls %v", c)
				}
			})
		})
	}
}

func TestEverythingThatEKSSaysIsHandedOn(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		began := time.Now().UTC()
		arn, err := w.AddCluster(t.Context(), eks.NewCluster{
			Account: own, Region: region, Name: "blue", Version: "1.35", Tags: map[string]string{"env": "prod", "cell": "1"},
			SecurityGroups: []string{"sg-0a"}, PrivateAccess: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		c := w.pass(setOf([]string{own}, region)).Sightings[arn].Cluster
		if !strings.HasPrefix(c.Endpoint, "https://") || len(c.CA) < 500 || !strings.HasPrefix(c.ClusterSecurityGroup, "sg-") {
			t.Errorf("endpoint %q, CA %q, security group %q", c.Endpoint, c.CA, c.ClusterSecurityGroup)
		}
		c.Endpoint, c.CA, c.ClusterSecurityGroup = "", "", ""
		if c.Created.Before(began.Add(-time.Second)) || c.Created.After(time.Now()) {
			t.Errorf("created %s", c.Created)
		}
		c.Created = time.Time{}
		equal(t, "cluster", c, registry.Cluster{
			ID: id(own, region, "blue"), Status: registry.Active, Version: "1.35", VPC: "vpc-01ab", Tags: map[string]string{"env": "prod", "cell": "1"},
			PublicAccess: true, PrivateAccess: true, PublicCIDRs: []string{"0.0.0.0/0"}, SecurityGroups: []string{"sg-0a"},
		})
	})
}

func TestD2_AClusterIsDescribedInEachPassUntilItIsActive(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		set, blue := setOf([]string{own}, region), id(own, region, "blue")
		w.create(blue)
		for range 2 {
			snap := w.pass(set)
			equal(t, "while it is created", seen(snap), []string{"blue CREATING"})
			if c := snap.Sightings[blue.ARN()].Cluster; c.Endpoint != "" || c.CA != "" {
				t.Errorf("endpoint %q, CA %q", c.Endpoint, c.CA)
			}
		}
		equal(t, "descriptions", w.calls()["eks:DescribeCluster"], 2)
		time.Sleep(10 * time.Minute)
		for range 3 {
			snap := w.pass(set)
			equal(t, "when it is made", seen(snap), []string{"blue ACTIVE"})
			if c := snap.Sightings[blue.ARN()].Cluster; c.Endpoint == "" || c.CA == "" {
				t.Errorf("endpoint %q, CA %q", c.Endpoint, c.CA)
			}
		}
		equal(t, "descriptions", w.calls()["eks:DescribeCluster"], 1)
	})
}

func TestAClusterThatIsUpdatedOrDeletedIsDescribedInEachPass(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		set, blue := setOf([]string{own}, region), id(own, region, "blue")
		if _, err := w.AddCluster(t.Context(), eks.NewCluster{Account: own, Region: region, Name: "blue", Version: "1.34", Tags: prod()}); err != nil {
			t.Fatal(err)
		}
		set.RefreshInterval = time.Minute
		w.pass(set)
		w.do(blue, "UpdateClusterVersion", wire.Params{"name": "blue", "version": "1.35"})
		time.Sleep(time.Minute)
		equal(t, "during the update", seen(w.pass(set)), []string{"blue UPDATING"})
		set.RefreshInterval = time.Hour
		w.calls()
		equal(t, "during the update", seen(w.pass(set)), []string{"blue UPDATING"})
		time.Sleep(9 * time.Minute)
		snap := w.pass(set)
		equal(t, "after the update", seen(snap), []string{"blue ACTIVE"})
		equal(t, "version", snap.Sightings[blue.ARN()].Cluster.Version, "1.35")
		equal(t, "descriptions", w.calls()["eks:DescribeCluster"], 2)

		w.restart()
		w.delete(blue)
		equal(t, "during the deletion", seen(w.pass(set, blue)), []string{"blue DELETING"})
		time.Sleep(10 * time.Minute)
		equal(t, "after the deletion", seen(w.pass(set, blue)), []string{"blue gone"})
	})
}

func TestD3_AnEmptyListSaysNothingOfKnownClusters(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 3)
		set := setOf([]string{own}, region)
		set.Sources[0].Selector.Tags = map[string]string{"env": "porduction"} // a typing error
		snap := w.pass(set, ids...)
		equal(t, "sightings", seen(snap), []string{"c-00001 ACTIVE", "c-00002 ACTIVE", "c-00003 ACTIVE"})
		equal(t, "tags", snap.Sightings[ids[0].ARN()].Cluster.Tags, prod())
		if snap.Scopes[0].Err != nil || snap.Scopes[0].Listed != 0 {
			t.Errorf("scopes %+v", snap.Scopes)
		}
	})
}

func TestKnownClustersThatNoListNamesAreAskedForInEachPass(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 2)
		set := setOf([]string{own}, region)
		w.pass(set, ids...)
		w.delete(ids[1])
		w.tag(ids[0], "env", "test")
		time.Sleep(10 * time.Minute)
		w.calls()
		for range 2 {
			snap := w.pass(set, ids...)
			equal(t, "sightings", seen(snap), []string{"c-00001 ACTIVE", "c-00002 gone"})
			equal(t, "tags", snap.Sightings[ids[0].ARN()].Cluster.Tags, map[string]string{"env": "test"})
		}
		equal(t, "calls", w.calls(), map[string]int{
			"tagging:GetResources": 2, "eks:DescribeCluster": 4,
			"sts:GetCallerIdentity": 2, // that the own credentials are of that account still
		})
		equal(t, "what nobody knows is not asked for", seen(w.pass(set)), nil)
	})
}

func TestTheIndexOfTagsMayLag(t *testing.T) {
	const lag = 5 * time.Minute
	virtually(t, func(c *awssim.Config) { c.IndexLag, c.ClusterDelay = lag, 0 }, func(t *testing.T, w *world) {
		set := setOf([]string{own}, region)
		blue, green := id(own, region, "blue"), id(own, region, "green")
		w.add(prod(), blue, green)
		equal(t, "before the index shows them", seen(w.pass(set)), nil)
		equal(t, "one that is known", seen(w.pass(set, blue)), []string{"blue ACTIVE"})
		time.Sleep(lag)
		equal(t, "when the index shows them", seen(w.pass(set)), []string{"blue ACTIVE", "green ACTIVE"})

		// Both are gone, and still listed: the one that is known is told of.
		w.delete(blue)
		w.delete(green)
		w.restart()
		equal(t, "gone, and still listed", seen(w.pass(set, blue)), []string{"blue gone"})
		time.Sleep(lag)
		equal(t, "gone", seen(w.pass(set, blue)), []string{"blue gone"})
	})
}

func TestADeletedClusterThatLingersInTheIndexIsNoticedWithinTheRefreshInterval(t *testing.T) {
	virtually(t, func(c *awssim.Config) { c.IndexLag, c.ClusterDelay = 24*time.Hour, 0 }, func(t *testing.T, w *world) {
		set, blue := setOf([]string{own}, region), id(own, region, "blue")
		w.add(prod(), blue)
		w.CatchUp(own, region)
		w.pass(set, blue)
		w.delete(blue)
		deleted := time.Now()
		for slices.Equal(seen(w.pass(set, blue)), []string{"blue ACTIVE"}) {
			time.Sleep(time.Minute)
		}
		equal(t, "in the end", seen(w.pass(set, blue)), []string{"blue gone"})
		if took := time.Since(deleted); took > set.RefreshInterval {
			t.Errorf("it took %s", took)
		}
	})
}

func TestAChangedTagIsSeenAtTheFirstPassAfterTheIndexShowsIt(t *testing.T) {
	const lag = 90 * time.Second
	virtually(t, func(c *awssim.Config) { c.IndexLag = lag }, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 150)
		w.CatchUp(own, region)
		set := setOf([]string{own}, region)
		set.RefreshInterval = 24 * time.Hour
		before := w.pass(set)
		w.tag(ids[120], "cell", "7")
		w.calls()
		for _, want := range []string{"", "", "7"} { // after 0, 1 and 2 minutes
			if got := w.pass(set).Sightings[ids[120].ARN()].Cluster.Tags["cell"]; got != want {
				t.Errorf("the tag is %q, want %q", got, want)
			}
			time.Sleep(time.Minute)
		}
		equal(t, "calls", w.calls(), map[string]int{"tagging:GetResources": 6})
		equal(t, "a snapshot stays as it was", before.Sightings[ids[120].ARN()].Cluster.Tags, prod())
	})
}

func TestD6_TheSameNameInTwoAccountsAndRegionsIsFourClusters(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		var ids []registry.ID
		for _, account := range []string{own, other} {
			for _, r := range []string{region, europe} {
				ids = append(ids, w.add(prod(), id(account, r, "main"))...)
			}
		}
		snap := w.pass(setOf([]string{own, other}, region, europe))
		for _, id := range ids {
			if s := snap.Sightings[id.ARN()]; s.Cluster.ID != id {
				t.Errorf("%s: %+v", id.ARN(), s)
			}
		}
		if len(snap.Sightings) != 4 || len(snap.Scopes) != 4 {
			t.Errorf("%d sightings, %d scopes", len(snap.Sightings), len(snap.Scopes))
		}
	})
}

func TestAScopeThatSeveralSourcesHaveIsListedOncePerFilter(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.add(map[string]string{"env": "prod", "team": "a"}, id(own, region, "blue"))
		set := setOf([]string{own}, region, region)
		same, more := set.Sources[0], set.Sources[0]
		same.Selector.Names = []string{"b*"} // narrows what is selected, not what is listed
		more.Selector = registry.Selector{Requirements: []registry.Requirement{{Key: "team", Operator: registry.Exists}}}
		set.Sources = append(set.Sources, same, more)
		snap := w.pass(set)
		equal(t, "sightings", seen(snap), []string{"blue ACTIVE"})
		equal(t, "calls", w.calls(), map[string]int{"sts:GetCallerIdentity": 1, "tagging:GetResources": 2, "eks:DescribeCluster": 1})
		scope := registry.Scope{Account: own, Region: region}
		equal(t, "scopes", snap.Scopes, []registry.ScopeResult{{Scope: scope, Source: 0, Listed: 1}, {Scope: scope, Source: 1, Listed: 1}, {Scope: scope, Source: 2, Listed: 1}})
	})
}

func TestAClusterOfAnAccountOrRegionThatNoSourceCoversIsUnknownAndSaysSo(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.add(prod(), id(third, region, "a"), id(own, europe, "b"), id(own, region, "c"))
		snap := w.pass(setOf([]string{own, other}, region), known...)
		for i, want := range []string{third, europe} {
			s := snap.Sightings[known[i].ARN()]
			if s.Presence != registry.Unknown || !errors.Is(s.Err, discover.ErrUncovered) || !strings.Contains(s.Err.Error(), want) {
				t.Errorf("%s: %+v", known[i].Name, s)
			}
		}
		equal(t, "one that is covered", snap.Sightings[known[2].ARN()].Presence, registry.Present)
	})
}

func TestAClusterMadeAnewUnderItsNameIsSeenWithinTheRefreshInterval(t *testing.T) {
	virtually(t, func(c *awssim.Config) { c.ClusterDelay = 0 }, func(t *testing.T, w *world) {
		set, blue := setOf([]string{own}, region), id(own, region, "blue")
		w.add(prod(), blue)
		first := w.pass(set, blue).Sightings[blue.ARN()].Cluster
		time.Sleep(time.Minute)
		w.delete(blue)
		w.add(prod(), blue)
		again := time.Now()
		for {
			c := w.pass(set, blue).Sightings[blue.ARN()].Cluster
			if !c.Created.Equal(first.Created) {
				if c.Endpoint == first.Endpoint {
					t.Errorf("the endpoint is the old one's: %+v", c)
				}
				break
			}
			if time.Since(again) > set.RefreshInterval {
				t.Fatal("it was never seen")
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestAClusterThatIsForgottenIsDescribedInTheNextPass(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 5)
		set := setOf([]string{own}, region)
		w.pass(set)
		w.delete(ids[2])
		w.calls()
		w.Forget(ids[2])
		w.Forget(id(other, region, ids[3].Name)) // another one of that name
		if s := w.pass(set, ids...).Sightings[ids[2].ARN()]; s.Cluster.Status != registry.Deleting {
			t.Errorf("%+v", s)
		}
		equal(t, "calls", w.calls(), map[string]int{"tagging:GetResources": 1, "eks:DescribeCluster": 1})
	})
}

func TestManySetsTakeTurnsInOneAccountAndRegion(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 40)
		began := time.Now()
		var sets sync.WaitGroup
		for range 40 {
			sets.Go(func() {
				snap, err := w.Discover(t.Context(), setOf([]string{own}, region), nil)
				if err != nil || len(snap.Sightings) != 40 || len(errorsOf(snap)) > 0 {
					t.Errorf("%d clusters, %v, %v", len(snap.Sightings), errorsOf(snap), err)
				}
			})
		}
		sets.Wait()
		if took := time.Since(began); took > 40*40/5*time.Second+time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
