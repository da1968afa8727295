package release

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/fault"
)

// helmDiff in a version, as its project publishes it.
func helmDiff(t *testing.T, entries ...entry) *place {
	t.Helper()
	packed := archive(t, entries...)
	return newPlace(t, map[string][]byte{
		"/v3.15.13/helm-diff-linux-amd64.tgz":       packed,
		"/v3.15.13/helm-diff_3.15.13_checksums.txt": []byte(sumOf(packed) + "  helm-diff-linux-amd64.tgz\n" + sumOf(nil) + "  helm-diff-macos-amd64.tgz\n"),
	})
}

var (
	plugin  = entry{name: "diff/plugin.yaml", text: "name: diff"}
	differ  = entry{name: "diff/bin/diff", text: "diff!"}
	install = entry{name: "diff/install-binary.sh", text: "curl | sh"}
)

func TestAPluginIsFetchedIntoAFolderOfPlugins(t *testing.T) {
	p, dir := helmDiff(t, entry{name: "diff/README.md", text: "x"}, install, plugin, differ), t.TempDir()
	f := p.fetcher(t, dir, HelmDiff)
	folder, err := f.Fetch(t.Context(), HelmDiff, "v3.15.13", nil)
	if want := filepath.Join(dir, "helm-diff", "3.15.13", "linux-amd64"); err != nil || folder != want {
		t.Fatalf("it lies at %s, want %s: %v", folder, want, err)
	}
	var files []string
	err = fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, name)
		}
		return err
	})
	slices.Sort(files)
	if d := cmp.Diff([]string{"diff/bin/diff", "diff/bin/diff.sha256", "diff/plugin.yaml", "diff/plugin.yaml.sha256"}, files); d != "" || err != nil {
		t.Errorf("its files (-want +got):\n%s\n%v", d, err)
	}
	p.Close() // without the network
	if again, err := p.fetcher(t, dir, HelmDiff).Fetch(t.Context(), HelmDiff, "3.15.13", nil); err != nil || again != folder {
		t.Errorf("a second time: %s, %v", again, err)
	}
}

// A plugin.yaml says what helm runs.
func TestAKeptPluginThatWasChangedIsFetchedAnew(t *testing.T) {
	for _, name := range []string{"diff/plugin.yaml", "diff/bin/diff"} {
		t.Run(name, func(t *testing.T) {
			p := helmDiff(t, plugin, differ)
			f := p.fetcher(t, t.TempDir(), HelmDiff)
			folder, err := f.Fetch(t.Context(), HelmDiff, "3.15.13", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, name), []byte("command: evil"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Fetch(t.Context(), HelmDiff, "3.15.13", nil); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil || strings.Contains(string(text), "evil") || len(p.requests()) != 4 {
				t.Errorf("it is %q, %v, after %v", text, err, p.requests())
			}
		})
	}
}

func TestAPluginThatIsNotWhatWasPublishedIsNotUsed(t *testing.T) {
	for name, tc := range map[string]struct {
		place    *place
		want     string
		notFound bool
	}{
		"no plugin.yaml":      {helmDiff(t, differ), "it has no file diff/plugin.yaml", false},
		"no program":          {helmDiff(t, plugin), "it has no file diff/bin/diff", false},
		"plugin.yaml twice":   {helmDiff(t, plugin, differ, plugin), "its diff/plugin.yaml is not one regular file", false},
		"a link":              {helmDiff(t, plugin, entry{name: "diff/bin/diff", kind: tar.TypeSymlink, link: "/bin/sh"}), "its diff/bin/diff is not one regular file", false},
		"no checksums at all": {newPlace(t, map[string][]byte{"/v3.15.13/helm-diff-linux-amd64.tgz": archive(t, plugin, differ)}), "published without checksums", true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.place.fetcher(t, t.TempDir(), HelmDiff).Fetch(t.Context(), HelmDiff, "3.15.13", nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, fault.ErrNotFound) != tc.notFound || !strings.Contains(err.Error(), "leave helm_diff_version out") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
