package ekstoken

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/norikae/norikae/internal/fault"
)

// The versions of what a client of Kubernetes and its exec plugin say to each other.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
const (
	v1             = "client.authentication.k8s.io/v1"
	v1beta1        = "client.authentication.k8s.io/v1beta1"
	execCredential = "ExecCredential" //nolint:gosec // the name of a kind
)

// ExecCredential is a token as a client of Kubernetes reads it from an exec plugin, in the
// version that it asks for. info is the value of KUBERNETES_EXEC_INFO; "": v1.
func ExecCredential(t Token, info string) ([]byte, error) {
	version, err := asked(info)
	if err != nil {
		return nil, err
	}
	var c struct {
		Kind       string   `json:"kind"`
		APIVersion string   `json:"apiVersion"`
		Spec       struct{} `json:"spec"`
		Status     struct {
			Expires string `json:"expirationTimestamp"`
			Token   string `json:"token"`
		} `json:"status"`
	}
	c.Kind, c.APIVersion = execCredential, version
	c.Status.Expires, c.Status.Token = t.Expires.UTC().Format(time.RFC3339), t.Bearer
	out, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("writing an ExecCredential: %w", err)
	}
	return append(out, '\n'), nil
}

// asked is the version that a client asks for.
func asked(info string) (string, error) {
	if info == "" {
		return v1, nil
	}
	var c struct{ Kind, APIVersion string }
	if err := json.Unmarshal([]byte(info), &c); err != nil {
		return "", fault.Terminal("InvalidExecInfo", fmt.Errorf("KUBERNETES_EXEC_INFO is not JSON, as a client of Kubernetes sets it: %w", err))
	}
	if c.Kind != execCredential || c.APIVersion != v1 && c.APIVersion != v1beta1 {
		return "", fault.Terminal("InvalidExecInfo", fmt.Errorf(
			"KUBERNETES_EXEC_INFO asks for the kind %q of %q; want %s of %s or %s: change apiVersion in the kubeconfig's exec", c.Kind, c.APIVersion, execCredential, v1, v1beta1))
	}
	return c.APIVersion, nil
}
