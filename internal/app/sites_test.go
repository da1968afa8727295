package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/metric/datadog"
)

func TestAManifestTakesTheSitesThatDatadogHas(t *testing.T) {
	if d := cmp.Diff(datadog.Sites(), manifest.DatadogSites()); d != "" {
		t.Errorf("manifest.DatadogSites differ from those of the adapter (-adapter +manifest):\n%s", d)
	}
}
