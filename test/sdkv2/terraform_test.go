package sdkv2

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is the longest that one program may take; what takes longer hangs.
const patience = 3 * time.Minute

// workspace is a folder with a configuration, and how Terraform is run in it.
type workspace struct {
	dir   string
	env   []string
	stdin string // of the programs
}

// open copies a fixture's folder. Nothing of the caller's environment but PATH and the
// state of Terraform's plugins reaches the programs.
func open(t testing.TB, fixture string) *workspace {
	t.Helper()
	w := &workspace{dir: t.TempDir()}
	if err := os.CopyFS(w.dir, os.DirFS(filepath.Join("testdata", fixture))); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=/tmp", "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"AWS_ACCESS_KEY_ID=FAKE", "AWS_SECRET_ACCESS_KEY=fake", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
	}
	return w
}

// providers makes Terraform take providers, by source, from folders: no registry is asked.
func (w *workspace) providers(t testing.TB, folders map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("provider_installation {\n  dev_overrides {\n")
	for source, folder := range folders {
		fmt.Fprintf(&b, "    %q = %q\n", source, folder)
	}
	b.WriteString("  }\n}\n")
	file := filepath.Join(t.TempDir(), "terraform.tfrc")
	w.write(t, file, b.String())
	w.env = append(w.env, "TF_CLI_CONFIG_FILE="+file)
}

// write a file; a relative name is in the workspace.
func (w *workspace) write(t testing.TB, name, content string) {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(w.dir, name)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *workspace) read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// try runs a program in the workspace, and tells its exit code. "terraform" is the one that
// is to be tested with.
func (w *workspace) try(t testing.TB, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	if name == "terraform" {
		name = terraform(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = w.dir, w.env, strings.NewReader(w.stdin)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out.String(), diagnostics.String(), cmd.ProcessState.ExitCode()
}

// run is try for what must succeed.
func (w *workspace) run(t testing.TB, name string, args ...string) string {
	t.Helper()
	stdout, stderr, code := w.try(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d, want 0\n%s%s", name, strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// skeletons is the folder of the old providers' skeletons, which are built once in a run.
var skeletons struct {
	sync.Once
	dir string
	err error
}

func buildSkeletons() {
	s := &skeletons
	if s.dir, s.err = os.MkdirTemp("", "sdkv2-build-"); s.err != nil {
		return
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", s.dir+"/", "./cmd/...")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.err = fmt.Errorf("building the skeletons: %w\n%s", err, out)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if skeletons.dir != "" {
		_ = os.RemoveAll(skeletons.dir)
	}
	os.Exit(code)
}

// ours is one of our programs, or of those that stand in for others: make migrations
// builds them.
func ours(t testing.TB, name string) string {
	t.Helper()
	return needed(t, "NORIKAE_BIN", filepath.Join(os.Getenv("NORIKAE_BIN"), filepath.FromSlash(name)))
}

// needed is the path of a program, which a variable tells.
func needed(t testing.TB, variable, path string) string {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Fatalf("%s is not set: run `make migrations`, which sets it", variable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s = %q leads to nothing: %v; run `make migrations`, which builds it", variable, os.Getenv(variable), err)
	}
	return path
}

// terraform is the program: TF_ACC_TERRAFORM_PATH, else that on PATH.
func terraform(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return needed(t, "TF_ACC_TERRAFORM_PATH", path)
	}
	path, err := exec.LookPath("terraform")
	if err != nil {
		t.Fatalf("there is no terraform: %v; run `make migrations`, or set TF_ACC_TERRAFORM_PATH to what `make -s terraform` prints", err)
	}
	return path
}

// oldProviders is what builds the skeletons, and under what sources they go.
func oldProviders(t testing.TB) map[string]string {
	t.Helper()
	skeletons.Do(buildSkeletons)
	if skeletons.err != nil {
		t.Fatal(skeletons.err)
	}
	dir := skeletons.dir
	return map[string]string{"mumoshu/eksctl": dir, "mumoshu/helmfile": dir}
}
