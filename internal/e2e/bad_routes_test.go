package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/engine"
	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/router/route53"
	"github.com/norikae/norikae/internal/shift"
	"github.com/norikae/norikae/internal/traffic"
)

// badRoute is the stage of one bad call for an NLB or a DNS name.
type badRoute struct {
	*stage

	near *near
	name string // of a DNS name, the case's own
	port int32  // free on the world's NLB, the case's own
}

// changing are the operations that wrote something, but for those that give credentials.
func changing(calls []awssim.CallEntry) []string {
	return slices.DeleteFunc(writing(calls), func(op string) bool { return op == "AssumeRole" })
}

// explained runs each case through the real binary and compares all that it says with a
// file of messages. Nothing may have been written.
func explained(t *testing.T, file string, n *near, begin func(*testing.T, *badRoute), cases map[string]func(*testing.T, *badRoute)) {
	t.Helper()
	want, said := messages(t, file), map[string]string{}
	for name := range want {
		if cases[name] == nil && !*update {
			t.Errorf("testdata/%s tells of %q, which is no case", file, name)
		}
	}
	i := int32(0)
	for name, setup := range cases {
		i++
		t.Run(name, func(t *testing.T) {
			b := &badRoute{stage: n.stage(t), near: n, name: fmt.Sprintf("n%02d.example.com", i), port: 1000 + i}
			begin(t, b)
			setup(t, b)
			t.Cleanup(func() { n.clearFaults(t) })
			before := len(n.calls(t))
			res := b.run(t)
			got := b.normal(res.stderr)
			said[name] = got
			if *update {
				want[name] = got
			}
			if res.code != 1 || got != want[name] {
				t.Errorf("code %d, want 1; stderr\n%s\nwant\n%s\nstdout\n%s", res.code, got, want[name], res.stdout)
			}
			if writes := changing(n.calls(t)[before:]); len(writes) > b.others {
				t.Errorf("carried out: %v; %d of them by the test", writes, b.others)
			}
		})
	}
	if *update {
		write(t, file, said)
	}
}

// ids are parts of ARNs, and zones, that AWS makes up.
var ids = regexp.MustCompile(`/[0-9a-f]{16}\b|\bZ[0-9A-Z]{12,32}\b`)

// normal is what the program said, with what differs from run to run taken out.
func (b *badRoute) normal(text string) string {
	text = b.stage.normal(others{"no group", "no rule"}, text)
	text = strings.NewReplacer(b.name, "{name}", fmt.Sprintf("-%d/", b.port), "/").Replace(text)
	if b.HostedZoneID != "" {
		text = strings.ReplaceAll(text, b.HostedZoneID, "{zone}")
	}
	return ids.ReplaceAllStringFunc(text, func(id string) string { return id[:1] + "…" })
}

func (b *badRoute) edit(t *testing.T, pairs ...string) {
	t.Helper()
	b.stage.edit(pairs...)(t)
}

func must[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func faultOf(rule string) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) { b.fault(t, rule) }
}

func manifestOf(pairs ...string) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) { b.edit(t, pairs...) }
}

