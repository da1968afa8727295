package image

import (
	"strings"
	"testing"
)

func TestReferencesOfImages(t *testing.T) {
	c, err := Read("/assets", "/bin/norikae")
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"ghcr.io/stefanprodan/podinfo:6.9.2":                          "/assets/podinfo-6.9.2",
		"stefanprodan/podinfo:6.9.1@sha256:0123":                      "/assets/podinfo-6.9.1",
		"localhost:5000/stefanprodan/podinfo:6.9.3":                   "/assets/podinfo-6.9.3",
		"602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/coredns:v1": "/assets/coredns",
		"traefik:v3.7.13":                      "/assets/traefik",
		"docker.io/library/traefik":            "/assets/traefik",
		"registry.example.com/norikae/norikae": "/bin/norikae",
	} {
		i, err := c.Find(ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		found := false
		for _, f := range i.Files {
			found = found || f == want
		}
		if !found {
			t.Errorf("%s is %v, want %s", ref, i.Files, want)
		}
	}
	for ref, want := range map[string]string{
		"nginx":                      `the lab cannot pull the image "nginx"; it has stefanprodan/podinfo, `,
		"mytraefik":                  "cannot pull",
		"stefanprodan/podinfo":       "the lab has no stefanprodan/podinfo:latest; it has the tags 6.9.1, 6.9.2, 6.9.3",
		"stefanprodan/podinfo:6.9.9": "the lab has no stefanprodan/podinfo:6.9.9",
	} {
		if _, err := c.Find(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}
}
