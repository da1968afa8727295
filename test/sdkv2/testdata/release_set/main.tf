terraform {
  required_providers {
    helmfile = {
      source = "mumoshu/helmfile"
    }
  }
}

provider "helmfile" {}

resource "helmfile_release_set" "least" {
  kubeconfig = "kubeconfig"
  content    = <<-EOT
    releases:
      - name: web
        chart: ./web
  EOT
}

resource "helmfile_release_set" "full" {
  kubeconfig                 = "kubeconfig"
  aws_region                 = "us-east-1"
  aws_profile                = ""
  path                       = "helmfile.yaml"
  working_directory          = "."
  environment                = "default"
  concurrency                = "2"
  binary                     = "helmfile"
  helm_binary                = "helm"
  values                     = [yamlencode({ replicas = 1 }), jsonencode({ image = "web:1" })]
  values_files               = []
  skip_diff_on_missing_files = ["kubeconfig"]
  selector                   = { tier = "web" }
  selectors                  = ["name=web", "name=api"]
  environment_variables      = { REPLICAS = "1", EMPTY = "" }
  releases_values            = { image = "web:1" }
  dirty                      = false
}
