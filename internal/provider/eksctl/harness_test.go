package eksctl_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	runner "github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/provider/connection"
	"github.com/norikae/norikae/internal/provider/eksctl"
)

// world is AWS, Kubernetes and eksctl as one fake: what is told to one shows in the others.
type world struct {
	cluster *eksctl.Cluster // nil: there is none
	stacks  bool            // CloudFormation has some of the cluster
	groups  map[string]bool // managed node groups
	entries map[string]eksctl.AccessEntry
	ran     []runner.Command
	// fail makes the run that has this word fail, once it has acted.
	fail     string
	before   bool // the failing run does nothing
	authMode string
	// What eksctl get prints of each: JSON.
	authMap, ownGroups, accounts string
	files                        map[string]eksctl.Target
	did                          []string // of Workloads
	unready                      bool
	denied                       bool              // EKS says nothing of node groups
	refused                      bool              // manifests are
	missing                      string            // this node group is not made
	half                         bool              // an entry is made, and its policy is refused
	nodes                        string            // the principal of an entry of nodes
	excluded                     bool              // Kubernetes has the service account, and eksctl makes no role
	shifted                      int               // runs of shifts
	serving                      int               // credentials, at this moment
	auth                         map[string]string // aws-auth: a mapping as JSON, by its ARN; authMap goes before it
	real                         eksctl.Eksctl     // runs programs; nil: this does it
	foreign                      string            // this file is somebody else\'s
}

func newWorld() *world {
	return &world{groups: map[string]bool{}, entries: map[string]eksctl.AccessEntry{}, auth: map[string]string{}, authMode: "API_AND_CONFIG_MAP", files: map[string]eksctl.Target{}}
}

func (w *world) lines() []string {
	var out []string
	for _, c := range w.ran {
		out = append(out, strings.Join(c.Args, " "))
	}
	return out
}

// Run acts as eksctl does on what the ClusterConfig names.
func (w *world) Run(ctx context.Context, c runner.Command) (string, error) {
	w.ran = append(w.ran, c)
	if w.serving != 1 {
		return "", fmt.Errorf("%d credentials are served while eksctl runs", w.serving)
	}
	if w.real != nil {
		return w.real.Run(ctx, c)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	line := strings.Join(c.Args, " ")
	if c.Args[0]+" "+c.Args[1] == "delete cluster" && w.cluster == nil && !w.stacks {
		return "Error: cluster \"blue\" does not exist\n", &runner.ExitError{Args: c.Args, Code: 1, Cause: fmt.Errorf("told to")}
	}
	failing := w.fail != "" && strings.Contains(line, w.fail)
	if !failing || !w.before {
		w.act(c)
	}
	w.stacks = w.cluster != nil || failing
	if failing {
		return "", &runner.ExitError{Args: c.Args, Code: 1, Cause: fmt.Errorf("told to")}
	}
	if c.Args[0] == "get" {
		authMap := w.authMap
		if authMap == "" {
			authMap = "[" + strings.Join(slices.Sorted(maps.Values(w.auth)), ",") + "]"
		}
		list := map[string]string{"iamidentitymapping": authMap, "nodegroup": cmp.Or(w.ownGroups, "null"), "iamserviceaccount": cmp.Or(w.accounts, "[]")}[c.Args[1]]
		c.Stdout.WriteString("2026-11-23 12:00:00 [ℹ]  a line of the log\n[!]  another\n" + list)
		return "the end of it\n", nil
	}
	return "ran " + c.Args[0] + " " + c.Args[1] + "\n", nil
}

func (w *world) act(c runner.Command) {
	names, version := configured(string(c.Stdin))
	switch c.Args[0] + " " + c.Args[1] {
	case "create cluster":
		w.cluster = &eksctl.Cluster{
			Name: "blue", ARN: "arn:aws-cn:eks:cn-north-1:111122223333:cluster/blue", Region: "cn-north-1", Status: "ACTIVE", Version: "1.33",
			Endpoint: "https://blue.example", Issuer: "https://oidc.example/id/1", AuthMode: w.authMode, SecurityGroups: []string{"sg-1"},
		}
		if version != "" {
			w.cluster.Version = version
		}
		fallthrough
	case "create nodegroup":
		for _, n := range names {
			w.groups[n] = n != w.missing
		}
		for _, a := range c.Args {
			if n, ok := strings.CutPrefix(a, "--name="); ok {
				if slices.Contains(c.Args, "--managed=false") {
					w.ownGroups = `[{"Name":"` + n + `"}]`
				} else {
					w.groups[n] = true
				}
			}
		}
	case "create iamidentitymapping":
		w.auth[after(c.Args, "--arn")] = fmt.Sprintf(`{"rolearn":%q,"username":%q,"groups":["%s"]}`,
			after(c.Args, "--arn"), after(c.Args, "--username"), strings.Join(every(c.Args, "--group"), `","`))
	case "create iamserviceaccount": // eksctl leaves those that are there as they are
		if len(c.Stdin) == 0 && !w.excluded {
			w.accounts = fmt.Sprintf(`[{"metadata":{"name":%q,"namespace":%q}}]`, valued(c.Args, "--name"), valued(c.Args, "--namespace"))
		}
	case "delete iamserviceaccount":
		w.accounts = ""
	case "delete iamidentitymapping":
		delete(w.auth, after(c.Args, "--arn"))
	case "upgrade cluster":
		w.cluster.Version = version
	case "delete nodegroup":
		for i, a := range c.Args {
			if a == "--include" {
				for n := range strings.SplitSeq(c.Args[i+1], ",") {
					delete(w.groups, n)
				}
			}
			if n, ok := strings.CutPrefix(a, "--name="); ok {
				delete(w.groups, n)
			}
		}
	case "delete cluster":
		w.cluster, w.groups = nil, map[string]bool{}
	}
}

// every value of a flag.
func every(args []string, flag string) []string {
	var out []string
	for i, a := range args {
		if a == flag {
			out = append(out, args[i+1])
		}
	}
	return out
}

// valued is the value of a flag that has it behind a =.
func valued(args []string, flag string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, flag+"="); ok {
			return v
		}
	}
	return ""
}

