// Package discover asks AWS which EKS clusters there are: it lists every account and
// region of a set through the index of tags, or by ListClusters where the selector wants
// no tag or the index may not be asked, and describes what is new, what is not ACTIVE and
// what was described too long ago. It also asks for each cluster that the caller knows and
// no list names, by its name, because only such an answer says that a cluster is gone.
//
// What goes wrong in an account and region stays there.
//
// In steady state a pass over n clusters of an account and region takes max(1, ⌈n/100⌉)
// calls to list them for each distinct set of tag filters, and describes its share of
// them. Each cluster is described again when between a half and the whole of the refresh
// interval R has passed, drawn anew each time, so that n clusters cost n / (0.75 R) calls
// a second on average, evenly: 3.7/s for 10,000 and an hour.
package discover
