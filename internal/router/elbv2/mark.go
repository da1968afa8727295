package elbv2

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/norikae/norikae/internal/arn"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/router/marktext"
	"github.com/norikae/norikae/internal/shift"
)

// The tags of a mark. A rule has room for 50 tags; these are 6 + the destinations of
// From + the signal. tagOwner is no part of the mark: it stays when the shift is done.
const (
	tagPrefix = "norikae.dev/"
	tagOwner  = tagPrefix + "owner" // metadata.name of what created or adopted the rule
	tagLease  = tagPrefix + marktext.KeyLease
	tagSignal = tagPrefix + marktext.KeySignal
)

// maxTagValue is the most characters of a tag's value that is written; AWS allows 256.
const maxTagValue = 255

// markText is how tags hold a mark.
func markText() marktext.Format {
	return marktext.Format{
		Prefix: tagPrefix, Limits: Limits(), Shown: "tag %s: %q",
		Destination: "target group", DestinationID: "ARN of a target group",
		IsID: func(id string) bool { _, err := arn.ParseTargetGroup(id); return err == nil },
	}
}

// markKeys are all tags of a mark and its signal.
func markKeys() []string { return markText().Keys(Limits().MaxDestinations) }

// encodeMark makes a mark's tags, but for its signal.
func encodeMark(m shift.Mark) (map[string]string, error) {
	tags := map[string]string{}
	for _, it := range markText().Encode(m) {
		tags[it.Key] = it.Value
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := checkTag(key, tags[key]); err != nil {
			return nil, unwritable(err)
		}
	}
	// What cannot be read again must not be written: From would be lost.
	if _, _, err := decodeMark(tags); err != nil {
		return nil, unwritable(err)
	}
	return tags, nil
}

func unwritable(err error) error {
	return fault.Terminal("UnwritableMark", fmt.Errorf("the shift's mark does not fit into tags: %w", err))
}

func checkTag(key, value string) error {
	if why := checkTagValue(value); why != "" {
		return fmt.Errorf("tag %s: %q: %s", key, value, why)
	}
	return nil
}

// checkTagValue says why AWS would refuse a value, "" when it would not.
func checkTagValue(s string) string {
	switch {
	case !utf8.ValidString(s) || !regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`).MatchString(s):
		return "only letters, digits, spaces and _ . : / = + - @ are allowed in a tag"
	case utf8.RuneCountInString(s) > maxTagValue:
		return fmt.Sprintf("%d characters, want at most %d", utf8.RuneCountInString(s), maxTagValue)
	}
	return ""
}

// decodeMark reads a mark. ok is false when no tag of one is there (a signal alone, or
// an ownership tag, is none).
func decodeMark(tags map[string]string) (m shift.Mark, ok bool, err error) {
	if !slices.ContainsFunc(markKeys(), func(k string) bool { _, has := tags[k]; return has && k != tagSignal }) {
		return shift.Mark{}, false, nil
	}
	if m, err = markText().Decode(tags); err != nil {
		return shift.Mark{}, false, err
	}
	return m, true, nil
}
