package manifest

import (
	"errors"
	"slices"

	"github.com/norikae/norikae/api/v1alpha1"
)

// Load decodes a manifest and checks it. The error is an *Error with all problems of
// both; a rule says nothing about a field that could not be read.
func Load(name string, data []byte) (*v1alpha1.TrafficShift, error) {
	ts, lines, err := Decode(name, data)
	var problems []Problem
	if e, ok := errors.AsType[*Error](err); ok {
		problems = e.Problems
		if slices.ContainsFunc(problems, func(p Problem) bool { return p.Path == "" }) {
			return nil, err // There is no manifest to check.
		}
	}
	unread := slices.Clone(problems)
	for _, p := range Validate(ts) {
		if !covered(p, unread) {
			p.Line = lines.Of(p.Path)
			problems = append(problems, p)
		}
	}
	if err := asError(name, problems); err != nil {
		return nil, err
	}
	return ts, nil
}

// covered tells whether one of the problems already explains p.
func covered(p Problem, problems []Problem) bool {
	about := append([]string{p.Path}, p.among...)
	return slices.ContainsFunc(problems, func(known Problem) bool {
		return slices.ContainsFunc(known.covers, func(c string) bool {
			return slices.ContainsFunc(about, func(path string) bool { return within(path, c) })
		})
	})
}
