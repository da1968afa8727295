package wire

import (
	"cmp"
	"slices"
)

// Table is what a service answers: its operations, each with the handler of its calls C.
type Table[C any] []Entry[C]

// Entry of a Table.
type Entry[C any] struct {
	Operation

	Handle func(C) (Struct, error)
	Route  Route // of REST services
}

// Full is an operation that is answered as AWS does.
func Full[C any](name string, handle func(C) (Struct, error)) Entry[C] {
	return Entry[C]{Operation: Operation{Name: name, Fidelity: Simulated}, Handle: handle}
}

// Partly is an operation that is simplified; how says in what way.
func Partly[C any](name, how string, handle func(C) (Struct, error)) Entry[C] {
	return Full(name, handle).But(how)
}

// But says in what way an operation is simplified.
func (e Entry[C]) But(how string) Entry[C] {
	e.Fidelity, e.How = Simplified, how
	return e
}

// At puts an operation of a REST service at its place.
func (e Entry[C]) At(r Route) Entry[C] {
	r.Operation = e.Name
	e.Route = r
	return e
}

// Operations of the API, sorted by name: those of the table, and those that are absent.
func (t Table[C]) Operations(absent ...string) []Operation {
	out := make([]Operation, 0, len(t)+len(absent))
	for _, e := range t {
		out = append(out, e.Operation)
	}
	for _, name := range absent {
		out = append(out, Operation{Name: name, Fidelity: Absent})
	}
	slices.SortFunc(out, func(a, b Operation) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Handlers by the names of their operations.
func (t Table[C]) Handlers() map[string]func(C) (Struct, error) {
	out := make(map[string]func(C) (Struct, error), len(t))
	for _, e := range t {
		out[e.Name] = e.Handle
	}
	return out
}

// Routes of a REST service.
func (t Table[C]) Routes() []Route {
	out := make([]Route, len(t))
	for i, e := range t {
		out[i] = e.Route
	}
	return out
}
