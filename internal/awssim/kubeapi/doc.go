// Package kubeapi runs real Kubernetes API servers as child processes of this one: etcd,
// kube-apiserver and, where it is wanted, kube-controller-manager and kube-scheduler, from
// a folder of programs as envtest has them. A Server stands alone. A ControlPlane has one for each
// cluster of the simulated EKS, and lets in whoever AWS would: tokens that are presigned
// calls of STS, verified by the simulated STS, then mapped by access entries and the
// ConfigMap aws-auth.
//
// It runs no nodes: what is declared is kept, and nothing runs, unless others bring nodes.
package kubeapi
