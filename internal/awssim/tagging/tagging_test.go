package tagging_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/tagging"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestResourcesAreFoundByTypeAndTags(t *testing.T) {
	const elb = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
	l := newLab(t)
	l.set(prefix+"blue", "env", "prod", "role", "web")
	l.set(prefix+"green", "env", "stage", "role", "")
	l.set(prefix + "bare")
	l.set("arn:aws:eks:us-east-1:000000000000:nodegroup/blue/a/1", "env", "prod")
	l.set(elb+"targetgroup/web/1", "env", "prod")
	l.set(elb+"loadbalancer/app/web/1", "env", "prod")
	l.set(elb+"loadbalancer/net/web/1", "env", "test")
	l.set("arn:aws:ec2:us-east-1:000000000000:instance/i-1", "env", "prod")
	for name, tc := range map[string]struct {
		types []string
		tags  []types.TagFilter
		want  string
	}{
		"everything":                     {nil, nil, "i-1 blue green a/1 web/1 web/1 web/1"},
		"clusters":                       {[]string{"eks:cluster"}, nil, "blue green"},
		"all of a service":               {[]string{"eks"}, nil, "blue green a/1"},
		"two types":                      {[]string{"ec2:instance", "elasticloadbalancing:targetgroup"}, nil, "i-1 web/1"},
		"load balancers":                 {[]string{"elasticloadbalancing:loadbalancer"}, nil, "web/1 web/1"},
		"application load balancers":     {[]string{"elasticloadbalancing:loadbalancer/app"}, nil, "web/1"},
		"a type's beginning is no type":  {[]string{"eks:clus"}, nil, ""},
		"one value":                      {[]string{"eks:cluster"}, []types.TagFilter{filter("env", "prod")}, "blue"},
		"one of two values":              {[]string{"eks:cluster"}, []types.TagFilter{filter("env", "prod", "stage")}, "blue green"},
		"two keys":                       {[]string{"eks:cluster"}, []types.TagFilter{filter("env", "prod", "stage"), filter("role", "web")}, "blue"},
		"any value, also the empty one":  {[]string{"eks:cluster"}, []types.TagFilter{filter("role")}, "blue green"},
		"the empty value":                {[]string{"eks:cluster"}, []types.TagFilter{filter("role", "")}, "green"},
		"keys are told apart by case":    {nil, []types.TagFilter{filter("Env")}, ""},
		"values are told apart by case":  {nil, []types.TagFilter{filter("env", "Prod")}, ""},
		"a key twice asks for both":      {nil, []types.TagFilter{filter("env", "prod"), filter("env", "stage")}, ""},
		"a tag that no type of it bears": {[]string{"ec2"}, []types.TagFilter{filter("role")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := all(t, l.Client, &sdk.GetResourcesInput{ResourceTypeFilters: tc.types, TagFilters: tc.tags})
			var got []string
			for _, r := range found {
				part := strings.Split(*r.ResourceARN, "/")
				if n := len(part); n > 2 {
					part = []string{"", strings.Join(part[n-2:], "/")}
				}
				got = append(got, part[1])
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	named := wiretest.Must(l.GetResources(t.Context(), &sdk.GetResourcesInput{
		ResourceARNList: []string{prefix + "blue", prefix + "ghost", prefix + "bare"},
	}))(t).ResourceTagMappingList
	if len(named) != 1 || *named[0].Tags[0].Key != "env" || *named[0].Tags[1].Value != "web" {
		t.Errorf("by name there are %+v", named)
	}
}

func TestGetResourcesRefuses(t *testing.T) {
	l := newLab(t)
	many := make([]types.TagFilter, 51)
	for i := range many {
		many[i] = filter(fmt.Sprint(i))
	}
	arns := []string{prefix + "blue"}
	for name, in := range map[string]sdk.GetResourcesInput{
		"an empty page":                    {ResourcesPerPage: aws.Int32(0)},
		"a page of 101":                    {ResourcesPerPage: aws.Int32(101)},
		"99 tags on a page":                {TagsPerPage: aws.Int32(99)},
		"501 tags on a page":               {TagsPerPage: aws.Int32(501)},
		"51 keys":                          {TagFilters: many},
		"21 values":                        {TagFilters: []types.TagFilter{filter("a", slices.Repeat([]string{"x"}, 21)...)}},
		"a filter without key":             {TagFilters: []types.TagFilter{filter("")}},
		"a type without service":           {ResourceTypeFilters: []string{":cluster"}},
		"a type that is an ARN":            {ResourceTypeFilters: []string{"arn:aws:eks:x"}},
		"101 types":                        {ResourceTypeFilters: slices.Repeat([]string{"eks"}, 101)},
		"101 ARNs":                         {ResourceARNList: slices.Repeat(arns, 101)},
		"ARNs and types":                   {ResourceARNList: arns, ResourceTypeFilters: []string{"eks"}},
		"ARNs and tags":                    {ResourceARNList: arns, TagFilters: []types.TagFilter{filter("a")}},
		"ARNs and a page size":             {ResourceARNList: arns, ResourcesPerPage: aws.Int32(1)},
		"ARNs and a token":                 {ResourceARNList: arns, PaginationToken: aws.String("x")},
		"a token that was never given":     {PaginationToken: aws.String("x")},
		"compliance without its details":   {ExcludeCompliantResources: aws.Bool(true)},
		"compliance with details declined": {ExcludeCompliantResources: aws.Bool(true), IncludeComplianceDetails: aws.Bool(false)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.GetResources(t.Context(), &in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	l.set(prefix+"blue", "a", "b")
	details, exclude := aws.Bool(true), aws.Bool(true)
	if found, _ := all(t, l.Client, &sdk.GetResourcesInput{IncludeComplianceDetails: details}); len(found) != 1 || !*found[0].ComplianceDetails.ComplianceStatus {
		t.Errorf("with details there is %+v", found)
	}
	if found, _ := all(t, l.Client, &sdk.GetResourcesInput{IncludeComplianceDetails: details, ExcludeCompliantResources: exclude}); len(found) != 0 {
		t.Errorf("not compliant are %+v", found)
	}
}

func TestSearchesArePagedAtEverySize(t *testing.T) {
	const n = 101
	l := newLab(t)
	var want []string
	for i := range n {
		name := fmt.Sprintf("c%03d", i)
		l.set(prefix+name, "n", name)
		want = append(want, name)
	}
	for size := range int32(100) {
		in := &sdk.GetResourcesInput{ResourcesPerPage: aws.Int32(size + 1)}
		_, sizes := all(t, l.Client, in)
		if got := l.names(t, in); !slices.Equal(got, want) || len(sizes) != (n+int(size))/int(size+1) || slices.Max(sizes) != int(size)+1 {
			t.Errorf("ResourcesPerPage %d: %d resources on pages of %v", size+1, len(got), sizes)
		}
	}
	pages := 0
	for p := sdk.NewGetResourcesPaginator(l, &sdk.GetResourcesInput{ResourcesPerPage: aws.Int32(50)}); p.HasMorePages(); pages++ {
		wiretest.Must(p.NextPage(t.Context()))(t)
	}
	if pages != 3 {
		t.Errorf("the SDK's paginator sees %d pages, want 3", pages)
	}
}

func TestTagsPerPageDoesNotSplitAResource(t *testing.T) {
	l := newLab(t)
	for i := range 22 {
		var tags []string
		for k := range 10 {
			tags = append(tags, fmt.Sprintf("k%d", k), "v")
		}
		l.set(fmt.Sprintf("%sc%02d", prefix, i), tags...)
	}
	if _, sizes := all(t, l.Client, &sdk.GetResourcesInput{TagsPerPage: aws.Int32(100)}); !slices.Equal(sizes, []int{10, 10, 2}) {
		t.Errorf("pages of %v", sizes)
	}
}

func TestPagesMayBeShortOrEmptyAndYetLoseNothing(t *testing.T) {
	l := newLab(t)
	for i := range 7 {
		l.set(fmt.Sprintf("%sc%d", prefix, i), "a", "b")
	}
	calls := 0
	l.pageSize = func(n int) int { calls++; return []int{0, 1, 0, 2, n}[calls%5] }
	found, sizes := all(t, l.Client, &sdk.GetResourcesInput{ResourcesPerPage: aws.Int32(3)})
	if len(found) != 7 || !slices.Contains(sizes, 0) || !slices.Contains(sizes, 1) {
		t.Errorf("%d resources on pages of %v", len(found), sizes)
	}
}

func TestATokenExpiresAndBelongsToItsSearch(t *testing.T) {
	l := newLab(t)
	l.set(prefix+"a", "x", "y")
	l.set(prefix+"b", "x", "y")
	one := &sdk.GetResourcesInput{ResourcesPerPage: aws.Int32(1)}
	token := wiretest.Must(l.GetResources(t.Context(), one))(t).PaginationToken
	next := func(in sdk.GetResourcesInput) error {
		in.PaginationToken = token
		_, err := l.GetResources(t.Context(), &in)
		return err //nolint:wrapcheck // it is looked at
	}
	wiretest.Refused(t, next(sdk.GetResourcesInput{ResourceTypeFilters: []string{"eks"}}), "InvalidParameterException", "")
	l.wait(15 * time.Minute)
	if err := next(*one); err != nil {
		t.Errorf("after 15 minutes: %v", err)
	}
	l.wait(time.Millisecond)
	wiretest.Refused(t, next(*one), "PaginationTokenExpiredException", "")
}

func TestChangesBecomeVisibleLate(t *testing.T) {
	l := newLab(t)
	in := &sdk.GetResourcesInput{}
	l.set(prefix+"blue", "env", "prod")
	l.service.CatchUp(account, region)
	l.lag = time.Minute

	l.set(prefix+"green", "env", "prod") // new
	l.service.Observe(account, region)
	l.wait(30 * time.Second)
	l.set(prefix+"blue", "env", "stage") // retagged
	l.service.Observe(account, region)
	want := func(names ...string) {
		t.Helper()
		if got := l.names(t, in); !slices.Equal(got, names) {
			t.Errorf("visible are %v, want %v", got, names)
		}
	}
	want("blue")
	l.wait(30*time.Second - time.Nanosecond)
	want("blue")
	l.wait(time.Nanosecond)
	want("blue", "green")
	in.TagFilters = []types.TagFilter{filter("env", "prod")}
	want("blue", "green")
	l.wait(30 * time.Second)
	want("green")

	l.remove(prefix + "green") // gone, and lingers
	l.service.Observe(account, region)
	l.wait(time.Minute - time.Nanosecond)
	want("green")
	l.wait(time.Nanosecond)
	want()

	l.set(prefix+"green", "env", "prod") // founded anew
	l.service.Observe(account, region)
	l.lag = 0 // what comes later does not overtake
	l.set(prefix+"gold", "env", "prod")
	want()
	l.wait(time.Minute)
	want("gold", "green")
}

func TestResourcesWithoutTagsAreSeenOnlyIfTheyHadSome(t *testing.T) {
	l := newLab(t)
	l.set(prefix + "never")
	l.set(prefix+"once", "env", "prod")
	l.service.Observe(account, region)
	l.set(prefix + "once")
	found, _ := all(t, l.Client, &sdk.GetResourcesInput{})
	if len(found) != 1 || *found[0].ResourceARN != prefix+"once" || found[0].Tags == nil || len(found[0].Tags) != 0 {
		t.Errorf("without filters there are %+v", found)
	}
	if got := l.names(t, &sdk.GetResourcesInput{TagFilters: []types.TagFilter{filter("env")}}); len(got) != 0 {
		t.Errorf("by tag there are %v", got)
	}
	l.lag = time.Minute
	l.remove(prefix + "once")
	l.service.Observe(account, region)
	l.set(prefix + "once")
	l.service.Observe(account, region)
	l.wait(time.Minute)
	if got := l.names(t, &sdk.GetResourcesInput{}); len(got) != 0 {
		t.Errorf("another resource of that name is seen: %v", got)
	}
}

func TestAccountsAndRegionsDoNotMeet(t *testing.T) {
	l := newLab(t)
	arns := map[string]*sdk.Client{
		"arn:aws:eks:us-east-1:000000000000:cluster/blue": l.Client,
		"arn:aws:eks:eu-west-1:000000000000:cluster/blue": l.client("eu-west-1", "AKIDEXAMPLE"),
		"arn:aws:eks:us-east-1:111111111111:cluster/blue": l.client("us-east-1", "AKIDOTHER"),
	}
	for arn := range arns {
		l.set(arn, "arn", arn)
	}
	for arn, c := range arns {
		found, _ := all(t, c, &sdk.GetResourcesInput{})
		if len(found) != 1 || *found[0].ResourceARN != arn || *found[0].Tags[0].Value != arn {
			t.Errorf("%s sees %+v", arn, found)
		}
		keys := wiretest.Must(c.GetTagValues(t.Context(), &sdk.GetTagValuesInput{Key: aws.String("arn")}))(t).TagValues
		if !slices.Equal(keys, []string{arn}) {
			t.Errorf("%s has the values %v", arn, keys)
		}
	}
}

func TestKeysAndValuesAreListed(t *testing.T) {
	l := newLab(t)
	for i := range 120 {
		l.set(fmt.Sprintf("%sc%d", prefix, i), fmt.Sprintf("k%03d", i), "v", "same", fmt.Sprintf("v%03d", i))
	}
	var keys, values []string
	for p := sdk.NewGetTagKeysPaginator(l, &sdk.GetTagKeysInput{}); p.HasMorePages(); {
		keys = append(keys, wiretest.Must(p.NextPage(t.Context()))(t).TagKeys...)
	}
	for p := sdk.NewGetTagValuesPaginator(l, &sdk.GetTagValuesInput{Key: aws.String("same")}); p.HasMorePages(); {
		values = append(values, wiretest.Must(p.NextPage(t.Context()))(t).TagValues...)
	}
	if len(keys) != 121 || len(values) != 120 || !slices.IsSorted(keys) || !slices.IsSorted(values) {
		t.Errorf("%d keys and %d values", len(keys), len(values))
	}
	_, err := l.GetTagValues(t.Context(), &sdk.GetTagValuesInput{Key: aws.String("")})
	wiretest.Refused(t, err, "InvalidParameterException", "")
}

func TestTheLagOfAWriteBeginsWithTheWrite(t *testing.T) {
	l := newLab(t)
	l.set(prefix + "blue")
	l.lag = time.Minute
	wiretest.Must(l.TagResources(t.Context(), &sdk.TagResourcesInput{ResourceARNList: []string{prefix + "blue"}, Tags: map[string]string{"a": "b"}}))(t)
	l.wait(time.Minute)
	if got := l.names(t, &sdk.GetResourcesInput{}); !slices.Equal(got, []string{"blue"}) {
		t.Errorf("tagged are %v", got)
	}
}

// readOnly hides that a source can be written to.
type readOnly struct{ tagging.Source }

func TestTagsAreWrittenThroughTheirService(t *testing.T) {
	other := &source{tags: map[string]map[string]string{prefix + "fixed": {}}}
	l := newLab(t, readOnly{other})
	ctx := t.Context()
	l.set(prefix+"blue", "old", "1")
	l.set(prefix + "bare")
	out := wiretest.Must(l.TagResources(ctx, &sdk.TagResourcesInput{
		ResourceARNList: []string{prefix + "blue", prefix + "bare", prefix + "fixed", prefix + "ghost"}, Tags: map[string]string{"new": "2"},
	}))(t).FailedResourcesMap
	if len(out) != 2 || out[prefix+"fixed"].ErrorCode != "NotSimulated" || out[prefix+"ghost"].ErrorCode != "InvalidParameterException" || out[prefix+"ghost"].StatusCode != http.StatusBadRequest {
		t.Errorf("failed are %+v", out)
	}
	wiretest.Must(l.UntagResources(ctx, &sdk.UntagResourcesInput{ResourceARNList: []string{prefix + "blue"}, TagKeys: []string{"old"}}))(t)
	if got := l.names(t, &sdk.GetResourcesInput{TagFilters: []types.TagFilter{filter("new", "2")}}); !slices.Equal(got, []string{"bare", "blue"}) {
		t.Errorf("tagged are %v", got)
	}
	if got := l.names(t, &sdk.GetResourcesInput{TagFilters: []types.TagFilter{filter("old")}}); len(got) != 0 {
		t.Errorf("still tagged are %v", got)
	}
	denied := wiretest.Must(l.TagResources(ctx, &sdk.TagResourcesInput{ResourceARNList: []string{prefix + "blue"}, Tags: map[string]string{"forbidden": "1"}}))(t)
	if f := denied.FailedResourcesMap[prefix+"blue"]; f.StatusCode != http.StatusForbidden || f.ErrorCode != "AccessDeniedException" {
		t.Errorf("a refused write is %+v", f)
	}
	for name, in := range map[string]sdk.TagResourcesInput{
		"no tags":        {ResourceARNList: []string{prefix + "blue"}, Tags: map[string]string{}},
		"a reserved key": {ResourceARNList: []string{prefix + "blue"}, Tags: map[string]string{"aws:a": ""}},
		"no ARNs":        {ResourceARNList: []string{}, Tags: map[string]string{"a": ""}},
		"21 ARNs":        {ResourceARNList: slices.Repeat([]string{prefix + "blue"}, 21), Tags: map[string]string{"a": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := l.TagResources(ctx, &in)
			wiretest.Refused(t, err, "InvalidParameterException", "")
		})
	}
	_, err := l.UntagResources(ctx, &sdk.UntagResourcesInput{ResourceARNList: []string{prefix + "blue"}, TagKeys: []string{}})
	wiretest.Refused(t, err, "InvalidParameterException", "")
	_, err = l.StartReportCreation(ctx, &sdk.StartReportCreationInput{S3Bucket: aws.String("x")})
	wiretest.Refused(t, err, "NotSimulated", "")
}

// Whatever the tags and the filters, the service finds what a naive reading of the
// documentation finds.
func TestFiltersAgreeWithTheirMeaning(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "b", "A"})
	key := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		src := &source{tags: map[string]map[string]string{}}
		for i, tags := range rapid.SliceOfN(rapid.MapOf(key, text), 0, 8).Draw(t, "tags") {
			src.tags[fmt.Sprintf("%s%d", prefix, i)] = tags
		}
		type f struct {
			key    string
			values []string
		}
		filters := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) f {
			return f{key.Draw(t, "key"), rapid.SliceOfN(text, 0, 3).Draw(t, "values")}
		}), 0, 4).Draw(t, "filters")
		want := []string{}
		for arn, tags := range src.tags {
			ok := len(tags) > 0
			for _, f := range filters {
				v, has := tags[f.key]
				hit := has && len(f.values) == 0
				for _, x := range f.values {
					hit = hit || has && v == x
				}
				ok = ok && hit
			}
			if ok {
				want = append(want, arn)
			}
		}
		slices.Sort(want)

		s := tagging.New(tagging.Config{Sources: []tagging.Source{src}})
		p := wire.Params{"ResourcesPerPage": int64(rapid.IntRange(1, 4).Draw(t, "page"))}
		var in []any
		for _, f := range filters {
			var values []any
			for _, v := range f.values {
				values = append(values, v)
			}
			in = append(in, wire.Params{"Key": f.key, "Values": values})
		}
		p["TagFilters"] = in
		got := []string{}
		for {
			out, err := s.Serve(t.Context(), &wire.Request{Operation: "GetResources", Region: region, AccountID: account, Params: p})
			if err != nil {
				t.Fatal(err)
			}
			list, _ := out[1].Value.(wire.List)
			for _, r := range list {
				m, _ := r.(wire.Struct)
				got = append(got, fmt.Sprint(m[0].Value))
			}
			if out[0].Value == "" {
				break
			}
			p["PaginationToken"] = out[0].Value
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
	})
}

