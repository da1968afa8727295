package carries

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/wiretest"
	"github.com/norikae/norikae/internal/registry"
)

const (
	trustAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`
	mayRead  = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*","Action":[
		"elasticloadbalancing:DescribeListeners","elasticloadbalancing:DescribeRules","elasticloadbalancing:DescribeTags",
		"elasticloadbalancing:DescribeTargetGroups","elasticloadbalancing:DescribeTargetHealth","ec2:DescribeInstances"]}}`
)

func TestSixReadsAreAllThatIsNeeded(t *testing.T) {
	inLab(t, awssim.Config{Authz: true}, func(w *world) {
		c := iam.NewFromConfig(wiretest.Must(w.config(w.Context(), awssim.Region, registry.Account{}))(w.T))
		reader := wiretest.Must(c.CreateRole(w.Context(), &iam.CreateRoleInput{RoleName: aws.String("reader"), AssumeRolePolicyDocument: aws.String(trustAll)}))(w.T).Role
		wiretest.Must(c.PutRolePolicy(w.Context(), &iam.PutRolePolicyInput{RoleName: reader.RoleName, PolicyName: aws.String("may"), PolicyDocument: aws.String(mayRead)}))(w.T)
		vpc, subnet := w.network()
		a := w.group("a", inVPC(vpc), withTags("cluster", "blue"))
		w.register(a, w.instance(subnet, "eks:cluster-name", "blue"))
		w.listener(w.balancer("web", ""), 80, types.ProtocolEnumHttp, only(a))
		for _, way := range []*registry.TargetGroups{w.named("a"), {Tags: map[string]*registry.Text{"cluster": w.template("NAME")}}, byInstances()} {
			w.wantRoutes(w.look(way, cluster("blue"), registry.Account{RoleARN: *reader.Arn}), "group a,")
		}
		nobody := wiretest.Must(c.CreateRole(w.Context(), &iam.CreateRoleInput{RoleName: aws.String("nobody"), AssumeRolePolicyDocument: aws.String(trustAll)}))(w.T).Role
		w.wantUnknown(w.look(w.named("a"), cluster("blue"), registry.Account{RoleARN: *nobody.Arn}), "elasticloadbalancing:DescribeTargetGroups", "not authorized")
		w.wantUnknown(w.look(w.named("a"), cluster("blue"), registry.Account{RoleARN: *reader.Arn + "s"}), "check that the caller may assume")
	})
}
