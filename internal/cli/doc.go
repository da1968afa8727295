// Package cli is the command line: it reads manifests, drives a shift through a Run
// that its caller makes, and prints what happens for people or for programs. It knows
// no cloud and no adapter.
package cli
