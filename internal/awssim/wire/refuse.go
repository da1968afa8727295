package wire

import (
	"errors"
	"net/http"
)

// proof is what is wrong with a signature.
type proof int

const (
	unsigned proof = iota
	unknownKey
	mismatch
	expired
	incomplete
)

// refuse words an error of the signature as the services of the protocol do: query and
// REST XML services by the common errors of their API references, EC2 by its own error
// codes, the others by the exceptions of the framework that they share.
func refuse(req *Request, why proof, message string) *Error {
	e := &Error{Message: message, Status: http.StatusForbidden}
	switch req.Protocol {
	case Query, RESTXML:
		e.Code = map[proof]string{
			unsigned: "MissingAuthenticationToken", unknownKey: "InvalidClientTokenId", incomplete: "IncompleteSignature",
			mismatch: "SignatureDoesNotMatch", expired: "SignatureDoesNotMatch",
		}[why]
	case EC2:
		e.Code = map[proof]string{
			unsigned: "MissingAuthenticationToken", unknownKey: "AuthFailure", incomplete: "IncompleteSignature",
			mismatch: "AuthFailure", expired: "RequestExpired",
		}[why]
	case RESTJSON, JSON, CBOR:
		e.Code = map[proof]string{
			unsigned: "MissingAuthenticationTokenException", unknownKey: "UnrecognizedClientException", incomplete: "IncompleteSignatureException",
			mismatch: "InvalidSignatureException", expired: "InvalidSignatureException",
		}[why]
	}
	switch {
	case e.Code == "AuthFailure":
		e.Status = http.StatusUnauthorized
	case why == incomplete, e.Code == "RequestExpired", req.Protocol == JSON, req.Protocol == CBOR:
		e.Status = http.StatusBadRequest
	}
	return e
}

// reworded is an error of the credentials as the services of the protocol have it.
// Config.Check words it as query services do.
func reworded(req *Request, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "InvalidClientTokenId":
		return refuse(req, unknownKey, e.Message)
	case "ExpiredToken":
		switch req.Protocol {
		case RESTJSON, JSON, CBOR:
			return &Error{Code: "ExpiredTokenException", Message: e.Message, Status: e.Status}
		case EC2:
			return &Error{Code: "RequestExpired", Message: e.Message, Status: http.StatusBadRequest}
		case Query, RESTXML:
		}
	}
	return err
}
