// Package workload does in a cluster what else would be kubectl's: it waits for pods,
// applies manifests and deletes objects.
package workload

import (
	"context"
)

// Cluster to work in.
type Cluster struct {
	Endpoint string // https URL of the API server
	CA       []byte // PEM
	// Token gives a bearer token that is good now, such as ekstoken.Source's.
	Token func(context.Context) (string, error)
}
