# The first cluster, and all the traffic to it.

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

# One target group per cluster; the cluster's node groups register their nodes with it.
resource "aws_lb_target_group" "cluster" {
  for_each = toset(["blue", "green"])

  name        = "cluster-${each.key}"
  port        = 30080
  protocol    = "HTTP"
  vpc_id      = var.vpc_id
  target_type = var.target_type
}

resource "aws_lb_target_group_attachment" "extra" {
  for_each = var.targets

  target_group_arn = aws_lb_target_group.cluster[each.value.color].arn
  target_id        = each.value.ip
  port             = each.value.port
}

resource "eksctl_cluster" "blue" {
  name    = "blue"
  region  = var.region
  version = "1.33"
  vpc_id  = var.vpc_id

  spec = <<-EOS
    vpc:
      subnets:
        private: ${jsonencode({ for zone, id in var.subnet_ids : zone => { id = id } })}

    nodeGroups:
      - name: ng1
        instanceType: m5.large
        desiredCapacity: 1
        privateNetworking: true
        targetGroupARNs:
          - ${aws_lb_target_group.cluster["blue"].arn}
        securityGroups:
          attachIDs:
            - ${var.security_group_id}
    iam:
      withOIDC: true
  EOS
}

resource "eksctl_courier_alb" "web" {
  listener_arn  = var.alb_listener_arn
  priority      = "11"
  hosts         = [var.host]
  step_weight   = var.pace.step_weight
  step_interval = var.pace.step_interval
  bake          = var.pace.bake

  destination {
    target_group_arn = aws_lb_target_group.cluster["blue"].arn
    weight           = 100
  }
  destination {
    target_group_arn = aws_lb_target_group.cluster["green"].arn
    weight           = 0
  }

  # No traffic before there is somebody to answer it.
  depends_on = [aws_lb_target_group_attachment.extra, eksctl_cluster.blue]
}
