package eks

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxPageSize is AWS's upper bound for maxResults, and its default.
const maxPageSize = 100

// page cuts the part of items that nextToken and maxResults ask for. The returned member
// is nextToken, left out on the last page. A token names the last item of the page
// before, so that items which come or go meanwhile neither repeat nor hide others; when
// that item itself is gone its old position counts.
func page[T any](c *call, items []T, key func(T) string) ([]T, wire.Member, error) {
	none := kv("nextToken", nil)
	size, err := intIn(c.p, "maxResults", 1, maxPageSize, maxPageSize)
	if err != nil {
		return nil, none, err
	}
	size = min(size, c.s.cfg.MaxPageSize)
	start := 0
	if token := c.p.Str("nextToken"); token != "" {
		index, last, ok := parseToken(token)
		if !ok {
			return nil, none, invalidParameter("nextToken: %q is not one that was returned; leave it out to begin anew", token)
		}
		start = index
		for i, it := range items {
			if key(it) == last {
				start = i + 1
				break
			}
		}
	}
	start = min(start, len(items))
	end := min(start+size, len(items))
	if end == len(items) {
		return items[start:], none, nil
	}
	token := strconv.Itoa(end) + " " + key(items[end-1])
	return items[start:end], kv("nextToken", base64.RawURLEncoding.EncodeToString([]byte(token))), nil
}

// names answers one page of a list of names.
func (c *call) names(member string, all []string) (wire.Struct, error) {
	part, next, err := page(c, all, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv(member, wire.Texts(part)), next}, nil
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
