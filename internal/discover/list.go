package discover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	tagapi "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// Bounds of one listing.
const (
	perPage = 100 // AWS's own bound
	// maxClusters of one account and region: 200 times AWS's default quota.
	maxClusters = 20_000
	// maxPages may hold them all: pages of the index may be short, and empty.
	maxPages = 2_000
	// maxBegun is how often a listing begins whose token has expired, which takes 15 minutes.
	maxBegun = 3
	// deniedFor is how long the index is not asked again after it was not allowed.
	deniedFor = time.Hour
)

// listed are clusters by name; their tags are nil where only names are told.
type listed map[string]map[string]string

// listing asks one place for the clusters of one set of tag filters.
type listing struct {
	key     placeKey
	filters []tagtypes.TagFilter // none: all clusters

	place *place // nil: it could not be entered
	found listed
	err   error
}

// filtersOf a selector, as the tagging API has them, in a fixed order. text tells equal
// ones.
func filtersOf(s registry.Selector) (filters []tagtypes.TagFilter, text string) {
	if !s.Tagged() {
		return nil, ""
	}
	all := s.Filters()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		filters = append(filters, tagtypes.TagFilter{Key: aws.String(key), Values: all[key]})
		text += fmt.Sprintf("%q=%q;", key, all[key])
	}
	return filters, text
}

// run the listing.
func (l *listing) run(ctx context.Context, p *pass) {
	if l.place, l.err = p.d.enter(ctx, p, l.key); l.err != nil {
		return
	}
	if l.filters != nil && l.place.mayAskIndex(time.Now()) {
		l.found, l.err = l.place.byTags(ctx, l.filters)
		if !notAllowed(l.err) {
			l.place.indexAllowed(p)
			l.sure(ctx, p)
			return
		}
		denied := l.err
		if l.found, l.err = l.place.byNames(ctx); l.err == nil { // else it is not the index
			l.place.indexDenied(p, denied)
		}
		return
	}
	l.found, l.err = l.place.byNames(ctx)
}

// sure lets a listing fail that was of another account.
func (l *listing) sure(ctx context.Context, p *pass) {
	if !l.place.access.doubt.Swap(false) {
		return
	}
	if err := l.place.access.check(ctx, p, l.place.cfg); err != nil {
		l.found, l.err = nil, fmt.Errorf("listing the clusters of %s: %w", l.place, err)
	}
}

// byTags asks the index of tags. A listing that takes so long that its tokens expire
// begins anew.
func (pl *place) byTags(ctx context.Context, filters []tagtypes.TagFilter) (listed, error) {
	for begun := 1; ; begun++ {
		found, err := pl.resources(ctx, filters)
		if _, expired := errors.AsType[*tagtypes.PaginationTokenExpiredException](err); !expired {
			return found, err
		}
		if begun == maxBegun {
			return nil, fmt.Errorf("listing took longer than its tokens are valid, %d times: %w", maxBegun, err)
		}
	}
}

// resources are all pages of one listing.
func (pl *place) resources(ctx context.Context, filters []tagtypes.TagFilter) (listed, error) {
	in := &tagapi.GetResourcesInput{
		ResourceTypeFilters: []string{"eks:cluster"}, TagFilters: filters, ResourcesPerPage: aws.Int32(perPage),
	}
	found := listed{}
	for range maxPages {
		out, err := pl.tags.GetResources(ctx, in)
		if err != nil {
			return nil, explain("listing the clusters of "+pl.String()+" by their tags", "tag:GetResources on *", pl.account, err)
		}
		for _, r := range out.ResourceTagMappingList {
			id, err := registry.ParseARN(aws.ToString(r.ResourceARN))
			if mine := pl.id(id.Name); err != nil || id != mine {
				if err == nil && id.Account != mine.Account {
					pl.access.doubt.Store(true)
				}
				continue // no cluster of this place: not what was asked for
			}
			tags := make(map[string]string, len(r.Tags))
			for _, t := range r.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			found[id.Name] = tags
		}
		if len(found) > maxClusters {
			return nil, pl.tooMany()
		}
		if aws.ToString(out.PaginationToken) == "" {
			return found, nil
		}
		in.PaginationToken = out.PaginationToken
	}
	return nil, fmt.Errorf("listing the clusters of %s by their tags did not end after %d pages", pl, maxPages)
}

// byNames asks EKS for all names.
func (pl *place) byNames(ctx context.Context) (listed, error) {
	in := &eks.ListClustersInput{MaxResults: aws.Int32(perPage)}
	found := listed{}
	for range maxPages {
		out, err := pl.eks.ListClusters(ctx, in)
		if err != nil {
			return nil, explain("listing the clusters of "+pl.String(), "eks:ListClusters on *", pl.account, err)
		}
		for _, name := range out.Clusters {
			if id := pl.id(name); valid(id) {
				found[name] = nil
			}
		}
		if len(found) > maxClusters {
			return nil, pl.tooMany()
		}
		if aws.ToString(out.NextToken) == "" {
			return found, nil
		}
		in.NextToken = out.NextToken
	}
	return nil, fmt.Errorf("listing the clusters of %s did not end after %d pages", pl, maxPages)
}

// valid tells whether an ID can be one of a cluster.
func valid(id registry.ID) bool {
	_, err := registry.ParseARN(id.ARN())
	return err == nil
}

func (pl *place) tooMany() error {
	return fault.Terminal("TooManyClusters", fmt.Errorf(
		"%s has more than %d clusters, which is more than are read; narrow the selector's matchTags, or divide the account's clusters among regions", pl, maxClusters))
}

// notAllowed tells whether a call is not allowed, though its caller is known.
func notAllowed(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && !awsconf.NoCredentials(err) && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
}

func (pl *place) mayAskIndex(now time.Time) bool {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	return !now.Before(pl.untagged)
}

// indexDenied remembers for some time that the index may not be asked, and tells once.
func (pl *place) indexDenied(p *pass, err error) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	pl.untagged = time.Now().Add(deniedFor)
	if !pl.told {
		pl.told = true
		p.d.cfg.Log.Warn("clusters are listed by name, and tags seen when clusters are described again, because the tagging API may not be asked",
			"region", pl.region, "role", pl.account.RoleARN, "asked_again_after", deniedFor, "error", err)
	}
}

func (pl *place) indexAllowed(p *pass) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.told {
		pl.told = false
		p.d.cfg.Log.Info("clusters are listed by the tagging API again", "region", pl.region, "role", pl.account.RoleARN)
	}
}
