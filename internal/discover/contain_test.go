package discover_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/discover"
	errclass "github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// contains tells of every part that a text lacks.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in: %s", p, text)
		}
	}
}

func TestD7_WhatFailsInOneAccountStaysThere(t *testing.T) {
	for name, tc := range map[string]struct {
		fail   func(w *world) (end func())
		says   []string // by the scope's error
		denied bool
	}{
		"listing is denied": {
			func(w *world) func() { return w.deny(other, "GetResources", "ListClusters") },
			[]string{"allow eks:ListClusters on * to " + role(other).RoleARN, "clusterset.json", europe},
			true,
		},
		"describing is denied": {
			func(w *world) func() { return w.deny(other, "DescribeCluster") },
			[]string{"allow eks:DescribeCluster on arn:aws:eks:" + europe + ":" + other + ":cluster/c-000"},
			true,
		},
		"the role may not be assumed": {
			func(w *world) func() {
				return w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
					if r.Operation == "AssumeRole" && strings.Contains(r.Params.Str("RoleArn"), other) {
						return &wire.Error{Code: "AccessDenied", Message: "User: x is not authorized to perform: sts:AssumeRole", Status: http.StatusForbidden}
					}
					return nil
				})
			},
			[]string{role(other).RoleARN, "trust policy", "external ID", "spec.sources[].eks.accounts[]"},
			true,
		},
		"EKS and the index are throttled": {
			func(w *world) func() {
				return w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
					if r.AccountID == other && r.Service != "sts" {
						return &wire.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: http.StatusTooManyRequests}
					}
					return nil
				})
			},
			[]string{"Rate exceeded", europe},
			false,
		},
		"nobody answers": {
			func(w *world) func() {
				return w.Faults().Intercept(func(ctx context.Context, r *wire.Request, p wire.Phase) error {
					if r.AccountID == other {
						<-ctx.Done()
						return wire.ErrDrop
					}
					return nil
				})
			},
			[]string{"deadline exceeded"},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, w *world) {
				var lost, kept []registry.ID
				for _, account := range []string{own, other, third} {
					for _, r := range []string{region, europe} {
						ids := w.fill(account, r, 25)
						if account == other {
							lost = append(lost, ids...)
						} else {
							kept = append(kept, ids...)
						}
					}
				}
				set := setOf([]string{own, other, third}, region, europe)
				known := []registry.ID{lost[0], lost[25], kept[0], id(other, region, "never-listed"), id(third, region, "really-gone")}
				end := tc.fail(w)
				began := time.Now()
				snap := w.pass(set, known...)
				if took := time.Since(began); took > 2*time.Minute {
					t.Errorf("the pass took %s", took)
				}
				for _, id := range kept {
					if s := snap.Sightings[id.ARN()]; s.Presence != registry.Present {
						t.Errorf("%s: %+v", id.ARN(), s)
					}
				}
				for _, id := range []registry.ID{known[0], known[1], known[3]} {
					s, ok := snap.Sightings[id.ARN()]
					if !ok || s.Presence != registry.Unknown || s.Err == nil || errors.Is(s.Err, discover.ErrUncovered) {
						t.Errorf("%s: %+v", id.ARN(), s)
					}
				}
				equal(t, "the one that is gone", snap.Sightings[known[4].ARN()].Presence, registry.Gone)
				if len(snap.Scopes) != 6 {
					t.Fatalf("%d scopes", len(snap.Scopes))
				}
				for _, s := range snap.Scopes {
					if (s.Err != nil) != (s.Scope.Account == other) {
						t.Errorf("%+v: %v", s.Scope, s.Err)
					}
					if s.Err != nil && errors.Is(s.Err, errclass.ErrDenied) != tc.denied {
						t.Errorf("class of %v", s.Err)
					}
				}
				contains(t, errorsOf(snap)[other+"/"+europe], tc.says...)

				end()
				time.Sleep(time.Minute)
				snap = w.pass(set, known...)
				equal(t, "errors when all is well again", errorsOf(snap), map[string]string{})
				if n := len(snap.Sightings); n != 25*6+2 {
					t.Errorf("%d sightings", n)
				}
			})
		})
	}
}

