package discover_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/discover"
	"github.com/norikae/norikae/internal/registry"
)

// maxHeld bounds what 10,000 clusters may take in memory, in bytes.
const maxHeld = 60 << 20

// BenchmarkPassOver10000Clusters tells what a pass costs when nothing has changed, and what
// a Discoverer holds of each cluster. It is in real time and without client-side limits.
func BenchmarkPassOver10000Clusters(b *testing.B) {
	const n, accounts = 10_000, 20
	w := newWorld(b, nil)
	defer w.close()
	set := setOf(nil, region)
	set.RefreshInterval = 24 * time.Hour
	var ids []registry.ID
	for i := range accounts {
		account := fmt.Sprintf("%012d", i)
		set.Sources[0].Accounts = append(set.Sources[0].Accounts, role(account))
		for j := range n / accounts {
			c := id(account, region, fmt.Sprintf("cluster-of-team-%05d", j))
			w.add(map[string]string{
				"env": "prod", "cell": strconv.Itoa(j % 5), "team": strconv.Itoa(j % 100), "cost-center": strconv.Itoa(j % 40), "Name": c.Name,
			}, c)
			ids = append(ids, c)
		}
	}
	w.discoverer(discover.Config{AWS: w.unlimited()})
	began := time.Now()
	pass := func() {
		snap, err := w.Discover(b.Context(), set, ids)
		if err != nil || len(snap.Sightings) != n || len(errorsOf(snap)) > 0 {
			b.Fatalf("%d clusters, %v, %v", len(snap.Sightings), errorsOf(snap), err)
		}
	}
	pass()
	first := time.Since(began)
	b.ReportAllocs()
	for b.Loop() {
		pass()
	}
	b.ReportMetric(first.Seconds(), "s-first-pass")
	w.transport.CloseIdleConnections()
	with := held()
	w.Discoverer = nil
	got := int64(with) - int64(held())
	if got > maxHeld {
		b.Errorf("%d MiB are held, want at most %d", got>>20, maxHeld>>20)
	}
	b.ReportMetric(float64(got)/n, "B-held/cluster")
}

// unlimited makes plain configurations, whose clusters have certificates of EKS's size.
func (w *world) unlimited() func(context.Context, string, registry.Account) (aws.Config, error) {
	base := aws.Config{
		BaseEndpoint: aws.String(w.Endpoint()), HTTPClient: &http.Client{Transport: certified{w.transport}},
		Credentials: credentials.NewStaticCredentialsProvider("AKIADISCOVER", "fake", ""),
	}
	return func(_ context.Context, region string, a registry.Account) (aws.Config, error) {
		cfg := base.Copy()
		cfg.Region = region
		if a.RoleARN != "" {
			cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), a.RoleARN))
		}
		return cfg, nil
	}
}

// certified gives each described cluster a certificate of its own, of 1107 bytes as PEM.
type certified struct{ http.RoundTripper }

func (c certified) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err != nil || cerr != nil {
		return nil, fmt.Errorf("%w %w", err, cerr)
	}
	body = regexp.MustCompile(`"data":"[^"]*"`).ReplaceAllFunc(body, func([]byte) []byte {
		pem := make([]byte, 1107)
		for i := range pem {
			pem[i] = byte(rand.Uint32())
		}
		return []byte(`"data":"` + base64.StdEncoding.EncodeToString(pem) + `"`)
	})
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

// held is what is in memory and in use.
func held() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
