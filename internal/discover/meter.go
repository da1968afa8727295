package discover

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
)

// maxAnswer bounds an answer, in bytes. A page of the tagging API has at most 100
// clusters × 50 tags × 384 characters, which is 8 MB if each takes four bytes.
const maxAnswer = 16 << 20

var errTooLarge = errors.New("the answer is larger than 16 MiB")

// meter counts requests and bounds how many are in flight.
type meter struct {
	slots chan struct{}

	mu            sync.Mutex
	calls, failed map[string]uint64
}

func newMeter(inFlight int) *meter {
	return &meter{slots: make(chan struct{}, inFlight), calls: map[string]uint64{}, failed: map[string]uint64{}}
}

func (m *meter) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Stats{Calls: maps.Clone(m.calls), Failed: maps.Clone(m.failed)}
}

// over a client: the client whose requests are counted.
func (m *meter) over(c aws.HTTPClient) aws.HTTPClient { return metered{c, m} }

type metered struct {
	client aws.HTTPClient
	meter  *meter
}

// Do sends a request when its turn has come.
func (c metered) Do(r *http.Request) (*http.Response, error) {
	m, ctx := c.meter, r.Context()
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	resp, err := c.client.Do(r)
	if err == nil {
		resp.Body = &bounded{ReadCloser: resp.Body, left: maxAnswer}
	}
	service := awsmiddleware.GetServiceID(ctx)
	if service == taggingServiceID {
		service = "tag" // as IAM calls it
	}
	m.count(strings.ToLower(service)+":"+awsmiddleware.GetOperationName(ctx), err != nil || resp.StatusCode >= http.StatusBadRequest)
	return resp, err
}

func (m *meter) count(operation string, failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[operation]++
	if failed {
		m.failed[operation]++
	}
}

// bounded fails once more was read than it may be.
type bounded struct {
	io.ReadCloser

	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// words lets equal texts share their memory: names and values of tags, versions, VPCs.
type words struct {
	mu  sync.Mutex
	all map[string]string
}

// maxWords bounds what is remembered; then it begins anew.
const maxWords = 100_000

func (w *words) intern(s string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if have, ok := w.all[s]; ok {
		return have
	}
	if w.all == nil || len(w.all) >= maxWords {
		w.all = map[string]string{}
	}
	s = strings.Clone(s)
	w.all[s] = s
	return s
}

func (w *words) internMap(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[w.intern(k)] = w.intern(v)
	}
	return out
}

func (w *words) internAll(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = w.intern(s)
	}
	return out
}
