// Package eksctl writes ClusterConfigs for the eksctl program and runs it: an argument
// vector and never a shell, the configuration on its standard input, its output line by
// line, and an end to it when the context ends.
package eksctl
