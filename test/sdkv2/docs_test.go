package sdkv2

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const guide = "../../docs/migrate-from-mumoshu.md"

// commands of the guide, by the heading that they stand under, as a user would type them.
func commands(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	out, heading, in := map[string][]string{}, "", false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			in = !in && line == "```sh"
		case in && line != "":
			out[heading] = append(out[heading], line)
		case !in && strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	return out
}

// typed runs a command of the guide; what it prints may go to a file. No shell sees it.
func (w *workspace) typed(t *testing.T, line string) string {
	t.Helper()
	line, file, to := strings.Cut(line, " > ")
	args := strings.Fields(line)
	if args[0] == "cp" {
		w.write(t, args[2], w.read(t, args[1]))
		return ""
	}
	out := w.run(t, args[0], args[1:]...)
	if to {
		w.write(t, file, out)
	}
	return out
}

// mirror makes Terraform install both the old providers and ours, as from a registry.
func (w *workspace) mirror(t *testing.T) {
	t.Helper()
	mirror := t.TempDir()
	install := func(source, version, program string) {
		for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
			folder := filepath.Join(mirror, host, source, version, runtime.GOOS+"_"+runtime.GOARCH)
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(program, filepath.Join(folder, filepath.Base(program)+"_v"+version)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for source, folder := range oldProviders(t) {
		program := "terraform-provider-" + filepath.Base(source)
		install(source, "0.16.2", filepath.Join(folder, program))
		install("norikae/"+filepath.Base(source), "0.1.0", ours(t, program))
	}
	file := filepath.Join(t.TempDir(), "terraform.tfrc")
	w.write(t, file, `provider_installation {
  filesystem_mirror { path = "`+mirror+`" }
}`)
	w.env = append(w.env, "TF_CLI_CONFIG_FILE="+file)
}

// withHelmfile adds a release to the couriers of the fixture alb, so that both providers
// are there, as versions.
func (w *workspace) withHelmfile(t *testing.T) {
	t.Helper()
	w.write(t, "main.tf", strings.Replace(w.read(t, "main.tf"), `      source = "mumoshu/eksctl"
    }
`, `      source  = "mumoshu/eksctl"
      version = "0.16.2"
    }
    helmfile = {
      source  = "mumoshu/helmfile"
      version = "0.16.2"
    }
`, 1)+`
resource "helmfile_release" "web" {
  name       = "web"
  chart      = "./web"
  kubeconfig = "kubeconfig"
}
`)
}

// The commands of the guide, all of them, in its order.
func TestTheGuideLeadsThereAndBack(t *testing.T) {
	w := open(t, "alb")
	live["alb"](t, w)
	w.mirror(t)
	w.withHelmfile(t)
	if err := os.Remove(filepath.Join(w.dir, "terraform.tfstate")); err != nil {
		t.Fatal(err)
	}
	w.run(t, "terraform", "init", "-no-color", "-input=false")
	w.run(t, "terraform", "apply", "-auto-approve", "-no-color", "-input=false")
	old := w.read(t, "main.tf")
	ours := strings.NewReplacer(`"mumoshu/`, `"norikae/`, `"0.16.2"`, `"0.1.0"`).Replace(old)

	steps := commands(t)
	if n := len(steps["Step by step"]) + len(steps["Back to the old provider"]); n != 8 || len(steps) != 2 {
		t.Fatalf("the guide has the commands %q: this test knows 8 under two headings", steps)
	}
	plans := 0
	typed := func(line string) {
		t.Helper()
		out := w.typed(t, line)
		if !strings.HasPrefix(line, "terraform plan") {
			return
		}
		plans++
		if !strings.Contains(out, "No changes.") {
			t.Errorf("%s:\n%s", line, out)
		}
	}
	typed(steps["Step by step"][0])
	w.write(t, "main.tf", ours)
	for _, line := range steps["Step by step"][1:] {
		typed(line)
	}
	if out := w.run(t, "terraform", "providers"); strings.Contains(out, "mumoshu") {
		t.Errorf("the old provider is still needed:\n%s", out)
	}
	w.run(t, "terraform", "apply", "-auto-approve", "-no-color", "-input=false")
	w.write(t, "main.tf", old)

	w.run(t, "terraform", "state", "replace-provider", "-auto-approve", "norikae/eksctl", "mumoshu/eksctl")
	w.run(t, "terraform", "state", "replace-provider", "-auto-approve", "norikae/helmfile", "mumoshu/helmfile")
	w.run(t, "terraform", "init", "-no-color", "-input=false")
	if _, stderr, code := w.try(t, "terraform", "plan", "-no-color"); code != 1 || !strings.Contains(stderr, "newer provider version") {
		t.Errorf("the guide says that the old provider cannot read what ours wrote, and it can: exit code %d\n%s", code, stderr)
	}
	for _, line := range steps["Back to the old provider"] {
		typed(line)
	}
	if plans != 2 {
		t.Errorf("the guide plans %d times, want 2: there and back", plans)
	}
}
