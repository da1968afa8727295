// Package lawtest judges whole shifts by what went over the wire. A recording proxy
// between the real AWS SDK and the simulated AWS keeps every exchange; Judge reads that
// trace and the declaration, knows nothing of what the engine thought, and says which
// law of a shift was broken. It is imported by tests only.
package lawtest
