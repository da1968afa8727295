package elbv2_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// pages follows NextMarker and returns all items and the pages' sizes.
func (l *lab) pages(t *testing.T, op string, p params, listName, member string, size int) (items []string, sizes []int) {
	t.Helper()
	q := maps.Clone(p)
	if size > 0 {
		q["PageSize"] = size
	}
	for {
		out := l.do(t, op, q)
		part := column(t, out, listName, member)
		items, sizes = append(items, part...), append(sizes, len(part))
		next := wiretest.At(out, "NextMarker")
		if next == nil {
			return items, sizes
		}
		q["Marker"] = next
	}
}

func TestEveryListIsPagedWithoutGapOrRepetition(t *testing.T) {
	const n = 30
	l := newLab(t)
	l.https = l.listen(t, 443, params{"Protocol": "HTTPS", "Certificates": list(params{"CertificateArn": certificate})})
	for i := range n {
		name := fmt.Sprintf("g%02d", i)
		l.do(t, "CreateLoadBalancer", params{"Name": name, "Subnets": list("subnet-1", "subnet-2")})
		l.group(t, name)
		l.listen(t, 1000+i, params{"Protocol": "HTTP"})
		l.rule(t, 500-i, notFound())
		if i < 20 {
			l.do(t, "AddListenerCertificates", params{"ListenerArn": l.https, "Certificates": list(params{"CertificateArn": certificate + name})})
		}
	}
	for name, tc := range map[string]struct {
		p            params
		list, member string
		want         int
	}{
		"DescribeLoadBalancers":        {params{}, "LoadBalancers", "LoadBalancerArn", n + 1},
		"DescribeListeners":            {params{"LoadBalancerArn": l.lb}, "Listeners", "ListenerArn", n + 2},
		"DescribeRules":                {params{"ListenerArn": l.listener}, "Rules", "RuleArn", n + 1},
		"DescribeTargetGroups":         {params{}, "TargetGroups", "TargetGroupArn", n + 2},
		"DescribeListenerCertificates": {params{"ListenerArn": l.https}, "Certificates", "CertificateArn", 21},
		"DescribeAccountLimits":        {params{}, "Limits", "Name", 16},
		"DescribeSSLPolicies":          {params{}, "SslPolicies", "Name", 6},
	} {
		t.Run(name, func(t *testing.T) {
			all, _ := l.pages(t, name, tc.p, tc.list, tc.member, 400)
			if len(all) != tc.want {
				t.Fatalf("%d items, want %d", len(all), tc.want)
			}
			for _, size := range []int{0, 1, 2, 400} {
				got, sizes := l.pages(t, name, tc.p, tc.list, tc.member, size)
				if !slices.Equal(got, all) {
					t.Errorf("page size %d gives %v, want %v", size, got, all)
				}
				if size > 0 && slices.Max(sizes) > size || size == 1 && len(sizes) != tc.want {
					t.Errorf("page size %d gives pages of %v", size, sizes)
				}
			}
		})
	}
}

func TestMaxPageSizeForcesPages(t *testing.T) {
	l := newLab(t, func(c *elbv2.Config) { c.MaxPageSize = 2 })
	for i := range 4 {
		l.rule(t, i+1, notFound())
	}
	items, sizes := l.pages(t, "DescribeRules", params{"ListenerArn": l.listener}, "Rules", "Priority", 0)
	if !slices.Equal(items, []string{"1", "2", "3", "4", "default"}) || !slices.Equal(sizes, []int{2, 2, 1}) {
		t.Errorf("got %v in pages of %v", items, sizes)
	}
}

func TestAPageGoesOnWhereTheLastOneEndedEvenIfRulesComeAndGo(t *testing.T) {
	l := newLab(t)
	arns := map[int]string{}
	for p := 10; p <= 60; p += 10 {
		arns[p] = l.rule(t, p, notFound())
	}
	first := l.do(t, "DescribeRules", params{"ListenerArn": l.listener, "PageSize": 3})
	l.rule(t, 5, notFound()) // before the page's end
	l.do(t, "DeleteRule", params{"RuleArn": arns[20]})
	rest := l.do(t, "DescribeRules", params{"ListenerArn": l.listener, "Marker": wiretest.At(first, "NextMarker")})
	if got := column(t, rest, "Rules", "Priority"); !slices.Equal(got, []string{"40", "50", "60", "default"}) {
		t.Errorf("the second page has %v", got)
	}
}
