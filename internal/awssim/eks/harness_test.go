package eks_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const (
	account = "000000000000"
	region  = "us-east-1"
	role    = "arn:aws:iam::000000000000:role/path/eks"
)

func newClock() *wiretest.Clock {
	return wiretest.NewClock(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
}

// lab is the service behind HTTP, and the real SDK as one account's client in one region.
type lab struct {
	*sdk.Client

	service *eks.Service
	clock   *wiretest.Clock
	url     string
}

func newLab(t *testing.T, change ...func(*eks.Config)) *lab {
	t.Helper()
	l := &lab{clock: newClock()}
	cfg := eks.Config{
		Seed: 1, Now: l.clock.Now,
		CreateDelay: 10 * time.Minute, UpdateDelay: 8 * time.Minute, DeleteDelay: 5 * time.Minute, InnerDelay: 3 * time.Minute,
	}
	for _, f := range change {
		f(&cfg)
	}
	var err error
	if l.service, err = eks.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.service.Close)
	l.url = wiretest.Serve(t, wire.Config{Resolve: func(key string) string {
		if key == "AKIDOTHER" {
			return "111111111111"
		}
		return account
	}}, l.service.Registration())
	l.Client = l.client(region, "AKIDEXAMPLE")
	return l
}

func (l *lab) client(region, key string) *sdk.Client {
	// Retries stay on: under load the SDK's transport may close a connection of which it is
	// still reading a long answer.
	return sdk.New(sdk.Options{
		Region: region, BaseEndpoint: aws.String(l.url),
		Credentials: credentials.NewStaticCredentialsProvider(key, "secret", ""),
	})
}

// creation of a cluster with what it must have.
func creation(name string) *sdk.CreateClusterInput {
	return &sdk.CreateClusterInput{
		Name: &name, RoleArn: aws.String(role),
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	}
}

// add makes a cluster that is ACTIVE at once.
func (l *lab) add(t *testing.T, name string) string {
	t.Helper()
	return wiretest.Must(l.service.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: name}))(t)
}

func (l *lab) cluster(t *testing.T, name string) *types.Cluster {
	t.Helper()
	return wiretest.Must(l.DescribeCluster(t.Context(), &sdk.DescribeClusterInput{Name: &name}))(t).Cluster
}

// status of a cluster; "gone" when there is none.
func (l *lab) status(t *testing.T, name string) types.ClusterStatus {
	t.Helper()
	out, err := l.DescribeCluster(t.Context(), &sdk.DescribeClusterInput{Name: &name})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return "gone"
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Cluster.Status
}

func (l *lab) blueIs(t *testing.T, want types.ClusterStatus) {
	t.Helper()
	if got := l.status(t, "blue"); got != want {
		t.Errorf("blue is %s, want %s", got, want)
	}
}

// certificate in the base64 of the API.
func certificate(data string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		return nil, fmt.Errorf("certificate authority: %q is not one PEM certificate", raw)
	}
	return block.Bytes, nil
}