// foreign leaves what another machine's unfinished shift leaves, until the test ends. With
// renew its lease ends soon, but is renewed while the program waits for that.
func (b *badRoute) foreign(t *testing.T, r engine.Router, blue, green string, renew bool) {
	t.Helper()
	expires := -time.Second
	if renew {
		expires = 1500 * time.Millisecond
	}
	lease := shift.Lease{Owner: "elsewhere/7/abc", Expires: time.Now().Add(expires)}
	err := r.SetMark(t.Context(), shift.Mark{
		ID: "OTHERSHIFT", Name: "web", Plan: "0123456789abcdef", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Lease: lease,
		From: traffic.Split{{ID: blue, Weight: 70}, {ID: green, Weight: 30}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.ClearMark(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("removing the mark: %v", err)
		}
	})
	if !renew {
		return
	}
	b.others++
	renewal := time.AfterFunc(expires/2, func() {
		lease.Expires = time.Now().Add(time.Hour)
		if err := r.Renew(t.Context(), lease); err != nil {
			t.Errorf("renewing: %v", err)
		}
	})
	t.Cleanup(func() { renewal.Stop() })
}

// group makes a target group that the case needs.
func (b *badRoute) group(t *testing.T, name string, protocol types.ProtocolEnum, change func(*elb.CreateTargetGroupInput)) string {
	t.Helper()
	in := &elb.CreateTargetGroupInput{
		Name: aws.String(fmt.Sprintf("%s-%d", name, b.port)), Protocol: protocol, Port: aws.Int32(80), VpcId: aws.String("vpc-01ab"), TargetType: types.TargetTypeEnumIp,
	}
	if change != nil {
		change(in)
	}
	out, err := b.api.CreateTargetGroup(t.Context(), in)
	return *must(t, out, err).TargetGroups[0].TargetGroupArn
}

// listener makes one on the world's NLB, and declares it instead of the world's.
func (b *badRoute) listener(t *testing.T, protocol types.ProtocolEnum, groups ...types.TargetGroupTuple) {
	t.Helper()
	in := &elb.CreateListenerInput{LoadBalancerArn: aws.String(b.LoadBalancerARN), Protocol: protocol, Port: aws.Int32(b.port), DefaultActions: forwardTo(groups...)}
	if protocol == types.ProtocolEnumTls {
		in.Certificates = []types.Certificate{{CertificateArn: aws.String("arn:aws:acm:us-east-1:000000000000:certificate/12345678-1234-1234-1234-123456789012")}}
	}
	out, err := b.api.CreateListener(t.Context(), in)
	b.edit(t, b.ListenerARN, *must(t, out, err).Listeners[0].ListenerArn)
}

// greenOf declares a target group of another kind instead of green.
func greenOf(name string, protocol types.ProtocolEnum, change func(*elb.CreateTargetGroupInput)) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) { b.edit(t, b.arn("green"), b.group(t, name, protocol, change)) }
}

// pair declares a listener of its own with two target groups, of which only blue is on it.
func pair(listener, blue, green types.ProtocolEnum, change func(*elb.CreateTargetGroupInput)) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) {
		first, second := b.group(t, "blue", blue, nil), b.group(t, "green", green, change)
		b.listener(t, listener, tuple(first, 1))
		b.edit(t, b.arn("blue"), first, b.arn("green"), second)
	}
}

func (b *badRoute) network(t *testing.T) *elbv2.Rule {
	t.Helper()
	r, err := elbv2.New(elbv2.Config{API: b.api, ListenerARN: b.ListenerARN, Default: true, Destinations: []string{b.arn("blue"), b.arn("green")}, Owner: "web"})
	return must(t, r, err)
}

