// Package eks simulates Amazon EKS's API: clusters with their access entries, node
// groups, add-ons and pod identities, one world for each account and region. It runs no
// Kubernetes: who wants an API server behind a cluster gives the service a ControlPlane.
//
// What takes time on AWS takes as long as Config says, by Config.Now: a resource becomes
// what it is to become when somebody looks at it after its time, so that nothing ticks.
//
// Codes and statuses come from the service's API model. Messages follow AWS's wording
// where it is publicly known; otherwise they name the member, the value and what is
// allowed.
package eks
