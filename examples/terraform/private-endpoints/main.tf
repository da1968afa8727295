# Argo CD reaches target clusters by their private endpoints: docs/private-endpoints.md.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  type = string
}

variable "targets" {
  type        = set(string)
  description = "Names of the clusters that Argo CD deploys to."
}

variable "argocd_node_security_groups" {
  type        = map(string)
  description = "Security groups of the nodes that Argo CD runs on, such as { shared = \"sg-…\" }."
}

module "endpoint_access" {
  source   = "./modules/endpoint-access"
  for_each = var.targets

  cluster_name = each.key
  from         = var.argocd_node_security_groups
}

output "opened" {
  description = "The security group that was opened, by cluster."
  value       = { for name, m in module.endpoint_access : name => m.security_group_id }
}
