// Package kubeapi runs real Kubernetes API servers as child processes of this one: etcd,
// kube-apiserver and, where it is wanted, kube-controller-manager, from a folder of
// programs as envtest has them. A Server stands alone. A ControlPlane has one for each
// cluster of the simulated EKS, and lets in whoever AWS would: tokens that are presigned
// calls of STS, verified by the simulated STS, then mapped by access entries and the
// ConfigMap aws-auth.
//
// There are no nodes and no kubelets: what is declared is kept, and nothing runs.
package kubeapi
