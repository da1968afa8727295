package app

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/manifest"
)

func TestWhoHasNoKeysOfTheMetricsMayLeaveAWordAllTheSame(t *testing.T) {
	const arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:"
	ts, err := manifest.Load("shift.yaml", []byte(`
apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: web}
spec:
  route: {nlb: {listenerARN: "`+arn+`listener/net/web/0123456789abcdef/0123456789abcdef"}}
  destinations:
    - {name: blue, targetGroupARN: "`+arn+`targetgroup/blue/0123456789abcdef", weight: 0}
    - {name: green, targetGroupARN: "`+arn+`targetgroup/green/0123456789abcdef", weight: 100}
  analysis: {metrics: [{name: errors, max: 1, datadog: {query: "avg:errors{*}"}}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := Environment{
		Getenv:      func(name string) string { return map[string]string{"NORIKAE_STATE_DIR": dir, "HOME": dir}[name] },
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", ""),
	}
	if _, err := open(t.Context(), env, ts, cli.OpenOptions{}); err == nil {
		t.Error("a shift without the keys of its metrics can be run")
	}
	if _, err := open(t.Context(), env, ts, cli.OpenOptions{RouteOnly: true}); err != nil {
		t.Error(err)
	}
}
