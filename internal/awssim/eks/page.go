package eks

import "github.com/norikae/norikae/internal/awssim/wire"

// maxPageSize is AWS's upper bound for maxResults, and its default.
const maxPageSize = 100

// page cuts the part of items that nextToken and maxResults ask for. The returned member
// is nextToken, left out on the last page.
func page[T any](c *call, items []T, key func(T) string) ([]T, wire.Member, error) {
	none := kv("nextToken", nil)
	size, err := intIn(c.p, "maxResults", 1, maxPageSize, maxPageSize)
	if err != nil {
		return nil, none, err
	}
	token := c.p.Str("nextToken")
	part, next, ok := wire.Page(items, key, token, min(size, c.s.cfg.MaxPageSize))
	if !ok {
		return nil, none, invalidParameter("nextToken: %q is not one that was returned; leave it out to begin anew", token)
	}
	return part, kv("nextToken", wire.Opt(next)), nil
}

// names answers one page of a list of names.
func (c *call) names(member string, all []string) (wire.Struct, error) {
	part, next, err := page(c, all, func(s string) string { return s })
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv(member, wire.Texts(part)), next}, nil
}
