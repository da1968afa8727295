# By NAMESPACE/NAME, as helm list --all-namespaces shows them. The rest stands in the configuration.
terraform import helmfile_release.web web/web
