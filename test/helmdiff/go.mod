// What stands in for helm's plugin diff (databus23/helm-diff) in tests. A module of its own.
module github.com/norikae/norikae/test/helmdiff

go 1.26.0

require go.yaml.in/yaml/v3 v3.0.6
