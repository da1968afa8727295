// Package bench measures what the product promises: API calls, virtual time, memory and
// CPU of whole shifts, with the real AWS SDK against the simulated AWS in memory. Its
// tests hold the promises; its benchmarks report the numbers (make bench).
package bench
