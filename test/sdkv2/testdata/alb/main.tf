terraform {
  required_providers {
    eksctl = {
      source = "mumoshu/eksctl"
    }
  }
}

provider "eksctl" {}

locals {
  listener = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/lab/28911965408373c3/e440408e5923a3b7"
  blue     = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/92e0dc5909d5d1e1"
  green    = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/dad1a4ea44841cab"
}

# The least that is possible; the priority is the default.
resource "eksctl_courier_alb" "least" {
  listener_arn  = local.listener
  step_weight   = 50
  step_interval = "1s"
  hosts         = ["example.com"]

  destination {
    target_group_arn = local.blue
    weight           = 100
  }
  destination {
    target_group_arn = local.green
    weight           = 0
  }
}

# Numbers as strings, metrics with one bound, empty strings and sets.
resource "eksctl_courier_alb" "metrics" {
  region        = "us-east-1"
  profile       = ""
  address       = ""
  listener_arn  = local.listener
  priority      = "11"
  step_weight   = "5"
  step_interval = "1m"
  headers       = {}
  path_patterns = ["/api/*", "/v2/*"]

  destination {
    target_group_arn = local.green
    weight           = "100"
  }
  destination {
    target_group_arn = local.blue
    weight           = "0"
  }

  cloudwatch_metric {
    name       = "5xx"
    max        = 0
    interval   = "1m"
    aws_region = "us-east-1"
    query = jsonencode([{
      Id         = "m1"
      ReturnData = true
      MetricStat = {
        Metric = {
          Namespace  = "AWS/ApplicationELB"
          MetricName = "HTTPCode_Target_5XX_Count"
          Dimensions = [{ Name = "TargetGroup", Value = "targetgroup/green/dad1a4ea44841cab" }]
        }
        Period = 60
        Stat   = "Sum"
      }
    }])
  }
  cloudwatch_metric {
    name = "requests"
    min  = 0.5
    query = jsonencode([{
      Id         = "m1"
      ReturnData = true
      MetricStat = {
        Metric = {
          Namespace  = "AWS/ApplicationELB"
          MetricName = "RequestCount"
          Dimensions = [{ Name = "TargetGroup", Value = "targetgroup/green/dad1a4ea44841cab" }]
        }
        Period = 60
        Stat   = "Sum"
      }
    }])
  }
  datadog_metric {
    name    = "latency"
    max     = 0.25
    address = ""
    query   = "avg:trace.http.request.duration{service:web}"
  }
}

# A role, with all of its attributes; one destination alone.
resource "eksctl_courier_alb" "role" {
  listener_arn  = local.listener
  priority      = 12
  step_weight   = 100
  step_interval = "10s"
  methods       = ["GET", "POST"]
  querystrings  = { version = "2" }

  assume_role {
    role_arn            = "arn:aws:iam::000000000000:role/shifter"
    session_name        = "terraform"
    external_id         = "acme"
    duration_seconds    = 900
    policy              = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })
    policy_arns         = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    tags                = { team = "web" }
    transitive_tag_keys = ["team"]
  }

  destination {
    target_group_arn = local.blue
    weight           = 1
  }
}

# A role of which all but the ARN is empty.
resource "eksctl_courier_alb" "short_role" {
  listener_arn  = local.listener
  priority      = 13
  step_weight   = 10
  step_interval = "30s"
  source_ips    = ["203.0.113.0/24"]

  assume_role {
    role_arn    = "arn:aws:iam::000000000000:role/shifter"
    external_id = ""
    policy_arns = []
    tags        = {}
  }

  destination {
    target_group_arn = local.blue
    weight           = 3
  }
  destination {
    target_group_arn = local.green
    weight           = 1
  }
}
