// Package fleettest is for tests only: EKS in some accounts and regions of a lab, an Argo
// CD that is no more than its Secrets, histories of what happens to a fleet, and a judge
// that sees only what went over the wire: what AWS answered, and which Secrets were
// written.
package fleettest