func TestBadInputForANetworkLoadBalancerIsExplainedAndWritesNothing(t *testing.T) {
	t.Parallel()
	n := startNear(t, awssim.WorldNLB)
	listener, green := n.ListenerARN, n.arn("green")
	const route = "    nlb: {listenerARN: "
	lb, err := n.api.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: aws.String("other"), Type: types.LoadBalancerTypeEnumNetwork, Subnets: []string{"subnet-0a", "subnet-0b"}})
	other := must(t, lb, err).LoadBalancers[0].LoadBalancerArn
	explained(t, "bad-nlb.txt", n, func(_ *testing.T, b *badRoute) {
		b.text = network{n}.declare(0, 100, "  strategy: {stepWeight: 50, stepInterval: 1s, bake: 1s, drain: {duration: 1s}}\n  analysis: {maxHold: 2s}\n")
	}, map[string]func(*testing.T, *badRoute){
		"a listener that does not exist":                        manifestOf(listener, listener[:len(listener)-4]+"0000"),
		"a load balancer where the listener belongs":            func(t *testing.T, b *badRoute) { b.edit(t, listener, b.LoadBalancerARN) },
		"a listener of an Application Load Balancer":            manifestOf("listener/net/", "listener/app/"),
		"a rule with conditions on a Network Load Balancer":     manifestOf(route+`"`+listener+`"}`, `    alb: {listenerARN: "`+listener+`", rule: {priority: 10, hosts: [example.com]}}`),
		"its listener declared as one of an ALB":                manifestOf(route, "    alb: {default: true, listenerARN: "),
		"a TLS listener with target groups of two protocols":    pair(types.ProtocolEnumTls, types.ProtocolEnumTls, types.ProtocolEnumTcp, nil),
		"a TLS listener with a TLS target group beside TCP":     pair(types.ProtocolEnumTls, types.ProtocolEnumTcp, types.ProtocolEnumTls, nil),
		"a TCP listener with a TLS target group":                greenOf("tls", types.ProtocolEnumTls, nil),
		"a TCP listener with a UDP target group":                greenOf("udp", types.ProtocolEnumUdp, nil),
		"a UDP listener with a TCP target group":                pair(types.ProtocolEnumUdp, types.ProtocolEnumUdp, types.ProtocolEnumTcp, nil),
		"a TCP_UDP listener with a TCP target group":            pair(types.ProtocolEnumTcpUdp, types.ProtocolEnumTcpUdp, types.ProtocolEnumTcp, nil),
		"a target group of an Application Load Balancer's kind": greenOf("http", types.ProtocolEnumHttp, nil),
		"a target group of IPv6 addresses beside one of IPv4": greenOf("six", types.ProtocolEnumTcp, func(in *elb.CreateTargetGroupInput) {
			in.IpAddressType = types.TargetGroupIpAddressTypeEnumIpv6
		}),
		"load balancers for targets of a TLS listener": pair(types.ProtocolEnumTls, types.ProtocolEnumTcp, types.ProtocolEnumTcp, func(in *elb.CreateTargetGroupInput) {
			in.TargetType = types.TargetTypeEnumAlb
		}),
		"a target group of another VPC": greenOf("vpc", types.ProtocolEnumTcp, func(in *elb.CreateTargetGroupInput) { in.VpcId = aws.String("vpc-02cd") }),
		"a target group of another Network Load Balancer": func(t *testing.T, b *badRoute) {
			arn := b.group(t, "other", types.ProtocolEnumTcp, nil)
			_, err := b.api.CreateListener(t.Context(), &elb.CreateListenerInput{LoadBalancerArn: other, Protocol: types.ProtocolEnumTcp, Port: aws.Int32(b.port), DefaultActions: forwardTo(tuple(arn, 1))})
			must(t, 0, err)
			b.edit(t, green, arn)
		},
		"a target group that does not exist": manifestOf(green, strings.Replace(green, "/green/", "/gone/", 1)),
		"five target groups and a sixth that is live": func(t *testing.T, b *badRoute) {
			b.listener(t, types.ProtocolEnumTcp, tuple(b.group(t, "live", types.ProtocolEnumTcp, nil), 1))
			for i := range 3 {
				b.edit(t, "  strategy:", fmt.Sprintf("  - {name: more-%d, targetGroupARN: %q, weight: 1}\n  strategy:", i, b.group(t, fmt.Sprintf("more-%d", i), types.ProtocolEnumTcp, nil)))
			}
		},
		"a weight of 1000":             manifestOf("weight: 100", "weight: 1000"),
		"weights that sum to 0":        manifestOf("weight: 100", "weight: 0"),
		"a drain of a negative time":   manifestOf("drain: {duration: 1s}", "drain: {duration: -1s}"),
		"a drain's metric that cannot": manifestOf("drain: {duration: 1s}", `drain: {metric: {name: left, max: 0, prometheus: {address: "http://127.0.0.1:1", query: up}}}`),
		"a query with a field that does not exist": manifestOf("{maxHold: 2s}", `{maxHold: 2s, metrics: [{name: flows, max: 1, interval: 1s, cloudwatch: {query: '[{"Id": "a", "MetricStat": {"Metric": `+
			`{"Namespace": "AWS/NetworkELB", "MetricName": "NewFlowCount", "Dimensions": [{"Name": "TargetGroup", "Value": "{{.Suffix}}"}]}, "Period": 1, "Stat": "Sum"}}]'}}]}`),
		"no permission to read listeners":                faultOf(`{"kind":"access-denied","operation":"DescribeListeners"}`),
		"no permission to read target groups":            faultOf(`{"kind":"access-denied","operation":"DescribeTargetGroups"}`),
		"no permission to read metrics":                  faultOf(`{"kind":"access-denied","service":"cloudwatch"}`),
		"no permission to write the mark":                faultOf(`{"kind":"access-denied","operation":"AddTags"}`),
		"another declaration's shift that is unfinished": func(t *testing.T, b *badRoute) { b.foreign(t, b.network(t), b.arn("blue"), green, false) },
		"another machine's run that is active":           func(t *testing.T, b *badRoute) { b.foreign(t, b.network(t), b.arn("blue"), green, true) },
	})
}

