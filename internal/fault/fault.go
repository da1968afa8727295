// Package fault holds the classes of errors that callers may branch on. Adapters
// classify an error once, where it arises; everybody else uses errors.Is and errors.As.
package fault

import "errors"

// ErrNotFound means that the resource does not exist.
var ErrNotFound = errors.New("not found")

// ErrConflict means that somebody else holds or changed the resource: a priority that
// is taken, a lease that another owner holds.
var ErrConflict = errors.New("conflict")

// ErrDenied means that the credentials are missing, expired or not permitted. It may
// heal (credentials are refreshed), so it is retried within the hold time.
var ErrDenied = errors.New("access denied")

// TerminalError means that a retry cannot help: the request itself is wrong. Its text
// names the field, the value, the allowed range and what to do next.
type TerminalError struct {
	Reason string // a CamelCase word for conditions, e.g. TooManyDestinations
	Err    error
}

func (e *TerminalError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *TerminalError) Unwrap() error { return e.Err }

// Terminal marks err as one that no retry can heal.
func Terminal(reason string, err error) error { return &TerminalError{Reason: reason, Err: err} }

// IsTerminal tells whether err is, or wraps, a TerminalError.
func IsTerminal(err error) bool {
	_, ok := errors.AsType[*TerminalError](err)
	return ok
}
