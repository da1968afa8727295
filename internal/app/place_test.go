package app

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/cli"
)

func TestARouteIsNamedByWhatLeadsToIt(t *testing.T) {
	const (
		alb  = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/web/0123456789abcdef/0123456789abcdef"
		nlb  = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/net/web/0123456789abcdef/0123456789abcdef"
		rule = "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:listener-rule/app/web/0123456789abcdef/0123456789abcdef/1123456789abcdef"
	)
	for name, tc := range map[string]struct {
		where cli.Where
		want  string // how the place is called, or a part of the error
	}{
		"a rule":                   {cli.Where{RuleARN: rule}, rule},
		"a default action":         {cli.Where{ListenerARN: alb}, alb + " default"},
		"a rule by its priority":   {cli.Where{ListenerARN: alb, Priority: 10}, alb + " rule 10"},
		"an NLB's listener":        {cli.Where{ListenerARN: nlb}, nlb + " default"},
		"an NLB's rule":            {cli.Where{ListenerARN: nlb, Priority: 10}, "give route.nlb.listenerARN"},
		"a name":                   {cli.Where{HostedZoneID: "/hostedzone/Z1", Name: "API.example.com."}, "Z1 api.example.com"},
		"a listener for a rule":    {cli.Where{RuleARN: alb}, "--rule: "},
		"a rule for a listener":    {cli.Where{ListenerARN: rule}, "--listener: "},
		"a zone that cannot exist": {cli.Where{HostedZoneID: "example.com", Name: "a.b"}, "want the ID of a hosted zone"},
	} {
		env := Environment{Getenv: func(string) string { return "" }, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")}
		t.Run(name, func(t *testing.T) {
			p, err := looker(env)(t.Context(), tc.where)
			switch {
			case err != nil && strings.Contains(err.Error(), tc.want):
			case err != nil:
				t.Error(err)
			default:
				if place, ok := p.(*Place); !ok || place.String() != tc.want {
					t.Errorf("it is %v, want %s", p, tc.want)
				}
			}
		})
	}
}
