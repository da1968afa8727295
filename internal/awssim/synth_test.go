package awssim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/awssim/memnet"
)

func synthetic() awssim.Config {
	cfg := awssim.Fast()
	cfg.DataPlane, cfg.MetricPeriod, cfg.MetricDelay = awssim.PlaneSynth, time.Minute, 2*time.Minute
	return cfg
}

// errors5xx sums green's HTTPCode_Target_5XX_Count in [begin, now).
func (f fixture) errors5xx(t *testing.T, begin time.Time) (sum float64) {
	t.Helper()
	w := f.World()
	_, lb, _ := strings.Cut(w.LoadBalancerARN, ":loadbalancer/")
	_, tg, _ := strings.Cut(w.TargetGroups[1].ARN, "000000000000:")
	out, err := f.cw.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("HTTPCode_Target_5XX_Count"),
		Dimensions: []cwtypes.Dimension{{Name: aws.String("LoadBalancer"), Value: &lb}, {Name: aws.String("TargetGroup"), Value: &tg}},
		StartTime:  &begin, EndTime: aws.Time(time.Now()), Period: aws.Int32(60), Statistics: []cwtypes.Statistic{cwtypes.StatisticSum},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range out.Datapoints {
		sum += *d.Sum
	}
	return sum
}

func TestMadeUpTrafficFollowsWeightsAndFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, end := start(t, synthetic(), &memnet.Network{})
		defer end()
		if w := f.World(); w.URL != "" || len(w.TargetGroups[1].Targets) != 2 || f.Synth() == nil {
			t.Errorf("%+v", w)
		}
		if err := f.setWeights(t.Context(), 50, 50); err != nil {
			t.Fatal(err)
		}
		id, err := f.Faults().Add(fault.Rule{Kind: fault.TargetFailure, TargetGroup: "green", FailRate: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now().Truncate(time.Minute)
		time.Sleep(2 * time.Minute)
		if err := f.Faults().Remove(id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		// 100 requests a second, half of them to green, for two minutes, a tenth fails.
		if got := f.errors5xx(t, begin); got < 595 || got > 605 {
			t.Errorf("%v errors, want about 600", got)
		}
		if _, err := f.Faults().Add(fault.Rule{Kind: fault.Lose, Count: 1}); err == nil || !strings.Contains(err.Error(), "needs the data plane alb") {
			t.Errorf("lose: %v", err)
		}
	})
}

// A sweep makes hundreds of labs: this is the shape and the price of one case.
func TestManySyntheticLabsAreCheap(t *testing.T) {
	begin := time.Now()
	const labs = 50
	for range labs {
		synctest.Test(t, func(t *testing.T) {
			f, end := start(t, synthetic(), &memnet.Network{})
			defer end()
			for w := range int32(10) {
				if err := f.setWeights(t.Context(), 100-w, w); err != nil {
					t.Fatal(err)
				}
				time.Sleep(6 * time.Minute)
			}
		})
	}
	per := time.Since(begin) / labs
	t.Logf("%v for a lab, ten calls and an hour", per)
	if per > 500*time.Millisecond {
		t.Errorf("%v for a lab, ten calls and an hour; sweeps need less than 500ms", per)
	}
}
