package sdkv2

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pairs of measurements, one of the old provider's skeleton and one of ours, taken in turn so
// that both meet the same machine.
type pairs struct{ old, ours []time.Duration }

// report the medians in milliseconds, and that of the ratios: 2 is twice as slow as the old.
func (p *pairs) report(b *testing.B) {
	b.Helper()
	ratios := make([]float64, len(p.old))
	for i := range p.old {
		ratios[i] = float64(p.ours[i]) / float64(p.old[i])
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(median(p.old)), "old-ms")
	b.ReportMetric(ms(median(p.ours)), "ours-ms")
	b.ReportMetric(median(ratios), "ours/old")
	b.ReportMetric(0, "ns/op") // of a pair: it says nothing
}

func median[T int | float64 | time.Duration](all []T) T {
	return slices.Sorted(slices.Values(all))[len(all)/2]
}

// in the order of the loop's turn, so that neither is always the second.
func (p *pairs) measure(i int, old, ours func() time.Duration) {
	if i%2 == 0 {
		p.old = append(p.old, old())
	}
	p.ours = append(p.ours, ours())
	if i%2 == 1 {
		p.old = append(p.old, old())
	}
}

// cookie by which a provider knows that Terraform started it.
const cookie = "TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"

// started is how long a provider takes from its start until it says where it serves.
func started(b *testing.B, program string) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program)
	cmd.Env = []string{cookie, "PLUGIN_PROTOCOL_VERSIONS=5,6", "TMPDIR=/tmp", "HOME=/tmp"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	took := time.Since(begin)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if parts := strings.Split(line, "|"); err != nil || len(parts) < 5 {
		b.Fatalf("%s said %q, which is no handshake: %v", program, line, err)
	} else if parts[2] == "unix" {
		_ = os.RemoveAll(parts[3])
	}
	return took
}

// BenchmarkStart compares how long the providers take to start, from exec to handshake.
func BenchmarkStart(b *testing.B) {
	for source, folder := range oldProviders(b) {
		name := filepath.Base(source)
		b.Run(name, func(b *testing.B) {
			program := "terraform-provider-" + name
			old, new := filepath.Join(folder, program), ours(b, program)
			started(b, old) // from disk, once
			started(b, new)
			var p pairs
			for i := 0; b.Loop(); i++ {
				p.measure(i, func() time.Duration { return started(b, old) }, func() time.Duration { return started(b, new) })
			}
			p.report(b)
		})
	}
}

// callsPerCourier is what a plan may ask the load balancer for each, besides whose
// credentials it has.
const callsPerCourier = 2

// BenchmarkPlan compares a terraform plan of four couriers and an old state. The skeleton
// asks nobody anything; ours asks AWS, the lab here, what is live.
func BenchmarkPlan(b *testing.B) {
	old, new := open(b, "alb"), open(b, "alb")
	old.providers(b, oldProviders(b))
	live["alb"](b, new)
	new.migrate(b)
	plan := func(w *workspace) time.Duration {
		begin := time.Now()
		w.run(b, "terraform", "plan", "-no-color", "-input=false", "-detailed-exitcode")
		return time.Since(begin)
	}
	plan(old)
	plan(new)
	var p pairs
	var calls []int
	for i := 0; b.Loop(); i++ {
		p.measure(i, func() time.Duration { return plan(old) }, func() time.Duration {
			before := len(new.calls(b))
			took := plan(new)
			n := 0
			for _, c := range new.calls(b)[before:] {
				if c.Service != "sts" {
					n++
				}
			}
			calls = append(calls, n)
			return took
		})
	}
	p.report(b)
	b.ReportMetric(float64(median(calls)), "calls/plan")
	const couriers = 4
	if n := slices.Max(calls); n > couriers*callsPerCourier {
		b.Errorf("a plan of %d couriers made %d calls, want %d at most", couriers, n, couriers*callsPerCourier)
	}
}
