// Package wire is the front door of the simulated AWS: one http.Handler that speaks
// AWS's wire protocols (query, awsJson and rpc-v2-cbor) and hands each call, decoded
// to a protocol-independent Request, to the Service that it is meant for. It knows no
// service's operations, keeps no state of theirs, and verifies no signature: any
// credentials that the configured key check does not refuse will do.
package wire
