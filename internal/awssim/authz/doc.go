// Package authz evaluates IAM policies as AWS does: it reads policy documents, decides
// whether a caller's policies allow an action on a resource, judges roles' trust
// policies, and knows which actions and resources each simulated API call stands for.
// It keeps no identities: package iam and package sts tell who calls.
//
// Source of the semantics: IAM User Guide, "Policy evaluation logic", "IAM JSON policy
// elements"; of the actions and resources: Service Authorization Reference.
package authz
