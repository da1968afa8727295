package elbv2

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// maxPageSize is AWS's upper bound for PageSize.
const maxPageSize = 400

// page cuts the part of items that Marker and PageSize ask for. The returned member is
// NextMarker, left out on the last page. A marker names the last item of the page
// before, so that items which come or go meanwhile neither repeat nor hide others; when
// that item itself is gone its old position counts.
func page[T any](c *call, items []T, key func(T) string) ([]T, wire.Member, error) {
	none := kv("NextMarker", nil)
	size, ok, err := intIn(c.p, "PageSize", "pageSize", 1, maxPageSize)
	if err != nil {
		return nil, none, err
	}
	if !ok {
		size = maxPageSize
	}
	size = min(size, c.s.cfg.MaxPageSize)
	start := 0
	if marker := c.p.Str("Marker"); marker != "" {
		index, last, err := parseMarker(marker)
		if err != nil {
			return nil, none, err
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
	marker := fmt.Sprintf("%d %s", end, key(items[end-1]))
	return items[start:end], kv("NextMarker", base64.RawURLEncoding.EncodeToString([]byte(marker))), nil
}

func parseMarker(marker string) (index int, last string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(marker)
	if err == nil {
		number, key, ok := strings.Cut(string(raw), " ")
		if index, err = strconv.Atoi(number); err == nil && ok && index >= 0 {
			return index, key, nil
		}
	}
	return 0, "", invalid("'%s' is not a valid marker", marker)
}
