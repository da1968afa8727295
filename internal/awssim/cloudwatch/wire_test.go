package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awscw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

func muxOf(s *Service) *wire.Mux {
	mux := wire.NewMux(wire.Config{})
	mux.Register(s.Registration())
	return mux
}

// sdkClient is the AWS SDK for Go (CBOR) over a network in memory, for a bubble.
func sdkClient(t *testing.T, s *Service) *awscw.Client {
	t.Helper()
	var network memnet.Network
	l, err := network.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: muxOf(s), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	transport := network.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		<-done
	})
	return awscw.New(awscw.Options{
		BaseEndpoint: aws.String("http://127.0.0.1:80"), Region: testRegion, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDFAKE", "fake", ""),
		HTTPClient:  &http.Client{Transport: transport},
	})
}

func sdkStat(id, name, tg, stat string) types.MetricDataQuery {
	var dims []types.Dimension
	for _, d := range lbDims(tg) {
		dims = append(dims, types.Dimension{Name: aws.String(d.Name), Value: aws.String(d.Value)})
	}
	return types.MetricDataQuery{Id: aws.String(id), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String(elbSpace), MetricName: aws.String(name), Dimensions: dims},
		Period: aws.Int32(60), Stat: aws.String(stat),
	}}
}

func TestTheSDKReadsAnErrorRatePageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, origin := world(t, Config{PageSize: 3})
		in := &awscw.GetMetricDataInput{
			StartTime: aws.Time(origin), EndTime: aws.Time(origin.Add(10 * time.Minute)),
			MetricDataQueries: []types.MetricDataQuery{
				sdkStat("req", "RequestCount", "blue", "Sum"), sdkStat("e5xx", "HTTPCode_Target_5XX_Count", "blue", "Sum"),
				{Id: aws.String("rate"), Expression: aws.String("IF(req>0, 100*FILL(e5xx,0)/req)"), Label: aws.String("errors")},
			},
		}
		pages := awscw.NewGetMetricDataPaginator(sdkClient(t, s), in)
		var points, states []string
		for pages.HasMorePages() {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r := out.MetricDataResults[0]
			states = append(states, string(r.StatusCode))
			for i, at := range r.Timestamps {
				points = append(points, fmt.Sprintf("%g=%g", at.Sub(origin).Minutes(), r.Values[i]))
			}
		}
		if d := cmp.Diff([]string{"9=0", "8=0", "7=5", "6=0", "5=0", "4=0", "3=5", "2=0", "1=0", "0=0"}, points); d != "" {
			t.Errorf("merged, newest first (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"PartialData", "PartialData", "PartialData", "Complete"}, states); d != "" {
			t.Errorf("status of the pages (-want +got):\n%s", d)
		}
	})
}

func TestTheSDKPutsListsAndReadsStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sdkClient(t, New(Config{}))
		start := time.Now().Truncate(time.Minute)
		_, err := c.PutMetricData(t.Context(), &awscw.PutMetricDataInput{Namespace: aws.String("shop"), MetricData: []types.MetricDatum{
			{MetricName: aws.String("latency"), Values: []float64{0.1, 0.9}, Counts: []float64{9, 1}, Unit: types.StandardUnitSeconds, Timestamp: aws.Time(start)},
			{MetricName: aws.String("orders"), Value: aws.Float64(7), Dimensions: []types.Dimension{{Name: aws.String("site"), Value: aws.String("jp")}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		list, err := c.ListMetrics(t.Context(), &awscw.ListMetricsInput{Namespace: aws.String("shop"), Dimensions: []types.DimensionFilter{{Name: aws.String("site")}}})
		if err != nil || len(list.Metrics) != 1 || *list.Metrics[0].MetricName != "orders" || *list.Metrics[0].Dimensions[0].Value != "jp" {
			t.Fatalf("ListMetrics: %v, %v", list, err)
		}
		out, err := c.GetMetricStatistics(t.Context(), &awscw.GetMetricStatisticsInput{
			Namespace: aws.String("shop"), MetricName: aws.String("latency"), Period: aws.Int32(60),
			StartTime: aws.Time(start), EndTime: aws.Time(start.Add(time.Minute)),
			Statistics: []types.Statistic{types.StatisticAverage}, ExtendedStatistics: []string{"p90", "p99"},
		})
		if err != nil || len(out.Datapoints) != 1 {
			t.Fatalf("GetMetricStatistics: %v, %v", out, err)
		}
		d := out.Datapoints[0]
		if got := fmt.Sprintf("%.2f %v %s %v", *d.Average, d.ExtendedStatistics, d.Unit, d.Timestamp.Equal(start)); got != "0.18 map[p90:0.1 p99:0.9] Seconds true" {
			t.Errorf("data point %s", got)
		}
	})
}

func TestTheSDKSeesTypedErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sdkClient(t, New(Config{}))
		_, err := c.GetMetricData(t.Context(), &awscw.GetMetricDataInput{
			StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()), NextToken: aws.String("bogus"),
			MetricDataQueries: []types.MetricDataQuery{sdkStat("m", "RequestCount", "blue", "Sum")},
		})
		if e, ok := errors.AsType[*types.InvalidNextToken](err); !ok || e.ErrorMessage() == "" {
			t.Errorf("a bad token: %v, want *types.InvalidNextToken", err)
		}
		_, err = c.PutMetricData(t.Context(), &awscw.PutMetricDataInput{Namespace: aws.String("AWS/EC2"), MetricData: []types.MetricDatum{{MetricName: aws.String("m"), Value: aws.Float64(1)}}})
		if _, ok := errors.AsType[*types.InvalidParameterValueException](err); !ok {
			t.Errorf("a reserved namespace: %v, want *types.InvalidParameterValueException", err)
		}
		for want, call := range map[string]func(context.Context) error{
			"ValidationError": func(ctx context.Context) error {
				_, err := c.GetMetricData(ctx, &awscw.GetMetricDataInput{
					StartTime: aws.Time(time.Now().Add(-time.Hour)), EndTime: aws.Time(time.Now()),
					MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("e"), Expression: aws.String("x+1")}},
				})
				return err
			},
			"NotSimulated": func(ctx context.Context) error {
				_, err := c.DescribeAlarms(ctx, &awscw.DescribeAlarmsInput{})
				return err
			},
		} {
			err := call(t.Context())
			if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != want {
				t.Errorf("error %v, want code %s", err, want)
			}
		}
	})
}

