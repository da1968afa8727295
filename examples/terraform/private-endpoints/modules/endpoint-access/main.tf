# Lets one cluster's nodes reach the private endpoint of another cluster: TCP 443, nothing
# else. Exactly one rule for each security group that they have.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "cluster_name" {
  type        = string
  description = "The cluster whose endpoint is to be reached. It has endpointPrivateAccess."
}

variable "from" {
  type        = map(string)
  description = "IDs of security groups of the nodes that Argo CD's pods run on, by any names."

  validation {
    condition     = length(var.from) > 0
    error_message = "The map from is empty: nobody would be let in. Want a security group that Argo CD's nodes have."
  }
}

variable "cluster_security_group" {
  type        = bool
  description = "Opens the cluster security group, which managed nodes have, too, although there is an additional one."
  default     = false
}

data "aws_eks_cluster" "this" {
  name = var.cluster_name
}

locals {
  vpc = data.aws_eks_cluster.this.vpc_config[0]
  # The additional security group is the control plane's alone.
  additional = sort(tolist(local.vpc.security_group_ids))
  open       = var.cluster_security_group || length(local.additional) == 0 ? local.vpc.cluster_security_group_id : local.additional[0]
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = var.from

  security_group_id            = local.open
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  description                  = "Argo CD (${each.key}) to the Kubernetes API of ${var.cluster_name}"
}

output "security_group_id" {
  description = "The security group that was opened."
  value       = local.open
}
