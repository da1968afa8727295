package tagging_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/tagging"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	account = "000000000000"
	region  = "us-east-1"
	prefix  = "arn:aws:eks:us-east-1:000000000000:cluster/"
)

// source is a service with resources in any account and region, by ARN.
type source struct {
	mu   sync.Mutex
	tags map[string]map[string]string
}

func (s *source) Resources(account, region string) []model.Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []model.Resource
	for arn, tags := range s.tags {
		if model.Scope(arn) == account+"/"+region {
			out = append(out, model.Resource{ARN: arn, Tags: tags})
		}
	}
	return out
}

// set gives a resource other tags: pairs of key and value.
func (s *source) set(arn string, pairs ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		tags[pair[0]] = pair[1]
	}
	s.tags[arn] = tags
}

func (s *source) remove(arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tags, arn)
}

// writable is a source that can be written to.
type writable struct{ *source }

func (s writable) ChangeTags(_, _, arn string, set map[string]string, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set["forbidden"] != "" {
		return &wire.Error{Code: "AccessDeniedException", Message: "no", Status: 403}
	}
	next := maps.Clone(s.tags[arn])
	maps.Copy(next, set)
	for _, key := range remove {
		delete(next, key)
	}
	s.tags[arn] = next
	return nil
}

// lab is the service behind HTTP, and the real SDK as one account's client in one region.
type lab struct {
	*sdk.Client
	*source

	service *tagging.Service
	url     string

	mu       sync.Mutex
	now      time.Time
	lag      time.Duration
	pageSize func(int) int
}

func newLab(t *testing.T, more ...tagging.Source) *lab {
	t.Helper()
	l := &lab{
		source: &source{tags: map[string]map[string]string{}},
		now:    time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), pageSize: func(n int) int { return n },
	}
	l.service = tagging.New(tagging.Config{
		Sources: append([]tagging.Source{writable{l.source}}, more...),
		Now: func() time.Time {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.now
		},
		Lag:   func() time.Duration { return l.lag },
		Pages: func(n int) int { return l.pageSize(n) },
	})
	l.url = wiretest.Serve(t, wire.Config{Resolve: func(key string) string {
		if key == "AKIDOTHER" {
			return "111111111111"
		}
		return account
	}}, l.service.Registration())
	l.Client = l.client(region, "AKIDEXAMPLE")
	return l
}

func (l *lab) client(region, key string) *sdk.Client {
	// Retries stay on: under load the SDK's transport may close a connection of which it is
	// still reading a long answer.
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(l.url),
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	})
}

func (l *lab) wait(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

// all follows the tokens of a search to its end.
func all(t *testing.T, c *sdk.Client, in *sdk.GetResourcesInput) (found []types.ResourceTagMapping, sizes []int) {
	t.Helper()
	next := *in
	for range 1000 {
		out := wiretest.Must(c.GetResources(t.Context(), &next))(t)
		found, sizes = append(found, out.ResourceTagMappingList...), append(sizes, len(out.ResourceTagMappingList))
		if aws.ToString(out.PaginationToken) == "" {
			return found, sizes
		}
		next.PaginationToken = out.PaginationToken
	}
	t.Fatal("the pages do not end")
	return nil, nil
}

// names are the last parts of the ARNs that a search finds.
func (l *lab) names(t *testing.T, in *sdk.GetResourcesInput) []string {
	t.Helper()
	found, _ := all(t, l.Client, in)
	out := []string{}
	for _, r := range found {
		out = append(out, (*r.ResourceARN)[len(prefix):])
	}
	return out
}

func filter(key string, values ...string) types.TagFilter {
	return types.TagFilter{Key: &key, Values: values}
}
