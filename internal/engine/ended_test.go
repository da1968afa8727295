package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// A run that waits for another's lease came to follow that run's shift. When that shift
// is taken back meanwhile, by a person or by a failure, to begin it anew would undo what
// was just decided.
func TestARunThatWaitedDoesNotBeginAnewWhatWasTakenBack(t *testing.T) {
	for name, tc := range map[string]struct {
		ended shift.Live
		want  shift.Phase
		err   string
	}{
		"rolled back":    {shift.Live{Exists: true, Conforms: true, Split: ab(100, 0)}, "", "ended while this run waited"},
		"done: settled":  {shift.Live{Exists: true, Conforms: true, Split: ab(0, 100)}, shift.Succeeded, ""},
		"left elsewhere": {shift.Live{Exists: true, Conforms: true, Split: ab(40, 60)}, "", "ended while this run waited"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoute()
				spec := tenSteps()
				r.live.Split = ab(50, 50)
				r.mark = &shift.Mark{
					ID: "s1", Name: spec.Name, Plan: spec.Hash(), From: ab(100, 0), Started: time.Now(),
					Lease: shift.Lease{Owner: "elsewhere/1/x", Expires: time.Now().Add(30 * time.Second)},
				}
				time.AfterFunc(8*time.Second, func() {
					r.mu.Lock()
					defer r.mu.Unlock()
					r.live, r.mark = tc.ended, nil
				})
				res, err := newEngine(t, r, "here/1/x", nil).Run(t.Context())
				switch {
				case tc.err == "" && (err != nil || res.Phase != tc.want):
					t.Errorf("%+v, %v", res, err)
				case tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err) || !fault.IsTerminal(err)):
					t.Errorf("%+v, %v", res, err)
				}
				if len(r.writes) > 0 || r.mark != nil {
					t.Errorf("wrote %v, mark %v", r.writes, r.mark)
				}
			})
		})
	}
}