func after(args []string, flag string) string { return strings.Join(every(args, flag), " ") }

// configured are the names of the managed node groups and the version in a ClusterConfig.
func configured(doc string) (names []string, version string) {
	managed := false
	for line := range strings.Lines(doc) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "managedNodeGroups:"):
			managed = true
		case line != "" && line[0] != ' ' && line[0] != '-':
			managed = false
		case managed && strings.Contains(line, "- name: "):
			_, n, _ := strings.Cut(line, "- name: ")
			names = append(names, n)
		case strings.HasPrefix(line, "  version: "):
			version = strings.Trim(strings.TrimPrefix(line, "  version: "), `"`)
		}
	}
	return names, version
}

func (w *world) Describe(_ context.Context, _ connection.Connection, name string) (eksctl.Cluster, error) {
	if w.cluster == nil || w.cluster.Name != name {
		return eksctl.Cluster{}, fmt.Errorf("describing %s: %w", name, fault.ErrNotFound)
	}
	return *w.cluster, nil
}

func (w *world) NodeGroups(context.Context, connection.Connection, string) ([]string, error) {
	var out []string
	for _, n := range slices.Sorted(maps.Keys(w.groups)) {
		if w.groups[n] {
			out = append(out, n)
		}
	}
	return out, nil
}

func (w *world) NodeGroup(_ context.Context, _ connection.Connection, _, name string) (eksctl.NodeGroup, error) {
	if w.denied {
		return eksctl.NodeGroup{}, fault.ErrDenied
	}
	if !w.groups[name] {
		return eksctl.NodeGroup{}, fault.ErrNotFound
	}
	return eksctl.NodeGroup{Name: name, Status: "ACTIVE"}, nil
}

func (w *world) AccessEntries(context.Context, connection.Connection, string) ([]eksctl.AccessEntry, error) {
	var out []eksctl.AccessEntry
	for _, who := range slices.Sorted(maps.Keys(w.entries)) {
		out = append(out, w.entries[who])
	}
	return out, nil
}

func (w *world) AccessEntry(_ context.Context, _ connection.Connection, _, who string) (eksctl.AccessEntry, bool, error) {
	e, ok := w.entries[who]
	return e, ok, nil
}

func (w *world) PutAccessEntry(_ context.Context, _ connection.Connection, _ string, e eksctl.AccessEntry) error {
	if w.nodes == e.Principal {
		return fmt.Errorf("the entry of nodes cannot be updated: %w", fault.ErrDenied)
	}
	w.entries[e.Principal] = e
	if w.half && e.Admin {
		e.Admin = false
		w.entries[e.Principal] = e
		return fmt.Errorf("writing the access policy: %w", fault.ErrDenied)
	}
	return nil
}

func (w *world) DeleteAccessEntry(_ context.Context, _ connection.Connection, _, principal string) error {
	delete(w.entries, principal)
	return nil
}

func (w *world) Serve(_ context.Context, c connection.Connection) (map[string]string, func(), error) {
	vars := map[string]string{"AWS_REGION": c.Region}
	if c.AssumeRole != nil {
		vars["AWS_ACCESS_KEY_ID"] = "of " + c.AssumeRole.RoleARN
	}
	w.serving++
	return vars, func() { w.serving-- }, nil
}

func (w *world) Eksctl(_ context.Context, version string) (string, error) {
	return "/tools/eksctl-" + version, nil
}

// Write makes a file, so that the provider sees it there.
func (w *world) Write(path string, t eksctl.Target) error {
	if path == w.foreign {
		return fmt.Errorf("%s: %w", path, fault.ErrConflict)
	}
	w.files[path] = t
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte("kubeconfig"), 0o600)
}

func (w *world) Remove(path string, t eksctl.Target) error {
	if is := w.files[path].Cluster; is.Name != t.Cluster.Name || is.Region != t.Cluster.Region {
		return nil
	}
	delete(w.files, path)
	return os.Remove(path)
}

