terraform {
  required_providers {
    helmfile = {
      source = "mumoshu/helmfile"
    }
  }
}

resource "helmfile_release" "least" {
  name       = "web"
  chart      = "./web"
  kubeconfig = "kubeconfig"
}

resource "helmfile_release" "full" {
  namespace         = "production"
  name              = "api"
  chart             = "./web"
  version           = ""
  kubeconfig        = "kubeconfig"
  kubecontext       = ""
  working_directory = ""
  values            = [jsonencode({ replicas = 2 })]
  verify            = false
  wait              = true
  force             = false
  atomic            = false
  cleanup_on_fail   = "false"
  timeout           = "300"

  aws_region = "us-east-1"
  aws_assume_role {
    role_arn    = "arn:aws:iam::000000000000:role/deployer"
    policy_arns = []
    tags        = {}
  }
}