// realWorld is a service on a real listener with five minutes of history that ended
// when start + 5 minutes did; blue had 60 requests a minute and 3 errors in minute 2.
func realWorld(t *testing.T) (url string, start time.Time) {
	t.Helper()
	s := New(Config{})
	start = time.Now().Truncate(time.Minute).Add(-10 * time.Minute).UTC()
	for m := range 5 {
		s.Put(testScope, []model.Datum{sumOf("RequestCount", "blue", start.Add(time.Duration(m)*time.Minute), 60)})
	}
	s.Put(testScope, []model.Datum{sumOf("HTTPCode_Target_5XX_Count", "blue", start.Add(2*time.Minute), 3)})
	srv := httptest.NewServer(muxOf(s))
	t.Cleanup(srv.Close)
	return srv.URL, start
}

// TestTheJSONProtocol replays a request as awscli 1.45 sends it.
func TestTheJSONProtocol(t *testing.T) {
	url, start := realWorld(t)
	post := func(target, body string) (int, http.Header, map[string]any) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+target)
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amzn-Query-Mode", "true")
		req.Header.Set("X-Amz-Date", "20261123T100000Z")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDFAKE/20261123/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=00")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return res.StatusCode, res.Header, out
	}
	body := func(expression string) string {
		return fmt.Sprintf(`{"MetricDataQueries": [{"Id": "m", "MetricStat": {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": "HTTPCode_Target_5XX_Count",
			"Dimensions": [{"Name": "TargetGroup", "Value": "targetgroup/blue/1"}, {"Name": "LoadBalancer", "Value": "app/web/1"}]}, "Period": 60, "Stat": "Sum"}},
			{"Id": "e", "Expression": %q}], "StartTime": %d, "EndTime": %d.0}`, expression, start.Unix(), start.Unix()+180)
	}
	status, _, out := post("GetMetricData", body("FILL(m, 0)"))
	want := map[string]any{"Messages": []any{}, "MetricDataResults": []any{
		map[string]any{"Id": "m", "Label": "HTTPCode_Target_5XX_Count", "StatusCode": "Complete", "Timestamps": []any{float64(start.Unix() + 120)}, "Values": []any{3.0}},
		map[string]any{
			"Id": "e", "Label": "e", "StatusCode": "Complete", "Values": []any{3.0, 0.0, 0.0},
			"Timestamps": []any{float64(start.Unix() + 120), float64(start.Unix() + 60), float64(start.Unix())},
		},
	}}
	if d := cmp.Diff(want, any(out)); status != http.StatusOK || d != "" {
		t.Errorf("status %d, answer (-want +got):\n%s", status, d)
	}
	status, h, out := post("GetMetricData", body("NO_SUCH(m)"))
	if message, _ := out["message"].(string); status != http.StatusBadRequest || !strings.Contains(message, "NO_SUCH") || h.Get("X-Amzn-Query-Error") != "ValidationError;Sender" {
		t.Errorf("status %d, %v, %v; want the function named", status, h, out)
	}
}

