package helmfile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// files are what helmfile reads of a Spec, as long as it runs. Their names are unique, so
// that many sets may share a working directory.
type files struct {
	spec   Spec
	dir    string // of our own, for values; outside of the working directory
	made   []string
	flags  []string // of every command
	env    []string
	scrub  *scrubber
	values []string // paths of Spec.Values and SensitiveValues
}

func (r Runner) open(s Spec) (*files, error) {
	f := &files{spec: s}
	environ := r.Environ
	if environ == nil {
		environ = os.Environ()
	}
	if err := f.open(environ); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *files) open(environ []string) error {
	s := f.spec
	var err error
	if f.dir, err = os.MkdirTemp("", "norikae-helmfile-"); err != nil {
		return fmt.Errorf("making a folder for values: %w", err)
	}
	secrets, err := s.Secrets()
	if err != nil {
		return err
	}
	f.scrub = newScrubber(slices.Concat(secrets, s.Masked))
	for i, v := range slices.Concat(s.Values, s.SensitiveValues) {
		path := filepath.Join(f.dir, fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(path, []byte(v), 0o600); err != nil {
			return fmt.Errorf("writing values: %w", err)
		}
		f.values = append(f.values, path)
	}
	if f.env, err = environment(environ, s); err != nil {
		return err
	}
	return f.makeFlags()
}

func (f *files) makeFlags() error {
	s := f.spec
	helmfile, err := f.helmfile()
	if err != nil {
		return err
	}
	f.flags = []string{"--no-color", "--helm-binary", s.HelmBinary}
	if helmfile != "" {
		f.flags = append(f.flags, "--file", helmfile)
	}
	if s.Environment != "" {
		f.flags = append(f.flags, "--environment", s.Environment)
	}
	if s.KubeContext != "" {
		f.flags = append(f.flags, "--kube-context", s.KubeContext)
	}
	for _, selector := range s.Selectors {
		f.flags = append(f.flags, "--selector", selector)
	}
	for _, path := range s.ValuesFiles {
		f.flags = append(f.flags, "--state-values-file", f.near(path))
	}
	if s.Release == nil {
		for _, path := range f.values {
			f.flags = append(f.flags, "--state-values-file", path)
		}
	}
	return nil
}

// command with the flags of all, then its own.
func (f *files) command(name string, args ...string) []string {
	out := slices.Concat(f.flags, []string{name}, args)
	if name != "status" {
		out = append(out, "--concurrency", strconv.Itoa(f.spec.Concurrency))
	}
	if name == "diff" || name == "apply" || name == "sync" {
		for _, key := range slices.Sorted(maps.Keys(f.spec.Set)) {
			out = append(out, "--set", key+"="+f.spec.Set[key])
		}
	}
	return out
}

// near is a path as seen from the working directory, else from that of this process.
func (f *files) near(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	for _, dir := range []string{f.spec.WorkingDirectory, "."} {
		abs, err := filepath.Abs(filepath.Join(dir, path))
		if err != nil {
			continue
		}
		if _, err := os.Stat(abs); err == nil {
			return abs
		}
	}
	return path
}

// helmfile is the path of the helmfile. Content is written beside the charts and files
// that it names relative to itself; helmfile v1 renders templates only in .gotmpl.
func (f *files) helmfile() (string, error) {
	content := f.spec.Content
	if f.spec.Release != nil {
		text, err := f.spec.Release.helmfile(f.values)
		if err != nil {
			return "", err
		}
		content = text
	} else if content == "" {
		if f.spec.Path == "" {
			return "", nil
		}
		return f.near(f.spec.Path), nil
	}
	pattern := "norikae-*.yaml"
	if f.spec.Release == nil && strings.Contains(content, "{{") {
		pattern += ".gotmpl"
	}
	dir, err := filepath.Abs(f.spec.WorkingDirectory)
	if err != nil {
		return "", fmt.Errorf("finding working_directory: %w", err)
	}
	file, err := os.CreateTemp(dir, pattern) // 0600
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("working_directory = %q: there is no such folder: create it, or correct the path", f.spec.WorkingDirectory)
	} else if err != nil {
		return "", fmt.Errorf("writing the helmfile into working_directory = %q: %w", f.spec.WorkingDirectory, err)
	}
	f.made = append(f.made, file.Name())
	_, err = file.WriteString(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("writing the helmfile: %w", err)
	}
	return file.Name(), nil
}

