// Package awsconf makes the one aws.Config that every AWS client of a run shares:
// region, profile, assumed role with credentials that refresh themselves, endpoint,
// retries, client-side rate limits, deadlines and user agent. It also classifies what
// AWS answers into the classes of package fault, in one place.
package awsconf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/norikae/norikae/internal/fault"
)

// How long calls may take. One call, with its retries, never blocks a shift for longer
// than callTimeout: the engine has its own, patient retries.
const (
	callTimeout    = 20 * time.Second
	attemptTimeout = 8 * time.Second
	maxAttempts    = 5
	maxBackoff     = 3 * time.Second // between attempts; 4 of them: at most 12 s
	firstRetrieve  = 15 * time.Second
)

// Options of a configuration. The zero value is the environment's default chain.
type Options struct {
	Region string // default: the environment's or the profile's
	// DefaultRegion is taken where Region, environment and profile name none.
	DefaultRegion string
	Profile       string // of the shared configuration files; default AWS_PROFILE
	AssumeRole    AssumeRole
	// Endpoint overrides every service's URL, for simulators and private endpoints;
	// default: AWS_ENDPOINT_URL and its relatives.
	Endpoint string
	Version  string // of norikae, for the user agent; default "dev"
	// Credentials replace the default chain; nil: the chain.
	Credentials aws.CredentialsProvider
	// HTTPClient replaces the transport; for tests.
	HTTPClient aws.HTTPClient
	// Wait is how much longer than usual a call may take, for long polls; 0–20 s.
	Wait time.Duration
	// Limits that other configurations share; nil: its own.
	Limits *Limits
	// In is the field of the user's file that AssumeRole was read from, for errors; default
	// aws.assumeRole, as of a TrafficShift. Another kind of file has no aws.profile; that of
	// InTerraform says profile and region.
	In string
}

// ServedRole is the variable of a program that a provider serves credentials to
// (AWS_CONTAINER_CREDENTIALS_FULL_URI): the ARN of the role whose they are.
const ServedRole = "NORIKAE_SERVED_ROLE"

// InTerraform is where Terraform's files name a role.
const InTerraform = "assume_role"

// where a profile or a region is said in the user's file.
func (o Options) where(name string) string {
	if o.In == InTerraform {
		return name + " of the provider or the resource"
	}
	return "aws." + name + " in the manifest"
}

// AssumeRole names a role to assume; an empty RoleARN: none.
type AssumeRole struct {
	RoleARN     string
	ExternalID  string // 2–1224 characters, or empty
	SessionName string // 2–64 characters; default norikae
	// Session narrows what is assumed; nil: an hour of all that the role may. A Pool takes two
	// pointers for two sessions.
	Session *Session
}

// Load resolves options and environment, retrieves credentials once, so that missing
// ones are found before anything else is done, and returns a configuration that may be
// used for as long as a shift takes.
func Load(ctx context.Context, o Options) (aws.Config, error) {
	if err := o.AssumeRole.validate(cmp.Or(o.In, defaultIn)); err != nil {
		return aws.Config{}, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, o.loadOptions()...)
	if err != nil {
		return aws.Config{}, explainLoad(o, err)
	}
	if o.HTTPClient != nil { // given after loading: only the SDK's own client takes AWS_CA_BUNDLE
		cfg.HTTPClient = o.HTTPClient
	}
	cfg.HTTPClient = PlainBodies(cfg.HTTPClient)
	if cfg.Region == "" {
		return aws.Config{}, fault.Terminal("NoRegion", fmt.Errorf(
			"no AWS region: set %s, AWS_REGION in the environment, or region in the profile", o.where("region")))
	}
	limits := o.Limits
	if limits == nil {
		limits = NewLimits()
	}
	// STS is asked for a role with the caller's own credentials, all others with the role's.
	own := append(slices.Clip(cfg.APIOptions), deadline(callTimeout+o.Wait), limits.of(""))
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), deadline(callTimeout+o.Wait), limits.of(o.AssumeRole.account()))
	creds := &credentials{source: cfg.Credentials, hint: o.hint()}
	if o.AssumeRole.RoleARN != "" {
		// The STS client keeps the base credentials; everybody else gets the role's.
		base := cfg.Copy()
		base.Credentials = creds
		base.APIOptions = append(own, creds.renew)
		creds = assume(base, o.AssumeRole, cmp.Or(o.In, defaultIn))
	}
	cfg.Credentials = creds
	cfg.APIOptions = append(slices.Clip(cfg.APIOptions), creds.renew)

	ctx, cancel := context.WithTimeout(ctx, firstRetrieve)
	defer cancel()
	if _, err := creds.Retrieve(ctx); err != nil {
		return aws.Config{}, Classify("getting AWS credentials", err)
	}
	return cfg, nil
}

func (o Options) loadOptions() []func(*config.LoadOptions) error {
	opts := []func(*config.LoadOptions) error{
		config.WithRetryer(newRetryer),
		config.WithCredentialsCacheOptions(refreshEarly),
		// Bound each attempt, so that one lost answer leaves time for others.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(attemptTimeout + o.Wait)),
		config.WithAPIOptions(userAgent(o.Version)),
	}
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	if o.DefaultRegion != "" {
		opts = append(opts, config.WithDefaultRegion(o.DefaultRegion))
	}
	if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	if o.Credentials != nil {
		opts = append(opts, config.WithCredentialsProvider(o.Credentials))
	}
	if o.Endpoint != "" {
		opts = append(opts, config.WithBaseEndpoint(o.Endpoint))
	}
	return opts
}

// newRetryer retries what the SDK's standard mode retries, more often and with shorter
// pauses. Its retry quota is off: attempts and the call's deadline bound the load, and a
// rollback that has been refused for minutes must not run out of tokens.
func newRetryer() aws.Retryer {
	r := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
	})
	return retry.AddWithErrorCodes(r, "HealthUnavailable") // DescribeTargetHealth's "not now"
}

func explainLoad(o Options, err error) error {
	if noProfile, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		where := o.where("profile")
		if o.Profile == "" {
			where = "AWS_PROFILE in the environment"
		}
		return fault.Terminal("NoProfile", fmt.Errorf(
			"the AWS profile %q does not exist in ~/.aws/config or ~/.aws/credentials: change %s, or add the profile", noProfile.Profile, where))
	}
	return fault.Terminal("InvalidAWSConfiguration", fmt.Errorf("reading the AWS configuration: %w", err))
}

// hint says what to do when there are no credentials.
func (o Options) hint() string {
	if o.Profile != "" {
		return fmt.Sprintf("check the profile %q (%s), or sign in again", o.Profile, o.where("profile"))
	}
	if o.In != "" && o.In != InTerraform {
		return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; in a pod, give its service account a role by Pod Identity or IRSA"
	}
	return "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or " + o.where("profile")
}
