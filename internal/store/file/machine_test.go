package file_test

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/norikae/norikae/internal/store/file"
)

func TestTheMachineIsNamedOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "norikae")
	var mu sync.Mutex
	seen := map[string]int{}
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range 64 {
		all.Go(func() {
			<-begin
			id, err := file.MachineID(dir)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[id]++
		})
	}
	close(begin)
	all.Wait()
	if len(seen) != 1 {
		t.Errorf("64 first runs named the machine %v", seen)
	}
	for id := range seen {
		// It goes into a tag's value, before a slash.
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}-[a-z0-9]{8}$`).MatchString(id) {
			t.Errorf("name %q", id)
		}
		if again, err := file.MachineID(dir); again != id || err != nil {
			t.Errorf("%q, %v; before it was %q", again, err, id)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".machine-id-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestAnotherDirectoryIsAnotherMachine(t *testing.T) {
	a, errA := file.MachineID(t.TempDir())
	b, errB := file.MachineID(t.TempDir())
	if a == b || errA != nil || errB != nil {
		t.Errorf("%q %v, %q %v", a, errA, b, errB)
	}
}

func TestAnEmptyNameIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "machine-id"), []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := file.MachineID(dir)
	if again, errAgain := file.MachineID(dir); id == "" || err != nil || again != id || errAgain != nil {
		t.Errorf("%q %v, then %q %v", id, err, again, errAgain)
	}
}

func TestTwoNamesOfARouteAreTwoHolders(t *testing.T) {
	dir := t.TempDir()
	holder := func(route string) string {
		t.Helper()
		h, err := file.Holder(dir, route)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if a, b := holder("listener rule 10"), holder("rule ARN"); a == b || a != holder("listener rule 10") {
		t.Errorf("%q and %q: a live run of the other declaration would be taken for a dead one of this", a, b)
	}
}
