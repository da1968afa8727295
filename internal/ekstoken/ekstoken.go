// Package ekstoken makes the bearer tokens that the API servers of EKS take: each is a
// call of sts:GetCallerIdentity, signed and not made. It calls nobody but for
// credentials, and needs no AWS CLI.
package ekstoken

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/norikae/norikae/internal/fault"
)

// What a token is made of, as aws-iam-authenticator verifies it.
// Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
const (
	prefix        = "k8s-aws-v1."
	clusterHeader = "X-K8s-Aws-Id"
	// expires is X-Amz-Expires: STS does not look at it, verifiers want a number of
	// seconds there.
	expires = "60"
	// life of a token is 15 min from its X-Amz-Date; a minute is left for clocks that differ.
	life = 14 * time.Minute
)

// clusterName as EKS has it, or the id of a cluster on Outposts.
var clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// Token of a cluster.
type Token struct {
	// Bearer is secret for as long as it is good.
	Bearer  string
	Expires time.Time
}

// Make a token that lets the configuration's identity into a cluster. The configuration's
// region is that of the STS whose endpoint is signed, and must be of the cluster's
// partition.
func Make(ctx context.Context, cfg aws.Config, cluster string) (Token, error) {
	if !clusterName.MatchString(cluster) {
		return Token{}, fault.Terminal("InvalidClusterName", fmt.Errorf(
			"the cluster name %q is not 1–100 letters, digits, - and _, beginning with a letter or digit", cluster))
	}
	if cfg.Region == "" {
		return Token{}, fault.Terminal("NoRegion", errors.New("no AWS region: name the cluster's, or set AWS_REGION"))
	}
	cfg = cfg.Copy()
	cfg.APIOptions = nil // they are about calls, and find no place in a signature's steps
	now := time.Now()
	signed, err := sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue(clusterHeader, cluster), smithyhttp.SetHeaderValue("X-Amz-Expires", expires)))
	})
	if err != nil {
		return Token{}, fmt.Errorf("signing a token for the cluster %s: %w", cluster, err)
	}
	return Token{Bearer: prefix + base64.RawURLEncoding.EncodeToString([]byte(signed.URL)), Expires: now.Add(life).Truncate(time.Second)}, nil
}

// Source of tokens for one cluster, which makes a new one when the last is about to
// expire. It may be used by many at once.
type Source struct {
	cfg     aws.Config
	cluster string

	mu   sync.Mutex
	last Token
}

// NewSource of tokens for a cluster; see Make.
func NewSource(cfg aws.Config, cluster string) *Source { return &Source{cfg: cfg, cluster: cluster} }

// renewal is how long before its end a token is replaced.
const renewal = 2 * time.Minute

// Token that is good for at least two minutes.
func (s *Source) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Until(s.last.Expires) < renewal {
		t, err := Make(ctx, s.cfg, s.cluster)
		if err != nil {
			return "", err
		}
		s.last = t
	}
	return s.last.Bearer, nil
}
