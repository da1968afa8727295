// Package image knows which programs of this machine stand for which container images.
package image

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Image is what an image is here: files, and how it starts.
type Image struct {
	Files      map[string]string `json:"files"` // path in the container → path in the assets
	Entrypoint []string          `json:"entrypoint"`
	Cmd        []string          `json:"cmd"`
	Env        []string          `json:"env"`
	Dir        string            `json:"dir"`  // "": /
	User       int64             `json:"user"` // what the image says; everything runs as who has started the lab
}

// repository of images.
type repository struct {
	Names    []string            `json:"names"`    // with a registry or without, such as library/redis
	Versions map[string][]string `json:"versions"` // tag → tags that mean the same; none: any tag
	Image
}

//go:embed images.yaml
var list []byte

// Catalogue of the images that there are.
type Catalogue struct {
	assets       string
	norikae      string
	stack        string // this program
	repositories []repository
}

// Read the catalogue; the programs are in a folder of assets, but norikae itself.
func Read(assets, norikae string) (*Catalogue, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	c := &Catalogue{assets: assets, norikae: norikae, stack: self}
	if err := yaml.UnmarshalStrict(list, &c.repositories); err != nil {
		return nil, fmt.Errorf("the catalogue of images: %w", err)
	}
	return c, nil
}

// Find an image by a reference, such as ghcr.io/stefanprodan/podinfo:6.9.2. The registry
// and the digest do not matter. In the paths of its files {tag} is the tag, {norikae}
// that program, and {stack} this one.
func (c *Catalogue) Find(ref string) (Image, error) {
	name, tag := split(ref)
	for _, r := range c.repositories {
		if !slices.ContainsFunc(r.Names, func(n string) bool { return n == name || strings.HasSuffix(name, "/"+n) }) {
			continue
		}
		if len(r.Versions) > 0 {
			known, ok := version(r.Versions, tag)
			if !ok {
				return Image{}, fmt.Errorf("the lab has no %s:%s; it has the tags %s", name, tag, strings.Join(slices.Sorted(maps.Keys(r.Versions)), ", "))
			}
			tag = known
		}
		out := r.Image
		out.Dir = cmp.Or(out.Dir, "/")
		out.Files = map[string]string{}
		for target, source := range r.Files {
			source = strings.NewReplacer("{tag}", tag, "{norikae}", c.norikae, "{stack}", c.stack).Replace(source)
			if !filepath.IsAbs(source) {
				source = filepath.Join(c.assets, source)
			}
			out.Files[target] = source
		}
		return out, nil
	}
	var names []string
	for _, r := range c.repositories {
		names = append(names, r.Names[0])
	}
	return Image{}, fmt.Errorf("the lab cannot pull the image %q; it has %s", ref, strings.Join(names, ", "))
}

// version that a tag names.
func version(versions map[string][]string, tag string) (string, bool) {
	for v, others := range versions {
		if v == tag || slices.Contains(others, tag) {
			return v, true
		}
	}
	return "", false
}

// split a reference into its name and its tag.
func split(ref string) (name, tag string) {
	name, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		return name[:colon], name[colon+1:]
	}
	return name, "latest"
}
