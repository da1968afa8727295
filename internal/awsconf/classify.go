package awsconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/fault"
)

// Classify gives an error of an AWS call its class: fault.ErrNotFound, ErrConflict,
// ErrDenied, a TerminalError, or none, which means that a retry may help (throttling,
// 5xx, network, timeouts; whether a write took effect is unknown then: read before
// deciding). op says what was being done. A nil err stays nil.
func Classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if NoCredentials(err) {
		return fmt.Errorf("%s: %w: %w", op, fault.ErrDenied, err)
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	code := api.ErrorCode()
	wrapped := fmt.Errorf("%s: %w", op, err)
	switch classOf(code) {
	case classNotFound:
		return fmt.Errorf("%s: %w: %w", op, fault.ErrNotFound, err)
	case classConflict:
		return fmt.Errorf("%s: %w: %w", op, fault.ErrConflict, err)
	case classDenied:
		return fmt.Errorf("%s: %w: %w (%s)", op, fault.ErrDenied, err, deniedHint(code))
	case classTerminal:
		return fault.Terminal(code, wrapped)
	default:
		return wrapped
	}
}

type class int

const (
	classRetryable class = iota
	classNotFound
	classConflict
	classDenied
	classTerminal
)

// classOf an error code. Codes of the query protocol come without the suffix
// "Exception", those of the JSON and CBOR protocols with it.
func classOf(code string) class {
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		return classRetryable
	}
	bare := strings.TrimSuffix(code, "Exception")
	switch {
	case slices.Contains([]string{
		"RuleNotFound", "ListenerNotFound", "TargetGroupNotFound", "LoadBalancerNotFound", "ResourceNotFound",
		"NoSuchHostedZone", "NoSuchHealthCheck", "NoSuchChange",
	}, bare):
		return classNotFound
	case slices.Contains([]string{
		"PriorityInUse", "ResourceInUse",
		"InvalidChangeBatch", // nothing of it took effect: a record is not what it replaces, nearly always
	}, bare):
		return classConflict
	case slices.Contains([]string{
		"AccessDenied", "UnauthorizedOperation", "NotAuthorized", "AuthFailure", "OptInRequired",
		"ExpiredToken", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId",
		"MissingAuthenticationToken", "SignatureDoesNotMatch", "InvalidSignature", "IncompleteSignature",
	}, bare):
		return classDenied
	case strings.HasPrefix(bare, "TooMany"), slices.Contains([]string{
		"ValidationError", "Validation", "InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination",
		"MissingParameter", "MissingRequiredParameter", "MissingAction", "InvalidAction", "UnknownOperation", "MalformedQueryString",
		"InvalidQueryParameter", "InvalidConfigurationRequest", "IncompatibleProtocols", "UnsupportedProtocol", "InvalidLoadBalancerAction",
		"InvalidTarget", "OperationNotPermitted", "TargetGroupAssociationLimit", "DuplicateTagKeys", "InvalidInput", "InvalidDomainName",
		"SerializationError", "NotSimulated",
	}, bare):
		return classTerminal
	default: // 5xx, PriorRequestNotComplete, HealthUnavailable, and what is not known here
		return classRetryable
	}
}

func deniedHint(code string) string {
	switch strings.TrimSuffix(code, "Exception") {
	case "ExpiredToken", "RequestExpired":
		return "the credentials have expired: sign in again, or use a profile or role that refreshes itself"
	case "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignature", "AuthFailure", "MissingAuthenticationToken", "IncompleteSignature":
		return "AWS does not know these credentials: check AWS_PROFILE, AWS_ACCESS_KEY_ID, or aws.profile in the manifest"
	default:
		return "the caller's IAM policy does not allow this call"
	}
}

// NoCredentials tells whether a call failed because it got no credentials, such as those
// of a role that may not be assumed, as opposed to one that AWS refused.
func NoCredentials(err error) bool {
	_, ok := errors.AsType[*credentialsError](err)
	return ok
}
