package wire

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Page cuts the part of items that a token asks for, size of them at most; without a
// token it is the first. next is the token of the page after it, "" on the last one. A
// token names the last item of the page before, so that items which come or go meanwhile
// neither repeat nor hide others; when that item itself is gone its old position counts.
// ok is false for a token that was never given.
func Page[T any](items []T, key func(T) string, token string, size int) (part []T, next string, ok bool) {
	start := 0
	if token != "" {
		index, last, ok := parseToken(token)
		if !ok {
			return nil, "", false
		}
		start = min(index, len(items))
		if i := slices.IndexFunc(items, func(it T) bool { return key(it) == last }); i >= 0 {
			start = i + 1
		}
	}
	end := min(start+size, len(items))
	if end < len(items) {
		next = base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(end) + " " + key(items[end-1])))
	}
	return items[start:end], next, true
}

func parseToken(token string) (index int, last string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, "", false
	}
	number, key, ok := strings.Cut(string(raw), " ")
	index, err = strconv.Atoi(number)
	return index, key, ok && err == nil && index >= 0
}
