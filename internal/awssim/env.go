package awssim

import (
	"cmp"
	"time"
)

// Env is what a shell must export so that AWS clients talk to the lab and never to
// AWS, as "NAME=VALUE". The credentials are fake.
func (l *Lab) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + l.Endpoint(),
		"AWS_ACCESS_KEY_ID=FAKEKEYOFTHELAB",
		"AWS_SECRET_ACCESS_KEY=fake-secret-of-the-lab",
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region,
		"AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_EC2_METADATA_DISABLED=true",
		"NORIKAE_CLOUDWATCH_PERIOD=" + l.cfg.MetricPeriod.String(),
		"NORIKAE_CLOUDWATCH_DELAY=" + l.cfg.MetricDelay.String(),
		"NORIKAE_CLOUDWATCH_SETTLE=" + l.settle().String(),
		"NORIKAE_ROUTE53_ALIAS_TTL=" + cmp.Or(l.cfg.AliasTTL, time.Minute).String(),
	}
}

// EnvUnset names the variables that must not be set beside Env: they would lead
// clients elsewhere, or make them look for what the lab's configuration has not.
func (l *Lab) EnvUnset() []string {
	return []string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
		"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "AWS_ENDPOINT_URL_CLOUDWATCH",
		"AWS_ENDPOINT_URL_ROUTE_53", "AWS_ENDPOINT_URL_EKS", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API",
		"AWS_ENDPOINT_URL_SQS",
		"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	}
}

// settle is how long after a change of weights a client should wait before it judges:
// a lab's data plane follows at once, so one period is plenty.
func (l *Lab) settle() time.Duration { return min(l.cfg.MetricPeriod, 10*time.Second) }
