// Package elbv2 is the control plane of the simulated Elastic Load Balancing v2:
// Application and Network Load Balancers with their listeners, rules, target groups,
// targets and tags, one world for each account and region. It validates as AWS does,
// answers with AWS's error codes, and hands every change to a data plane as an immutable
// snapshot.
//
// Codes come from the service's API model. Messages follow AWS's wording where it is
// publicly known; otherwise they name the member, the value and what is allowed.
package elbv2
