// Package kubeconfig writes the kubeconfig file of one EKS cluster. It holds no secret: an
// exec plugin makes the tokens. Only files that it wrote are overwritten or removed.
package kubeconfig

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/fault"
)

// Cluster is what a kubeconfig leads to, and as whom.
type Cluster struct {
	Name     string // in EKS
	ARN      string // names the context; "": Name does
	Endpoint string // https URL of the API server
	CA       []byte // PEM
	Region   string

	// As whom; what is empty is the environment's of whoever uses the file.
	Profile string // of the shared AWS configuration files
	RoleARN string // is assumed
	// ExternalID that the role asks for; "": none.
	ExternalID string
	// Address replaces AWS's own endpoints, for a lab; "": AWS's.
	Address string

	// Command makes the tokens, by "COMMAND eks get-token …": a name on PATH, or a path;
	// default norikae.
	Command string
}

// marker is the first line of every file of ours: what is overwritten or removed begins
// with it.
const marker = "# Written by norikae for the EKS cluster "

const (
	defaultCommand = "norikae"
	execVersion    = "client.authentication.k8s.io/v1"
	installHint    = "This file needs the program %s, which makes tokens for EKS; or name another way in its exec, such as aws eks get-token."
)

// Render the file. The same cluster gives the same bytes.
func Render(c Cluster) ([]byte, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	name := cmp.Or(c.ARN, c.Name)
	cfg := clientcmdapi.NewConfig()
	cfg.Clusters[name] = &clientcmdapi.Cluster{Server: c.Endpoint, CertificateAuthorityData: c.CA}
	cfg.AuthInfos[name] = &clientcmdapi.AuthInfo{Exec: c.exec()}
	cfg.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	cfg.CurrentContext = name
	versioned, err := clientcmdlatest.Scheme.ConvertToVersion(cfg, clientcmdlatest.ExternalVersion)
	if err != nil {
		return nil, fmt.Errorf("rendering a kubeconfig for %s: %w", c.Name, err)
	}
	text, err := runtime.Encode(clientcmdlatest.Codec, versioned)
	if err != nil {
		return nil, fmt.Errorf("rendering a kubeconfig for %s: %w", c.Name, err)
	}
	if text, err = yaml.JSONToYAML(text); err != nil {
		return nil, fmt.Errorf("rendering a kubeconfig for %s: %w", c.Name, err)
	}
	return append([]byte(marker+c.Name+"; changes are lost.\n"), text...), nil
}

func (c Cluster) exec() *clientcmdapi.ExecConfig {
	command := cmp.Or(c.Command, defaultCommand)
	where := command
	if !strings.ContainsAny(command, `/\`) {
		where += " on PATH"
	}
	e := &clientcmdapi.ExecConfig{
		APIVersion: execVersion, Command: command,
		Args:            []string{"eks", "get-token", "--cluster-name", c.Name},
		InteractiveMode: clientcmdapi.NeverExecInteractiveMode, InstallHint: fmt.Sprintf(installHint, where),
	}
	if c.Region != "" {
		e.Args = append(e.Args, "--region", c.Region)
	}
	if c.RoleARN != "" {
		e.Args = append(e.Args, "--role-arn", c.RoleARN)
	}
	if c.ExternalID != "" {
		e.Args = append(e.Args, "--external-id", c.ExternalID)
	}
	if c.Profile != "" {
		e.Args = append(e.Args, "--profile", c.Profile)
	}
	if c.Address != "" {
		e.Env = append(e.Env, clientcmdapi.ExecEnvVar{Name: "AWS_ENDPOINT_URL", Value: c.Address})
	}
	return e
}

func (c Cluster) validate() error {
	endpoint, err := url.Parse(c.Endpoint)
	switch {
	case c.Name == "" || strings.ContainsAny(c.Name, "\r\n"):
		return invalid("name", c.Name, "the name of an EKS cluster")
	case err != nil || endpoint.Scheme != "https" || endpoint.Host == "":
		return invalid("endpoint", c.Endpoint, "an https URL; a cluster that is being created has none yet")
	case !bytes.Contains(c.CA, []byte("-----BEGIN CERTIFICATE-----")):
		return fault.Terminal("InvalidKubeconfig", errors.New("kubeconfig: the certificate authority is not PEM, as EKS gives it when it is decoded from base64"))
	}
	return nil
}

func invalid(field, value, want string) error {
	return fault.Terminal("InvalidKubeconfig", fmt.Errorf("kubeconfig: %s %q: want %s", field, value, want))
}
