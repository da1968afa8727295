package tagging

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// tokenTime is how long a PaginationToken can be used.
const tokenTime = 15 * time.Minute

// token is what a PaginationToken says, in base64.
type token struct {
	Issued time.Time `json:"issued"`
	Query  string    `json:"query"` // that it was given for
	Begun  bool      `json:"begun"` // something was returned already:
	After  string    `json:"after"` // the last of it, in the order of the list
}

// cut takes the page of a sorted list that PaginationToken asks for, with as many items
// as fit tells of the rest, and less if Config.Pages says so. next is the token of the
// page after it, "" on the last one.
func cut[T any](c *call, items []T, key func(T) string, fit func(rest []T) int) (part []T, next string, err error) {
	t := token{Query: fingerprint(c.op, c.p)}
	if text := c.p.Str("PaginationToken"); text != "" {
		if t, err = c.parseToken(text, t.Query); err != nil {
			return nil, "", err
		}
	}
	for t.Begun && len(items) > 0 && key(items[0]) <= t.After {
		items = items[1:]
	}
	n := fit(items)
	if n > 0 {
		n = min(max(c.s.cfg.Pages(n), 0), n)
	}
	if n == len(items) {
		return items, "", nil
	}
	if n > 0 {
		t.Begun, t.After = true, key(items[n-1])
	}
	t.Issued = c.now.UTC()
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, "", fmt.Errorf("making a pagination token: %w", err)
	}
	return items[:n], base64.RawURLEncoding.EncodeToString(raw), nil
}

func (c *call) parseToken(text, query string) (token, error) {
	var t token
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil || t.Query != query {
		return t, invalid("PaginationToken is not one that was returned for these filters; begin anew without it")
	}
	if c.now.Sub(t.Issued) > tokenTime {
		return t, wire.Errorf("PaginationTokenExpiredException",
			"A PaginationToken is valid for a maximum of 15 minutes; begin anew without it")
	}
	return t, nil
}

// fingerprint of the members that decide what is on the pages, not how they are cut.
func fingerprint(op string, p wire.Params) string {
	h := fnv.New64a()
	for _, name := range []string{"ResourceTypeFilters", "TagFilters", "IncludeComplianceDetails", "ExcludeCompliantResources", "Key"} {
		raw, err := json.Marshal(p[name]) // sorts the members of structures
		if err != nil {
			raw = fmt.Append(nil, p[name])
		}
		_, _ = fmt.Fprintf(h, "%s %s=%s\n", op, name, raw)
	}
	return fmt.Sprintf("%x", h.Sum64())
}
