package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
)

// maxMetrics bounds the memory of a Service. Idle metrics make room for new ones.
const maxMetrics = 20_000

// maxFuture is how far ahead of the clock data may be, as AWS allows.
const maxFuture = 2 * time.Hour

// metricKey identifies a metric within a scope. Each combination of dimensions is a
// metric of its own: CloudWatch does not roll metrics up over dimensions.
type metricKey struct {
	namespace, name string
	dimensions      string // sorted, as packDimensions makes it
}

func newMetricKey(namespace, name string, dims []model.Dimension) metricKey {
	return metricKey{namespace, name, packDimensions(sortedDimensions(dims))}
}

func sortedDimensions(dims []model.Dimension) []model.Dimension {
	dims = slices.Clone(dims)
	slices.SortFunc(dims, func(a, b model.Dimension) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	return dims
}

func packDimensions(sorted []model.Dimension) string {
	var b strings.Builder
	for _, d := range sorted {
		b.WriteString(d.Name + "\x00" + d.Value + "\x00")
	}
	return b.String()
}

// metric is the history of one metric.
type metric struct {
	dimensions []model.Dimension // sorted
	unit       string
	buckets    []bucket // ascending by start, at most one per period
}

// bucket is one period's statistic set.
type bucket struct {
	start int64 // Unix seconds, a multiple of the service's period
	// delay when the first datum came in: see Config.Delay.
	delay time.Duration
	// born is when that was, in Unix nanoseconds: a later page of an answer must not
	// see data that its first page could not.
	born                int64
	sum, min, max, size float64 // size is the SampleCount
	samples             digest
	// opaque says that some data came as a bare statistic set, of which no
	// percentile can be computed.
	opaque bool
}

// Put takes metrics. Data that are not numbers, or that would exceed the bounds of the
// store, are dropped.
func (s *Service) Put(scope string, data []model.Datum) { s.put(scope, data) }

// put reports whether there was room for all of the data.
func (s *Service) put(scope string, data []model.Datum) (ok bool) {
	now, delay := time.Now(), s.delay()
	s.mu.Lock()
	defer s.mu.Unlock()
	ok = true
	for _, d := range data {
		if s.missing(d.Name) || !finite(d.Sum, d.Min, d.Max, d.Count) || d.Count <= 0 {
			continue
		}
		m := s.metric(scope, d, now)
		if m == nil {
			ok = false
			continue
		}
		if d.Unit != "" {
			m.unit = d.Unit
		}
		b := m.bucket(bucket{start: floor(d.Timestamp.Unix(), s.period), delay: delay, born: now.UnixNano()})
		b.add(d)
		m.trim(int((s.cfg.Retention + maxFuture) / s.cfg.Period))
	}
	return ok
}

// metric finds or makes the metric of a datum; nil when the store is full.
func (s *Service) metric(scope string, d model.Datum, now time.Time) *metric {
	dims := sortedDimensions(d.Dimensions)
	key := metricKey{d.Namespace, d.Name, packDimensions(dims)}
	if m := s.scopes[scope][key]; m != nil {
		return m
	}
	if s.count >= maxMetrics {
		s.sweep(now)
	}
	if s.count >= maxMetrics {
		return nil
	}
	if s.scopes[scope] == nil {
		s.scopes[scope] = make(map[metricKey]*metric)
	}
	m := &metric{dimensions: dims, unit: "None"}
	s.scopes[scope][key] = m
	s.count++
	return m
}

// sweep forgets metrics whose data are all older than the retention.
func (s *Service) sweep(now time.Time) {
	oldest := now.Add(-s.cfg.Retention).Unix()
	for name, metrics := range s.scopes {
		for key, m := range metrics {
			if n := len(m.buckets); n == 0 || m.buckets[n-1].start < oldest {
				delete(metrics, key)
				s.count--
			}
		}
		if len(metrics) == 0 {
			delete(s.scopes, name)
		}
	}
}

// bucket finds the bucket of a new one's period, or puts the new one in, empty.
func (m *metric) bucket(fresh bucket) *bucket {
	i := len(m.buckets) // nearly all data are newest
	for i > 0 && m.buckets[i-1].start > fresh.start {
		i--
	}
	if i > 0 && m.buckets[i-1].start == fresh.start {
		return &m.buckets[i-1]
	}
	fresh.min, fresh.max = math.Inf(1), math.Inf(-1)
	m.buckets = slices.Insert(m.buckets, i, fresh)
	return &m.buckets[i]
}

// trim keeps about the newest n buckets; it lets an eighth more pile up, so that
// the cost of moving them is spread over many puts.
func (m *metric) trim(n int) {
	if len(m.buckets) > n+n/8 {
		m.buckets = slices.Delete(m.buckets, 0, len(m.buckets)-n)
	}
}

func (b *bucket) add(d model.Datum) {
	b.sum += d.Sum
	b.min = min(b.min, d.Min)
	b.max = max(b.max, d.Max)
	b.size += d.Count
	switch {
	case len(d.Values) > 0:
		// Fewer values than the count are a sample of it.
		weight := d.Count / float64(len(d.Values))
		for _, v := range d.Values {
			if finite(v) {
				b.samples.add(v, weight)
			}
		}
	case d.Min == d.Max: // all of them must have been this value
		b.samples.add(d.Min, d.Count)
	default:
		b.opaque = true
	}
}

// window selects data points: periods of period seconds from start, whose data begin
// before end, as they could be read at asOf.
type window struct {
	start, end, period int64 // Unix seconds, seconds
	asOf               time.Time
}

// read computes a statistic of a metric over a window, ascending in time. Periods
// without data, or of which the statistic is not known, have no point.
func (s *Service) read(scope string, key metricKey, unit string, w window, st statistic) []point {
	if s.missing(key.name) {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	m := s.scopes[scope][key]
	if m == nil || unit != "" && unit != m.unit {
		return nil
	}
	var points []point
	delay := s.delay()
	buckets := between(m.buckets, w.start, w.end)
	for i := 0; i < len(buckets); {
		at := w.start + floor(buckets[i].start-w.start, w.period)
		group := newAggregate()
		for ; i < len(buckets) && buckets[i].start < at+w.period; i++ {
			if b := &buckets[i]; s.readable(b, w.asOf, delay) {
				group.add(b)
			}
		}
		if v, ok := st.of(&group); ok {
			points = append(points, point{at, v})
		}
	}
	return points
}

// between are the buckets that begin at start or later, and before end.
func between(buckets []bucket, start, end int64) []bucket {
	compare := func(b bucket, t int64) int { return cmp.Compare(b.start, t) }
	lo, _ := slices.BinarySearchFunc(buckets, start, compare)
	hi, _ := slices.BinarySearchFunc(buckets, end, compare)
	return buckets[lo:max(lo, hi)]
}

// readable tells whether a bucket's period and the delay after it are over.
func (s *Service) readable(b *bucket, asOf time.Time, delay time.Duration) bool {
	visible := time.Unix(b.start+s.period, 0).Add(min(b.delay, delay))
	return !visible.After(asOf) && b.born <= asOf.UnixNano() && b.start >= asOf.Add(-s.cfg.Retention).Unix()
}

// floor is the largest multiple of unit that is not above n; also for n < 0.
func floor(n, unit int64) int64 {
	r := n % unit
	if r < 0 {
		r += unit
	}
	return n - r
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
