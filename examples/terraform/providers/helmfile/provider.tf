terraform {
  required_providers {
    helmfile = {
      source = "norikae/helmfile"
    }
  }
}

provider "helmfile" {}
