# Two Argo CD clusters, either of which may be replaced, whose pods act as the same roles.
# Clusters that they manage let these roles in, and need not know how many Argo CDs there are.
#
# Argo CD's role trusts the OIDC provider of each cluster: it changes with the list of
# clusters. The ClusterSet controller's role is given by EKS Pod Identity: it trusts EKS, and
# each cluster says which of its service accounts has it.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    eksctl = {
      source  = "norikae/eksctl"
      version = ">= 0.1.0"
    }
  }
}

provider "aws" {
  region = var.region
}

provider "eksctl" {
  region = var.region
}

variable "region" {
  type = string
}

variable "clusters" {
  type        = set(string)
  description = "The Argo CD clusters that there are."
  default     = ["argocd-blue", "argocd-green"]
}

module "argocd" {
  source   = "./modules/role"
  name     = "argocd"
  subjects = [for name in ["argocd-server", "argocd-application-controller"] : "system:serviceaccount:argocd:${name}"]
  issuers  = { for name, c in eksctl_cluster.argocd : name => { arn = c.oidc_provider_arn, url = c.oidc_provider_url } }
}

module "clusterset" {
  source       = "./modules/role"
  name         = "norikae-clusterset"
  pod_identity = true
}

resource "eksctl_cluster" "argocd" {
  for_each = var.clusters

  name    = each.key
  region  = var.region
  version = "1.33"

  spec = yamlencode({
    managedNodeGroups = [
      { name = "ng1", instanceType = "m7g.large", desiredCapacity = 2, privateNetworking = true },
    ]
    addons = [{ name = "eks-pod-identity-agent" }]
    iam = {
      withOIDC = true
      podIdentityAssociations = [
        { namespace = "norikae-system", serviceAccountName = "norikae", roleARN = module.clusterset.arn },
      ]
    }
  })
}

# For the annotation eks.amazonaws.com/role-arn of Argo CD's service accounts, and for
# iam_identity_mapping of the clusters that it manages.
output "argocd_role_arn" {
  value = module.argocd.arn
}

output "clusterset_role_arn" {
  value = module.clusterset.arn
}
