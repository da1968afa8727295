terraform {
  required_providers {
    eksctl = {
      source = "mumoshu/eksctl"
    }
  }
}

resource "eksctl_nodegroup" "least" {
  cluster = "blue"
  name    = "least"
}

resource "eksctl_nodegroup" "misspelt" {
  cluster            = "blue"
  name               = "misspelt"
  instanec_types     = ["m5.large", "m5a.large"]
  exernal_dns_access = true

  assume_role {
    role_arn    = "arn:aws:iam::000000000000:role/builder"
    policy_arns = []
  }
}

resource "eksctl_nodegroup" "full" {
  cluster                 = "blue"
  name                    = "full"
  region                  = "us-east-1"
  version                 = "1.33"
  node_type               = "m5.large"
  instance_types          = ["m5.large", "m5a.large"]
  nodes                   = "2"
  nodes_min               = 1
  nodes_max               = 4
  node_volume_size        = 80
  node_volume_type        = "gp3"
  node_private_networking = true
  node_security_groups    = []
  node_labels             = { role = "web", empty = "" }
  node_zones              = ["us-east-1a", "us-east-1b"]
  tags                    = {}
  ssh_public_key          = ""
  ssh_access              = false
  managed                 = true
  spot                    = "true"
  drain                   = false
  asg_access              = true

  assume_role {
    role_arn     = "arn:aws:iam::000000000000:role/builder"
    session_name = ""
  }
}
