// Package tagging simulates the Resource Groups Tagging API: it finds resources of other
// services by their tags, in one account and region, through an index that lags behind.
//
// The index learns of changes when it looks: at every call to it, and whenever Observe is
// called, best after each call that may have changed something. A change is counted from
// the look that found it; of two changes between looks only the sum is seen.
package tagging
