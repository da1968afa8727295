package carries

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	normal "github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

func TestAWeightAboveZeroIsTraffic(t *testing.T) {
	for name, tc := range map[string]struct {
		blue, green         int
		routesBlue, toGreen string // "": none
	}{
		"all to one":           {100, 0, "rule 10 of listener HTTP:80", ""},
		"one in a hundred":     {99, 1, "weight 99 of 100 for target group app-blue,", "weight 1 of 100 for target group app-green,"},
		"half each":            {1, 1, "weight 1 of 2 for target group app-blue,", "weight 1 of 2 for target group app-green,"},
		"nothing to anybody":   {0, 0, "", ""},
		"the largest of all":   {0, 999, "", "weight 999 of 999 for target group app-green,"},
		"one beside a nothing": {0, 1, "", "weight 1 of 1 for target group app-green,"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, awssim.Config{}, func(w *world) {
				split := to(w.group("app-blue"), tc.blue, w.group("app-green"), tc.green)
				w.rule(w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, notFound()), 10, split)
				for who, want := range map[string]string{"blue": tc.routesBlue, "green": tc.toGreen} {
					if want == "" {
						w.wantRoutes(w.look(w.named("app-NAME"), cluster(who)))
					} else {
						w.wantRoutes(w.look(w.named("app-NAME"), cluster(who)), want)
					}
				}
			})
		})
	}
}

func TestEveryPlaceThatCanSendTrafficIsLookedAt(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		blue, green := w.group("app-blue"), w.group("app-green")
		w.group("app-stray")
		nlbBlue, nlbGreen := w.group("nlb-blue", tcp), w.group("nlb-green", tcp)
		web, net := w.balancer("web", ""), w.balancer("net", types.LoadBalancerTypeEnumNetwork)
		http := w.listener(web, 80, types.ProtocolEnumHttp, only(blue))
		w.rule(http, 7, to(green, 0)) // alone: its weight does not matter
		w.rule(http, 8, to(blue, 0, green, 5))
		w.rule(w.listener(web, 8080, types.ProtocolEnumHttp, notFound()), 9, to(blue, 3, green, 1))
		w.listener(net, 443, types.ProtocolEnumTcp, to(nlbBlue, 90, nlbGreen, 10))
		w.listener(net, 80, types.ProtocolEnumTcp, to(nlbBlue, 100, nlbGreen, 0))

		w.wantRoutes(w.look(w.named("*-NAME"), cluster("blue")),
			"the default action of listener HTTP:80 of load balancer app/web/", "rule 9 of listener HTTP:8080 of load balancer app/web/",
			"the default action of listener TCP:443 of load balancer net/net/", "the default action of listener TCP:80 of load balancer net/net/")
		w.wantRoutes(w.look(w.named("*-NAME"), cluster("green")),
			"rule 7 of listener HTTP:80", "rule 8 of listener HTTP:80", "rule 9 of listener HTTP:8080", "TCP:443")
		w.wantRoutes(w.look(w.named("app-NAME"), cluster("stray")))
		w.wantRoutes(w.look(w.named("app-NAME"), gone("stray")))
	})
}

func TestRulesOfNetworkLoadBalancersAreSeen(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		net := w.balancer("net", types.LoadBalancerTypeEnumNetwork)
		wiretest.Must(w.elb.SetIpAddressType(w.Context(), &elb.SetIpAddressTypeInput{LoadBalancerArn: &net, IpAddressType: types.IpAddressTypeDualstack}))(w.T)
		v4 := w.group("green", tcp, addresses)
		v6 := w.group("blue", tcp, addresses, func(in *elb.CreateTargetGroupInput) { in.IpAddressType = types.TargetGroupIpAddressTypeEnumIpv6 })
		ln := w.listener(net, 443, types.ProtocolEnumTcp, only(v4))
		priority := int32(5)
		wiretest.Must(w.elb.CreateRule(w.Context(), &elb.CreateRuleInput{
			ListenerArn: &ln, Priority: &priority, Actions: []types.Action{only(v6)},
			Conditions: []types.RuleCondition{{Field: aws.String("source-ip"), SourceIpConfig: &types.SourceIpConditionConfig{IpAddressType: types.SourceIpAddressTypeEnumIpv6}}},
		}))(w.T)
		w.wantRoutes(w.look(w.named("NAME"), cluster("blue")), "rule 5 of listener TCP:443 of load balancer net/net/")
	})
}

func TestS11_RulesListenersAndGroupsOnLaterPagesAreSeen(t *testing.T) {
	inLab(t, awssim.Config{MaxPageSize: 2}, func(w *world) {
		var filler []string
		for i := range 5 {
			filler = append(filler, w.group(fmt.Sprintf("a-%d", i)))
		}
		blue, web := w.group("blue"), w.balancer("web", "")
		for port := range int32(3) {
			ln := w.listener(web, 80+port, types.ProtocolEnumHttp, notFound())
			for priority := range int32(5) {
				w.rule(ln, priority+1, only(filler[priority]))
			}
			if port == 2 {
				w.rule(ln, 10, to(blue, 1, filler[0], 999))
			}
		}
		w.wantRoutes(w.look(w.named("NAME"), cluster("blue")), "rule 10 of listener HTTP:82 of load balancer app/web/")
	})
}

