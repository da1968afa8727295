package elbv2

import (
	"fmt"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// invalid is AWS's code for nearly all bad parameters.
func invalid(format string, args ...any) error {
	return wire.Errorf("ValidationError", format, args...)
}

// constraint words violations of the API's model.
const constraint = wire.Validation("ValidationError")

// required is a member that must be there and not be empty.
func required(p wire.Params, name string) (string, error) {
	return constraint.Required(p, name, wire.Camel(name))
}

// at is the path of the n-th (from 0) structure of a list.
func at(list string, n int) string { return fmt.Sprintf("%s.%d.member", list, n+1) }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// kv is a member of an answer.
func kv(name string, value any) wire.Member { return wire.Member{Name: name, Value: value} }
