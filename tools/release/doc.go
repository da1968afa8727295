// Package release holds the tests of .goreleaser.yaml: that what it would release is what
// the commands and Terraform expect. It needs no goreleaser; make release-check runs that.
package release
