# A cluster, and on it what lives and dies with the cluster: the gateway, Flagger, which
# canaries the applications, and the agents. Argo CD brings the applications themselves.

terraform {
  required_providers {
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

provider "eksctl" {}

provider "helmfile" {}

resource "eksctl_cluster" "green" {
  name    = "green"
  region  = var.region
  version = "1.33"
  vpc_id  = var.vpc_id

  kubeconfig_path = "${path.root}/green.kubeconfig"

  spec = <<-EOS
    vpc:
      subnets:
        private: ${jsonencode({ for zone, id in var.subnet_ids : zone => { id = id } })}

    nodeGroups:
      - name: ng1
        instanceType: m5.large
        desiredCapacity: 2
        privateNetworking: true
    iam:
      withOIDC: true
  EOS
}

resource "helmfile_release_set" "green" {
  # There is no such file before the cluster is there: until then a plan says so, and what
  # an apply changes is seen then.
  kubeconfig = eksctl_cluster.green.kubeconfig_path

  working_directory = path.module
  path              = "helmfile.yaml.gotmpl"
  environment       = "production"

  values = [yamlencode({
    cluster  = eksctl_cluster.green.name
    replicas = var.gateway_replicas
    wait     = var.wait
  })]
  sensitive_values = [yamlencode({
    agents = { apiKey = var.agents_api_key }
  })]

  timeouts {
    create = "20m"
    update = "20m"
  }
}

# One release alone, which another team changes when it wants to.
resource "helmfile_release" "audit" {
  kubeconfig        = eksctl_cluster.green.kubeconfig_path
  working_directory = path.module

  name      = "audit"
  namespace = "agents"
  chart     = "./charts/agents"
  wait      = var.wait
  atomic    = var.wait

  values = [yamlencode({ cluster = eksctl_cluster.green.name, image = "fluent/fluent-bit:4.0.3" })]

  depends_on = [helmfile_release_set.green] # which makes the namespace
}
