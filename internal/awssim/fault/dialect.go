package fault

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// dialect is how a service words the errors that all services have.
type dialect struct {
	service string // signing name
	alias   string // the usual name, where it differs
	prefix  string // of its IAM actions, where it differs

	throttling     string
	throttleStatus int // 0: 400
	denied         string
	expired        string
	expiredStatus  int // 0: 403
	failure        string
}

func dialects() []dialect {
	return []dialect{
		{service: "elasticloadbalancing", alias: "elbv2"},
		{service: "monitoring", alias: "cloudwatch", prefix: "cloudwatch", throttling: "ThrottlingException"},
		{service: "sts"},
		{service: "route53"},
		{
			service: "eks", throttling: "ThrottlingException", throttleStatus: http.StatusTooManyRequests,
			denied: "AccessDeniedException", expired: "ExpiredTokenException", failure: "ServerException",
		},
		{
			service: "tagging", prefix: "tag", throttling: "ThrottledException",
			denied: "AccessDeniedException", expired: "ExpiredTokenException", failure: "InternalServiceException",
		},
		{service: "iam"},
		{
			service: "ec2", throttling: "RequestLimitExceeded", throttleStatus: http.StatusServiceUnavailable,
			denied: "UnauthorizedOperation", expired: "RequestExpired", expiredStatus: http.StatusBadRequest, failure: "InternalError",
		},
		{service: "sqs", throttling: "RequestThrottled"},
	}
}

func services() []string {
	var out []string
	for _, d := range dialects() {
		name := d.service
		if d.alias != "" {
			name += " (" + d.alias + ")"
		}
		out = append(out, name)
	}
	return out
}

func dialectOf(service string) dialect {
	for _, d := range dialects() {
		if d.service == service {
			return d
		}
	}
	return dialect{service: service}
}

// alias is the name by which a service is called where its signing name is not used.
func alias(service string) string { return cmp.Or(dialectOf(service).alias, service) }

// answer of a call that a rule hits, in the service's own words.
func answer(rule Rule, r *wire.Request) error {
	d := dialectOf(r.Service)
	switch rule.Kind {
	case Throttle:
		return &wire.Error{Code: cmp.Or(d.throttling, "Throttling"), Message: "Rate exceeded", Status: d.throttleStatus}
	case ErrorBefore, ErrorAfter:
		return &wire.Error{
			Code: cmp.Or(d.failure, "InternalFailure"), Message: "The request processing has failed because of an unknown error, exception or failure.",
			Status: http.StatusInternalServerError, Fault: "Receiver",
		}
	case AccessDenied:
		return &wire.Error{
			Code:    cmp.Or(d.denied, "AccessDenied"),
			Message: fmt.Sprintf("The caller in account %s is not authorized to perform: %s:%s", r.AccountID, cmp.Or(d.prefix, d.service), r.Operation),
			Status:  http.StatusForbidden,
		}
	case ExpiredToken:
		return &wire.Error{
			Code: cmp.Or(d.expired, "ExpiredToken"), Message: "The security token included in the request is expired",
			Status: cmp.Or(d.expiredStatus, http.StatusForbidden),
		}
	case Refusal:
		return &wire.Error{Code: rule.Code, Message: "injected by the lab's fault " + rule.ID, Status: rule.Status}
	case DropBefore, DropAfter:
		return wire.ErrDrop
	default: // the other kinds end no call
		return nil
	}
}
