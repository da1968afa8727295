package wire

import (
	"errors"
	"net/http"
	"testing"
)

func TestErrorsOfCredentialsAreWordedAsTheProtocolHasThem(t *testing.T) {
	for protocol, want := range map[Protocol]struct {
		expired, unknown             string
		expiredStatus, unknownStatus int
	}{
		Query:    {"ExpiredToken", "InvalidClientTokenId", 403, 403},
		RESTXML:  {"ExpiredToken", "InvalidClientTokenId", 403, 403},
		EC2:      {"RequestExpired", "AuthFailure", 400, 401},
		RESTJSON: {"ExpiredTokenException", "UnrecognizedClientException", 403, 403},
		JSON:     {"ExpiredTokenException", "UnrecognizedClientException", 403, 400},
		CBOR:     {"ExpiredTokenException", "UnrecognizedClientException", 403, 400},
	} {
		for code, wanted := range map[string]struct {
			code   string
			status int
		}{
			"ExpiredToken":         {want.expired, want.expiredStatus},
			"InvalidClientTokenId": {want.unknown, want.unknownStatus},
			"AccessDenied":         {"AccessDenied", 403},
		} {
			err := reworded(&Request{Protocol: protocol}, &Error{Code: code, Message: "why", Status: http.StatusForbidden})
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != wanted.code || e.Status != wanted.status || e.Message != "why" {
				t.Errorf("%v: %s became %+v, want %+v", protocol, code, err, wanted)
			}
		}
	}
	if err := errors.New("no *Error"); !errors.Is(reworded(&Request{}, err), err) {
		t.Error("another error was reworded")
	}
}
