// Package ec2 simulates the part of Amazon EC2 that surrounds a cluster: VPCs, subnets,
// gateways, routes, security groups, launch templates, and instances that run nothing;
// one world for each account and region. No packet flows through it.
//
// An account has no default VPC. Codes and messages are those of the EC2 API reference,
// "Error codes", as far as they are publicly known.
package ec2
