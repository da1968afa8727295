// Package iam simulates AWS IAM: roles, users and their access keys, policies, instance
// profiles and OpenID Connect providers, one world for each account, for all regions.
// It reads and checks policy documents with package authz, and tells package sts and
// authz.Authorizer who a caller is and what its policies are. It enforces nothing itself.
package iam
