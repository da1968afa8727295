# A cluster that eksctl, or something else, made before Terraform. The first apply takes it
# into the state; what of the spec is there already is left as it is.

terraform {
  required_version = ">= 1.5" # import blocks; before: terraform import eksctl_cluster.blue us-east-1/blue

  required_providers {
    eksctl = {
      source  = "norikae/eksctl"
      version = ">= 0.1.0"
    }
  }
}

provider "eksctl" {
  region = var.region
}

variable "region" {
  type = string
}

import {
  to = eksctl_cluster.blue
  id = "blue"
}

resource "eksctl_cluster" "blue" {
  name   = "blue"
  region = var.region

  # Node groups by the names that they have. One that is not there would be created.
  spec = yamlencode({
    managedNodeGroups = [
      { name = "ng1", instanceType = "m7g.large", desiredCapacity = 2, privateNetworking = true },
    ]
  })
}
