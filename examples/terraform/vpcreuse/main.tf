# eksctl makes the first cluster and a VPC for it; the second cluster goes into the same
# VPC. Every cluster lets one role in, which Argo CD acts as wherever it runs.

terraform {
  required_version = ">= 1.4" # terraform_data

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

variable "argocd_role_arn" {
  type        = string
  description = "IAM role of Argo CD's pods."
}

variable "node_groups" {
  type        = list(string)
  description = "Names of the first cluster's node groups."
  default     = ["ng1"]
}

resource "eksctl_cluster" "first" {
  name    = "first"
  region  = var.region
  version = "1.33"

  spec = yamlencode({
    managedNodeGroups = [for name in var.node_groups : { name = name, instanceType = "m7g.large", desiredCapacity = 1, privateNetworking = true }]
  })

  iam_identity_mapping {
    iamarn   = var.argocd_role_arn
    username = "argocd"
    groups   = ["system:masters"]
  }
}

# Terraform puts off reading data that refers to a resource which is going to change. The VPC
# would be unknown then, and the second cluster made anew, whenever something about the first
# changes. Between the two is therefore a resource that changes only with the first one's name.
resource "terraform_data" "first" {
  input = eksctl_cluster.first.id
}

data "aws_eks_cluster" "first" {
  name = terraform_data.first.output
}

data "aws_subnets" "private" {
  filter {
    name   = "vpc-id"
    values = [data.aws_eks_cluster.first.vpc_config[0].vpc_id]
  }
  filter {
    name   = "tag:kubernetes.io/role/internal-elb"
    values = ["1"]
  }
}

resource "eksctl_cluster" "second" {
  name    = "second"
  region  = var.region
  version = "1.33"
  vpc_id  = data.aws_eks_cluster.first.vpc_config[0].vpc_id

  spec = yamlencode({
    vpc = {
      subnets = { private = { for i, id in sort(data.aws_subnets.private.ids) : "private-${i + 1}" => { id = id } } }
    }
    managedNodeGroups = [
      { name = "ng1", instanceType = "m7g.large", desiredCapacity = 1, privateNetworking = true },
    ]
  })

  iam_identity_mapping {
    iamarn   = var.argocd_role_arn
    username = "argocd"
    groups   = ["system:masters"]
  }
}
