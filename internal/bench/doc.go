// Package bench measures what the product promises: API calls, virtual time, memory and
// CPU of whole shifts, with the real AWS SDK against the simulated AWS in memory. A
// benchmark fails where a promise is broken (make bench).
package bench
