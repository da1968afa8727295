// Package controller reconciles the kinds of norikae.dev in a Kubernetes cluster. It
// decides nothing about clusters or traffic: it says when a pass is due, runs it, and
// tells in status, Events and metrics what came out.
//
// Of one object there is one pass at a time. What a person sees changes only when
// something has changed: a pass that finds all as it was writes no status and no Event.
package controller

//go:generate go run -modfile=../../go.gen.mod sigs.k8s.io/controller-tools/cmd/controller-gen rbac:roleName=norikae-controller paths=. output:rbac:dir=../../config/rbac

// What the controller may do, from which config/rbac/role.yaml is made. The rules without
// a namespace are bound in the namespaces of the ClusterSets; nothing is cluster-wide, and
// no Secret outside of Argo CD's namespace can be read.
//
// +kubebuilder:rbac:groups=norikae.dev,resources=clustersets,verbs=get;list;watch
// +kubebuilder:rbac:groups=norikae.dev,resources=clustersets/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;delete,namespace=argocd
// +kubebuilder:rbac:groups=argoproj.io,resources=applicationsets,verbs=list,namespace=argocd
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=norikae
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=norikae
