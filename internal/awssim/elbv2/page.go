package elbv2

import "github.com/norikae/norikae/internal/awssim/wire"

// maxPageSize is AWS's upper bound for PageSize.
const maxPageSize = 400

// page cuts the part of items that Marker and PageSize ask for. The returned member is
// NextMarker, left out on the last page.
func page[T any](c *call, items []T, key func(T) string) ([]T, wire.Member, error) {
	none := kv("NextMarker", nil)
	size, ok, err := constraint.Int(c.p, "PageSize", "pageSize", 1, maxPageSize)
	if err != nil {
		return nil, none, err
	}
	if !ok {
		size = maxPageSize
	}
	marker := c.p.Str("Marker")
	part, next, ok := wire.Page(items, key, marker, min(size, c.s.cfg.MaxPageSize))
	if !ok {
		return nil, none, invalid("'%s' is not a valid marker", marker)
	}
	return part, kv("NextMarker", wire.Opt(next)), nil
}
