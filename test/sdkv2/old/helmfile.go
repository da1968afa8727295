package old

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// Helmfile is the skeleton of mumoshu/helmfile.
func Helmfile() *schema.Provider {
	return &schema.Provider{
		ResourcesMap: map[string]*schema.Resource{
			"helmfile_release_set": releaseSet(),
			"helmfile_release":     release(),
		},
	}
}

// helmfileCommon is what both resources have.
func helmfileCommon(more fields) fields {
	f := fields{
		"aws_region":        text(),
		"aws_profile":       text(),
		"aws_assume_role":   assumeRole(),
		"values":            texts(),
		"working_directory": text(defaults("")),
		"kubeconfig":        text(required),
		"binary":            text(defaults("helmfile")),
		"helm_binary":       text(defaults("helm")),
		"version":           text(defaults("")),
		"helm_version":      text(defaults("")),
		"dirty":             boolean(defaults(false)),
		"diff_output":       text(computed),
		"apply_output":      text(computed),
		"error":             text(computed),
	}
	maps.Copy(f, more)
	return f
}

func applied(*schema.ResourceData) map[string]any {
	return map[string]any{
		"diff_output":  "",
		"apply_output": "UPDATED RELEASES:\nNAME   CHART   VERSION\nweb    ./web     0.1.0\n",
		"error":        "",
	}
}

func releaseSet() *schema.Resource {
	return resource(helmfileCommon(fields{
		"values_files":               texts(),
		"skip_diff_on_missing_files": texts(),
		"selector":                   textMap(),
		"selectors":                  texts(),
		"environment_variables":      textMap(),
		"path":                       text(defaults("")),
		"content":                    text(),
		"helm_diff_version":          text(defaults("")),
		"environment":                text(defaults("")),
		"concurrency":                integer(defaults(0)),
		"releases_values":            textMap(),
	}), xid("path", "content", "environment", "selectors"), applied)
}

func release() *schema.Resource {
	return resource(helmfileCommon(fields{
		"namespace":       text(replaces, defaults("default")),
		"name":            text(replaces),
		"chart":           text(required),
		"verify":          boolean(defaults(false)),
		"wait":            boolean(defaults(true)),
		"force":           boolean(defaults(false)),
		"atomic":          boolean(defaults(true)),
		"cleanup_on_fail": boolean(defaults(true)),
		"timeout":         integer(defaults(0)),
		"kubecontext":     text(defaults("")),
	}), xid("namespace", "name", "chart"), applied)
}
