resource "eksctl_cluster" "green" {
  name    = "green"
  region  = "us-east-1"
  version = "1.33"
  vpc_id  = "vpc-0123456789abcdef0"

  # The rest of eksctl's ClusterConfig.
  spec = yamlencode({
    vpc = {
      subnets = {
        private = {
          us-east-1a = { id = "subnet-0123456789abcdef0" }
          us-east-1b = { id = "subnet-0123456789abcdef1" }
        }
      }
    }
    managedNodeGroups = [
      { name = "web", instanceType = "m7g.large", minSize = 2, maxSize = 6, privateNetworking = true },
    ]
  })

  iam_identity_mapping {
    iamarn   = "arn:aws:iam::111111111111:role/argocd"
    username = "argocd"
    groups   = ["system:masters"]
  }
}
