package arn

import (
	"strings"
	"testing"
)

const place = "arn:aws-cn:elasticloadbalancing:cn-north-1:123456789012:"

func TestARNsSayWhatTheyName(t *testing.T) {
	rule := place + "listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef"
	r, err := ParseRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	if want := place + "listener/app/web/0123456789abcdef/1123456789abcdef"; r.Listener.ARN != want {
		t.Errorf("the rule's listener is %s, want %s", r.Listener.ARN, want)
	}
	if want := place + "loadbalancer/app/web/0123456789abcdef"; r.Listener.LoadBalancer.ARN != want {
		t.Errorf("the rule's load balancer is %s, want %s", r.Listener.LoadBalancer.ARN, want)
	}
	if r.Listener.LoadBalancer.Type != Application || r.Partition != "aws-cn" || r.Region != "cn-north-1" || r.Account != "123456789012" {
		t.Errorf("misread: %+v", r)
	}
	for _, s := range []string{rule, r.Listener.ARN, r.Listener.LoadBalancer.ARN} {
		if got := LoadBalancerSuffix(s); got != "app/web/0123456789abcdef" {
			t.Errorf("LoadBalancerSuffix(%s) = %q", s, got)
		}
	}
	tg := place + "targetgroup/blue/0123456789abcdef"
	if got := TargetGroupSuffix(tg); got != "targetgroup/blue/0123456789abcdef" {
		t.Errorf("TargetGroupSuffix = %q", got)
	}
	if LoadBalancerSuffix(tg) != "" || TargetGroupSuffix(rule) != "" {
		t.Error("a suffix of the wrong kind of ARN")
	}
	parsed, err := ParseTargetGroup(tg)
	if err != nil || parsed.GroupName != "blue" || !parsed.SamePlace(r.Name) {
		t.Errorf("target group misread: %+v, %v", parsed, err)
	}
	if Region(tg) != "cn-north-1" || Region("web") != "" {
		t.Error("Region misread")
	}
}

func TestWrongARNsAreExplained(t *testing.T) {
	listener := func(s string) error { _, err := ParseListener(s); return err }
	group := func(s string) error { _, err := ParseTargetGroup(s); return err }
	rule := func(s string) error { _, err := ParseRule(s); return err }
	balancer := func(s string) error { _, err := ParseLoadBalancer(s); return err }
	for name, tc := range map[string]struct {
		parse func(string) error
		in    string
		want  string // a part of the message
	}{
		"no ARN at all":               {listener, "web", `"web" is not an ARN`},
		"empty":                       {listener, "", `"" is not an ARN`},
		"no resource":                 {listener, "arn:aws:elasticloadbalancing:us-east-1:123456789012:", "resource is empty"},
		"another service":             {group, "arn:aws:ec2:us-east-1:123456789012:targetgroup/a/0123456789abcdef", `its service is "ec2"`},
		"account too short":           {group, "arn:aws:elasticloadbalancing:us-east-1:1234:targetgroup/a/0123456789abcdef", "not 12 digits"},
		"no region":                   {group, "arn:aws:elasticloadbalancing::123456789012:targetgroup/a/0123456789abcdef", `its region is ""`},
		"not a partition":             {group, "arn:gcp:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/0123456789abcdef", `its partition is "gcp"`},
		"a rule for a listener":       {listener, place + "listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef", "it names a listener rule"},
		"a listener for a rule":       {rule, place + "listener/app/web/0123456789abcdef/1123456789abcdef", "it names a listener"},
		"a group for a load balancer": {balancer, place + "targetgroup/a/0123456789abcdef", "it names a target group"},
		"something else":              {group, place + "trust-store/a/0123456789abcdef", `kind "trust-store"`},
		"a part is missing":           {listener, place + "listener/app/web/0123456789abcdef", "has 4 parts, not 5"},
		"unknown load balancer type":  {listener, place + "listener/web/web/0123456789abcdef/1123456789abcdef", `load balancer type is "web"`},
		"a name that cannot be":       {group, place + "targetgroup/a_b/0123456789abcdef", "letters, digits and hyphens"},
		"an ID that was cut":          {group, place + "targetgroup/a/01234", "16 hexadecimal digits"},
		"trailing space":              {group, place + "targetgroup/a/0123456789abcdef ", "16 hexadecimal digits"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.parse(tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want a message with %q", err, tc.want)
			}
			if !strings.Contains(err.Error(), "arn:PARTITION:elasticloadbalancing:REGION:ACCOUNT:") {
				t.Errorf("the message does not say what is wanted: %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(place + "listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef")
	f.Add(place + "targetgroup/a/0123456789abcdef")
	f.Add("arn:::::")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseRule(s); err == nil {
			if _, err := ParseListener(r.Listener.ARN); err != nil {
				t.Errorf("the listener of %q cannot be read: %v", s, err)
			}
			if _, err := ParseLoadBalancer(r.Listener.LoadBalancer.ARN); err != nil {
				t.Errorf("the load balancer of %q cannot be read: %v", s, err)
			}
		}
		if tg, err := ParseTargetGroup(s); err == nil && !strings.HasSuffix(s, tg.Suffix) {
			t.Errorf("suffix %q of %q", tg.Suffix, s)
		}
	})
}
