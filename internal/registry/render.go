package registry

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SecretName is the name of a cluster's Secret. It comes from the ARN alone, so that of
// two sets that select one cluster only one can create it.
func SecretName(id ID) string {
	name := strings.ReplaceAll(strings.ToLower(id.Name), "_", "-")
	name = strings.Trim(name[:min(len(name), 40)], "-")
	sum := sha256.Sum256([]byte(id.ARN()))
	return "eks-" + name + "-" + hex.EncodeToString(sum[:])[:10]
}

// errNotReady: EKS does not say yet how to reach it.
var errNotReady = errors.New("EKS says no endpoint or certificate authority yet")

// Render says what the Secret of a cluster has to say. An error is of this cluster alone.
func (s *Set) Render(c Cluster) (Registration, error) {
	var r Registration
	var err error
	if r.ClusterName, err = s.clusterName(c); err != nil {
		return r, fmt.Errorf("template.name: %w", err)
	}
	if r.Server, r.Config, err = s.access(c); err != nil {
		return r, err
	}
	if r.Project, err = s.Template.Project.Render(c); err != nil {
		return r, fmt.Errorf("template.project: %w", err)
	}
	if r.Project != "" && (len(r.Project) > 253 || !subdomain.MatchString(r.Project)) {
		return r, fmt.Errorf("template.project: %q is not the name of an AppProject: at most 253 of a-z, 0-9, - and ., with a letter or digit at both ends", r.Project)
	}
	if s.Template.Shard != nil {
		r.Shard = strconv.Itoa(*s.Template.Shard)
	}
	r.Namespaces = strings.Join(s.Template.Namespaces, ",")
	if r.Labels, err = renderAll("template.labels", s.Template.Labels, c); err != nil {
		return r, err
	}
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		if v := r.Labels[k]; !labelValue.MatchString(v) {
			return r, fmt.Errorf("template.labels[%s]: %q is not a label's value: at most 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or digit at both ends", k, v)
		}
	}
	if r.Annotations, err = renderAll("template.annotations", s.Template.Annotations, c); err != nil {
		return r, err
	}
	if n := size(r.Annotations); n > maxAnnotations {
		return r, fmt.Errorf("template.annotations: they have %d bytes together; at most %d fit beside ours", n, maxAnnotations)
	}
	return r, nil
}

// maxAnnotations in bytes: Kubernetes takes 256 KiB of all annotations; some is left for
// our notes and for those of others.
const maxAnnotations = 240 << 10

func size(m map[string]string) int {
	n := 0
	for k, v := range m {
		n += len(k) + len(v)
	}
	return n
}

