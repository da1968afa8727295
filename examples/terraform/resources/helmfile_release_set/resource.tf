resource "helmfile_release_set" "platform" {
  kubeconfig        = "/home/me/.kube/green"
  working_directory = path.module
  concurrency       = 2

  content = <<-EOT
    releases:
      - name: web
        namespace: web
        chart: ./charts/web
        values:
          - replicas: {{ .Values.replicas }}
  EOT

  values           = [yamlencode({ replicas = 3 })]
  sensitive_values = [yamlencode({ password = var.password })]

  timeouts {
    create = "30m"
    update = "30m"
  }
}

variable "password" {
  type      = string
  sensitive = true
}
