package discover_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

// The own credentials of a process may become those of another account while it runs: an
// association of EKS Pod Identity is changed, a file of credentials is written anew.
func TestAClusterIsNotGoneBecauseTheOwnCredentialsAreOfAnotherAccountNow(t *testing.T) {
	for name, byName := range map[string]bool{"by tags": false, "by names": true} {
		t.Run(name, func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, w *world) {
				var moved atomic.Bool
				w.discoverer(discover.Config{AWS: func(ctx context.Context, region string, a registry.Account) (aws.Config, error) {
					cfg, err := w.aws(ctx, region, a)
					mine := cfg.Credentials
					cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
						if !moved.Load() {
							return mine.Retrieve(ctx)
						}
						theirs, err := w.aws(ctx, region, role(other))
						if err != nil {
							return aws.Credentials{}, err
						}
						return theirs.Credentials.Retrieve(ctx)
					})
					return cfg, err
				}})
				mine := w.fill(own, region, 2)
				theirs := id(other, region, "theirs")
				w.add(prod(), theirs, id(other, region, mine[1].Name))
				set := setOf([]string{own}, region)
				if byName {
					set = untagged(set)
				}
				known := mine[:1]
				equal(t, "at first", seen(w.pass(set, known...)), []string{"c-00001 ACTIVE", "c-00002 ACTIVE"})
				moved.Store(true)
				for range 3 {
					snap := w.pass(set, known...)
					if s := snap.Sightings[mine[0].ARN()]; s.Presence != registry.Unknown || s.Err == nil {
						t.Errorf("a cluster of the account before: %+v", s)
					}
				}
				if s := w.pass(set, known...).Sightings[theirs.ARN()]; s.Presence != registry.Present {
					t.Errorf("a cluster of the account now: %+v", s)
				}
				moved.Store(false)
				w.pass(set, known...)
				equal(t, "and back", seen(w.pass(set, known...)), []string{"c-00001 ACTIVE", "c-00002 ACTIVE"})
			})
		})
	}
}

// In a region that is not enabled, or that is misspelt, STS does not know the caller either.
func TestD7_ARegionThatIsNotEnabledIsAloneEvenIfItIsAskedFirst(t *testing.T) {
	for name, account := range map[string]string{"own": own, "by a role": other} {
		t.Run(name, func(t *testing.T) {
			virtually(t, nil, func(t *testing.T, w *world) {
				const closed = "me-south-1"
				w.Faults().Intercept(func(_ context.Context, r *wire.Request, p wire.Phase) error {
					if p == wire.Before && r.Region == closed {
						return &wire.Error{Code: "InvalidClientTokenId", Message: "The security token included in the request is invalid", Status: http.StatusForbidden}
					}
					return nil
				})
				mine := w.fill(account, region, 1)
				set := setOf([]string{account}, closed, region, europe)
				for range 3 {
					w.restart() // and so it may be asked first again
					snap := w.pass(set, mine...)
					equal(t, "clusters", seen(snap), []string{"c-00001 ACTIVE"})
					for _, s := range snap.Scopes {
						if (s.Err != nil) != (s.Scope.Region == closed) {
							t.Errorf("%s: %v", s.Scope.Region, s.Err)
						}
					}
				}
			})
		})
	}
}
