// Package manifest reads the YAML that declares a shift: it decodes it strictly, checks
// every rule that can be checked without asking anybody, and compiles it into a
// shift.Spec. It reports all problems together, each with its line. It does no I/O.
package manifest
