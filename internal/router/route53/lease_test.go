package route53

import (
	"time"

	"github.com/norikae/norikae/internal/shift"
)

const owner = "laptop/42/r4nd"

// markOf a shift by this machine.
func markOf() shift.Mark {
	return shift.Mark{
		ID: "s1", Name: "web", Plan: "abc", From: split("blue", 100, "green", 0), Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Lease: shift.Lease{Owner: owner, Expires: time.Date(2126, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
}
