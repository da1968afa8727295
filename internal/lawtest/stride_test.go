package lawtest

import "os"

// full: sweeps leave nothing out (make sweep, which CI runs without the race detector).
func full() bool { return os.Getenv("NORIKAE_SWEEP") == "full" }

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
