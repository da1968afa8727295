package app

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/manifest"
)

func TestADrainMetricMayBeTheOnlyOne(t *testing.T) {
	for what, source := range map[string]string{
		"CloudWatch": `cloudwatch: {query: '[{"Id":"m","MetricStat":{"Metric":{"Namespace":"Own","MetricName":"Connections"},"Period":60,"Stat":"Maximum"}}]'}`,
		"Prometheus": `prometheus: {address: "http://127.0.0.1:9090", query: connections}`,
	} {
		t.Run(what, func(t *testing.T) {
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
  analysis: {builtin: false}
  strategy:
    drain: {metric: {name: left, max: 0, `+source+`}}
`))
			if err != nil {
				t.Fatal(err)
			}
			env := Environment{Getenv: func(string) string { return "" }, Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")}
			parts, err := Build(t.Context(), env, ts)
			if err != nil {
				t.Fatal(err)
			}
			if parts.Spec.Timing != (analysis.Timing{}) || !parts.Spec.DrainMetric || parts.Spec.Drain != 0*time.Second {
				t.Errorf("steps wait for what judges none of them: %+v", parts.Spec)
			}
		})
	}
}
