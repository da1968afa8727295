# By REGION/CLUSTER/NAME; by CLUSTER/NAME where the provider, or AWS_DEFAULT_REGION, says the region.
terraform import eksctl_nodegroup.batch us-east-1/green/batch