func (f *files) close() {
	// What cannot be removed is readable by its owner alone.
	for _, path := range f.made {
		_ = os.Remove(path)
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
}

// helmfile of one release.
func (r Release) helmfile(values []string) (string, error) {
	release := map[string]any{
		"name": r.Name, "chart": r.Chart, "verify": r.Verify, "wait": r.Wait, "force": r.Force, "atomic": r.Atomic, "cleanupOnFail": r.CleanupOnFail,
	}
	if r.Namespace != "" {
		release["namespace"] = r.Namespace
	}
	if r.Version != "" {
		release["version"] = r.Version
	}
	if r.Timeout > 0 {
		release["timeout"] = r.Timeout
	}
	if len(values) > 0 {
		release["values"] = values
	}
	text, err := yaml.Marshal(map[string]any{"releases": []any{release}})
	if err != nil {
		return "", fmt.Errorf("writing the release: %w", err)
	}
	return string(text), nil
}

// environment of helmfile: this process's, the resource's, the credentials, the cluster.
func environment(environ []string, s Spec) ([]string, error) {
	out := map[string]string{
		// So that what was changed by hand shows: helm alone compares with what it installed.
		"HELM_DIFF_THREE_WAY_MERGE": "true",
	}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		out[name] = value
	}
	// Where the resource says who is calling, nothing else says so; a region says nothing of it.
	if slices.ContainsFunc(slices.Collect(maps.Keys(s.Credentials)), isCaller) {
		maps.DeleteFunc(out, func(name, _ string) bool { return isCaller(name) })
	}
	maps.Copy(out, s.EnvironmentVariables)
	maps.Copy(out, s.Credentials)
	if s.Kubeconfig != "" {
		path, err := kubeconfig(s)
		if err != nil {
			return nil, err
		}
		out["KUBECONFIG"] = path
	}
	if s.Plugins != "" {
		// The first of a name counts, for helm and helmfile.
		out["HELM_PLUGINS"] = s.Plugins + string(filepath.ListSeparator) + installedPlugins(out)
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(out)) {
		env = append(env, name+"="+out[name])
	}
	return env, nil
}

// kubeconfig is the absolute path of the file, which must be there: where it is not, helm
// takes the cluster that it runs in, if it runs in a pod. A relative path is of this
// process's directory, else of the helmfile's.
func kubeconfig(s Spec) (string, error) {
	paths := []string{s.Kubeconfig}
	if !filepath.IsAbs(s.Kubeconfig) {
		paths = append(paths, filepath.Join(s.WorkingDirectory, s.Kubeconfig))
	}
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return filepath.Abs(p)
		}
	}
	return "", fmt.Errorf("kubeconfig: there is no file %q, and helm would not know which cluster is meant; write it again, as a refresh of eksctl_cluster does, and set kubeconfig to where it is", s.Kubeconfig)
}

// isCaller tells whether a variable says who is calling AWS.
func isCaller(name string) bool {
	return slices.ContainsFunc([]string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_ROLE_", "AWS_WEB_IDENTITY_", "AWS_CONTAINER_",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// installedPlugins is where helm looks for plugins of its user.
// Source: https://helm.sh/docs/helm/helm/ (environment variables, and defaults by system).
func installedPlugins(env map[string]string) string {
	if set := env["HELM_PLUGINS"]; set != "" {
		return set
	}
	data := env["HELM_DATA_HOME"]
	switch {
	case data != "":
	case env["XDG_DATA_HOME"] != "":
		data = filepath.Join(env["XDG_DATA_HOME"], "helm")
	case runtime.GOOS == "darwin":
		data = filepath.Join(env["HOME"], "Library", "helm")
	default:
		data = filepath.Join(env["HOME"], ".local", "share", "helm")
	}
	return filepath.Join(data, "plugins")
}