func TestCredentialsOfAWrongAccountAreNotBelieved(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.add(prod(), id(other, region, "blue"))
		w.discoverer(discover.Config{AWS: func(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
			if a == role(other) {
				a = role(third) // where there is no cluster
			}
			return w.aws(ctx, region, a)
		}})
		for range 2 {
			snap := w.pass(setOf([]string{own, other}, region), known...)
			equal(t, "sightings", seen(snap), []string{"blue unknown"})
			err := snap.Scopes[1].Err
			if !errclass.IsTerminal(err) {
				t.Errorf("class of %v", err)
			}
			contains(t, fmt.Sprint(err), role(other).RoleARN, "of account "+third, "not of "+other)
			equal(t, "the scope", snap.Scopes[1].Scope, registry.Scope{Account: other, Region: region})
		}
		e, err := w.Describe(t.Context(), setOf([]string{other}, region), known[0])
		if err != nil || e.Sighting.Presence != registry.Unknown {
			t.Errorf("%+v, %v", e, err)
		}
	})
}

func TestTheCallersOwnAccountMayNotBeLearnt(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.add(prod(), id(own, region, "blue"))
		end := w.fault(fault.Rule{Kind: fault.AccessDenied, Service: "sts", Operation: "GetCallerIdentity"})
		snap := w.pass(setOf([]string{own}, region), known...)
		equal(t, "sightings", seen(snap), []string{"blue unknown"})
		equal(t, "the scope", snap.Scopes[0].Scope, registry.Scope{Region: region})
		if err := snap.Sightings[known[0].ARN()].Err; errors.Is(err, discover.ErrUncovered) {
			t.Errorf("nobody knows whose account it is, yet: %v", err)
		}
		end()
		equal(t, "sightings", seen(w.pass(setOf([]string{own}, region), known...)), []string{"blue ACTIVE"})
		w.calls()
		w.pass(setOf([]string{own}, region), known...)
		equal(t, "it is asked for once", w.calls(), map[string]int{"tagging:GetResources": 1})
	})
}

func TestAThrottlingStormIsMetWithATrickle(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 300)
		set := setOf([]string{own}, region)
		end := w.fault(fault.Rule{Kind: fault.Throttle, Service: "eks"})
		for range 5 { // passes one right after the other
			began := time.Now()
			snap := w.pass(set, ids...)
			if n := w.calls()["eks:DescribeCluster"]; n > 30 {
				t.Errorf("%d attempts in a pass", n)
			}
			if took := time.Since(began); took < 5*time.Second || took > time.Minute {
				t.Errorf("the pass took %s", took)
			}
			for _, id := range ids {
				if s := snap.Sightings[id.ARN()]; s.Presence != registry.Unknown || s.Err == nil {
					t.Fatalf("%s: %+v", id.ARN(), s)
				}
			}
			contains(t, errorsOf(snap)[own+"/"+region], "describing the cluster")
		}
		end()
		w.calls()
		began := time.Now()
		snap := w.pass(set, ids...)
		equal(t, "errors", errorsOf(snap), map[string]string{})
		for _, id := range ids {
			if s := snap.Sightings[id.ARN()]; s.Presence != registry.Present {
				t.Errorf("%s: %+v", id.ARN(), s)
			}
		}
		equal(t, "descriptions", w.calls()["eks:DescribeCluster"], 300)
		if took := time.Since(began); took > 80*time.Second {
			t.Errorf("300 clusters took %s after the storm; the full rate makes it 58 s", took)
		}
	})
}

func TestHalfOfTheAttemptsAreThrottled(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 100)
		set := setOf([]string{own}, region)
		half := 0.5
		w.fault(fault.Rule{Kind: fault.Throttle, Probability: &half, Service: "eks"})
		w.fault(fault.Rule{Kind: fault.Throttle, Probability: &half, Service: "tagging"})
		for n := 1; ; n++ {
			snap := w.pass(set, ids...)
			left := 0
			for _, id := range ids {
				if snap.Sightings[id.ARN()].Presence != registry.Present {
					left++
				}
			}
			if left == 0 {
				break
			}
			if n == 20 {
				t.Fatalf("%d clusters are unknown after %d passes: %v", left, n, errorsOf(snap))
			}
			time.Sleep(time.Minute)
		}
		if n := w.calls()["eks:DescribeCluster"]; n > 300 {
			t.Errorf("%d attempts for 100 clusters, of which every other one is throttled", n)
		}
	})
}