func (w *world) Ready(_ context.Context, _ eksctl.Target, namespace string, labels map[string]string, timeout time.Duration) error {
	w.did = append(w.did, fmt.Sprintf("ready %s %v %s", namespace, labels, timeout))
	if w.unready {
		return fmt.Errorf("no pod is ready")
	}
	return nil
}

func (w *world) Apply(_ context.Context, _ eksctl.Target, manifests []string) error {
	w.did = append(w.did, fmt.Sprintf("apply %q", manifests))
	if w.refused {
		return fmt.Errorf("no kind X")
	}
	return nil
}

func (w *world) Delete(_ context.Context, _ eksctl.Target, namespace, kind, name string) error {
	w.did = append(w.did, fmt.Sprintf("delete %s %s/%s", kind, namespace, name))
	return nil
}

// terraform speaks the protocol to a provider in this process, as Terraform does.
type terraform struct {
	tfprotov6.ProviderServer

	t       *testing.T
	schemas *tfprotov6.GetProviderSchemaResponse
	private map[string][]byte // what the provider keeps beside the state, by type of resource
}

type object = map[string]any

func start(t *testing.T, w *world, config object, environ ...string) *terraform {
	t.Helper()
	t.Chdir(t.TempDir())
	p := eksctl.New(eksctl.Config{
		Version: "test", Shifts: shifts{w: w}, Eksctl: w, Clusters: w, Credentials: w, Releases: w, Kubeconfigs: w, Workloads: w,
		Environ: append([]string{"PATH=/bin", "SECRET=of others"}, environ...),
	})
	server, err := providerserver.NewProtocol6WithError(p)()
	if err != nil {
		t.Fatal(err)
	}
	tf := &terraform{ProviderServer: server, t: t, private: map[string][]byte{}}
	if tf.schemas, err = server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	tf.clean(tf.schemas.Diagnostics)
	kind := tf.schemas.Provider.ValueType()
	resp, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: tf.dynamic(kind, fill(t, kind, config))})
	if err != nil {
		t.Fatal(err)
	}
	tf.clean(resp.Diagnostics)
	return tf
}

func (tf *terraform) kind(resource string) tftypes.Object {
	tf.t.Helper()
	o, ok := tf.schemas.ResourceSchemas[resource].ValueType().(tftypes.Object)
	if !ok {
		tf.t.Fatalf("%s is no object", resource)
	}
	return o
}

func (tf *terraform) dynamic(kind tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	tf.t.Helper()
	d, err := tfprotov6.NewDynamicValue(kind, v)
	if err != nil {
		tf.t.Fatal(err)
	}
	return &d
}

func (tf *terraform) value(kind tftypes.Type, d *tfprotov6.DynamicValue) tftypes.Value {
	tf.t.Helper()
	v, err := d.Unmarshal(kind)
	if err != nil {
		tf.t.Fatal(err)
	}
	return v
}

// clean fails the test on errors.
func (tf *terraform) clean(diags []*tfprotov6.Diagnostic) {
	tf.t.Helper()
	for _, d := range diags {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			tf.t.Fatalf("%s: %s\n%s", d.Attribute, d.Summary, d.Detail)
		}
	}
}

// fill makes a value of a type out of Go's, null where nothing is said, and empty for
// blocks, as Terraform does.
func fill(t *testing.T, kind tftypes.Type, v any) tftypes.Value {
	t.Helper()
	if v == nil {
		return tftypes.NewValue(kind, nil)
	}
	if v == tftypes.UnknownValue {
		return tftypes.NewValue(kind, tftypes.UnknownValue)
	}
	switch k := kind.(type) {
	case tftypes.Object:
		out := map[string]tftypes.Value{}
		given, _ := v.(object)
		for name, at := range k.AttributeTypes {
			x := given[name]
			if x == nil && isBlock(name) {
				x = []any{}
			}
			out[name] = fill(t, at, x)
		}
		for name := range given {
			if _, ok := k.AttributeTypes[name]; !ok {
				t.Fatalf("there is no attribute %s", name)
			}
		}
		return tftypes.NewValue(kind, out)
	case tftypes.List:
		return tftypes.NewValue(kind, items(t, k.ElementType, v))
	case tftypes.Set:
		return tftypes.NewValue(kind, items(t, k.ElementType, v))
	case tftypes.Map:
		out := map[string]tftypes.Value{}
		for name, x := range v.(object) { //nolint:forcetypeassert // a wrong test may panic
			out[name] = fill(t, k.ElementType, x)
		}
		return tftypes.NewValue(kind, out)
	}
	return tftypes.NewValue(kind, v)
}

func isBlock(name string) bool {
	return slices.Contains([]string{
		"assume_role", "iam_identity_mapping", "pods_readiness_check", "kubernetes_resource_deletion_before_destroy", "alb_attachment",
		"destination", "step", "cloudwatch_metric", "datadog_metric", "prometheus_metric",
	}, name)
}

func items(t *testing.T, kind tftypes.Type, v any) []tftypes.Value {
	t.Helper()
	out := []tftypes.Value{}
	for _, x := range v.([]any) { //nolint:forcetypeassert // a wrong test may panic
		out = append(out, fill(t, kind, x))
	}
	return out
}
