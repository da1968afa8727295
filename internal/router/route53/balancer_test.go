package route53

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
)

func TestTheLoadBalancersThatJudgeAreThoseThatTheRecordsLeadTo(t *testing.T) {
	leads := func(w *world, to string) func(*types.ResourceRecordSet) {
		return func(s *types.ResourceRecordSet) {
			alias(s)
			s.AliasTarget.DNSName = aws.String(to)
			if strings.HasSuffix(to, "example.com.") {
				s.AliasTarget.HostedZoneId = aws.String(w.zone)
			}
		}
	}
	names := map[string]string{"arn:blue": "Blue-1.us-east-1.elb.amazonaws.com", "arn:green": "green-2.us-east-1.elb.amazonaws.com"}
	for what, tc := range map[string]struct {
		green string // where green's records lead; "": they are no aliases
		arn   string // that is declared for green
		err   string
		warns string
	}{
		"the right one":              {"dualstack.green-2.us-east-1.elb.amazonaws.com", "arn:green", "", ""},
		"the other side's":           {"green-2.us-east-1.elb.amazonaws.com", "arn:blue", `destinations[1].loadBalancerARN: "arn:blue" is Blue-1.us-east-1.elb.amazonaws.com, but the A record "green" at api.example.com leads to green-2.us-east-1.elb.amazonaws.com.`, ""},
		"one that does not exist":    {"green-2.us-east-1.elb.amazonaws.com", "arn:gone", `destinations[1].loadBalancerARN: "arn:gone" does not exist`, ""},
		"of records without aliases": {"", "arn:green", "", `not verified: that the records of "green" lead to arn:green`},
		"another record of the zone": {"green.example.com.", "arn:green", "", `not verified: that the records of "green" lead to arn:green`},
		"none is declared":           {"green-2.us-east-1.elb.amazonaws.com", "", "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			if tc.green == "" {
				w.twins("blue", 100, "green", 0)
			} else {
				blue := leads(w, "blue-1.us-east-1.elb.amazonaws.com")
				for _, typ := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
					w.put(record(typ, "", 0, plain, at("green.example.com")), record(typ, "blue", 100, blue), record(typ, "green", 0, leads(w, tc.green)))
				}
			}
			w.forget()
			n := w.open(func(c *Config) {
				c.LoadBalancers = map[string]string{"green": tc.arn}
				c.DNSNameOf = func(_ context.Context, arn string) (string, error) {
					if names[arn] == "" {
						return "", fmt.Errorf("%s: %w", arn, fault.ErrNotFound)
					}
					return names[arn], nil
				}
			})
			warnings, err := n.Preflight(t.Context())
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !fault.IsTerminal(err)) {
				t.Errorf("%v", err)
			}
			if all := strings.Join(warnings, "\n"); tc.warns != "" && !strings.Contains(all, tc.warns) || tc.warns == "" && strings.Contains(all, "lead to") {
				t.Errorf("warnings %s", all)
			}
			if w.changed() {
				t.Error("something was changed")
			}
		})
	}
}