func TestARefreshThatFailsIsNoReasonToForgetACluster(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.fill(own, region, 10)
		set := setOf([]string{own}, region)
		w.pass(set, known...)
		described := time.Now()
		w.deny(own, "DescribeCluster")
		for {
			snap := w.pass(set, known...)
			unknown := 0
			for _, s := range snap.Sightings {
				if s.Presence == registry.Unknown {
					unknown++
				}
			}
			if old := time.Since(described) > set.RefreshInterval; old != (unknown == 10) || unknown%10 != 0 {
				t.Fatalf("after %s %d of 10 are unknown", time.Since(described), unknown)
			} else if old {
				break
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestOneClusterThatMayNotBeDescribedIsAlone(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		ids := w.fill(own, region, 50)
		w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
			if r.Operation == "DescribeCluster" && strings.HasSuffix(r.Params.Str("name"), "7") {
				return &wire.Error{Code: "AccessDeniedException", Message: "with an explicit deny", Status: http.StatusForbidden}
			}
			return nil
		})
		snap := w.pass(setOf([]string{own}, region))
		equal(t, "errors of scopes", errorsOf(snap), map[string]string{})
		for _, id := range ids {
			want := registry.Present
			if strings.HasSuffix(id.Name, "7") {
				want = registry.Unknown
			}
			equal(t, id.Name, snap.Sightings[id.ARN()].Presence, want)
		}
	})
}

func TestAListingWhoseTokensExpireBeginsAnewAndEnds(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 250)
		expired := fault.Rule{
			Kind: fault.Refusal, Service: "tagging", Operation: "GetResources", Code: "PaginationTokenExpiredException", Status: http.StatusBadRequest,
			Skip: 2, Times: 1,
		}
		w.fault(expired)
		snap := w.pass(setOf([]string{own}, region))
		if len(snap.Sightings) != 250 || snap.Scopes[0].Err != nil {
			t.Errorf("%d clusters, %v", len(snap.Sightings), snap.Scopes[0].Err)
		}
		equal(t, "pages", w.calls()["tagging:GetResources"], 2+1+3)
		expired.Skip, expired.Times = 0, 0
		w.fault(expired)
		snap = w.pass(setOf([]string{own}, region))
		contains(t, errorsOf(snap)[own+"/"+region], "PaginationTokenExpired", "3 times")
		equal(t, "pages", w.calls()["tagging:GetResources"], 3)
	})
}

func TestPagesThatNeverEndEnd(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 2)
		var asked *wire.Request
		w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
			if r.Operation == "ListClusters" && p == wire.Before {
				asked = r
				delete(r.Params, "nextToken") // the first page, again and again
				r.Params["maxResults"] = int64(1)
			}
			return nil
		})
		snap := w.pass(untagged(setOf([]string{own}, region)))
		contains(t, errorsOf(snap)[own+"/"+region], "did not end after 2000 pages")
		if asked == nil {
			t.Error("nothing was asked for")
		}
	})
}

func TestWhereTheIndexMayNotBeAskedClustersAreListedByName(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 150)
		w.add(nil, id(own, region, "untagged"))
		set := setOf([]string{own}, region)
		var log bytes.Buffer
		w.discoverer(discover.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		end := w.deny(own, "GetResources")
		snap := w.pass(set)
		equal(t, "errors", errorsOf(snap), map[string]string{})
		if len(snap.Sightings) != 151 {
			t.Errorf("%d clusters", len(snap.Sightings))
		}
		equal(t, "tags", snap.Sightings[id(own, region, "c-00001").ARN()].Cluster.Tags, prod())
		equal(t, "calls", w.calls(), map[string]int{"sts:GetCallerIdentity": 1, "tagging:GetResources": 1, "eks:ListClusters": 2, "eks:DescribeCluster": 151})
		for range 20 {
			time.Sleep(time.Minute)
			w.pass(set)
		}
		equal(t, "calls", w.calls(), map[string]int{"eks:ListClusters": 40})
		for range 240 {
			time.Sleep(time.Minute)
			w.pass(set)
		}
		if n := w.calls()["tagging:GetResources"]; n != 4 {
			t.Errorf("the index was asked %d times in four hours, want once an hour", n)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "tag:GetResources on *") {
			t.Errorf("%d lines in the log: %s", n, log.String())
		}
		end()
		time.Sleep(time.Hour)
		if snap := w.pass(set); len(snap.Sightings) != 150 {
			t.Errorf("%d clusters by tag", len(snap.Sightings))
		}
		contains(t, log.String(), "by the tagging API again")
	})
}

