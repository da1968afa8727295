// Package argocd holds the tests with a real Argo CD on real API servers, under the build
// tag e2e: clusters of the lab are registered by the real binary, Argo CD enters them with
// its own tokens and deploys, and nothing of that is lost by accident. Run by make e2e.
package argocd
