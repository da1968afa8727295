package elbv2

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
)

// DeleteOptions say which rules may be deleted.
type DeleteOptions struct {
	Force bool // although it carries traffic
	Owned bool // although it has no tag of norikae's
}

// How a deletion is verified: AWS answers it at once, and mostly has it at once.
const (
	goneWithin = 5 * time.Second
	lookAgain  = 500 * time.Millisecond
)

// Delete takes a numbered rule away, and sees to it that it is gone. It refuses a rule
// that is not norikae's, one that a shift is being run on, and one that carries traffic. Of
// a default action, which is its listener's, only the mark is taken off. It is no error when there
// is no such route.
func (r *Rule) Delete(ctx context.Context, o DeleteOptions) error {
	is, err := r.Read(ctx)
	switch {
	case isGone(err):
		return nil
	case err != nil:
		return err
	}
	if m := is.Mark; m != nil && time.Now().Before(m.Lease.Expires) {
		return fault.Terminal("ShiftUnderWay", fmt.Errorf(
			"%s: the shift %q is being run on it by %s (its lease ends at %s unless it is renewed): wait until it is done, or abort it, then try again",
			is.ARN, m.Name, m.Lease.Owner, m.Lease.Expires.UTC().Format(time.RFC3339)))
	}
	if r.cfg.Default {
		if is.Mark == nil {
			return nil
		}
		return r.ClearMark(ctx)
	}
	if err := deletable(is, o); err != nil {
		return err
	}
	_, failed := r.api.DeleteRule(ctx, &elb.DeleteRuleInput{RuleArn: aws.String(is.ARN)})
	r.forget(true)
	return r.verifyGone(ctx, is.ARN, awsconf.Classify("deleting rule "+is.ARN, failed))
}

// deletable refuses somebody else's rule, and one that carries traffic.
func deletable(is Reading, o DeleteOptions) error {
	if is.Owner == "" && !o.Owned {
		return fault.Terminal("ForeignRule", fmt.Errorf(
			"rule %s was not made by norikae (it has no tag %s), so it is not deleted: delete it yourself, or forget it (terraform state rm)", is.ARN, tagOwner))
	}
	if o.Force {
		return nil
	}
	var carrying []string
	for _, w := range is.Live.Split {
		if w.Weight > 0 {
			carrying = append(carrying, fmt.Sprintf("%s: %d", w.ID, w.Weight))
		}
	}
	if len(carrying) == 0 {
		return nil
	}
	return fault.Terminal("CarriesTraffic", fmt.Errorf(
		"rule %s carries traffic (%s), so it is not deleted: its requests would go to whichever rule comes next, all at once; move them elsewhere first, or set force_destroy = true, apply, and destroy again",
		is.ARN, strings.Join(carrying, ", ")))
}

// verifyGone looks whether a deletion, which failed or did not, took effect: a call whose
// answer was lost may have.
func (r *Rule) verifyGone(ctx context.Context, ruleARN string, failed error) error {
	if isGone(failed) {
		failed = nil
	}
	for by := time.Now().Add(goneWithin); ; {
		_, err := r.ruleByARN(ctx, ruleARN)
		switch {
		case isGone(err):
			return nil
		case failed != nil: // also when nobody knows: then the failure is what is known
			return failed
		case !time.Now().Before(by) && err != nil:
			return fmt.Errorf("deleted, but not verified: %w", err)
		case !time.Now().Before(by):
			return fmt.Errorf("rule %s was deleted, and %s later it is still there: look at it, and try again", ruleARN, goneWithin)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return fmt.Errorf("rule %s was deleted, which was not verified: %w", ruleARN, ctx.Err())
		}
	}
}
