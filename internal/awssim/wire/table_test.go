package wire_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestATableListsAnswersAndPlacesItsOperations(t *testing.T) {
	answer := func(s string) func(int) (wire.Struct, error) {
		return func(n int) (wire.Struct, error) { return wire.Struct{{Name: s, Value: n}}, nil }
	}
	table := wire.Table[int]{
		wire.Full("ListB", answer("b")).At(wire.Route{Method: "GET", Path: "/b"}),
		wire.Partly("ListA", "no pages", answer("a")).At(wire.Route{Method: "GET", Path: "/a", Status: 201}),
	}
	if d := cmp.Diff([]wire.Operation{
		{Name: "ListA", Fidelity: wire.Simplified, How: "no pages"}, {Name: "ListAll", Fidelity: wire.Absent}, {Name: "ListB", Fidelity: wire.Simulated},
	}, table.Operations("ListAll")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]wire.Route{
		{Operation: "ListB", Method: "GET", Path: "/b"}, {Operation: "ListA", Method: "GET", Path: "/a", Status: 201},
	}, table.Routes()); d != "" {
		t.Error(d)
	}
	handlers := table.Handlers()
	out, err := handlers["ListA"](7)
	if d := cmp.Diff(wire.Struct{{Name: "a", Value: 7}}, out); d != "" || err != nil || len(handlers) != 2 {
		t.Error(d, err, len(handlers))
	}
}

func TestListsOfAnswers(t *testing.T) {
	if d := cmp.Diff(wire.List{"x", ""}, wire.Texts([]string{"x", ""})); d != "" {
		t.Error(d)
	}
	if wire.Opt("") != nil || wire.Opt("x") != "x" {
		t.Error("only an empty text is left out")
	}
}
