// Package addon puts on a cluster what every EKS cluster has from the beginning, as far as
// pods need it: a name server.
package addon

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
)

// DNS is the address of every cluster's name server, as EKS has it.
const DNS = "10.100.0.10"

//go:embed coredns.yaml
var manifests []byte

// DeleteNode deletes the node of an EC2 instance, which is gone.
func DeleteNode(ctx context.Context, kubeconfig, instance string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("the cluster's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("the cluster's client: %w", err)
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	for _, n := range nodes.Items {
		if strings.HasSuffix(n.Spec.ProviderID, "/"+instance) {
			if err := client.CoreV1().Nodes().Delete(ctx, n.Name, metav1.DeleteOptions{}); err != nil {
				return fmt.Errorf("deleting the node %s: %w", n.Name, err)
			}
		}
	}
	return nil
}

// Apply the add-ons, again and again with the same result.
func Apply(ctx context.Context, kubeconfig string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("the cluster's kubeconfig: %w", err)
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("the cluster's client: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("the cluster's client: %w", err)
	}
	groups, err := restmapper.GetAPIGroupResources(found)
	if err != nil {
		return fmt.Errorf("the cluster's kinds: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	docs := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		u := &unstructured.Unstructured{}
		if err := docs.Decode(u); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the add-ons: %w", err)
		}
		m, err := mapper.RESTMapping(u.GroupVersionKind().GroupKind(), u.GroupVersionKind().Version)
		if err != nil {
			return fmt.Errorf("the add-ons: %w", err)
		}
		var r dynamic.ResourceInterface = client.Resource(m.Resource)
		if m.Scope.Name() == meta.RESTScopeNameNamespace {
			r = client.Resource(m.Resource).Namespace(u.GetNamespace())
		}
		if _, err := r.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "eks", Force: true}); err != nil {
			return fmt.Errorf("the add-on %s %s: %w", u.GetKind(), u.GetName(), err)
		}
	}
}
