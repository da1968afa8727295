package helmfile

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const masked = "(sensitive value)"

// shortest secret that is masked, in bytes: shorter ones are everywhere in any output.
const shortest = 3

// secretName is what an environment variable is called whose value nobody should see.
var secretName = regexp.MustCompile(`(?i)passw|secret|token|credential|private|api_?key|access_key`)

// scrubber takes secrets out of text.
type scrubber struct{ replacer *strings.Replacer }

// Secrets are the words of a Spec that must not be shown.
func (s Spec) Secrets() ([]string, error) {
	secrets, err := scalars(s.SensitiveValues)
	if err != nil {
		return nil, fmt.Errorf("sensitive_values: %w", err)
	}
	for _, variables := range []map[string]string{s.Credentials, s.EnvironmentVariables} {
		for name, value := range variables {
			if secretName.MatchString(name) {
				secrets = append(secrets, value)
			}
		}
	}
	return secrets, nil
}

func newScrubber(secrets []string) *scrubber {
	var words []string
	for _, s := range secrets {
		words = append(words, strings.Split(s, "\n")...) // output comes by lines
		words = append(words, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	// The longest first: one may be a part of another.
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, w := range slices.Compact(words) {
		if w = strings.TrimSpace(w); len(w) >= shortest {
			pairs = append(pairs, w, masked)
		}
	}
	return &scrubber{replacer: strings.NewReplacer(pairs...)}
}

func (s *scrubber) clean(text string) string { return s.replacer.Replace(text) }

// scalars of documents in YAML or JSON.
func scalars(documents []string) ([]string, error) {
	var out []string
	for i, d := range documents {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(d), &n); err != nil {
			// What the parser says may quote the document.
			return nil, fmt.Errorf("document %d is neither YAML nor JSON", i)
		}
		out = append(out, leaves(&n)...)
	}
	return out, nil
}

func leaves(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		if n.Tag == "!!null" || n.Tag == "!!bool" {
			return nil
		}
		return []string{n.Value}
	}
	var out []string
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			continue // a key
		}
		out = append(out, leaves(child)...)
	}
	return out
}
