# By REGION/CLUSTER/NAMESPACE/NAME; without REGION where the provider, or AWS_DEFAULT_REGION, says it.
terraform import eksctl_iamserviceaccount.reader us-east-1/green/web/reader
