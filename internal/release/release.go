// Package release fetches exactly one release of a tool from its official place: over
// HTTPS, checked against the checksums that were published with it, and kept.
package release

import "net/http"

// The tools that can be fetched.
const (
	Eksctl   = "eksctl"
	Helm     = "helm"
	Helmfile = "helmfile"
)

// Config of a Fetcher. The zero value fetches for this machine from the official places.
type Config struct {
	// Dir holds the tools, as TOOL/VERSION/TOOL; default $XDG_CACHE_HOME/norikae/tools.
	Dir string
	// Bases replace the official places, by tool: https URLs.
	Bases map[string]string
	// Client makes the requests; default: a new one.
	Client *http.Client
	// OS and Arch as Go names them; default: this machine's.
	OS, Arch string
}

// Fetcher of releases. It may be used by many at once.
type Fetcher struct{ cfg Config }

// Progress of a download: how many bytes there are and, if it is known, will be (else -1).
type Progress func(done, total int64)

// New Fetcher.
func New(cfg Config) (*Fetcher, error) { return &Fetcher{cfg}, nil }
