package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/eks"
)

// Access policies are RBAC here: who has one is in a group of its name, and that group is
// bound to a ClusterRole; where the policy holds in some namespaces only, in a group for
// each, bound there. On AWS an authorizer of EKS's own decides, beside RBAC, so that
// neither groups nor bindings are seen in the cluster, and a namespace's creation counts at
// once, not when the next token is looked at.
const policyGroup = "eks:access-policy:"

// policyRole is the ClusterRole that stands for an access policy.
func policyRole(policy string) string {
	switch policy {
	case "AmazonEKSClusterAdminPolicy":
		return "cluster-admin"
	case "AmazonEKSAdminPolicy":
		return "admin"
	case "AmazonEKSEditPolicy":
		return "edit"
	case "AmazonEKSViewPolicy":
		return "view"
	default: // the lab's own, see policyRoles
		return policyGroup + policy
	}
}

type object map[string]any

const rbac = "rbac.authorization.k8s.io"

// policyRoles are the ClusterRoles of access policies that Kubernetes has none for.
func policyRoles() []object {
	role := func(policy, group, resource string) object {
		return object{
			"apiVersion": rbac + "/v1", "kind": "ClusterRole", "metadata": object{"name": policyRole(policy)},
			"rules": []object{{"apiGroups": []string{group}, "resources": []string{resource}, "verbs": []string{"get", "list", "watch"}}},
		}
	}
	return []object{role("AmazonEKSAdminViewPolicy", "*", "*"), role("AmazonEKSSecretReaderPolicy", "", "secrets")}
}

// binding of a policy's group to its role; namespace "" is everywhere.
func policyBinding(policy, namespace string) object {
	kind, name, group := "ClusterRoleBinding", policyGroup+policy, policyGroup+policy
	meta := object{"name": name}
	if namespace != "" {
		kind, group = "RoleBinding", group+":"+namespace
		meta["namespace"] = namespace
	}
	return object{
		"apiVersion": rbac + "/v1", "kind": kind, "metadata": meta,
		"subjects": []object{{"apiGroup": rbac, "kind": "Group", "name": group}},
		"roleRef":  object{"apiGroup": rbac, "kind": "ClusterRole", "name": policyRole(policy)},
	}
}

// installPolicies makes the roles and the bindings of all access policies, and returns when
// they have an effect.
func installPolicies(ctx context.Context, api *client) error {
	const path = "/apis/" + rbac + "/v1/"
	for _, role := range policyRoles() {
		if err := api.create(ctx, path+"clusterroles", role); err != nil {
			return fmt.Errorf("the roles of access policies: %w", err)
		}
	}
	for _, policy := range eks.AccessPolicies() {
		if err := api.create(ctx, path+"clusterrolebindings", policyBinding(policy, "")); err != nil {
			return fmt.Errorf("the binding of the access policy %s: %w", policy, err)
		}
	}
	for _, role := range []string{"view", "edit", "admin"} {
		if err := waitForRules(ctx, api, path+"clusterroles/"+role); err != nil {
			return err
		}
	}
	return nil
}

// waitForRules waits until the controller manager has put a role together out of others.
func waitForRules(ctx context.Context, api *client, path string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var role struct{ Rules []json.RawMessage }
		err := api.do(ctx, http.MethodGet, path, nil, &role)
		if err == nil && len(role.Rules) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the rules of %s: %w", path, errors.Join(ctx.Err(), err))
		}
	}
}

// policyGroups are the groups that a user's access policies put it in. Bindings in
// namespaces are made on the way, where they are missing.
func policyGroups(ctx context.Context, api *client, policies []eks.AccessPolicy) ([]string, error) {
	var groups []string
	var namespaces []string // that there are; read when they are wanted
	for _, p := range policies {
		if len(p.Namespaces) == 0 {
			groups = append(groups, policyGroup+p.Name)
			continue
		}
		if namespaces == nil {
			var err error
			if namespaces, err = listNamespaces(ctx, api); err != nil {
				return nil, err
			}
		}
		for _, ns := range namespaces {
			if !matchesAny(p.Namespaces, ns) {
				continue
			}
			err := api.create(ctx, "/apis/"+rbac+"/v1/namespaces/"+ns+"/rolebindings", policyBinding(p.Name, ns))
			if err != nil && !hasStatus(err, http.StatusForbidden) { // it is being deleted
				return nil, fmt.Errorf("the binding of the access policy %s: %w", p.Name, err)
			}
			groups = append(groups, policyGroup+p.Name+":"+ns)
		}
	}
	return groups, nil
}

func listNamespaces(ctx context.Context, api *client) ([]string, error) {
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if err := api.do(ctx, http.MethodGet, "/api/v1/namespaces", nil, &list); err != nil {
		return nil, fmt.Errorf("reading the namespaces: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, errors.New("reading the namespaces: there are none")
	}
	names := make([]string, len(list.Items))
	for i, item := range list.Items {
		names[i] = item.Metadata.Name
	}
	return names, nil
}

// matchesAny tells whether a namespace is one of an access scope, where * stands for any
// characters.
func matchesAny(patterns []string, namespace string) bool {
	for _, p := range patterns {
		// Names of namespaces have no slash, and nothing else is special.
		if ok, err := path.Match(strings.NewReplacer(`\`, `\\`, "[", `\[`, "?", `\?`).Replace(p), namespace); ok && err == nil {
			return true
		}
	}
	return false
}