// weighted makes a record of the case's name.
func (b *badRoute) weighted(typ r53types.RRType, id string, weight int) r53types.ResourceRecordSet {
	value := map[string]string{"A blue": "127.0.1.1", "A green": "127.0.1.2", "AAAA blue": "::1", "AAAA green": "::2", "CNAME blue": "blue.example.net", "CNAME green": "green.example.net"}
	return weightedRecord(b.name, typ, id, weight, 60, value[string(typ)+" "+id])
}

// with makes records of A, 100 and 0, and others beside.
func with(more func(*badRoute) []r53types.ResourceRecordSet) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) {
		b.good(t)
		b.near.change(t, r53types.ChangeActionCreate, more(b)...)
	}
}

// good records.
func (b *badRoute) good(t *testing.T) {
	t.Helper()
	b.near.change(t, r53types.ChangeActionCreate, b.weighted(r53types.RRTypeA, "blue", 100), b.weighted(r53types.RRTypeA, "green", 0))
}

// both makes a record blue and one green, of A, after change.
func both(change func(set *r53types.ResourceRecordSet, side string)) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) {
		for side, weight := range map[string]int{"blue": 100, "green": 0} {
			set := b.weighted(r53types.RRTypeA, side, weight)
			change(&set, side)
			b.near.change(t, r53types.ChangeActionCreate, set)
		}
	}
}

// also the good records, and what f makes of the rest.
func also(f func(*testing.T, *badRoute)) func(*testing.T, *badRoute) {
	return func(t *testing.T, b *badRoute) {
		b.good(t)
		f(t, b)
	}
}

// elsewhere makes a zone in another account.
func (b *badRoute) elsewhere(t *testing.T) (zone string) {
	t.Helper()
	key := credentials.NewStaticCredentialsProvider("FAKEKEYOFTHETEST", "fake", "")
	role, err := sts.New(sts.Options{BaseEndpoint: &b.Endpoint, Region: b.Region, Credentials: key}).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/dns"), RoleSessionName: aws.String("test"),
	})
	c := must(t, role, err).Credentials
	there := r53.New(r53.Options{BaseEndpoint: &b.Endpoint, Region: b.Region, Credentials: credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)})
	out, err := there.CreateHostedZone(t.Context(), &r53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String(b.name)})
	return strings.TrimPrefix(*must(t, out, err).HostedZone.Id, "/hostedzone/")
}

func (b *badRoute) records53(t *testing.T) *route53.Name {
	t.Helper()
	r, err := route53.New(route53.Config{API: b.near.dns, HostedZoneID: b.HostedZoneID, Name: b.name, Destinations: []string{"blue", "green"}, Owner: "web"})
	return must(t, r, err)
}

