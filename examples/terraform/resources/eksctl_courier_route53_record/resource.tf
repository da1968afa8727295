# The records are somebody else's, such as an aws_route53_record with
# lifecycle { ignore_changes = [weighted_routing_policy] }. Only their weights change.
resource "eksctl_courier_route53_record" "api" {
  zone_id       = "Z0123456789ABCDEFGHIJ"
  name          = "api.example.com"
  step_weight   = 10
  step_interval = "5m"

  destination {
    set_identifier    = "blue"
    weight            = 0
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/blue/50dc6c495c0c9188"
  }
  destination {
    set_identifier    = "green"
    weight            = 100
    load_balancer_arn = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/green/6d0ecf831eec9f09"
  }
}
