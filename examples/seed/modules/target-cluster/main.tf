# A cluster for applications: where its traffic arrives, the cluster, and what lives and dies
# with it. Argo CD brings the applications.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
    eksctl = {
      source  = "norikae/eksctl"
      version = ">= 0.1.0"
    }
    helmfile = {
      source  = "norikae/helmfile"
      version = ">= 0.1.0"
    }
  }
}

# The cluster's node group registers its nodes here, on the gateway's port.
resource "aws_lb_target_group" "gateway" {
  name     = "gateway-${var.name}"
  port     = 30080
  protocol = "HTTP"
  vpc_id   = var.vpc_id
}

resource "eksctl_cluster" "this" {
  name    = var.name
  region  = var.region
  version = var.kubernetes_version
  vpc_id  = var.vpc_id
  tags    = { environment = "production", fleet = "podinfo" }

  kubeconfig_path = "${path.root}/${var.name}.kubeconfig"

  spec = <<-EOS
    vpc:
      subnets:
        private: ${jsonencode({ for zone, id in var.subnet_ids : zone => { id = id } })}
    nodeGroups:
      - name: workers
        instanceType: m5.large
        desiredCapacity: ${var.nodes}
        privateNetworking: true
        targetGroupARNs:
          - ${aws_lb_target_group.gateway.arn}
    iam:
      withOIDC: true
  EOS
}

resource "helmfile_release_set" "this" {
  # There is no such file before the cluster is there.
  kubeconfig        = eksctl_cluster.this.kubeconfig_path
  working_directory = path.module
  path              = "helmfile.yaml.gotmpl"

  values = [yamlencode({ cluster = eksctl_cluster.this.name })]

  timeouts {
    create = "20m"
    update = "20m"
  }
}
