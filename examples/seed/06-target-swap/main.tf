terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    eksctl = {
      source  = "norikae/eksctl"
      version = ">= 0.1.0"
    }
    helmfile = {
      source  = "norikae/helmfile"
      version = ">= 0.1.0"
    }
  }
}

provider "aws" {
  region = var.region
}

provider "eksctl" {}

provider "helmfile" {}

module "blue" {
  source = "../modules/target-cluster"

  name       = "blue"
  region     = var.region
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
}

module "green" {
  source = "../modules/target-cluster"

  name       = "green"
  region     = var.region
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
}

resource "eksctl_courier_alb" "podinfo" {
  listener_arn  = var.alb_listener_arn
  priority      = "10"
  path_patterns = ["/*"]
  step_weight   = var.pace.step_weight
  step_interval = var.pace.step_interval
  bake          = var.pace.bake

  destination {
    target_group_arn = module.blue.target_group_arn
    weight           = 0
  }
  # It gets its first request when its targets are healthy, that is when Argo CD has brought
  # the application there.
  destination {
    target_group_arn = module.green.target_group_arn
    weight           = 100
  }
}
