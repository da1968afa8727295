package discover

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/registry"
)

// explain classifies what AWS answered and says what to do about it. needs is the
// permission of the call, such as "eks:ListClusters on *"; "": none is needed.
func explain(op, needs string, account registry.Account, err error) error {
	err = awsconf.Classify(op, err)
	if !errors.Is(err, fault.ErrDenied) || awsconf.NoCredentials(err) {
		return err // the latter says itself what to do
	}
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	switch code := api.ErrorCode(); {
	case strings.HasPrefix(code, "AccessDenied") && needs != "":
		return fmt.Errorf("%w; allow %s to %s: config/iam/clusterset.json is a policy with all that is needed, and a service control policy or a permissions boundary may forbid it, too", err, needs, by(account))
	case strings.HasPrefix(code, "UnrecognizedClient"), strings.HasPrefix(code, "InvalidClientTokenId"):
		return fmt.Errorf("%w; a region that is not enabled in the account answers so, too: enable it, or take it out of the source's regions", err)
	}
	return err
}
