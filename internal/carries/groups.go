package carries

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/registry"
)

const (
	maxPages = 200 // of any list: AWS's default quotas need 8 of the longest
	pageSize = 400 // the most that ELBv2 gives
	tagBatch = 20  // ARNs that DescribeTags takes
	maxName  = 32  // characters of a target group's name
)

// look is one look at an account and region for one cluster.
type look struct {
	elb     *elb.Client
	ec2     *ec2.Client
	cluster registry.Cluster

	groups   []types.TargetGroup // all
	attached []types.TargetGroup // those that an action names
}

// paged calls next until it returns no token. An answer without an end is an error: its
// first pages alone must not be taken for all.
func paged(op string, next func(token *string) (*string, error)) error {
	var token *string
	for range maxPages {
		var err error
		if token, err = next(token); err != nil {
			return awsconf.Classify(op, err)
		}
		if aws.ToString(token) == "" {
			return nil
		}
	}
	return fmt.Errorf("%s: more than %d pages", op, maxPages)
}

// list all target groups: patterns and tags are compared here, because AWS filters by
// exact names only, and what the tagging service says of tags is old.
func (l *look) list(ctx context.Context) error {
	return paged("listing target groups (elasticloadbalancing:DescribeTargetGroups)", func(marker *string) (*string, error) {
		out, err := l.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Marker: marker, PageSize: aws.Int32(pageSize)})
		if err != nil {
			return nil, err
		}
		for _, g := range out.TargetGroups {
			l.groups = append(l.groups, g)
			if len(g.LoadBalancerArns) > 0 {
				l.attached = append(l.attached, g)
			}
		}
		return out.NextMarker, nil
	})
}

// nothing is the error of a way that finds no target group.
func (l *look) nothing(format string, args ...any) error {
	return fmt.Errorf("none of the %d target groups in %s of account %s %s, and a typing error looks the same: check template.targetGroups; if the cluster has no target groups (any more), retire it by hand",
		len(l.groups), l.cluster.Region, l.cluster.Account, fmt.Sprintf(format, args...))
}

func (l *look) byName(ctx context.Context, t *registry.Text) ([]string, error) {
	pattern, err := t.Render(l.cluster)
	if err != nil {
		return nil, fmt.Errorf("template.targetGroups.name: %w", err)
	}
	if pattern == "" {
		return nil, fmt.Errorf("template.targetGroups.name gives no text")
	}
	var mine []types.TargetGroup
	for _, g := range l.groups {
		if matches(pattern, aws.ToString(g.TargetGroupName)) {
			mine = append(mine, g)
		}
	}
	if mine == nil {
		hint := ""
		if n := utf8.RuneCountInString(strings.ReplaceAll(pattern, "*", "")); n > maxName {
			hint = fmt.Sprintf(" (it has %d characters, and no name of a target group more than %d)", n, maxName)
		}
		return nil, l.nothing("has a name like %q%s", pattern, hint)
	}
	return l.weighted(ctx, mine)
}

func (l *look) byTags(ctx context.Context, want map[string]*registry.Text) ([]string, error) {
	tags := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, err := want[key].Render(l.cluster)
		if err != nil {
			return nil, fmt.Errorf("template.targetGroups.tags[%q]: %w", key, err)
		}
		tags[key] = value
	}
	var mine []types.TargetGroup
	for batch := range slices.Chunk(l.groups, tagBatch) {
		has, err := l.tagged(ctx, batch, tags)
		if err != nil {
			return nil, err
		}
		mine = append(mine, has...)
	}
	if mine == nil {
		return nil, l.nothing("has the tags %s", inWords(tags))
	}
	return l.weighted(ctx, mine)
}

// tagged are those of a batch that have all the tags.
func (l *look) tagged(ctx context.Context, batch []types.TargetGroup, tags map[string]string) ([]types.TargetGroup, error) {
	byARN, arns := map[string]types.TargetGroup{}, make([]string, len(batch))
	for i, g := range batch {
		arns[i] = aws.ToString(g.TargetGroupArn)
		byARN[arns[i]] = g
	}
	const op = "reading the tags of target groups (elasticloadbalancing:DescribeTags)"
	out, err := l.elb.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: arns})
	if err != nil {
		return nil, awsconf.Classify(op, err)
	}
	if len(out.TagDescriptions) != len(batch) {
		return nil, fmt.Errorf("%s: %d answers for %d target groups", op, len(out.TagDescriptions), len(batch))
	}
	var mine []types.TargetGroup
	for _, d := range out.TagDescriptions {
		missing := maps.Clone(tags)
		for _, t := range d.Tags {
			if v, ok := missing[aws.ToString(t.Key)]; ok && v == aws.ToString(t.Value) {
				delete(missing, aws.ToString(t.Key))
			}
		}
		if len(missing) == 0 {
			mine = append(mine, byARN[aws.ToString(d.ResourceArn)])
		}
	}
	return mine, nil
}

func inWords(tags map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, key+"="+tags[key])
	}
	return strings.Join(out, ", ")
}
