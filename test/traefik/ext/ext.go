// Package ext stands for a nested module of Traefik that is in no release: the fields that
// its configuration may be extended by, of which there are none.
package ext

// HTTP of a dynamic configuration.
type HTTP struct{}

// Router of a dynamic configuration.
type Router struct{}