func TestBadInputForADNSNameIsExplainedAndWritesNothing(t *testing.T) {
	t.Parallel()
	n := startNear(t, awssim.WorldRoute53)
	const a, aaaa = r53types.RRTypeA, r53types.RRTypeAaaa
	blueLB, greenLB := n.Destinations[0].LoadBalancerARN, n.Destinations[1].LoadBalancerARN
	alias := n.records(t, n.Name)[0].AliasTarget
	explained(t, "bad-route53.txt", n, func(_ *testing.T, b *badRoute) {
		b.text = address{n, b.name}.declare(0, 100, "  strategy: {stepWeight: 50, stepInterval: 1s, bake: 1s}\n  analysis: {maxHold: 2s}\n")
	}, map[string]func(*testing.T, *badRoute){
		"no record at the name":              func(*testing.T, *badRoute) {},
		"a set identifier that is not there": also(manifestOf("setIdentifier: green", "setIdentifier: grün")),
		"a set identifier in capitals":       also(manifestOf("setIdentifier: green", "setIdentifier: Green")),
		"an A record without its twin of AAAA": with(func(b *badRoute) []r53types.ResourceRecordSet {
			return []r53types.ResourceRecordSet{b.weighted(aaaa, "blue", 100)}
		}),
		"a declared type that no record has": also(manifestOf("{hostedZoneID:", "{types: [A, AAAA], hostedZoneID:")),
		"an alias on one side, a record on the other": both(func(s *r53types.ResourceRecordSet, side string) {
			if s.TTL = aws.Int64(300); side == "blue" {
				s.AliasTarget, s.TTL, s.ResourceRecords = alias, nil, nil
			}
		}),
		"a zone that does not exist": also(manifestOf("hostedZoneID: "+n.HostedZoneID, "hostedZoneID: Z0123456789ABCDEFGHIJ")),
		"a zone of another account": also(func(t *testing.T, b *badRoute) {
			b.edit(t, "hostedZoneID: "+n.HostedZoneID, "hostedZoneID: "+b.elsewhere(t))
		}),
		"a role of another account than the zone's": also(manifestOf("  strategy:", "  aws: {assumeRole: {roleARN: 'arn:aws:iam::111111111111:role/dns'}}\n  strategy:")),
		"a name of another zone":                    func(t *testing.T, b *badRoute) { b.edit(t, b.name, "api.example.net") },
		"the name of the zone spelt with a typo":    func(t *testing.T, b *badRoute) { b.edit(t, b.name, "api.exmaple.com") },
		"a simple record": func(t *testing.T, b *badRoute) {
			s := b.weighted(a, "blue", 0)
			s.SetIdentifier, s.Weight = nil, nil
			b.near.change(t, r53types.ChangeActionCreate, s)
		},
		"latency records": both(func(s *r53types.ResourceRecordSet, side string) {
			s.Weight, s.Region = nil, map[string]r53types.ResourceRecordSetRegion{"blue": "us-east-1", "green": "eu-west-1"}[side]
		}),
		"multivalue answers": both(func(s *r53types.ResourceRecordSet, _ string) { s.Weight, s.MultiValueAnswer = nil, aws.Bool(true) }),
		"a simple record of the other type": with(func(b *badRoute) []r53types.ResourceRecordSet {
			s := b.weighted(aaaa, "blue", 0)
			s.SetIdentifier, s.Weight = nil, nil
			return []r53types.ResourceRecordSet{s}
		}),
		"types that disagree": with(func(b *badRoute) []r53types.ResourceRecordSet {
			return []r53types.ResourceRecordSet{b.weighted(aaaa, "blue", 50), b.weighted(aaaa, "green", 50)}
		}),
		"weights that are all 0 today": both(func(s *r53types.ResourceRecordSet, _ string) { s.Weight = aws.Int64(0) }),
		"a weight of 256":              also(manifestOf("weight: 100", "weight: 256")),
		"weights that sum to 0":        also(manifestOf("weight: 100", "weight: 0")),
		"somebody's TXT record where the mark goes": with(func(b *badRoute) []r53types.ResourceRecordSet {
			return []r53types.ResourceRecordSet{{Name: aws.String("_norikae." + b.name), Type: r53types.RRTypeTxt, TTL: aws.Int64(60), ResourceRecords: []r53types.ResourceRecord{{Value: aws.String(`"hello"`)}}}}
		}),
		"a name without room for the mark": func(t *testing.T, b *badRoute) {
			b.edit(t, b.name, strings.Repeat(strings.Repeat("x", 59)+".", 4)+"example.com")
		},
		"one load balancer for both":             also(manifestOf(greenLB, blueLB)),
		"a load balancer of one destination":     also(manifestOf(`, loadBalancerARN: "`+greenLB+`"`, "")),
		"nothing to judge by":                    also(manifestOf(`, loadBalancerARN: "`+greenLB+`"`, "", `, loadBalancerARN: "`+blueLB+`"`, "")),
		"no permission to list records":          also(faultOf(`{"kind":"access-denied","operation":"ListResourceRecordSets"}`)),
		"no permission to read the zone":         also(faultOf(`{"kind":"access-denied","operation":"GetHostedZone"}`)),
		"no permission to follow changes":        also(faultOf(`{"kind":"access-denied","operation":"GetChange"}`)),
		"no permission to change records":        also(faultOf(`{"kind":"access-denied","operation":"ChangeResourceRecordSets"}`)),
		"expired credentials":                    also(faultOf(`{"kind":"expired-token"}`)),
		"another declaration's unfinished shift": also(func(t *testing.T, b *badRoute) { b.foreign(t, b.records53(t), "blue", "green", false) }),
		"another machine's run that is active":   also(func(t *testing.T, b *badRoute) { b.foreign(t, b.records53(t), "blue", "green", true) }),
	})
}
