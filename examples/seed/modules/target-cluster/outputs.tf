output "name" {
  # Known only when the cluster is set up: what needs it comes after that.
  value      = eksctl_cluster.this.name
  depends_on = [helmfile_release_set.this]
}

output "target_group_arn" {
  value      = aws_lb_target_group.gateway.arn
  depends_on = [helmfile_release_set.this]
}
