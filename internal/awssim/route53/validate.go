package route53

import (
	"strconv"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// invalid is Route 53's code for a request that does not fit the API's model, or that
// contradicts itself.
func invalid(format string, args ...any) error { return wire.Errorf("InvalidInput", format, args...) }

// constraint words violations of the API's model.
const constraint = wire.Validation("InvalidInput")

// pageSize is MaxItems within what AWS and the configuration allow. The second result is
// what the answer repeats.
func (c *call) pageSize(most int) (size int, said string, err error) {
	v, ok := c.p.String("MaxItems")
	if !ok {
		return min(most, c.s.cfg.MaxPageSize), strconv.Itoa(most), nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, "", invalid("The maxItems parameter '%s' is not a number from 1 to %d", v, most)
	}
	return min(n, most, c.s.cfg.MaxPageSize), v, nil
}

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
