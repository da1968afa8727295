package ec2_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestPagesHoldEverySubnetOnce(t *testing.T) {
	c := start(t, ec2.Config{MaxPageSize: 3})
	vpc := wiretest.Must(c.CreateVpc(t.Context(), &awsec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")}))(t).Vpc.VpcId
	var want, got []string
	for i := range 8 {
		s := wiretest.Must(c.CreateSubnet(t.Context(), &awsec2.CreateSubnetInput{VpcId: vpc, CidrBlock: aws.String(fmt.Sprintf("10.0.%d.0/24", i))}))(t)
		want = append(want, *s.Subnet.SubnetId)
	}
	pages := 0
	for p := awsec2.NewDescribeSubnetsPaginator(c.Client, &awsec2.DescribeSubnetsInput{MaxResults: aws.Int32(5)}); p.HasMorePages(); pages++ {
		for _, s := range wiretest.Must(p.NextPage(t.Context()))(t).Subnets {
			got = append(got, *s.SubnetId)
		}
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%v in %d pages, want %v", got, pages, want)
	}
}

func TestADryRunAnswers412AndDoesNothing(t *testing.T) {
	c := start(t, ec2.Config{})
	_, err := c.CreateVpc(t.Context(), &awsec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16"), DryRun: aws.Bool(true)})
	c.wantCode(err, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
	if res, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || res.HTTPStatusCode() != http.StatusPreconditionFailed {
		t.Errorf("%v", err)
	}
	if left := c.svc.Resources(account, region); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

// An SDK that did not hear the answer asks again with the same token.
func TestAClientTokenMakesACallCountOnce(t *testing.T) {
	now := newClock()
	s := ec2.New(ec2.Config{Now: now.Now})
	create := func(name, token string) (wire.Struct, error) {
		return serve(s, t, "CreateLaunchTemplate", wire.Params{"LaunchTemplateName": name, "ClientToken": token, "LaunchTemplateData": wire.Params{"ImageId": "x"}})
	}
	first, err := create("nodes", "t-1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := create("nodes", "t-1")
	if err != nil || text(t, again, "launchTemplate.launchTemplateId") != text(t, first, "launchTemplate.launchTemplateId") {
		t.Errorf("%v %v", again, err)
	}
	for name, tc := range map[string]struct{ name, token, want string }{
		"other arguments": {"others", "t-1", "IdempotentParameterMismatch"},
		"another token":   {"nodes", "t-2", "InvalidLaunchTemplateName.AlreadyExistsException"},
	} {
		_, err := create(tc.name, tc.token)
		if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	now.Add(25 * time.Hour)
	if _, err := create("others", "t-3"); err != nil {
		t.Error(err)
	}
	if _, err := create("third", "t-1"); err != nil {
		t.Errorf("a token of yesterday: %v", err)
	}
}

// Whatever is asked for: no two subnets of a VPC overlap, each lies in its VPC, and the
// addresses that instances get are of their subnet and nobody else's.
func TestSubnetsAndAddressesStayApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := ec2.New(ec2.Config{})
		out, err := serve(s, t, "CreateVpc", wire.Params{"CidrBlock": "10.0.0.0/24"})
		if err != nil {
			rt.Fatal(err)
		}
		vpc := text(t, out, "vpc.vpcId")
		var blocks []netip.Prefix
		used := map[string]bool{}
		for range rapid.IntRange(1, 20).Draw(rt, "calls") {
			cidr := fmt.Sprintf("10.0.%d.%d/%d", rapid.IntRange(0, 1).Draw(rt, "third"), 16*rapid.IntRange(0, 15).Draw(rt, "fourth"), rapid.IntRange(24, 29).Draw(rt, "bits"))
			out, err := serve(s, t, "CreateSubnet", wire.Params{"VpcId": vpc, "CidrBlock": cidr})
			if err != nil {
				continue
			}
			b := netip.MustParsePrefix(text(t, out, "subnet.cidrBlock"))
			for _, o := range blocks {
				if o.Overlaps(b) {
					rt.Fatalf("%s overlaps %s", b, o)
				}
			}
			if blocks = append(blocks, b); !netip.MustParsePrefix("10.0.0.0/24").Contains(b.Addr()) {
				rt.Fatalf("%s is not of the VPC", b)
			}
			for range 3 {
				out, err := serve(s, t, "RunInstances", wire.Params{
					"ImageId": "ami-0000000000000a001", "MinCount": "1", "MaxCount": "1", "SubnetId": text(t, out, "subnet.subnetId"),
				})
				if err != nil {
					rt.Fatal(err)
				}
				for _, m := range out {
					if m.Name != "instancesSet" {
						continue
					}
					i, _ := m.Value.(wire.List)[0].(wire.Struct)
					ip := text(t, i, "privateIpAddress")
					if used[ip] || !b.Contains(netip.MustParseAddr(ip)) {
						rt.Fatalf("%s in %s: used %v", ip, b, used)
					}
					used[ip] = true
				}
			}
		}
	})
}
