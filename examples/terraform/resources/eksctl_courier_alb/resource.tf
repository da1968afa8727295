# Apply moves the traffic of the rule from the weights that are live to these,
# a tenth of the way at a time, and back when a metric fails.
resource "eksctl_courier_alb" "web" {
  listener_arn  = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
  priority      = 10
  hosts         = ["example.com"]
  path_patterns = ["/api/*"]

  step_weight   = 10
  step_interval = "2m"

  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/blue/6d0ecf831eec9f09"
    weight           = 0
  }
  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/green/73e2d6bc24d8a067"
    weight           = 100
  }

  cloudwatch_metric {
    name = "latency"
    max  = 0.5
    query = jsonencode([{
      Id         = "p99"
      ReturnData = true
      MetricStat = {
        Metric = {
          Namespace  = "AWS/ApplicationELB"
          MetricName = "TargetResponseTime"
          Dimensions = [
            { Name = "TargetGroup", Value = "{{.New.Suffix}}" },
            { Name = "LoadBalancer", Value = "{{.LoadBalancer.Suffix}}" },
          ]
        }
        Period = 60
        Stat   = "p99"
      }
    }])
  }
}
