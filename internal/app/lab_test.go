package app

import (
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/router/elbv2"
	"github.com/norikae/norikae/internal/router/route53"
)

func TestAPublicMarkDoesNotNameTheMachine(t *testing.T) {
	id := "build-host-7.internal-abcd"
	public := Parts{Router: &route53.Name{}}
	if got := public.machine(id); strings.Contains(got, "build") || got != public.machine(id) || got == public.machine(id+"x") {
		t.Errorf("in a TXT record it is %q", got)
	}
	if got := (Parts{Router: &elbv2.Rule{}}).machine(id); got != id {
		t.Errorf("in tags it is %q", got)
	}
}

func TestALabsTimingIsRefusedOnTheRealAWS(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"nothing of a lab":      {nil, ""},
		"left over":             {map[string]string{"NORIKAE_CLOUDWATCH_DELAY": "1s"}, `NORIKAE_CLOUDWATCH_DELAY = "1s" is a lab's`},
		"left over, for DNS":    {map[string]string{"NORIKAE_ROUTE53_ALIAS_TTL": "2s"}, "unset it"},
		"in a lab":              {map[string]string{"NORIKAE_CLOUDWATCH_DELAY": "1s", "AWS_ENDPOINT_URL": "http://127.0.0.1:4599"}, ""},
		"in a lab's CloudWatch": {map[string]string{"NORIKAE_CLOUDWATCH_DELAY": "1s", "AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:4599"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := inLab(Environment{Getenv: func(k string) string { return tc.env[k] }})
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}
