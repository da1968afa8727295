resource "eksctl_iamserviceaccount" "reader" {
  cluster           = "green"
  region            = "us-east-1"
  namespace         = "web"
  name              = "reader"
  attach_policy_arn = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
}
