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
	problems, ok := decoded(err)
	if !ok {
		return nil, err // There is no manifest to check.
	}
	if err := asError(name, withLines(problems, Validate(ts), lines)); err != nil {
		return nil, err
	}
	return ts, nil
}

// decoded are the problems of an error of decoding; not ok: nothing could be decoded.
func decoded(err error) (problems []Problem, ok bool) {
	if e, is := errors.AsType[*Error](err); is {
		problems = e.Problems
	}
	return problems, !slices.ContainsFunc(problems, func(p Problem) bool { return p.Path == "" })
}

// withLines are the problems that were found while decoding, and of the others those that
// they do not explain, with their lines.
func withLines(decoding, validating []Problem, lines *Lines) []Problem {
	all := slices.Clone(decoding)
	for _, p := range validating {
		if !covered(p, decoding) {
			p.Line = lines.Of(p.Path)
			all = append(all, p)
		}
	}
	return all
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