func TestAPatternTakesWhatItSaysAndNothingElse(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		ln := w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, notFound())
		for i, name := range []string{"prod-a-web", "prod-ab-web", "xprod-a-web", "prod-a-api", "prod-a"} {
			w.rule(ln, int32(i+1), only(w.group(name)))
		}
		w.wantRoutes(w.look(w.named("prod-NAME-*"), cluster("a")), "group prod-a-web,", "group prod-a-api,")
		w.wantRoutes(w.look(w.named("prod-NAME"), cluster("a")), "group prod-a,")
		w.wantRoutes(w.look(w.named("*-NAME-*b"), cluster("a")), "group prod-a-web,", "group xprod-a-web,")
	})
}

func TestPatternsMatchAsIfEveryStarWereSomeText(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "ab", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "acb", false},
		{"*ab", "aab", true},
		{"ab*", "aab", false},
		{"a.b", "axb", false},
	} {
		if got := matches(tc.pattern, tc.s); got != tc.want {
			t.Errorf("%q like %q: %t", tc.s, tc.pattern, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 1, 5).Draw(t, "parts")
		s := parts[0]
		for _, p := range parts[1:] {
			s += rapid.StringMatching(`[abc]{0,3}`).Draw(t, "text") + p
		}
		if pattern := strings.Join(parts, "*"); !matches(pattern, s) {
			t.Fatalf("%q is not like %q", s, pattern)
		}
	})
}

func TestTagsAreReadFromTheTargetGroupsThemselves(t *testing.T) {
	// The tagging service has not heard of anything for an hour.
	inLab(t, awssim.Config{IndexLag: time.Hour}, func(w *world) {
		for i := range 25 { // more than one call of DescribeTags takes
			w.group(fmt.Sprintf("filler-%d", i), withTags("cluster", "blue"))
		}
		web := w.balancer("web", "")
		w.listener(web, 80, types.ProtocolEnumHttp, only(w.group("one", withTags("cluster", "blue", "app", "web"))))
		w.listener(web, 81, types.ProtocolEnumHttp, only(w.group("two", withTags("cluster", "green", "app", "web"))))
		tags := func(pairs ...string) *registry.TargetGroups {
			way := &registry.TargetGroups{Tags: map[string]*registry.Text{}}
			for i := 0; i < len(pairs); i += 2 {
				way.Tags[pairs[i]] = w.template(pairs[i+1])
			}
			return way
		}
		w.wantRoutes(w.look(tags("cluster", "NAME", "app", "web"), cluster("blue")), "group one,")
		w.wantRoutes(w.look(tags("cluster", "NAME"), cluster("green")), "group two,")
		w.wantUnknown(w.look(tags("cluster", "NAME", "app", "wbe"), cluster("blue")), "none of the 27 target groups in us-east-1 of account 000000000000 has the tags app=wbe, cluster=blue", "typing error")
		w.wantUnknown(w.look(tags("cluster", `{{ index .Tags "env" }}`), cluster("blue")), `template.targetGroups.tags["cluster"]: `, `no tag "env"`)
	})
}

func TestWhatMatchesNothingIsNotNoTraffic(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("app-blue")))
		for _, c := range []registry.Cluster{cluster("blue"), gone("blue")} {
			w.wantUnknown(w.look(w.named("ap-NAME"), c), `none of the 1 target groups`, `has a name like "ap-blue"`, "retire it by hand")
		}
		long := cluster(strings.Repeat("x", 40))
		w.wantUnknown(w.look(w.named("app-NAME*"), long), "44 characters", "more than 32")
		w.wantUnknown(w.look(w.named("{{ index .Tags \"env\" }}"), cluster("blue")), "targetGroups.name: ", `no tag "env"`)
		w.wantUnknown(w.look(w.named(`app-{{ get .Tags "env" }}`), gone("blue")), "targetGroups.name: ", "of a cluster that EKS does not have, only .Name")
		w.wantUnknown(w.look(w.named(""), cluster("blue")), "targetGroups.name gives no text")
		w.wantUnknown(w.look(nil, cluster("blue")), "template.targetGroups does not say")
		w.wantUnknown(w.look(&registry.TargetGroups{}, cluster("blue")), "template.targetGroups is empty")
		w.wantRoutes(w.look(&registry.TargetGroups{None: true}, cluster("blue")))
	})
}

