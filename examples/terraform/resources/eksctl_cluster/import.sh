# By REGION/NAME; by NAME where the provider, or AWS_DEFAULT_REGION, says the region.
terraform import eksctl_cluster.green us-east-1/green
