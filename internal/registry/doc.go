// Package registry is pure: it says which clusters a set selects, what the cluster Secret
// of each has to say, and, from what AWS and Argo CD's Secrets say now, what is to be done
// about each of them. It never asks anybody and never looks at a clock.
//
// The laws that it keeps:
//
//  1. What does not carry the set's mark is never changed, unless a person asked for its
//     adoption.
//  2. A cluster is gone only when AWS says so, by its name, twice, the grace apart. An empty
//     list and a failed call say nothing.
//  3. Of what vanishes at once, more than the limit stops everything.
//  4. A cluster that gets traffic is never removed; neither is one of which that cannot
//     be known.
//  5. What would make Argo CD delete Applications is never a side effect: a Secret's name
//     and server stay as they are, and a label that an ApplicationSet selects by changes
//     only when a person allows it.
//  6. The worst that one cluster, account or region can do is to be left as it is.
package registry
