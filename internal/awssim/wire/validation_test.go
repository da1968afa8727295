package wire_test

import (
	"regexp"
	"testing"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestViolationsAreWordedAsAWSDoes(t *testing.T) {
	const c = wire.Validation("Invalid")
	p := wire.Params{"Port": "80", "Big": int64(70_000), "Word": "ten", "Name": ""}
	integer := func(name string) error {
		_, _, err := c.Int(p, name, "a.1.member."+wire.Camel(name), 81, 65535)
		return err
	}
	text := func(name string) error { _, err := c.Required(p, name, wire.Camel(name)); return err }
	_, _, noBool := c.Bool(p, "Word", "word")
	for want, err := range map[string]error{
		"Value '80' at 'a.1.member.port' failed to satisfy constraint: Member must have value greater than or equal to 81":   integer("Port"),
		"Value '70000' at 'a.1.member.big' failed to satisfy constraint: Member must have value less than or equal to 65535": integer("Big"),
		"Value 'ten' at 'a.1.member.word' failed to satisfy constraint: Member must be a number":                             integer("Word"),
		"Value 'ten' at 'word' failed to satisfy constraint: Member must be a boolean":                                       noBool,
		"Value null at 'name' failed to satisfy constraint: Member must not be null":                                         text("Name"),
		"Value 'é' at 'x' failed to satisfy constraint: Member must have length greater than or equal to 2":                  c.Length("é", "x", 2, 3),
		"Value 'éééé' at 'x' failed to satisfy constraint: Member must have length less than or equal to 3":                  c.Length("éééé", "x", 2, 3),
		"Value 'c' at 'x' failed to satisfy constraint: Member must satisfy enum value set: [a, b]":                          c.OneOf("c", "x", "a", "b"),
		"Value 'c' at 'x' failed to satisfy constraint: Member must satisfy regular expression pattern: ^a$":                 c.Matches("c", "x", regexp.MustCompile(`^a$`)),
	} {
		if err == nil || err.Error() != "Invalid: 1 validation error detected: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	n, ok, err := c.Int(p, "Port", "port", 1, 80)
	if _, absent, aerr := c.Int(p, "Absent", "absent", 1, 80); n != 80 || !ok || err != nil || absent || aerr != nil {
		t.Errorf("%d, %v, %v; absent: %v, %v", n, ok, err, absent, aerr)
	}
	for _, err := range []error{c.Length("éé", "x", 2, 2), c.OneOf("a", "x", "a"), c.Matches("a", "x", regexp.MustCompile(`^a$`))} {
		if err != nil {
			t.Error(err)
		}
	}
}