func TestClustersAreFoundByTheTagsThatEKSHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clusters, err := eks.New(eks.Config{DeleteDelay: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer clusters.Close()
		arn := wiretest.Must(clusters.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "blue", Tags: map[string]string{"env": "prod"}}))(t)
		s := tagging.New(tagging.Config{Sources: []tagging.Source{clusters}, Lag: func() time.Duration { return time.Minute }})
		s.CatchUp(account, region)
		call := func(svc wire.Service, op string, p wire.Params) wire.Struct {
			return wiretest.Must(svc.Serve(t.Context(), &wire.Request{Operation: op, Region: region, AccountID: account, Params: p}))(t)
		}
		count := func() int {
			list, _ := call(s, "GetResources", wire.Params{"ResourceTypeFilters": []any{"eks:cluster"}, "TagFilters": []any{wire.Params{"Key": "team"}}})[1].Value.(wire.List)
			return len(list)
		}
		call(s, "TagResources", wire.Params{"ResourceARNList": []any{arn}, "Tags": wire.Params{"team": "a"}})
		if got := clusters.Resources(account, region)[0].Tags; got["team"] != "a" || got["env"] != "prod" {
			t.Errorf("EKS has the tags %v", got)
		}
		if n := count(); n != 0 {
			t.Errorf("%d clusters are found at once", n)
		}
		time.Sleep(time.Minute)
		if n := count(); n != 1 {
			t.Errorf("%d clusters are found after the lag", n)
		}
		call(clusters, "DeleteCluster", wire.Params{"name": "blue"})
		time.Sleep(time.Minute)
		if n := count(); n != 1 {
			t.Errorf("%d clusters are found just after the deletion", n)
		}
		time.Sleep(time.Minute)
		if n := count(); n != 0 {
			t.Errorf("%d clusters are found after the lag of the deletion", n)
		}
	})
}
