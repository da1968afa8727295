package route53

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
)

// Limits of a batch of changes, from the API reference.
const (
	maxElements   = 1000   // ResourceRecord elements; an alias is counted like one
	maxCharacters = 32_000 // of all values
	maxComment    = 256    // characters
)

// doubtFor bounds how long a write whose answer was lost is taken for one that may not
// be in force: Route 53 needs 60 s nearly always.
const doubtFor = 2 * time.Minute

// changes knows the newest change of the zone by this process. Changes of one zone take
// effect in their order, so that when it is in force all before it are, too, those of a
// process before this one included.
type changes struct {
	newest string    // ID, while it is not known to be in force
	began  bool      // a change was followed: a mark's write need not be
	doubt  time.Time // since when a write without an answer may have taken effect; zero: none
}

// submit a batch. Nothing of it takes effect when it fails with fault.ErrConflict: what
// it replaces is not there any more, unless it is the second attempt of one whose answer
// was lost. The change is followed until it is in force when follow is set, or when it is
// the first that can tell about a write without an answer.
func (n *Name) submit(ctx context.Context, op string, batch []types.Change, follow bool) error {
	if err := checkBatch(batch); err != nil {
		return fault.Terminal("TooManyChanges", fmt.Errorf("%s: %w", op, err))
	}
	out, err := n.api.ChangeResourceRecordSets(ctx, &r53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(n.zone),
		ChangeBatch:  &types.ChangeBatch{Changes: batch, Comment: aws.String(n.comment())},
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		err = n.gone(explain(awsconf.Classify(op, err)))
		if follow && !errors.Is(err, fault.ErrDenied) && !fault.IsTerminal(err) {
			n.changes.doubt = time.Now()
		}
		return err
	}
	if follow || !n.changes.doubt.IsZero() {
		n.changes = changes{began: true}
		if info := out.ChangeInfo; info != nil && info.Status != types.ChangeStatusInsync {
			n.changes.newest = strings.TrimPrefix(aws.ToString(info.Id), "/change/")
		}
	}
	return nil
}

// comment of each change, as GetChange shows it.
func (n *Name) comment() string {
	c := []rune("norikae " + n.cfg.Owner)
	return string(c[:min(len(c), maxComment)])
}

// explain adds what was wrong with a batch, which the SDK keeps from its errors' texts.
func explain(err error) error {
	if invalid, ok := errors.AsType[*types.InvalidChangeBatch](err); ok && len(invalid.Messages) > 0 {
		return fmt.Errorf("%w: %s", err, strings.Join(invalid.Messages, "; "))
	}
	return err
}

// mismatch tells whether a batch was refused because the zone does not hold what it
// replaces, as far as the text of the refusal tells: a list of messages in the form that
// the API's model has, one text with all of them in the form that AWS answers today.
func mismatch(err error) bool {
	invalid, ok := errors.AsType[*types.InvalidChangeBatch](err)
	if !ok {
		return false
	}
	text := strings.Join(append(invalid.Messages, invalid.ErrorMessage()), "; ")
	return slices.ContainsFunc([]string{"do not match the current values", "but it was not found", "but it already exists"}, func(part string) bool {
		return strings.Contains(text, part)
	})
}

// checkBatch against what one call may hold.
func checkBatch(batch []types.Change) error {
	elements, characters := 0, 0
	for _, c := range batch {
		elements += max(1, len(c.ResourceRecordSet.ResourceRecords))
		for _, v := range valuesOf(*c.ResourceRecordSet) {
			characters += utf8.RuneCountInString(v)
		}
	}
	if elements > maxElements || characters > maxCharacters {
		return fmt.Errorf("the change has %d records with %d characters in their values; Route 53 takes %d and %d at a time, and two steps would not be one", elements, characters, maxElements, maxCharacters)
	}
	return nil
}

// checkFollowing makes sure that changes may be asked for, which is another permission
// than to make them: a shift that could not ask would wait in vain after its first step.
func (n *Name) checkFollowing(ctx context.Context) error {
	_, err := n.api.GetChange(ctx, &r53.GetChangeInput{Id: aws.String("C00000000000000000000")}) // there is none such
	err = awsconf.Classify("checking that changes can be followed until they are in force (GetChange)", err)
	if errors.Is(err, fault.ErrDenied) {
		return err
	}
	return nil // any other answer says that asking is allowed
}

// pending asks whether what was written is in force, and says why it is not; "" when it
// is. What cannot be asked is not in force: that is no reason not to read the weights.
func (n *Name) pending(ctx context.Context) string {
	n.mu.Lock()
	now := n.changes
	n.mu.Unlock()
	if now.newest != "" {
		out, err := n.api.GetChange(ctx, &r53.GetChangeInput{Id: aws.String(now.newest)})
		err = awsconf.Classify("reading the change "+now.newest, err)
		switch {
		case errors.Is(err, fault.ErrNotFound): // so old that it is forgotten
		case err != nil:
			return "whether the newest weights are in force everywhere cannot be told: " + err.Error()
		case out.ChangeInfo == nil || out.ChangeInfo.Status != types.ChangeStatusInsync:
			return fmt.Sprintf("change %s has not reached all servers of Route 53 yet", now.newest)
		}
		n.mu.Lock()
		if n.changes.newest == now.newest {
			n.changes.newest = ""
		}
		n.mu.Unlock()
	}
	if !now.doubt.IsZero() && time.Since(now.doubt) < doubtFor {
		return "the answer to a write was lost: whether its weights are in force everywhere cannot be told before the next write of the mark"
	}
	return ""
}
