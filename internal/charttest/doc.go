// Package charttest holds the tests of the Helm chart and of config, with a real helm,
// kubectl and API server. The chart's copies of generated files are made here.
package charttest

//go:generate sh -c "cp ../../config/crd/norikae.dev_*.yaml ../../charts/norikae/files/crds/ && cp ../../config/rbac/role.yaml ../../charts/norikae/files/rbac/"