func TestARoleThatMayDoNothingForAWhileIsNotTakenForADeniedIndex(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.fill(own, region, 3)
		set := setOf([]string{own}, region)
		w.pass(set, known...)
		end := w.fault(fault.Rule{Kind: fault.AccessDenied})
		if snap := w.pass(set, known...); len(errorsOf(snap)) == 0 {
			t.Fatal("the region answered")
		}
		end()
		w.calls()
		time.Sleep(time.Minute)
		w.pass(set, known...)
		if got := w.calls(); got["tagging:GetResources"] != 1 || got["eks:ListClusters"] != 0 {
			t.Errorf("calls %v, want the index to be asked at once again", got)
		}
	})
}

func TestARoleThatCannotBeAssumedForAWhileIsNotTakenForADeniedIndex(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		known := w.fill(other, region, 3)
		set := setOf([]string{other}, region)
		w.pass(set, known...)
		end := w.fault(fault.Rule{Kind: fault.AccessDenied, Service: "sts", Operation: "AssumeRole"})
		time.Sleep(2 * time.Hour) // the session is over
		snap := w.pass(set, known...)
		contains(t, errorsOf(snap)[other+"/"+region], "trust policy")
		equal(t, "sightings", seen(snap), []string{"c-00001 unknown", "c-00002 unknown", "c-00003 unknown"})
		end()
		w.calls()
		w.pass(set, known...)
		equal(t, "pages of the index", w.calls()["tagging:GetResources"], 1)
	})
}

func TestAWeekOfPassesNeverMeetsExpiredCredentials(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		var known []registry.ID
		for _, account := range []string{own, other, third} {
			known = append(known, w.fill(account, region, 2)...)
		}
		set := setOf([]string{own, other, third}, region)
		assumed, identities := 0, 0
		const week = 7 * 24 * 6
		for range week { // a pass each ten minutes
			snap := w.pass(set, known...)
			if e := errorsOf(snap); len(e) > 0 {
				t.Fatalf("%v", e)
			}
			c := w.calls()
			assumed, identities = assumed+c["sts:AssumeRole"], identities+c["sts:GetCallerIdentity"]
			time.Sleep(10 * time.Minute)
		}
		if assumed < 2*7*24 || assumed > 2*7*24*13/10 {
			t.Errorf("two roles were assumed %d times in a week, want about once an hour each", assumed)
		}
		equal(t, "identities", identities, 3)
	})
}

func TestAPassEndsWithItsContext(t *testing.T) {
	virtually(t, nil, func(t *testing.T, w *world) {
		w.fill(own, region, 300)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // 300 clusters take a minute
		defer cancel()
		began := time.Now()
		snap, err := w.Discover(ctx, setOf([]string{own}, region), nil)
		if !errors.Is(err, context.DeadlineExceeded) || snap.Sightings != nil {
			t.Errorf("%d sightings, %v", len(snap.Sightings), err)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}
		if snap := w.pass(setOf([]string{own}, region)); len(snap.Sightings) != 300 {
			t.Errorf("%d clusters afterwards", len(snap.Sightings))
		}
	})
}

func TestAConfigThatCannotBe(t *testing.T) {
	aws := func(context.Context, string, registry.Account) (aws.Config, error) { return aws.Config{}, nil }
	for want, cfg := range map[string]discover.Config{
		"AWS is required":        {},
		"concurrency: 257 is":    {AWS: aws, Concurrency: 257},
		"concurrency: -1 is not": {AWS: aws, Concurrency: -1},
	} {
		if _, err := discover.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestMemoryDoesNotSpeakForAClusterThatIsNotListed(t *testing.T) {
	virtually(t, func(c *awssim.Config) { c.ClusterDelay = 0 }, func(t *testing.T, w *world) {
		known := w.fill(own, region, 2)
		set := setOf([]string{own}, region)
		w.pass(set, known...)
		w.delete(known[1])
		w.deny(own, "DescribeCluster")
		equal(t, "sightings", seen(w.pass(set, known...)), []string{"c-00001 ACTIVE", "c-00002 unknown"})
	})
}
