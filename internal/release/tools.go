package release

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/norikae/norikae/internal/fault"
)

// The tools that can be fetched.
const (
	Eksctl   = "eksctl"
	Helm     = "helm"
	Helmfile = "helmfile"
	HelmDiff = "helm-diff" // a plugin of helm: what is fetched is a folder of plugins
)

// tool is how a project names what it publishes. VERSION, OS and ARCH are filled in.
type tool struct {
	name    string
	base    string // URL below which the archive and its checksums lie
	page    string // for people, with all releases
	archive string
	sums    string
	members []string // of the archive, which are kept: the program first
	plugin  bool     // members keep their folders, below the one that Fetch gives
	instead string   // what users do who bring their own
	capital bool     // OS begins with a capital letter
	mac     string   // what it calls darwin; "": darwin
}

// tools there are.
// Sources: https://eksctl.io/installation/ · https://helm.sh/docs/intro/install/ (and its
// script get-helm-3) · https://github.com/helmfile/helmfile/releases ·
// https://github.com/databus23/helm-diff/releases (its .goreleaser.yml; the oldest
// releases have other names and no checksums).
func tools() []tool {
	return []tool{
		{
			name: Eksctl, base: "https://github.com/eksctl-io/eksctl/releases/download", page: "https://github.com/eksctl-io/eksctl/releases",
			archive: "vVERSION/eksctl_OS_ARCH.tar.gz", sums: "vVERSION/eksctl_checksums.txt", members: []string{"eksctl"}, instead: "set eksctl_bin to a program that is there", capital: true,
		},
		{
			name: Helm, base: "https://get.helm.sh", page: "https://github.com/helm/helm/releases",
			archive: "helm-vVERSION-OS-ARCH.tar.gz", sums: "helm-vVERSION-OS-ARCH.tar.gz.sha256", members: []string{"OS-ARCH/helm"}, instead: "set helm_binary to a program that is there",
		},
		{
			name: Helmfile, base: "https://github.com/helmfile/helmfile/releases/download", page: "https://github.com/helmfile/helmfile/releases",
			archive: "vVERSION/helmfile_VERSION_OS_ARCH.tar.gz", sums: "vVERSION/helmfile_VERSION_checksums.txt", members: []string{"helmfile"}, instead: "set binary to a program that is there",
		},
		{
			name: HelmDiff, base: "https://github.com/databus23/helm-diff/releases/download", page: "https://github.com/databus23/helm-diff/releases",
			archive: "vVERSION/helm-diff-OS-ARCH.tgz", sums: "vVERSION/helm-diff_VERSION_checksums.txt", members: []string{"diff/bin/diff", "diff/plugin.yaml"}, plugin: true,
			instead: "install it with `helm plugin install` and leave helm_diff_version out", mac: "macos",
		},
	}
}

// release of a tool: what is fetched from where.
type release struct {
	tool, version string
	archive, sums string   // URLs
	file          string   // name of the archive, as the checksums have it
	members       []member // the program first
	plugin        bool
	page          string
}

// member of an archive, and where it is kept below the release's folder.
type member struct{ from, to string }

// result is what users of a release are given, of its folder.
func (r release) result(home string) string {
	if r.plugin {
		return home
	}
	return filepath.Join(home, r.members[0].to)
}

func toolOf(name string) (tool, error) {
	var names []string
	for _, t := range tools() {
		if t.name == name {
			return t, nil
		}
		names = append(names, t.name)
	}
	return tool{}, fault.Terminal("UnknownTool", fmt.Errorf("the tool %q is not one of %s", name, strings.Join(names, ", ")))
}

// versions are exact: three numbers, and what a pre-release adds.
var versions = regexp.MustCompile(`^v?((?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})(?:-[0-9A-Za-z](?:[0-9A-Za-z.-]{0,48}[0-9A-Za-z])?)?)$`)

// CheckVersion tells whether a version is an exact one, such as 0.216.0 or v1.2.3-rc.1.
func CheckVersion(version string) error {
	if !versions.MatchString(version) {
		return fault.Terminal("InvalidVersion", fmt.Errorf(
			"the version %q is not an exact one: want three numbers such as 1.2.3, v1.2.3 or 1.2.3-rc.1", version))
	}
	return nil
}

// release in a version for a machine.
func (t tool) release(version, base, goos, goarch string) (release, error) {
	if err := CheckVersion(version); err != nil {
		return release{}, fault.Terminal("InvalidVersion", fmt.Errorf("%s: %w", t.name, err))
	}
	if goos != "linux" && goos != "darwin" || goarch != "amd64" && goarch != "arm64" {
		return release{}, fault.Terminal("NoRelease", fmt.Errorf(
			"%s cannot be fetched for %s/%s, only for linux and darwin on amd64 and arm64: %s", t.name, goos, goarch, t.instead))
	}
	if t.mac != "" && goos == "darwin" {
		goos = t.mac
	}
	if t.capital {
		goos = strings.ToUpper(goos[:1]) + goos[1:]
	}
	number := versions.FindStringSubmatch(version)[1]
	fill := strings.NewReplacer("VERSION", number, "OS", goos, "ARCH", goarch)
	base = strings.TrimSuffix(cmp.Or(base, t.base), "/") + "/"
	archive := fill.Replace(t.archive)
	r := release{
		tool: t.name, version: number, page: t.page, plugin: t.plugin,
		archive: base + archive, sums: base + fill.Replace(t.sums), file: path.Base(archive),
	}
	for _, m := range t.members {
		from := fill.Replace(m)
		to := path.Base(from)
		if t.plugin {
			to = from
		}
		r.members = append(r.members, member{from, filepath.FromSlash(to)})
	}
	return r, nil
}
