package cloudwatch

import "github.com/norikae/norikae/internal/awssim/wire"

// Operations lists the operations about metrics, sorted by name, and what they do not
// do. All others of the API (alarms, dashboards, anomaly detectors, Contributor
// Insights, metric streams, datasets, tags) are absent; only those that tools for
// metrics also call are named.
func Operations() []wire.Operation {
	return []wire.Operation{
		{Name: "DescribeAlarms", Fidelity: wire.Absent},
		{Name: "DescribeAlarmsForMetric", Fidelity: wire.Absent},
		{Name: "GetMetricData", Fidelity: wire.Simplified, How: "Sum, Average, Minimum, Maximum, SampleCount, pNN and tmNN; metric math without SEARCH, SORT, SLICE, FIRST, LAST, " +
			"REMOVE_EMPTY, anomaly detection, date functions and Metrics Insights. Pages cut the results in the order of the queries, expressions included. " +
			"Dynamic labels (${...}) are returned as written. Periods count from the rounded StartTime. Old data are not rolled up to longer periods. " +
			"A percentile is the nearest rank among at most 128 weighted samples a storage period. One account only"},
		{Name: "GetMetricStatistics", Fidelity: wire.Simplified, How: "as GetMetricData for one metric: up to 1,440 data points, in no useful order"},
		{Name: "GetMetricWidgetImage", Fidelity: wire.Absent},
		{Name: "ListMetrics", Fidelity: wire.Simplified, How: "a metric is listed as soon as it has a data point that can be read, not minutes later; no linked accounts"},
		{Name: "PutMetricAlarm", Fidelity: wire.Absent},
		{Name: "PutMetricData", Fidelity: wire.Simplified, How: "StorageResolution is checked, but all data are kept at the lab's period, and can be read only when " +
			"that period and the delay are over; the unit last written is the unit of the metric; no EntityMetricData"},
	}
}
