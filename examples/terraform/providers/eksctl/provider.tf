terraform {
  required_providers {
    eksctl = {
      source = "norikae/eksctl"
    }
  }
}

provider "eksctl" {
  region = "us-east-1"

  assume_role {
    role_arn = "arn:aws:iam::111111111111:role/shifter"
  }
}
