// Package leader holds the tests with two replicas of the real controller on a real API
// server, under the build tag e2e: the one that leads is killed at every write, or hangs,
// and the other one takes over. Run by make e2e.
package leader
