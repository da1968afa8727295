package ec2_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	account = wire.DefaultAccountID
	region  = "eu-west-1"
)

// cloud is EC2 on a real listener.
type cloud struct {
	*testing.T
	*awsec2.Client
	url   string
	svc   *ec2.Service
	calls wiretest.Calls
}

func start(t *testing.T, cfg ec2.Config) *cloud {
	t.Helper()
	c := &cloud{T: t, svc: ec2.New(cfg)}
	c.url = wiretest.Serve(t, wire.Config{Observe: c.calls.Observe}, c.svc.Registration())
	c.Client = awsec2.New(awsec2.Options{
		BaseEndpoint: &c.url, Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKID", "fake", ""), RetryMaxAttempts: 1,
	})
	return c
}

func (c *cloud) wantCode(err error, code, message string) {
	c.Helper()
	wiretest.Refused(c, err, code, message)
}

func (c *cloud) wantDriven() {
	c.Helper()
	c.calls.WantAll(c, "ec2", ec2.Operations())
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

func tagged(typ types.ResourceType, key, value string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: typ, Tags: []types.Tag{{Key: &key, Value: &value}}}}
}

func newClock() *wiretest.Clock {
	return wiretest.NewClock(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
}
