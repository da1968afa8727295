// Package kubetest gives tests a real Kubernetes API server: etcd and kube-apiserver as
// processes, from the folder that KUBEBUILDER_ASSETS names, with the kinds of norikae.dev
// and Argo CD's ApplicationSet. Only tests may import it.
//
// There are no controllers: nothing is garbage-collected, and a deleted namespace stays
// for ever. Every test has namespaces of its own instead.
//
//	var kube kubetest.Server
//
//	func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		c := kube.Cluster(t) // started by the first test that asks, 4 s
//		err := c.Client.Create(t.Context(), &corev1.Secret{…, Namespace: c.Namespace})
//	}
package kubetest
