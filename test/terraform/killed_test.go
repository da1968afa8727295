package terraform

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// killPoints are spread evenly over the calls of one fast shift, from its first write to its
// last call. At every fourth, the shift that is killed is a create, which leaves no state.
const killPoints = 20

// hasty is a shift in steps of 20 percent that are held for an instant, judged by the
// targets' health alone: about two seconds.
func (l *lab) hasty(blue, green int) string {
	return strings.NewReplacer(
		"step_weight   = 50", "step_weight   = 20", `"1s"`, `"100ms"`, `"2s"`, `"200ms"`,
	).Replace(l.this(blue, green, "builtin_analysis = false"))
}

// victim is one who is killed in the middle of a shift.
type victim struct {
	l      *lab
	f      *folder
	before int // calls
	stop   func() counts
	at     int // calls since the first write; 0: never
	p      *process
	killed chan int // how many calls there were
	left   string   // weights that it left
}

// Terraform and the provider are killed, and another machine goes on with the state alone:
// what the shift must remember is on its rule.
func TestS14_AnApplyThatIsKilledAnywhereIsFinishedElsewhere(t *testing.T) {
	t.Parallel()
	whole := &victim{killed: make(chan int, 1)}
	whole.prepare(t, false)
	whole.shift(t)
	if r := whole.p.wait(t); r.code != 0 {
		t.Fatalf("nobody killed it, and it failed:\n%s", r)
	}
	whole.finished(t, whole.f)
	n := <-whole.killed
	t.Logf("a shift that nobody kills makes %d calls from its first write on", n)
	var victims []*victim
	for i := range killPoints {
		v := &victim{at: 1 + i*(n-1)/killPoints, killed: make(chan int, 1)}
		v.prepare(t, i%4 == 3)
		victims = append(victims, v)
	}
	for some := range slices.Chunk(victims, 4) { // at once: they shall be fast
		for _, v := range some {
			v.shift(t)
		}
		for _, v := range some {
			v.p.wait(t)
			v.left = v.l.weights(t, v.l.RuleARN)
		}
	}
	if n := len(left(victims)); n < 5 {
		t.Errorf("they were killed at %v, which is not everywhere in a shift", left(victims))
	}
	// All wait for a lease that ends by itself.
	elsewhere := make([]*folder, len(victims))
	applies := make([]*process, len(victims))
	for i, v := range victims {
		elsewhere[i] = v.f.elsewhere(t, v.l)
		applies[i] = elsewhere[i].start(t, "apply", "-auto-approve", "-no-color")
	}
	for i, v := range victims {
		t.Run(fmt.Sprintf("killed after call %d", v.at), func(t *testing.T) {
			if r := applies[i].wait(t); r.code != 0 {
				t.Fatalf("it was not finished: exit code %d\n%s", r.code, r)
			}
			v.finished(t, elsewhere[i])
			t.Logf("killed at %d calls, live %s; written in all: %v", <-v.killed, v.left, v.l.written(v.l.calls(t)[v.before:]))
		})
	}
}

// left are the weights at which these were killed.
func left(victims []*victim) (out []string) {
	for _, v := range victims {
		if !slices.Contains(out, v.left) {
			out = append(out, v.left)
		}
	}
	return out
}

// prepare a lab under load, and a folder whose next apply shifts all traffic.
func (v *victim) prepare(t *testing.T, create bool) {
	t.Helper()
	v.l = startLab(t)
	if create {
		v.f = v.l.folder(t, "")
	} else {
		v.f = v.l.adopted(t, "")
	}
	v.f.write(t, v.l.hasty(0, 100))
	v.before = len(v.l.calls(t))
	v.stop = v.l.requests(t, v.l.Host, 10)
}

// shift until the call at which it is to be killed, or its end.
func (v *victim) shift(t *testing.T) {
	t.Helper()
	calls := v.l.follow(t, v.before)
	v.p = v.f.start(t, "apply", "-auto-approve", "-no-color")
	go func() {
		n := 0
		defer func() { v.killed <- n }()
		for {
			select {
			case c := <-calls:
				if n == 0 && !c.mutating() {
					continue
				}
				if n++; n == v.at {
					v.p.kill()
					return
				}
			case <-v.p.done:
				return
			}
		}
	}()
}

// finished checks the laws, by what was asked for and served.
func (v *victim) finished(t *testing.T, f *folder) {
	t.Helper()
	v.stop().nothingLost(t)
	if w := v.l.weights(t, v.l.RuleARN); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	v.l.noMark(t, v.l.RuleARN)
	calls := v.l.calls(t)[v.before:]
	if w := v.l.written(calls); !monotonic(w) {
		t.Errorf("green's weight went back, or jumped: %v", w)
	}
	f.empty(t)
	if m := mutations(v.l.calls(t)[v.before+len(calls):]); len(m) != 0 {
		t.Errorf("a plan wrote: %v", m)
	}
}

// follow the calls after these, until the test ends.
func (l *lab) follow(t *testing.T, after int) <-chan call {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.Endpoint+"/_lab/calls?follow=1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan call)
	go func() {
		defer func() { _ = resp.Body.Close() }()
		lines := bufio.NewScanner(resp.Body)
		for n := 0; lines.Scan(); n++ {
			var c call
			if json.Unmarshal(lines.Bytes(), &c) != nil || n < after {
				continue
			}
			select {
			case out <- c:
			case <-req.Context().Done():
				return
			}
		}
	}()
	return out
}

// monotonic tells whether green's share only grew, by no more than a step of 20.
func monotonic(written []string) bool {
	at := 0
	for _, w := range written {
		_, green, _ := strings.Cut(w, ":")
		n, err := strconv.Atoi(green)
		if err != nil || n < at || n > at+20 {
			return false
		}
		at = n
	}
	return at == 100
}
