package wire_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func self(s string) string { return s }

func TestPagesNeitherRepeatNorHideWhatStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z ]{1,4}`), 0, 30, rapid.ID).Draw(t, "items")
		stay := slices.Clone(items)
		var seen []string
		for token, calls := "", 0; ; calls++ {
			part, next, ok := wire.Page(items, self, token, rapid.IntRange(1, 7).Draw(t, "size"))
			if !ok || calls > 30 || len(part) == 0 && next != "" {
				t.Fatalf("page %d at %q of %q: %q, %v", calls, token, items, part, ok)
			}
			seen = append(seen, part...)
			if next == "" {
				break
			}
			token = next
			if rapid.Bool().Draw(t, "something goes") { // but not the item that the token names
				last := part[len(part)-1]
				gone := rapid.SampledFrom(items).Draw(t, "gone")
				if gone != last {
					drop := func(s string) bool { return s == gone }
					items, stay = slices.DeleteFunc(slices.Clone(items), drop), slices.DeleteFunc(stay, drop)
				}
			}
		}
		kept := slices.DeleteFunc(slices.Clone(seen), func(s string) bool { return !slices.Contains(stay, s) })
		if !slices.Equal(kept, stay) {
			t.Fatalf("saw %q of %q", kept, stay)
		}
		if all := slices.Sorted(slices.Values(seen)); len(slices.Compact(all)) != len(seen) {
			t.Fatalf("saw %q", seen)
		}
	})
}

func TestTheOldPositionCountsWhereTheItemIsGone(t *testing.T) {
	_, token, _ := wire.Page([]string{"a", "b", "c", "d"}, self, "", 2)
	if part, next, ok := wire.Page([]string{"a", "c", "d"}, self, token, 2); !ok || next != "" || !slices.Equal(part, []string{"d"}) {
		t.Errorf("%q, %q, %v", part, next, ok)
	}
	if part, next, ok := wire.Page([]string{"a"}, self, token, 2); !ok || next != "" || len(part) != 0 {
		t.Errorf("%q, %q, %v", part, next, ok)
	}
}

func TestTokensThatWereNeverGiven(t *testing.T) {
	for _, text := range []string{"", "x", "1", "-1 a", "one a"} {
		token := base64.RawURLEncoding.EncodeToString([]byte(text))
		if text == "" {
			token = "no base64!"
		}
		if part, _, ok := wire.Page([]string{"a", "b"}, self, token, 1); ok {
			t.Errorf("%q: %q", text, part)
		}
	}
}
