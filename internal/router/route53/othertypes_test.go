package route53

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/shift"
)

func TestR4AnUnfinishedShiftIsNotTakenUpForAPartOfItsTypes(t *testing.T) {
	for what, c := range map[string]struct{ of, then []string }{
		"all, then one":  {nil, []string{"A"}},
		"two, then one":  {[]string{"A", "AAAA"}, []string{"AAAA"}},
		"one, then all":  {[]string{"A"}, nil},
		"other spelling": {[]string{"A", "AAAA"}, []string{"AAAA", "A"}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.twins("blue", 50, "green", 50)
				n := w.open(func(cfg *Config) { cfg.Types = c.of })
				plan := declared(n, 10)
				w.ok(n.SetMark(t.Context(), shift.Mark{
					ID: "s1", Name: "web", Plan: plan.Hash(), From: split("blue", 100, "green", 0), Started: time.Now(),
					Lease: shift.Lease{Owner: "gone/1/x", Expires: time.Now()},
				}))
				then := w.open(func(cfg *Config) { cfg.Types = c.then })
				w.forget()
				_, ok, err := then.Mark(t.Context())
				if what == "other spelling" {
					if !ok || err != nil {
						t.Fatal(ok, err)
					}
					return
				}
				if !isTerminal(err, "OtherTypes") {
					t.Fatal(ok, err)
				}
				mentions(t, err, "route.route53.types", "api.example.com", "declare the same")
				_, err = w.engine(then, "here/1/x", 10).Run(t.Context())
				if !isTerminal(err, "OtherTypes") || w.changed() {
					t.Errorf("%v; %s", err, w.weights())
				}
			})
		})
	}
}

func TestR4AnAddressThatIsNotShiftedIsTold(t *testing.T) {
	for what, c := range map[string]struct {
		aaaa types.ResourceRecordSet
		says string
	}{
		"with weights":    {record(types.RRTypeAaaa, "blue", 100), "the weighted AAAA records"},
		"without weights": {record(types.RRTypeAaaa, "", 0, plain), "the simple AAAA records"},
		"by latency":      {record(types.RRTypeAaaa, "blue", 0, latency), "the latency AAAA records"},
		"no address":      {record(types.RRTypeMx, "", 0, plain, value("10 mail.example.com")), ""},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.put(record(types.RRTypeA, "blue", 100), record(types.RRTypeA, "green", 0), c.aaaa)
			warnings, err := w.open(func(cfg *Config) { cfg.Types = []string{"A"} }).Preflight(t.Context())
			w.ok(err)
			all := strings.Join(warnings, "\n")
			if told := strings.Contains(all, "stay where they are"); told != (c.says != "") || !strings.Contains(all, c.says) {
				t.Error(all)
			}
		})
	}
}

func TestARecordWithTrafficThatIsNotDeclaredIsToldToLoseIt(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 50, "green", 0, "red", 50, "parked", 0)
	warnings, err := w.open().Preflight(t.Context())
	w.ok(err)
	all := strings.Join(warnings, "\n")
	if strings.Count(all, `"red" has the weight 50 and is not declared: it ends at weight 0`) != 1 || strings.Contains(all, "parked") {
		t.Error(all)
	}
}
