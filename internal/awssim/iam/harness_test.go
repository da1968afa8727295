package iam_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim/authz"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const account = wire.DefaultAccountID

// cloud is IAM and STS on a real listener. With authorization on, calls must be signed.
type cloud struct {
	*testing.T
	url   string
	calls wiretest.Calls
}

func start(t *testing.T, cfg iam.Config, on bool) *cloud {
	t.Helper()
	c := &cloud{T: t}
	users := iam.New(cfg)
	tokens := sts.New(sts.Config{IAM: users, Authz: on, Now: cfg.Now})
	wc := wire.Config{
		Resolve: tokens.Resolve, Check: tokens.Check, Secret: tokens.Secret, Unsigned: sts.Unsigned, VerifySignatures: on,
		Observe: c.calls.Observe,
	}
	if on {
		wc.Authorize = authz.New(authz.Config{Caller: tokens.Caller, Names: users.ARN, Tags: func(arn string) map[string]string {
			for _, r := range users.Resources(account) {
				if r.ARN == arn {
					return r.Tags
				}
			}
			return nil
		}}).Authorize
	}
	c.url = wiretest.Serve(t, wc, users.Registration(), tokens.Registration())
	return c
}

func static(id, secret, token string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, secret, token)
}

func lab() aws.CredentialsProvider { return static(sts.LabAccessKeyID, sts.LabSecret, "") }

func (c *cloud) iam(p aws.CredentialsProvider) *awsiam.Client {
	return awsiam.New(awsiam.Options{BaseEndpoint: &c.url, Region: "us-east-1", Credentials: p, RetryMaxAttempts: 1})
}

func (c *cloud) sts(p aws.CredentialsProvider) *awssts.Client {
	return awssts.New(awssts.Options{BaseEndpoint: &c.url, Region: "us-east-1", Credentials: p, RetryMaxAttempts: 1})
}

func (c *cloud) wantCode(err error, code, message string) {
	c.Helper()
	wiretest.Refused(c, err, code, message)
}

// wantDriven wants that every operation succeeded at least once, but for some.
func (c *cloud) wantDriven(but ...string) {
	c.Helper()
	c.calls.WantAll(c, "iam", iam.Operations(), but...)
}

const (
	everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	trustAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":"arn:aws:iam::000000000000:root"}}]}`
)

// noon is the time of tests that show times.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }
