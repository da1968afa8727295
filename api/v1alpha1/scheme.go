package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// AddToScheme makes the custom resources of this package known to a client.
func AddToScheme(s *runtime.Scheme) error {
	gv := schema.GroupVersion{Group: "norikae.dev", Version: "v1alpha1"}
	s.AddKnownTypes(gv, &ClusterSet{}, &ClusterSetList{})
	metav1.AddToGroupVersion(s, gv)
	return nil
}
