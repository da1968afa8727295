package lawtest

import (
	"os"
	"slices"
)

// full: sweeps leave nothing out (make sweep, which CI runs without the race detector).
func full() bool { return os.Getenv("NORIKAE_SWEEP") == "full" || everything() }

// everything: not even what full sweeps stride for time (make sweep SWEEP=everything).
func everything() bool { return os.Getenv("NORIKAE_SWEEP") == "everything" }

// stride of a sweep: 1 in a full one, plain without the race detector, race with it.
func stride(plain, race int) int {
	switch {
	case full():
		return 1
	case raceEnabled:
		return race
	}
	return plain
}

// grounds of the suites. With the race detector one protocol of load balancers and one of
// DNS are enough: it looks for races, and takes eight times as long.
func grounds() []Ground {
	if raceEnabled {
		return []Ground{OnALB, OnDNS}
	}
	return Grounds()
}

// only those of some grounds that are in the suites now.
func only(some ...Ground) []Ground {
	return slices.DeleteFunc(slices.Clone(some), func(g Ground) bool { return !slices.Contains(grounds(), g) })
}
