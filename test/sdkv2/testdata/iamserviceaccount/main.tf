terraform {
  required_providers {
    eksctl = {
      source = "mumoshu/eksctl"
    }
  }
}

resource "eksctl_iamserviceaccount" "least" {
  name              = "reader"
  region            = "us-east-1"
  cluster           = "blue"
  attach_policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
}

resource "eksctl_iamserviceaccount" "full" {
  namespace                         = "kube-system"
  name                              = "writer"
  region                            = "us-east-1"
  profile                           = ""
  cluster                           = "blue"
  override_existing_serviceaccounts = true
  attach_policy_arn                 = "arn:aws:iam::aws:policy/AmazonS3FullAccess"

  assume_role {
    role_arn = "arn:aws:iam::000000000000:role/builder"
    tags     = {}
  }
}
