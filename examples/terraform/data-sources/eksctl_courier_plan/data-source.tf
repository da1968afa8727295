# What an apply would write now, for a policy check or a comment on a pull request.
data "eksctl_courier_plan" "web" {
  manifest = eksctl_courier_alb.web.manifest
}

output "writes" {
  value = data.eksctl_courier_plan.web.steps
}
