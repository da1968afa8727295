package ec2_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsec2 "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awssim/ec2"
	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	account = wire.DefaultAccountID
	region  = "eu-west-1"
)

// cloud is EC2 on a real listener.
type cloud struct {
	*testing.T
	*awsec2.Client
	url    string
	svc    *ec2.Service
	driven map[string]bool // operations that succeeded
}

func start(t *testing.T, cfg ec2.Config) *cloud {
	t.Helper()
	c := &cloud{T: t, svc: ec2.New(cfg), driven: map[string]bool{}}
	mux := wire.NewMux(wire.Config{Observe: func(call wire.Call) {
		if call.Error == "" {
			c.driven[call.Request.Operation] = true
		}
	}})
	mux.Register(c.svc.Registration())
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	c.url = srv.URL
	c.Client = awsec2.New(awsec2.Options{
		BaseEndpoint: &c.url, Region: region, Credentials: credentials.NewStaticCredentialsProvider("AKID", "fake", ""), RetryMaxAttempts: 1,
	})
	return c
}

// must is for calls that have to succeed.
func must[T any](t testing.TB) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func (c *cloud) wantCode(err error, code, message string) {
	c.Helper()
	if codeOf(err) != code || !strings.Contains(err.Error(), message) {
		c.Errorf("%v, want %s with %q", err, code, message)
	}
}

func (c *cloud) wantDriven() {
	c.Helper()
	for _, op := range ec2.Operations() {
		if op.Fidelity != wire.Absent && !c.driven[op.Name] {
			c.Errorf("%s was not driven", op.Name)
		}
	}
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

func tagged(typ types.ResourceType, key, value string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: typ, Tags: []types.Tag{{Key: &key, Value: &value}}}}
}

// clock that a test moves.
type clock struct{ t time.Time }

func newClock() *clock               { return &clock{time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time      { return c.t }
func (c *clock) add(d time.Duration) { c.t = c.t.Add(d) }
