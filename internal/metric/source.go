// Package metric measures a step of a shift: it renders the queries, asks the sources
// for the windows that are complete, and hands the numbers to package analysis, which
// judges. The adapters of its sources are the packages below it.
package metric

import (
	"context"
	"time"
)

// Source answers queries. One Source stands for one place, with one set of credentials
// (a CloudWatch region, profile and role; a Datadog site; a Prometheus server), so
// nothing of one metric can leak into another. The analyzer asks a Source for all of a
// moment's windows in one Query; it compares Sources with ==, so they are pointers.
type Source interface {
	// Validate checks the form of a rendered query, which is not blank, without asking anybody. period is
	// the coarsest period that the query's own points are aligned to; 0: not known.
	Validate(text string) (period time.Duration, err error)
	// Query answers with one Result for each query, in their order. It never blocks
	// longer than ctx lets it.
	Query(ctx context.Context, queries []Query) []Result
}

// Query is a rendered query and the window that it is about: [Start, End).
type Query struct {
	Metric     string // the metric's name, for messages
	Text       string
	Start, End time.Time
}

// Result of one query. No series, or series without points, is no data.
type Result struct {
	Series []Series
	// Complete: the source did not say that something is missing.
	Complete bool
	Notes    []string // the source's own words: warnings, messages
	// Err: the source could not be asked, or refused. It is classified by package
	// fault, and never holds credentials.
	Err error
	// RetryAfter is how long the source wants to be left alone; 0: it did not say.
	RetryAfter time.Duration
}

// Series of points, oldest first, all within the query's window.
type Series struct {
	Label  string
	Points []Point
}

// Point is a value and the start of the time that it is about.
type Point struct {
	Time  time.Time
	Value float64
}
