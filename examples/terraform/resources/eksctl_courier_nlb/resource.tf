# Open connections stay where they are; new ones follow the weights.
resource "eksctl_courier_nlb" "tcp" {
  listener_arn  = "arn:aws:elasticloadbalancing:us-east-1:111111111111:listener/net/tcp/50dc6c495c0c9188/f2f7dc8efc522ab2"
  step_weight   = 25
  step_interval = "5m"

  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/blue/6d0ecf831eec9f09"
    weight           = 0
  }
  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:targetgroup/green/73e2d6bc24d8a067"
    weight           = 100
  }
}
