// Package manifest reads the YAML that declares a shift or a set of clusters: it decodes it
// strictly, checks every rule that can be checked without asking anybody, and compiles it
// into a shift.Spec or a registry.Set. It reports all problems together, each with its
// line. It does no I/O.
package manifest
