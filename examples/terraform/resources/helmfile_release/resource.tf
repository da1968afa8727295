resource "helmfile_release" "web" {
  kubeconfig = "/home/me/.kube/green"
  namespace  = "web"
  name       = "web"
  chart      = "./charts/web"
  values     = [jsonencode({ replicas = 3 })]
  timeout    = 300
}
