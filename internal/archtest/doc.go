// Package archtest holds the tests of the project's architecture: which package may
// import which, what the pure packages may not do, and that the documents describe the
// tree that is there. It has no code of its own.
package archtest
