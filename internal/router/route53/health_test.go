package route53

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// healthCheck of an address, which the simulator takes for healthy until it is told otherwise.
func (w *world) healthCheck(ip string, change ...func(*types.HealthCheckConfig)) string {
	w.t.Helper()
	config := &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: &ip, Port: aws.Int32(443)}
	for _, f := range change {
		f(config)
	}
	out, err := w.sdk.CreateHealthCheck(w.t.Context(), &r53.CreateHealthCheckInput{CallerReference: aws.String(fmt.Sprint(ip, len(change), config.Type)), HealthCheckConfig: config})
	w.ok(err)
	return *out.HealthCheck.Id
}

func (w *world) sick(check string) {
	w.t.Helper()
	if !w.svc.SetHealth(check, aws.Bool(false)) {
		w.t.Fatalf("no health check %s", check)
	}
}

func TestSanity(t *testing.T) {
	w := newWorld(t)
	id := w.healthCheck("192.0.2.1")
	w.sick(id)
	out, err := w.sdk.GetHealthCheckStatus(t.Context(), &r53.GetHealthCheckStatusInput{HealthCheckId: &id})
	w.ok(err)
	for _, o := range out.HealthCheckObservations {
		t.Log(*o.StatusReport.Status, strings.TrimSpace(string(o.Region)))
	}
}
