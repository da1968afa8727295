package release

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// config is what the tests read of .goreleaser.yaml.
type config struct {
	Dist   string   `json:"dist"`
	Env    []string `json:"env"`
	Builds []struct {
		ID           string   `json:"id"`
		Main         string   `json:"main"`
		Binary       string   `json:"binary"`
		Skip         string   `json:"skip"`
		Flags        []string `json:"flags"`
		Ldflags      []string `json:"ldflags"`
		ModTimestamp string   `json:"mod_timestamp"`
		Goos         []string `json:"goos"`
		Goarch       []string `json:"goarch"`
	} `json:"builds"`
	Archives []struct {
		NameTemplate string   `json:"name_template"`
		Formats      []string `json:"formats"`
		BuildsInfo   info     `json:"builds_info"`
		Files        []struct {
			Src  string `json:"src"`
			Info info   `json:"info"`
		} `json:"files"`
	} `json:"archives"`
	Checksum struct {
		NameTemplate string  `json:"name_template"`
		Algorithm    string  `json:"algorithm"`
		ExtraFiles   []extra `json:"extra_files"`
	} `json:"checksum"`
	Signs []struct {
		Artifacts string   `json:"artifacts"`
		Signature string   `json:"signature"`
		Cmd       string   `json:"cmd"`
		Args      []string `json:"args"`
	} `json:"signs"`
	Release struct {
		GitHub     struct{ Owner, Name string } `json:"github"`
		ExtraFiles []extra                      `json:"extra_files"`
	} `json:"release"`
}

type info struct {
	Mode  int    `json:"mode"`
	MTime string `json:"mtime"`
}

type extra struct {
	Glob         string `json:"glob"`
	NameTemplate string `json:"name_template"`
}

func read(t *testing.T) config {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c config
	if err := yaml.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// commands of the project: the folders in cmd.
func commands(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEveryCommandIsReleasedAndNothingElse(t *testing.T) {
	c := read(t)
	var released []string
	for _, b := range c.Builds {
		released = append(released, b.ID)
		binary := b.ID
		if strings.HasPrefix(b.ID, "terraform-provider-") {
			binary += "_v{{ .Version }}" // Terraform tells a provider's version by its program's name
		}
		want := map[string]string{"main": "./cmd/" + b.ID, "binary": binary, "skip": `{{ ne .Env.PRODUCT "` + b.ID + `" }}`}
		if d := cmp.Diff(want, map[string]string{"main": b.Main, "binary": b.Binary, "skip": b.Skip}); d != "" {
			t.Errorf("build %s (-want +got):\n%s", b.ID, d)
		}
		if !slices.Contains(b.Goos, "linux") || !slices.Contains(b.Goarch, "amd64") || !slices.Contains(b.Goarch, "arm64") {
			t.Errorf("build %s: goos %q, goarch %q", b.ID, b.Goos, b.Goarch)
		}
	}
	slices.Sort(released)
	if d := cmp.Diff(commands(t), released); d != "" {
		t.Errorf("commands (-cmd +.goreleaser.yaml):\n%s", d)
	}
}

// The linker says nothing about a variable that is not there.
func TestTheVersionThatIsLinkedInIsAVariableOfEveryCommand(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(makefile), "-X main.version=$(VERSION)") {
		t.Error("make build does not link main.version in")
	}
	for _, b := range read(t).Builds {
		if d := cmp.Diff([]string{"-s -w -X main.version={{ .Version }}"}, b.Ldflags); d != "" {
			t.Errorf("build %s: ldflags (-want +got):\n%s", b.ID, d)
		}
		if !stringVariable(t, filepath.Join(root, b.Main, "main.go"), "version") {
			t.Errorf("build %s: %s/main.go has no variable version of type string", b.ID, b.Main)
		}
	}
}

// stringVariable tells whether a file declares the variable name, of type string and
// without a value.
func stringVariable(t *testing.T, file, name string) bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		g, ok := d.(*ast.GenDecl)
		return ok && g.Tok == token.VAR && slices.ContainsFunc(g.Specs, func(s ast.Spec) bool {
			v, ok := s.(*ast.ValueSpec)
			if !ok || len(v.Names) != 1 || v.Names[0].Name != name || len(v.Values) != 0 {
				return false
			}
			typ, ok := v.Type.(*ast.Ident)
			return ok && typ.Name == "string"
		})
	})
}

