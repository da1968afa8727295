package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a manifest.
type Problem struct {
	Path string // of the field, e.g. spec.destinations[1].weight; "" for the whole file
	Line int    // 1-based; 0: not known
	// Value is what was found, as a person would write it; "" when nothing was.
	Value string
	// Message says what is allowed there and what to do.
	Message string

	// covers are the paths that this problem explains: what a rule says about them
	// besides would be noise.
	covers []string
	// among are the fields that the rule is about; when one of them could not be read,
	// the rule says nothing new.
	among []string
}

// String is "PATH = VALUE: MESSAGE".
func (p Problem) String() string {
	subject := p.Path
	switch {
	case subject == "":
		subject = p.Value
	case p.Value != "":
		subject += " = " + p.Value
	}
	if subject == "" {
		return p.Message
	}
	return subject + ": " + p.Message
}

// Error is everything that is wrong with one manifest, in the order of its lines.
type Error struct {
	Name     string // of the file
	Problems []Problem
}

// Error has one line for each problem: "NAME:LINE: PATH = VALUE: MESSAGE".
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		where := e.Name
		if p.Line > 0 {
			where = fmt.Sprintf("%s:%d", e.Name, p.Line)
		}
		lines[i] = where + ": " + p.String()
	}
	return strings.Join(lines, "\n")
}

// asError is nil when there is no problem.
func asError(name string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{Name: name, Problems: problems}
}

// Lines knows where in the file each field stands.
type Lines struct{ at map[string]int }

// Of is the line of a field, or of the innermost field around it that is in the file;
// 0 when there is none.
func (l *Lines) Of(path string) int {
	if l == nil {
		return 0
	}
	for path != "" {
		if n, ok := l.at[path]; ok {
			return n
		}
		path = parent(path)
	}
	return l.at[""]
}

// parent is the path of the field around; a.b[1] → a.b → a → "".
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// within tells whether path is outer, or a field in it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// quote shows a text of the user's, shortened when it is long.
func quote(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
