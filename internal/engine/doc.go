// Package engine drives a shift: observe, decide, save, act, verify, and again. It owns
// the ports that the adapters implement, and leaves every decision to package shift.
package engine
