// Package e2e holds the tests of the full stack, under the build tag e2e: they run inside
// of a lab, and look at it as its users do. Run by make e2e.
package e2e