var (
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	labelName  = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	subdomain  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	roleARN    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]+$`)
)

// ValidKey tells whether a key of a label or annotation may be declared: it has
// Kubernetes' form, and is not one that norikae or Argo CD knows Secrets by.
func ValidKey(key string) error {
	prefix, name, ok := strings.Cut(key, "/")
	if !ok {
		prefix, name = "", key
	}
	switch {
	case !labelName.MatchString(name), ok && (len(prefix) > 253 || !subdomain.MatchString(prefix)):
		return fmt.Errorf("key %q: want [PREFIX/]NAME, a NAME of at most 63 of A-Z, a-z, 0-9, -, _ and ., with a letter or digit at both ends, and a PREFIX that is a DNS name", key)
	case reserved(key):
		return fmt.Errorf("key %q is reserved: argocd.argoproj.io/secret-type, app.kubernetes.io/managed-by and norikae.dev/* are how Secrets are known", key)
	default:
		return nil
	}
}

func reserved(key string) bool {
	prefix, _, _ := strings.Cut(key, "/")
	return key == "argocd.argoproj.io/secret-type" || key == "app.kubernetes.io/managed-by" ||
		prefix == "norikae.dev" || strings.HasSuffix(prefix, ".norikae.dev")
}

func renderAll(field string, texts map[string]*Text, c Cluster) (map[string]string, error) {
	out := make(map[string]string, len(texts))
	for _, k := range slices.Sorted(maps.Keys(texts)) {
		if err := ValidKey(k); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
		v, err := texts[k].Render(c)
		if err != nil {
			return nil, fmt.Errorf("%s[%s]: %w", field, k, err)
		}
		out[k] = v
	}
	return out, nil
}

func (s *Set) clusterName(c Cluster) (string, error) {
	name, err := s.Template.Name.Render(c)
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(name) != name, name == "", len(name) > 253, !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return "", fmt.Errorf("%q is not a name of a cluster: 1–253 bytes without control characters, and without space at its ends", name)
	}
	return name, nil
}

// access says how Argo CD reaches and enters the cluster.
func (s *Set) access(c Cluster) (server, config string, err error) {
	if c.Endpoint == "" || c.CA == "" {
		return "", "", errNotReady
	}
	if s.Auth.EKSARN {
		return c.ARN(), "", nil
	}
	server = strings.TrimRight(c.Endpoint, "/")
	if !strings.HasPrefix(server, "https://") || len(server) == len("https://") ||
		strings.ContainsFunc(server, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", "", fmt.Errorf("EKS says that the endpoint is %q, which is not an https URL", c.Endpoint)
	}
	if _, err := base64.StdEncoding.DecodeString(c.CA); err != nil {
		return "", "", fmt.Errorf("EKS says a certificate authority that is not base64: %w", err)
	}
	config, err = s.config(c)
	return server, config, err
}

// clusterConfig is what Argo CD reads of key config. Source: ClusterConfig of Argo CD's
// pkg/apis/application/v1alpha1/types.go.
type clusterConfig struct {
	AWSAuthConfig      *awsAuthConfig      `json:"awsAuthConfig,omitempty"`
	ExecProviderConfig *execProviderConfig `json:"execProviderConfig,omitempty"`
	TLSClientConfig    tlsClientConfig     `json:"tlsClientConfig"`
}

// awsAuthConfig without a role is for the role that Argo CD runs as: it must not be there
// then, not even empty.
type awsAuthConfig struct {
	ClusterName string `json:"clusterName"`
	RoleARN     string `json:"roleARN,omitempty"`
	Profile     string `json:"profile,omitempty"`
}

type execProviderConfig struct {
	Command    string            `json:"command"`
	Args       []string          `json:"args"`
	Env        map[string]string `json:"env,omitempty"`
	APIVersion string            `json:"apiVersion"`
}

type tlsClientConfig struct {
	Insecure bool   `json:"insecure"`
	CAData   string `json:"caData"` // as EKS has it: base64 of PEM
}

func (s *Set) config(c Cluster) (string, error) {
	cfg := clusterConfig{TLSClientConfig: tlsClientConfig{CAData: c.CA}}
	switch {
	case s.Auth.Exec != nil:
		role, err := renderRole("auth.exec.roleARN", s.Auth.Exec.RoleARN, c)
		if err != nil {
			return "", err
		}
		cfg.ExecProviderConfig = &execProviderConfig{
			Command: "argocd-k8s-auth", Args: []string{"aws", "--cluster-name", c.Name},
			Env: map[string]string{}, APIVersion: "client.authentication.k8s.io/v1beta1",
		}
		if role != "" {
			cfg.ExecProviderConfig.Args = append(cfg.ExecProviderConfig.Args, "--role-arn", role)
		}
		for _, k := range slices.Sorted(maps.Keys(s.Auth.Exec.Env)) {
			if cfg.ExecProviderConfig.Env[k], err = s.Auth.Exec.Env[k].Render(c); err != nil {
				return "", fmt.Errorf("auth.exec.env[%s]: %w", k, err)
			}
		}
	default:
		cfg.AWSAuthConfig = &awsAuthConfig{ClusterName: c.Name}
		if a := s.Auth.AWS; a != nil {
			role, err := renderRole("auth.awsAuthConfig.roleARN", a.RoleARN, c)
			if err != nil {
				return "", err
			}
			cfg.AWSAuthConfig.RoleARN, cfg.AWSAuthConfig.Profile = role, a.Profile
		}
	}
	out, err := json.Marshal(cfg)
	return string(out), err
}

// renderRole is "" for a template that says nothing.
func renderRole(field string, t *Text, c Cluster) (string, error) {
	role, err := t.Render(c)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", field, err)
	case role != "" && !roleARN.MatchString(role):
		return "", fmt.Errorf("%s: %q is not the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME", field, role)
	}
	return role, nil
}

// SameConfig tells whether two values of key config mean the same JSON.
func SameConfig(a, b string) bool {
	if a == b {
		return true
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
