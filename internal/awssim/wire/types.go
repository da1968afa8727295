package wire

import (
	"context"
	"fmt"
	"net/http"
)

// Protocol is one of AWS's wire protocols.
type Protocol int

// The protocols that the simulated services speak.
const (
	Query    Protocol = iota // awsQuery: form in, XML out (ELBv2, STS, IAM, CloudWatch)
	JSON                     // awsJson1.0 and 1.1 (CloudWatch, Resource Groups Tagging)
	CBOR                     // smithy rpc-v2-cbor (CloudWatch)
	RESTXML                  // operations are methods and paths, bodies XML (Route 53)
	RESTJSON                 // operations are methods and paths, bodies JSON (EKS)
	EC2                      // ec2Query: as awsQuery with other lists and answers (EC2)
)

// Request is one API call, decoded from whichever protocol it came in. Params of a REST
// call are the labels of its path, its query parameters and its body in one.
type Request struct {
	Service     string // SigV4 signing name: elasticloadbalancing, sts, monitoring
	Operation   string // e.g. ModifyRule
	Protocol    Protocol
	Params      Params
	Region      string // from the credential scope; the lab's default when unsigned
	AccountID   string // the caller's, from its access key
	AccessKeyID string
	ID          string // the request id that the answer carries
	Seq         uint64 // the call's number in the order of arrival, from 1
	HTTP        *http.Request

	route *Route // of a REST call
}

// Service answers API calls. It returns the members of the operation's result.
// Errors that are not *Error are answered as InternalFailure.
type Service interface {
	Serve(ctx context.Context, r *Request) (Struct, error)
}

// Struct is an answer's structure: members in order. Values are string, int, int64,
// float64, bool, time.Time, Struct, List, or nil, which leaves the member out.
type Struct []Member

// Member of a Struct.
type Member struct {
	Name  string
	Value any
}

// List is a list of values as in Struct. An empty List is sent as an empty list.
type List []any

// Error is an API error. Code is as the client sees it (no "Exception" suffix for
// the query protocol's services).
type Error struct {
	Code    string
	Message string
	Status  int // HTTP status; 0: 400
	// Fault is "Sender" (the default) or "Receiver".
	Fault string
	// Messages, where not nil, make a REST XML answer that has the code as its root
	// element and these in a list: InvalidChangeBatch, as Route 53's reference has it.
	// botocore cannot read that, and Route 53 is seen to send the ordinary form, with a
	// Message like "[one, another]" (github.com/kubernetes-sigs/external-dns/issues/5939).
	Messages []string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an *Error with HTTP status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
