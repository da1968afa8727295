// Package cloudwatch simulates Amazon CloudWatch metrics: a bounded store of statistic
// sets that the simulator's data planes and PutMetricData fill, and the operations that
// read it (GetMetricData with metric math, GetMetricStatistics, ListMetrics). It knows
// nothing of the wire: requests come as wire.Params and answers go out as wire.Struct.
package cloudwatch

import (
	"context"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Config of a Service. The zero value behaves as AWS with no publishing delay.
type Config struct {
	// Period is the storage resolution: all data of one period become one data point.
	// Whole seconds; 0: 60 s, as AWS does for its own services. A lab uses 1 s.
	Period time.Duration
	// Delay is how long after the end of its period a data point can be read; nil: 0.
	// A rise does not hide what could already be read; a fall shows at once what waited.
	Delay func() time.Duration
	// Missing is a fault: while it is true for a metric, its data are lost on the way
	// in, and the metric reads as if nobody had ever reported it. nil: never.
	Missing func(metricName string) bool
	// Retention is how long data are kept; 0: 3 h for a Period under 60 s, else 15 days.
	Retention time.Duration
	// PageSize caps what one answer holds, to exercise paging: data points of
	// GetMetricData, metrics of ListMetrics. 0: AWS's limits (100,800 and 500).
	PageSize int
}

// Service is the simulated CloudWatch of all accounts and regions.
type Service struct {
	cfg    Config
	period int64 // Config.Period in seconds

	mu     sync.RWMutex
	scopes map[string]map[metricKey]*metric // by "ACCOUNT/REGION"
	count  int                              // metrics in all scopes
}

var (
	_ wire.Service = (*Service)(nil)
	_ model.Sink   = (*Service)(nil)
)

// New makes an empty Service.
func New(cfg Config) *Service {
	if cfg.Period <= 0 {
		cfg.Period = time.Minute
	}
	cfg.Period = max(cfg.Period.Truncate(time.Second), time.Second)
	if cfg.Retention <= 0 {
		cfg.Retention = 15 * day
		if cfg.Period < time.Minute {
			cfg.Retention = 3 * time.Hour
		}
	}
	return &Service{
		cfg:    cfg,
		period: int64(cfg.Period / time.Second),
		scopes: make(map[string]map[metricKey]*metric),
	}
}

const day = 24 * time.Hour

// Serve answers one API call.
func (s *Service) Serve(_ context.Context, r *wire.Request) (wire.Struct, error) {
	switch r.Operation {
	case "GetMetricData":
		return s.getMetricData(r)
	case "GetMetricStatistics":
		return s.getMetricStatistics(r)
	case "ListMetrics":
		return s.listMetrics(r)
	case "PutMetricData":
		return s.putMetricData(r)
	default:
		return nil, wire.NotSimulated("monitoring", r.Operation)
	}
}

// Registration is how calls for the service are recognised, in all of its protocols.
func (s *Service) Registration() wire.Registration {
	return wire.Registration{
		Name:         "monitoring",
		Version:      "2010-08-01",
		Namespace:    "http://monitoring.amazonaws.com/doc/2010-08-01/",
		TargetPrefix: "GraniteServiceVersion20100801",
		Shapes: map[string]string{
			codeMissing:     "MissingRequiredParameterException",
			codeValue:       "InvalidParameterValueException",
			codeCombination: "InvalidParameterCombinationException",
		},
		Service: s,
	}
}

// notSimulated refuses a part of an operation that is answered otherwise.
func notSimulated(format string, args ...any) error {
	return wire.Errorf("NotSimulated", format+" is not simulated", args...)
}

// scope is where the caller's metrics are.
func scope(r *wire.Request) string { return r.AccountID + "/" + r.Region }

func (s *Service) delay() time.Duration {
	if s.cfg.Delay == nil {
		return 0
	}
	return max(s.cfg.Delay(), 0)
}

func (s *Service) missing(metricName string) bool {
	return s.cfg.Missing != nil && s.cfg.Missing(metricName)
}

// pageSize is the number of items on a page: AWS's limit or the configured one.
func (s *Service) pageSize(limit int) int {
	if s.cfg.PageSize > 0 {
		return min(limit, s.cfg.PageSize)
	}
	return limit
}
