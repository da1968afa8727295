package bench

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"github.com/norikae/norikae/internal/awssim"
)

// A lab with so many clusters may need so much memory, of the operating system, once all
// of them have been described.
const (
	fleetClusters = 1000
	maxFleetBytes = 300 << 20
)

// BenchmarkThousandClusters builds a lab with a fleet over its accounts and regions, and
// finds each cluster of one account as a client does: by pages, and one by one.
func BenchmarkThousandClusters(b *testing.B) {
	for b.Loop() {
		before := held()
		began := time.Now()
		lab, err := awssim.New(awssim.Config{World: awssim.WorldFleet, Fleet: fleetClusters})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-begin")
		err = lab.Start("127.0.0.1:0")
		found := 0
		if err == nil {
			found, err = describeAll(b.Context(), lab)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		during, system := held(), m.Sys-m.HeapReleased
		if err := lab.Close(); err != nil {
			b.Error(err)
		}
		// A third of them: the clusters are dealt out over three accounts.
		if err != nil || found < fleetClusters/3 {
			b.Fatalf("%d clusters, %v", found, err)
		}
		if system > maxFleetBytes {
			b.Errorf("%d MiB, want at most %d", system>>20, maxFleetBytes>>20)
		}
		b.ReportMetric(float64(during-before)/(1<<20), "MiB-held")
		b.ReportMetric(float64(system)/(1<<20), "MiB-of-the-system")
	}
	b.ReportMetric(0, "ns/op")
}

// describeAll clusters of the lab's own account, in all its regions.
func describeAll(ctx context.Context, lab *awssim.Lab) (n int, err error) {
	for _, region := range lab.World().Regions {
		c := eks.New(eks.Options{
			Region: region, BaseEndpoint: aws.String(lab.Endpoint()), Credentials: credentials.NewStaticCredentialsProvider("AKIAOPERATOR", "fake", ""),
		})
		pages := eks.NewListClustersPaginator(c, &eks.ListClustersInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return n, fmt.Errorf("listing clusters in %s: %w", region, err)
			}
			for _, name := range page.Clusters {
				if _, err := c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name}); err != nil {
					return n, fmt.Errorf("describing cluster %s in %s: %w", name, region, err)
				}
				n++
			}
		}
	}
	return n, nil
}
