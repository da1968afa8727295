// Package wire is the front door of the simulated AWS: one http.Handler that speaks
// AWS's wire protocols (query and EC2's flavour of it, awsJson, rpc-v2-cbor, REST XML
// and REST JSON) and hands each call, decoded to a protocol-independent Request, to the
// Service that it is meant for. It knows no service's operations and keeps no state of
// theirs. It verifies signatures where it is told to; else any credentials that the
// configured check does not refuse will do.
package wire
