package wire

import (
	"time"
)

// Params is a structure of a request's input, independent of the protocol: nested
// map[string]any and []any with scalar leaves. In the query protocol every leaf is a
// string; JSON and CBOR have their own types. The accessors accept either.
type Params map[string]any

// The accessors below return ok = false when the member is absent, and an *Error
// with code ValidationError (naming the member and the value) when it is there in
// another type. The first such error is what the client gets.

// Has tells whether the member was sent, even when empty.
func (p Params) Has(name string) bool { _, ok := p[name]; return ok }

var _ = time.Time{}