func TestTheSameCommitGivesTheSameBytes(t *testing.T) {
	c := read(t)
	if !slices.Contains(c.Env, "CGO_ENABLED=0") {
		t.Errorf("env = %q: want CGO_ENABLED=0", c.Env)
	}
	for _, b := range c.Builds {
		if !slices.Contains(b.Flags, "-trimpath") || b.ModTimestamp != "{{ .CommitTimestamp }}" {
			t.Errorf("build %s: flags %q, mod_timestamp %q", b.ID, b.Flags, b.ModTimestamp)
		}
	}
	for _, a := range c.Archives {
		if d := cmp.Diff(info{0o755, "{{ .CommitDate }}"}, a.BuildsInfo); d != "" {
			t.Errorf("the program in an archive (-want +got):\n%s", d)
		}
		for _, f := range a.Files {
			if d := cmp.Diff(info{0o644, "{{ .CommitDate }}"}, f.Info); d != "" {
				t.Errorf("%s in an archive (-want +got):\n%s", f.Src, d)
			}
		}
	}
}

// Names, checksums and signature are as the registry and a filesystem mirror want them:
// https://developer.hashicorp.com/terraform/registry/providers/publishing
func TestAReleaseIsReadyForTerraformsRegistry(t *testing.T) {
	c := read(t)
	if len(c.Archives) != 1 || len(c.Signs) != 1 {
		t.Fatalf("%d archives and %d signatures: want one of each", len(c.Archives), len(c.Signs))
	}
	manifest := []extra{{
		Glob:         `{{ if ne .Env.PRODUCT "norikae" }}terraform-registry-manifest.json{{ end }}`,
		NameTemplate: "{{ .Env.PRODUCT }}_{{ .Version }}_manifest.json",
	}}
	if d := cmp.Diff(manifest, c.Checksum.ExtraFiles); d != "" {
		t.Errorf("the manifest among the checksums (-want +got):\n%s", d)
	}
	if d := cmp.Diff(manifest, c.Release.ExtraFiles); d != "" {
		t.Errorf("the manifest in the release (-want +got):\n%s", d)
	}
	want := map[string]string{
		"archive": "{{ .Env.PRODUCT }}_{{ .Version }}_{{ .Os }}_{{ .Arch }} zip", "checksums": "{{ .Env.PRODUCT }}_{{ .Version }}_SHA256SUMS sha256",
		"signature": "checksum ${artifact}.sig gpg --batch --local-user {{ .Env.GPG_FINGERPRINT }} --output ${signature} --detach-sign ${artifact}",
		"to":        "norikae/{{ .Env.PRODUCT }}", "product": `PRODUCT={{ envOrDefault "PRODUCT" "norikae" }}`,
	}
	got := map[string]string{
		"archive":   c.Archives[0].NameTemplate + " " + strings.Join(c.Archives[0].Formats, " "),
		"checksums": c.Checksum.NameTemplate + " " + c.Checksum.Algorithm,
		"signature": strings.Join(append([]string{c.Signs[0].Artifacts, c.Signs[0].Signature, c.Signs[0].Cmd}, c.Signs[0].Args...), " "),
		"to":        c.Release.GitHub.Owner + "/" + c.Release.GitHub.Name, "product": c.Env[0],
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
}

func TestTheManifestSaysTheProtocolThatIsServed(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "terraform-registry-manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"version": 1.0, "metadata": map[string]any{"protocol_versions": []any{"6.0"}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("terraform-registry-manifest.json (-want +got):\n%s", d)
	}
	served, err := os.ReadFile(filepath.Join(root, "internal/app/terraform/providers.go"))
	if err != nil {
		t.Fatal(err)
	}
	versions := regexp.MustCompile(`ProtocolVersion: *(\d+)`).FindAllStringSubmatch(string(served), -1)
	if len(versions) != 1 || versions[0][1] != "6" {
		t.Errorf("providers.go serves the protocols %q: want 6, once, as the manifest says", versions)
	}
}

// Pages need an example each, and the import that the resource has.
func TestEveryPageOfTheProvidersHasAnExample(t *testing.T) {
	pages := map[string]string{}
	for _, provider := range []string{"eksctl", "helmfile"} {
		for kind, file := range map[string]string{"resources": "resource.tf", "data-sources": "data-source.tf"} {
			found, err := filepath.Glob(filepath.Join(root, "docs/terraform", provider, kind, "*.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, page := range found {
				pages[page] = filepath.Join(root, "examples/terraform", kind, provider+"_"+strings.TrimSuffix(filepath.Base(page), ".md"), file)
			}
		}
	}
	if len(pages) < 9 {
		t.Errorf("only %d pages were found", len(pages))
	}
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		if _, err := os.Stat(pages[page]); err != nil {
			t.Errorf("%s has no example: %v", page, err)
		}
	}
}