func TestWhereNoTargetGroupIsBehindALoadBalancerNobodyGetsTraffic(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.wantRoutes(w.look(w.named("ap-NAME"), cluster("blue")))
		w.group("app-blue")
		w.wantRoutes(w.look(w.named("ap-NAME"), gone("blue")))
		w.wantRoutes(w.look(&registry.TargetGroups{Instances: true}, cluster("blue")))
	})
}

func TestOnlyTheClustersOwnAccountAndRegionAreAsked(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("blue")))
		there, _ := w.as(role(other))
		w.elb = there
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, notFound())
		w.listener(w.balancer("web2", ""), 81, types.ProtocolEnumHttp, to(w.group("blue"), 0, w.group("green"), 1))

		abroad := cluster("blue")
		abroad.Account = other
		w.wantRoutes(w.look(w.named("NAME"), abroad, registry.Account{}, role(other)))
		w.wantRoutes(w.look(w.named("NAME"), cluster("blue"), role(other), registry.Account{}), "HTTP:80")
		w.wantUnknown(w.look(w.named("NAME"), abroad), "credentials are of account 000000000000, the cluster is in 111111111111")
		w.wantUnknown(w.look(w.named("NAME"), abroad, role("222222222222")), "no source of the set has a role of account 111111111111 for us-east-1")
		abroad.Region = "sa-east-1"
		w.wantUnknown(w.look(w.named("NAME"), abroad, role(other)), "for sa-east-1")
	})
}

func TestTheNextRoleIsTriedWhereOneDoesNotLetUsIn(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("blue")))
		w.fail(fault.Rule{Kind: fault.AccessDenied, Service: "sts", Operation: "AssumeRole", Times: 1})
		w.wantRoutes(w.look(w.named("NAME"), cluster("blue"), role(home), role(home)), "HTTP:80")
	})
}

func TestWhatCannotBeReadIsNotNoTraffic(t *testing.T) {
	for _, op := range []string{"DescribeTargetGroups", "DescribeListeners", "DescribeRules"} {
		t.Run(op, func(t *testing.T) {
			inLab(t, awssim.Config{}, func(w *world) {
				w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("blue")))
				w.fail(fault.Rule{Kind: fault.AccessDenied, Operation: op, Times: 1})
				got := w.look(w.named("NAME"), cluster("blue"))
				w.wantUnknown(got, "(elasticloadbalancing:"+op+")", "IAM policy does not allow")
				if !errors.Is(got.Err, normal.ErrDenied) {
					t.Errorf("not classified: %v", got.Err)
				}
				w.fail(fault.Rule{Kind: fault.Throttle, Operation: op, Times: 2})
				w.wantRoutes(w.look(w.named("NAME"), cluster("blue")), "HTTP:80")
				w.fail(fault.Rule{Kind: fault.Throttle, Operation: op})
				w.wantUnknown(w.look(w.named("NAME"), cluster("blue")), op, "Rate exceeded")
			})
		})
	}
	t.Run("DescribeTags", func(t *testing.T) {
		inLab(t, awssim.Config{}, func(w *world) {
			w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(w.group("blue")))
			w.fail(fault.Rule{Kind: fault.AccessDenied, Operation: "DescribeTags"})
			w.wantUnknown(w.look(&registry.TargetGroups{Tags: map[string]*registry.Text{"a": w.template("b")}}, cluster("blue")), "(elasticloadbalancing:DescribeTags)")
		})
	})
	t.Run("whose the credentials are", func(t *testing.T) {
		inLab(t, awssim.Config{}, func(w *world) {
			w.fail(fault.Rule{Kind: fault.AccessDenied, Operation: "GetCallerIdentity"})
			w.wantUnknown(w.look(w.named("NAME"), cluster("blue")), "sts:GetCallerIdentity")
		})
	})
}

func TestAListWithoutAnEndIsAnError(t *testing.T) {
	n := 0
	err := paged("listing", func(*string) (*string, error) {
		n++
		more := "more"
		return &more, nil
	})
	if n != maxPages || err == nil || !strings.Contains(err.Error(), "listing: more than 200 pages") {
		t.Errorf("%d pages, %v", n, err)
	}
}

func TestAFinderNeedsItsParts(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("made without any")
	}
}

func TestAGroupThatIsDeletedMeanwhileIsAnErrorAndGoneNextTime(t *testing.T) {
	inLab(t, awssim.Config{}, func(w *world) {
		web := w.balancer("web", "")
		w.listener(web, 80, types.ProtocolEnumHttp, only(w.group("blue")))
		w.fail(fault.Rule{Kind: fault.Refusal, Operation: "DescribeListeners", Code: "LoadBalancerNotFound", Times: 1})
		if got := w.look(w.named("NAME"), cluster("blue")); !errors.Is(got.Err, normal.ErrNotFound) {
			t.Errorf("got %v", got)
		}
		wiretest.Must(w.elb.DeleteLoadBalancer(w.Context(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: &web}))(w.T)
		w.wantRoutes(w.look(w.named("NAME"), cluster("blue")))
	})
}
