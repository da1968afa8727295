//go:build !race

package lawtest

// raceEnabled: sweeps leave nothing out.
const raceEnabled = false