// awsCLI runs Debian's awscli 2.9.19, which speaks the query protocol. It returns the
// standard output, or the error output when it fails.
func awsCLI(t *testing.T, url string, args ...string) (string, bool) {
	t.Helper()
	const path = "/usr/bin/aws" // another one, with another protocol, may come first on PATH
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("this test drives the simulator with a foreign client; install it: apt-get install -y awscli (%v)", err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"--endpoint-url", url, "--output", "json", "cloudwatch"}, args...)...)
	cmd.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ACCESS_KEY_ID=AKIDFAKE", "AWS_SECRET_ACCESS_KEY=fake", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "TZ=UTC", "NO_PROXY=127.0.0.1",
	}
	var out, failed strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &failed
	if err := cmd.Run(); err != nil {
		return failed.String(), false
	}
	return out.String(), true
}

func TestDebiansAWSCLI(t *testing.T) {
	url, start := realWorld(t)
	dims := []string{"Name=LoadBalancer,Value=app/web/1", "Name=TargetGroup,Value=targetgroup/blue/1"}
	from, to := start.Format(time.RFC3339), start.Add(5*time.Minute).Format(time.RFC3339)
	metric := func(id, name string) string {
		return fmt.Sprintf(`{"Id": %q, "ReturnData": false, "MetricStat": {"Metric": {"Namespace": "AWS/ApplicationELB", "MetricName": %q, "Dimensions": [
			{"Name": "LoadBalancer", "Value": "app/web/1"}, {"Name": "TargetGroup", "Value": "targetgroup/blue/1"}]}, "Period": 60, "Stat": "Sum"}}`, id, name)
	}
	stamp := func(minute int) string {
		return start.Add(time.Duration(minute) * time.Minute).Format("2006-01-02T15:04:05+00:00")
	}
	step := func(args []string, want any) {
		t.Helper()
		out, ok := awsCLI(t, url, args...)
		if text, isText := want.(string); isText {
			if ok == (text != "") || !strings.Contains(out, text) {
				t.Errorf("%v answers %q, want %q", args, out, text)
			}
			return
		}
		var got any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%v: %s", args, out)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", args, d)
		}
	}

	step([]string{
		"get-metric-data", "--start-time", from, "--end-time", to, "--metric-data-queries",
		"[" + metric("req", "RequestCount") + "," + metric("e5xx", "HTTPCode_Target_5XX_Count") + `, {"Id": "rate", "Expression": "100*FILL(e5xx,0)/req", "Label": "errors"}]`,
	}, map[string]any{"Messages": []any{}, "MetricDataResults": []any{map[string]any{
		"Id": "rate", "Label": "errors", "StatusCode": "Complete", "Values": []any{0.0, 0.0, 5.0, 0.0, 0.0},
		"Timestamps": []any{stamp(4), stamp(3), stamp(2), stamp(1), stamp(0)},
	}}})
	step(append([]string{
		"get-metric-statistics", "--namespace", elbSpace, "--metric-name", "RequestCount", "--period", "300", "--statistics", "Sum", "Maximum",
		"--start-time", from, "--end-time", to, "--dimensions",
	}, dims...), map[string]any{"Label": "RequestCount", "Datapoints": []any{
		map[string]any{"Timestamp": stamp(0), "Sum": 300.0, "Maximum": 1.0, "Unit": "Count"},
	}})
	step(append([]string{
		"get-metric-statistics", "--namespace", elbSpace, "--metric-name", "RequestCount", "--period", "300", "--extended-statistics", "p50", "p99.9",
		"--start-time", from, "--end-time", to, "--dimensions",
	}, dims...), map[string]any{"Label": "RequestCount", "Datapoints": []any{
		map[string]any{"Timestamp": stamp(0), "ExtendedStatistics": map[string]any{"p50": 1.0, "p99.9": 1.0}, "Unit": "Count"},
	}})
	step([]string{
		"put-metric-data", "--namespace", "shop", "--metric-name", "orders", "--value", "3", "--dimensions", "site=jp", "--unit", "Count",
		"--timestamp", from,
	}, "")
	step([]string{"list-metrics", "--namespace", "shop"}, map[string]any{"Metrics": []any{map[string]any{
		"Namespace": "shop", "MetricName": "orders", "Dimensions": []any{map[string]any{"Name": "site", "Value": "jp"}},
	}}})
	step([]string{
		"get-metric-data", "--start-time", from, "--end-time", to, "--metric-data-queries", `[{"Id": "e", "Expression": "SORT(x)"}]`,
	}, "Error in expression 'e': the function SORT is not simulated")
	step([]string{"describe-alarms"}, "(NotSimulated)")
}
