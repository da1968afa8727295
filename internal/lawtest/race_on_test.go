//go:build race

package lawtest

// raceEnabled: the detector makes everything several times slower, so sweeps stride.
const raceEnabled = true
