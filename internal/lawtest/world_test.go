package lawtest

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/awssim"
)

// TestMain keeps the machine's own AWS configuration out.
func TestMain(m *testing.M) {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			set(name, "")
		}
	}
	set("AWS_CONFIG_FILE", os.DevNull)
	set("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	os.Exit(m.Run())
}

func set(name, value string) {
	if err := os.Setenv(name, value); err != nil {
		panic(err)
	}
}

// inWorld runs f in virtual time.
func inWorld(t *testing.T, pace Pace, change func(*awssim.Config), f func(t *testing.T, w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := NewWorld(pace, change)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		f(t, w)
	})
}

func TestAWholeShift(t *testing.T) {
	for _, pace := range []Pace{RealPace(), LabPace()} {
		begin := time.Now()
		inWorld(t, pace, nil, func(t *testing.T, w *World) {
			out := w.Run(t.Context(), Setup{Manifest: w.Manifest(Weight{"blue", 0}, Weight{"green", 100})})
			trace, err := w.Trace()
			t.Logf("%s %s %v; %d exchanges, %v, %d instants, %s", out.Phase, out.Reason, out.Err, len(trace), err, out.Instants, out.Finished.Sub(out.Started))
			ops := map[string]int{}
			for i, x := range trace {
				ops[x.Operation]++
				if i < 40 {
					t.Log(x.String(), x.In)
				}
			}
			t.Log(ops)
		})
		t.Log(time.Since(begin))
	}
}
