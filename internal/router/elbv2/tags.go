package elbv2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

func sdkTag(key, value string) types.Tag {
	return types.Tag{Key: aws.String(key), Value: aws.String(value)}
}

// sdkTags in the order of their keys.
func sdkTags(tags map[string]string) []types.Tag {
	var out []types.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, sdkTag(key, tags[key]))
	}
	return out
}

// Mark reads the mark, in one call when the rule's ARN is known.
func (r *Rule) Mark(ctx context.Context) (m shift.Mark, ok bool, err error) {
	tags, err := r.tags(ctx)
	switch {
	case errors.Is(err, fault.ErrNotFound) && !fault.IsTerminal(err):
		return shift.Mark{}, false, nil // no rule, no mark
	case err != nil:
		return shift.Mark{}, false, err
	}
	m, ok, err = decodeMark(tags)
	if err != nil {
		return shift.Mark{}, false, r.unreadable(err)
	}
	return m, ok, nil
}

func (r *Rule) unreadable(err error) error {
	return fault.Terminal("UnreadableMark", fmt.Errorf(
		"the mark of an unfinished shift on %s cannot be read: %w; something has changed its tags: restore that tag, or look at the weights, set them right, and remove all tags %s* but %s", r, err, tagPrefix, tagOwner))
}

// tags of the rule, or of the listener for its default action.
func (r *Rule) tags(ctx context.Context) (map[string]string, error) {
	var tags map[string]string
	err := r.onTagged(ctx, func(id string) (err error) {
		tags, err = r.tagsOf(ctx, id)
		return err
	})
	return tags, err
}

// onTagged calls f with the ARN of what carries the tags. A rule that is gone may have
// been made anew at its priority, and is looked for once more.
func (r *Rule) onTagged(ctx context.Context, f func(id string) error) error {
	if known := r.knownARN(); known != "" {
		err := f(known)
		if r.cfg.Numbered == nil {
			return r.gone(r.field(""), err)
		}
		if !errors.Is(err, fault.ErrNotFound) {
			return err
		}
		r.forget(true)
	}
	rd, err := r.recent(ctx)
	if err != nil {
		return err
	}
	if !rd.exists {
		return fmt.Errorf("there is no %s: %w", r, fault.ErrNotFound)
	}
	return f(rd.arn)
}

// SetMark writes the mark in one call. The signal is left as it is.
func (r *Rule) SetMark(ctx context.Context, m shift.Mark) error {
	tags, err := encodeMark(m)
	if err != nil {
		return err
	}
	if r.cfg.Adopt && r.cfg.Numbered != nil {
		tags[tagOwner] = r.cfg.Owner
	}
	return r.addTags(ctx, "writing the shift's mark to ", tags)
}

// Renew writes the lease alone.
func (r *Rule) Renew(ctx context.Context, l shift.Lease) error {
	value, err := markText().EncodeLease(l)
	if err == nil {
		err = checkTag(tagLease, value)
	}
	if err != nil {
		return unwritable(err)
	}
	return r.addTags(ctx, "renewing the lease on ", map[string]string{tagLease: value})
}

// SetSignal leaves a word for the shift that is under way, and for no later one.
// NoSignal takes back what was left.
func (r *Rule) SetSignal(ctx context.Context, s shift.Signal) error {
	if s.Kind == shift.NoSignal {
		return r.removeTags(ctx, "removing the signal from ", []string{tagSignal})
	}
	m, ok, err := r.Mark(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("no shift is under way on %s: %w", r, fault.ErrNotFound)
	}
	value, err := markText().EncodeSignal(s, m.ID)
	if err != nil {
		return fault.Terminal("InvalidSignal", err)
	}
	return r.addTags(ctx, "leaving a signal on ", map[string]string{tagSignal: value})
}

// ClearMark removes mark and signal in one call; ownership stays.
func (r *Rule) ClearMark(ctx context.Context) error {
	return r.removeTags(ctx, "removing the shift's mark from ", markKeys())
}

func (r *Rule) addTags(ctx context.Context, op string, tags map[string]string) error {
	return r.onTagged(ctx, func(id string) error {
		_, err := r.api.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{id}, Tags: sdkTags(tags)})
		return awsconf.Classify(op+id, err)
	})
}

// removeTags is no error where there is nothing to remove from.
func (r *Rule) removeTags(ctx context.Context, op string, keys []string) error {
	err := r.onTagged(ctx, func(id string) error {
		_, err := r.api.RemoveTags(ctx, &elb.RemoveTagsInput{ResourceArns: []string{id}, TagKeys: keys})
		return awsconf.Classify(op+id, err)
	})
	if errors.Is(err, fault.ErrNotFound) && !fault.IsTerminal(err) {
		return nil
	}
	return err
}
