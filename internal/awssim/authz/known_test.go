package authz_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/cloudwatch"
	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/elbv2"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/route53"
	"github.com/norikae/norikae/internal/awssim/sqs"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/tagging"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// An operation that the table does not know can be called by nobody but administrators.
func TestEveryOperationThatIsSimulatedIsKnown(t *testing.T) {
	everything, err := authz.Parse("all", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, authz.Identity)
	if err != nil {
		t.Fatal(err)
	}
	caller := authz.Principal{Account: wire.DefaultAccountID, Policies: authz.Policies{Identity: []authz.Policy{everything}}}
	a := authz.New(authz.Config{Caller: func(string) (authz.Principal, bool) { return caller, true }})
	services := map[string][]wire.Operation{
		"elasticloadbalancing": elbv2.Operations(), "route53": route53.Operations(), "monitoring": cloudwatch.Operations(), "eks": eks.Operations(),
		"tagging": tagging.Operations(), "sts": sts.Operations(), "iam": iam.Operations(), "ec2": ec2.Operations(),
		"sqs": sqs.Operations(),
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		for _, op := range services[name] {
			if op.Fidelity == wire.Absent {
				continue
			}
			err := a.Authorize(t.Context(), &wire.Request{Service: name, Operation: op.Name, Region: "us-east-1", AccountID: wire.DefaultAccountID, AccessKeyID: "AKID"})
			if err != nil {
				t.Errorf("%s %s: %s", name, op.Name, strings.TrimPrefix(err.Error(), "AccessDenied: "))
			}
		}
	}
}
