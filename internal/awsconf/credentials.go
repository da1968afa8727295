package awsconf

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
)

// Credentials are replaced while they are still good, so that no call of a long shift,
// least of all a rollback, meets expired ones. The jitter keeps many shifts from
// asking STS at the same moment.
const (
	expiryWindow       = 5 * time.Minute
	expiryWindowJitter = 0.5
	// sessionDuration of assumed roles: every role allows an hour, and AWS allows no
	// more when the caller is a role itself (role chaining).
	sessionDuration    = time.Hour
	defaultSessionName = "norikae"
)

func refreshEarly(o *aws.CredentialsCacheOptions) {
	o.ExpiryWindow = expiryWindow
	o.ExpiryWindowJitterFrac = expiryWindowJitter
}

// credentials retrieves from a source and words its failures.
type credentials struct {
	source aws.CredentialsProvider
	role   string // that is assumed; "" for the caller's own
	hint   string
}

// credentialsError is a failure to get credentials, as opposed to a call that failed.
type credentialsError struct {
	err        error
	role, hint string
}

func (e *credentialsError) Error() string {
	if own, ok := errors.AsType[*credentialsError](e.err); ok {
		return own.Error() // those to assume the role with are missing, and say so
	}
	if e.role != "" {
		return fmt.Sprintf("role %s was not assumed: %v (%s)", e.role, e.err, e.hint)
	}
	return fmt.Sprintf("no AWS credentials: %v (%s)", e.err, e.hint)
}
func (e *credentialsError) Unwrap() error { return e.err }

// Retrieve gives credentials that are good for some time.
func (c *credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := c.source.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err: err, role: c.role, hint: c.hint}
	}
	return got, nil
}

// defaultIn is where a TrafficShift names the role.
const defaultIn = "aws.assumeRole"

// assume wraps a role's credentials. base is what the role is assumed with, in the field
// that names it.
func assume(base aws.Config, role AssumeRole, in string) *credentials {
	name := role.SessionName
	if name == "" {
		name = defaultSessionName
	}
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(base), role.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = name
		o.Duration = sessionDuration
		if role.ExternalID != "" {
			o.ExternalID = aws.String(role.ExternalID)
		}
		role.Session.narrow(o)
	})
	return &credentials{
		source: aws.NewCredentialsCache(provider, refreshEarly),
		role:   role.RoleARN,
		hint:   fmt.Sprintf("check that the caller may assume it (%s), and the role's trust policy and external ID", placed(in)),
	}
}

// placed is a field with the file that it stands in.
func placed(in string) string {
	if in == InTerraform {
		return in
	}
	return in + " in the manifest"
}

// fieldOf a role, as the file spells it that has the role in the field in.
func fieldOf(in, name string) string {
	if in != InTerraform {
		return in + "." + name
	}
	var snake strings.Builder
	for i, c := range name {
		if unicode.IsUpper(c) && i > 0 && unicode.IsLower(rune(name[i-1])) {
			snake.WriteByte('_')
		}
		snake.WriteRune(unicode.ToLower(c))
	}
	return in + "." + strings.Replace(snake.String(), "duration", "duration_seconds", 1)
}

// account of the role; "" without one.
func (a AssumeRole) account() string {
	n, err := arn.Parse(a.RoleARN)
	if err != nil {
		return ""
	}
	return n.Account
}

func (a AssumeRole) validate(in string) error {
	if a == (AssumeRole{}) {
		return nil
	}
	n, err := arn.Parse(a.RoleARN)
	if err != nil || n.Service != "iam" || !regexp.MustCompile(`^role/.+`).MatchString(n.Resource) {
		return fault.Terminal("InvalidRole", fmt.Errorf(
			"%s: %q is not a role's ARN; want arn:PARTITION:iam::ACCOUNT:role/NAME", fieldOf(in, "roleARN"), a.RoleARN))
	}
	if a.SessionName != "" && !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(a.SessionName) {
		return fault.Terminal("InvalidRole", fmt.Errorf(
			"%s: %q is not 2–64 letters, digits and _+=,.@-", fieldOf(in, "sessionName"), a.SessionName))
	}
	if n := len(a.ExternalID); a.ExternalID != "" && (n < 2 || n > 1224) {
		return fault.Terminal("InvalidRole", fmt.Errorf(
			"%s has %d characters; want 2–1224", fieldOf(in, "externalID"), n))
	}
	return a.Session.validate(in)
}

// expired tells whether AWS called the credentials of a call expired.
func expired(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"ExpiredToken", "ExpiredTokenException", "RequestExpired"}, api.ErrorCode())
}

// renew drops cached credentials that AWS calls expired before their stated end, and,
// when the source has others, makes the call once more with those.
func (c *credentials) renew(stack *middleware.Stack) error {
	cache, ok := c.source.(*aws.CredentialsCache)
	if !ok {
		return nil // nothing is cached
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("norikaeRenewCredentials", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		used, usedErr := cache.Retrieve(ctx)
		out, meta, err := next.HandleFinalize(ctx, in)
		if usedErr != nil || !expired(err) {
			return out, meta, err
		}
		cache.Invalidate()
		if fresh, ferr := cache.Retrieve(ctx); ferr != nil || fresh.AccessKeyID == used.AccessKeyID {
			return out, meta, err
		}
		if r, ok := in.Request.(interface{ RewindStream() error }); ok {
			if rerr := r.RewindStream(); rerr != nil {
				return out, meta, err
			}
		}
		return next.HandleFinalize(ctx, in)
	}), middleware.Before)
}
