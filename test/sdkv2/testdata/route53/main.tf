terraform {
  required_providers {
    eksctl = {
      source = "mumoshu/eksctl"
    }
  }
}

provider "eksctl" {
  assume_role {
    role_arn = "arn:aws:iam::000000000000:role/shifter"
  }
}

resource "eksctl_courier_route53_record" "api" {
  zone_id       = "Z47Z5SHO8NZPZKHMZX6C"
  name          = "api.example.com"
  step_weight   = 10
  step_interval = "10s"

  destination {
    set_identifier = "blue"
    weight         = 100
  }
  destination {
    set_identifier = "green"
    weight         = 0
  }
}

resource "eksctl_courier_route53_record" "metrics" {
  region        = "us-east-1"
  profile       = ""
  zone_id       = "Z47Z5SHO8NZPZKHMZX6C"
  name          = "www.example.com"
  step_weight   = "50"
  step_interval = "1m"

  destination {
    set_identifier = "blue"
    weight         = 10
  }
  destination {
    set_identifier = "green"
    weight         = 90
  }

  cloudwatch_metric {
    name = "5xx"
    min  = 0
    max  = 10
    query = jsonencode([{
      Id         = "m1"
      ReturnData = true
      MetricStat = {
        Metric = {
          Namespace  = "AWS/ApplicationELB"
          MetricName = "HTTPCode_Target_5XX_Count"
          Dimensions = [{ Name = "LoadBalancer", Value = "app/green/dad1a4ea44841cab" }]
        }
        Period = 60
        Stat   = "Sum"
      }
    }])
  }
}
