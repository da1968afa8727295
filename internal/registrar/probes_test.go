package registrar_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/norikae/norikae/internal/fleettest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// silent are API servers that never answer, as behind a security group; others do.
type silent struct {
	open map[string]bool

	mu    sync.Mutex
	asked map[string]int
}

func (s *silent) Probe(ctx context.Context, c registry.Cluster) error {
	s.mu.Lock()
	s.asked[c.Name]++
	open := s.open[c.Name]
	s.mu.Unlock()
	if open {
		return nil
	}
	<-ctx.Done()
	return errors.New("does not answer")
}

func TestAPIServersThatNeverAnswerDoNotKeepAPassFromTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"registered", "zz-open"}
		for i := range 1000 {
			names = append(names, fmt.Sprintf("closed-%04d", i))
		}
		memory := fleettest.NewMemory()
		prober := &silent{open: map[string]bool{"registered": true}, asked: map[string]int{}}
		s := set()
		s.Probe = registry.Probe{Enabled: true, Timeout: 30 * time.Second}
		if _, err := registrar.New(registrar.Config{Discoverer: skyOf("registered"), Secrets: memory, Prober: prober}).Pass(t.Context(), s, registrar.Options{}); err != nil {
			t.Fatal(err)
		}
		rotated := skyOf(names...)
		arn, c := cluster("registered")
		c.Cluster.CA = "Y2Ey"
		rotated[arn] = c
		prober.open["zz-open"] = true
		r := registrar.New(registrar.Config{Discoverer: rotated, Secrets: memory, Prober: prober})
		updated, registered := false, 0
		for n := 1; registered == 0 && n < 20; n++ {
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // as the controller does
			began := time.Now()
			res, err := r.Pass(ctx, s, registrar.Options{})
			cancel()
			if err != nil {
				t.Fatalf("pass %d has no result after %s: %v", n, time.Since(began), err)
			}
			if took := time.Since(began); took > 3*time.Minute {
				t.Errorf("pass %d took %s", n, took)
			}
			for _, o := range res.Outcomes {
				switch {
				case o.Do == registry.Update && o.Written:
					updated = true
				case o.Do == registry.Create && o.Written:
					registered = n
				case o.State == registry.Unreachable && o.Message == "":
					t.Errorf("%s: nothing says why", o.Cluster.Name)
				}
			}
			if !updated {
				t.Fatal("the authority that was rotated was not written")
			}
		}
		if registered == 0 {
			t.Error("the one that answers never got its turn")
		}
		for name, n := range prober.asked {
			if n > 2 {
				t.Errorf("%s was asked %d times before the last got its turn", name, n)
			}
		}
		t.Logf("registered in pass %d", registered)
	})
}
