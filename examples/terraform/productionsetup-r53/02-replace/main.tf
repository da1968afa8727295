# The name leads to the second, in judged steps; clients follow a TTL late.

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

provider "eksctl" {}

data "aws_lb" "cluster" {
  for_each = var.load_balancer_arns

  arn = each.value
}

resource "aws_route53_record" "cluster" {
  for_each = data.aws_lb.cluster

  zone_id        = var.zone_id
  name           = var.name
  type           = "A"
  set_identifier = each.key

  alias {
    name                   = each.value.dns_name
    zone_id                = each.value.zone_id
    evaluate_target_health = true
  }

  weighted_routing_policy {
    weight = each.key == "blue" ? 100 : 0
  }

  # From here on the weights are the courier's.
  lifecycle {
    ignore_changes = [weighted_routing_policy]
  }
}

# Each step is judged by the metrics of both load balancers: without requests there are
# none, and the step waits for them (max_hold), then traffic goes back. For a name that
# nobody uses yet, builtin_analysis = false moves it at this pace all the same.
resource "eksctl_courier_route53_record" "name" {
  zone_id       = var.zone_id
  name          = var.name
  step_weight   = var.pace.step_weight
  step_interval = var.pace.step_interval
  bake          = var.pace.bake

  destination {
    set_identifier    = aws_route53_record.cluster["blue"].set_identifier
    load_balancer_arn = var.load_balancer_arns.blue
    weight            = 0
  }
  destination {
    set_identifier    = aws_route53_record.cluster["green"].set_identifier
    load_balancer_arn = var.load_balancer_arns.green
    weight            = 100
  }
}
