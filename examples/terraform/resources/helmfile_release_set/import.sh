# By any name: all that a release set is stands in the configuration.
terraform import helmfile_release_set.platform platform
