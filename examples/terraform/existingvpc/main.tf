# A cluster in a VPC that is there already: its nodes in the private subnets, its load
# balancers in the public ones.

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

variable "vpc_id" {
  type = string
}

module "network" {
  source = "./modules/network"
  vpc_id = var.vpc_id
}

resource "eksctl_cluster" "web" {
  name    = "web"
  region  = var.region
  version = "1.33"
  vpc_id  = var.vpc_id

  spec = yamlencode({
    vpc = { subnets = module.network.subnets }
    managedNodeGroups = [
      { name = "ng1", instanceType = "m7g.large", desiredCapacity = 2, privateNetworking = true },
    ]
    iam = { withOIDC = true }
  })
}

output "kubeconfig" {
  value = eksctl_cluster.web.kubeconfig_path
}
