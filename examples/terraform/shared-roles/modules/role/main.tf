# A role that service accounts of several clusters act as.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "name" {
  type = string
}

variable "subjects" {
  type        = list(string)
  description = "Service accounts, system:serviceaccount:NAMESPACE:NAME, that are let in by any of the issuers."
  default     = []
}

variable "issuers" {
  type        = map(object({ arn = string, url = string }))
  description = "OIDC providers of the clusters, by any name."
  default     = {}
}

variable "pod_identity" {
  type        = bool
  description = "Let in whom a pod identity association of a cluster names."
  default     = false
}

resource "aws_iam_role" "this" {
  name = var.name

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for issuer in var.issuers : {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = issuer.arn }
        Condition = { StringEquals = {
          "${trimprefix(issuer.url, "https://")}:aud" = "sts.amazonaws.com"
          "${trimprefix(issuer.url, "https://")}:sub" = var.subjects
        } }
      }],
      [for way in var.pod_identity ? ["pods.eks.amazonaws.com"] : [] : {
        Effect    = "Allow"
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Principal = { Service = way }
      }],
    )
  })
}

output "arn" {
  value = aws_iam_role.this.arn
}
