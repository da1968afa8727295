terraform {
  required_providers {
    eksctl = {
      source = "mumoshu/eksctl"
    }
  }
}

# The region comes from AWS_DEFAULT_REGION.
resource "eksctl_cluster" "least" {
  name    = "least"
  version = "1.33"
  spec    = <<-EOT
    nodeGroups:
      - name: ng1
        instanceType: m5.large
        desiredCapacity: 1
  EOT
}

# The old provider had a default version, which its state has though the cluster has another.
resource "eksctl_cluster" "unversioned" {
  region    = "us-east-1"
  name      = "unversioned"
  tags      = {}
  spec      = ""
  manifests = []

  assume_role {
    role_arn            = "arn:aws:iam::000000000000:role/builder"
    policy_arns         = []
    tags                = {}
    transitive_tag_keys = []
  }
}

resource "eksctl_cluster" "blue" {
  region          = "us-east-1"
  profile         = ""
  name            = "blue"
  vpc_id          = "vpc-0123456789abcdef0"
  api_version     = "eksctl.io/v1alpha5"
  version         = "1.33"
  revision        = "1"
  eksctl_bin      = "eksctl"
  kubectl_bin     = "kubectl"
  kubeconfig_path = "blue.kubeconfig"
  tags            = { environment = "production", team = "" }

  drain_node_groups = { ng1 = true, ng2 = "false" }

  spec = yamlencode({
    vpc = { subnets = { private = { us-east-1a = { id = "subnet-0123456789abcdef0" } } } }
    nodeGroups = [
      { name = "ng1", instanceType = "m5.large", desiredCapacity = 1 },
      { name = "ng2", instanceType = "m5.large", desiredCapacity = 1 },
    ]
  })

  pods_readiness_check {
    namespace = "kube-system"
    labels    = {}
  }

  iam_identity_mapping {
    iamarn   = "arn:aws:iam::000000000000:role/admins"
    username = "admin"
    groups   = ["system:masters"]
  }
  iam_identity_mapping {
    iamarn   = "arn:aws:iam::000000000000:user/jane"
    username = "jane"
    groups   = ["developers", "viewers"]
  }

  assume_role {
    role_arn = "arn:aws:iam::000000000000:role/builder"
  }
}
