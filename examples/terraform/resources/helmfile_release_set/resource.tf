resource "helmfile_release_set" "platform" {
  kubeconfig        = "/home/me/.kube/green"
  working_directory = path.module
  environment       = "production"
  concurrency       = 2

  content = <<-EOT
    releases:
      - name: web
        namespace: web
        chart: ./charts/web
        values:
          - replicas: {{ .Values.replicas }}
  EOT

  values = [yamlencode({ replicas = 3 })]
}
