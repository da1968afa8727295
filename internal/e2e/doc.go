// Package e2e holds the tests of the program as people run it: the real binary in
// processes of its own, against a lab in another process, killed, interrupted and told
// wrong things.
package e2e
