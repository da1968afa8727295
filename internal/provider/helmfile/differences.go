package helmfile

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/norikae/norikae/internal/helmfile"
)

// Terraform plans twice: to show it, and again when it applies, in another process, perhaps
// on another machine, and refuses a second plan that differs from the first. But charts may
// make up values at each rendering, and other resources of the same apply change the
// cluster in between. So diff_output is planned as unknown, and what a plan shows is a
// warning: nothing that is shown can make an apply fail.

// tell what an apply would change. Terraform folds warnings with the same title into one.
func tell(s helmfile.Spec, d helmfile.Difference, diags *diag.Diagnostics) {
	text := "It shows no change."
	if d.Output != "" {
		// Terraform wraps lines that begin with another character.
		text = "  " + strings.ReplaceAll(strings.TrimSpace(d.Output), "\n", "\n  ")
	}
	diags.AddWarning("helmfile diff of "+title(s), text)
}

// title of a Spec: no two resources that differ in what they install share one.
func title(s helmfile.Spec) string {
	var words []string
	switch {
	case s.Release != nil:
		words = append(words, fmt.Sprintf("release %s in namespace %s", s.Release.Name, s.Release.Namespace))
	case s.Content != "":
		words = append(words, fmt.Sprintf("content (SHA-256 %.6x)", sha256.Sum256([]byte(s.Content))))
	case s.Path != "":
		words = append(words, s.Path)
	default:
		words = append(words, "the working directory's helmfile")
	}
	for _, w := range [][2]string{
		{"environment", s.Environment},
		{"selectors", strings.Join(s.Selectors, " ")},
		{"working directory", s.WorkingDirectory},
		{"kubeconfig", s.Kubeconfig},
		{"context", s.KubeContext},
	} {
		if w[1] != "" {
			words = append(words, w[0]+" "+w[1])
		}
	}
	if len(s.ValuesFiles)+len(s.Values)+len(s.Set) > 0 { // not the sensitive ones, nor a sum of them
		text, _ := json.Marshal([]any{s.ValuesFiles, s.Values, s.Set}) // strings can be marshalled
		words = append(words, fmt.Sprintf("values (SHA-256 %.6x)", sha256.Sum256(text)))
	}
	return strings.Join(words, ", ")
}

// differences that this process has asked for. It lives as long as one walk of Terraform's,
// in which a refresh and its plan, or the last plan and its apply, ask for the same.
type differences struct {
	mu    sync.Mutex
	known map[string]helmfile.Difference
}

func (d *differences) remember(s helmfile.Spec, is helmfile.Difference) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]helmfile.Difference{}
	}
	d.known[key(s)] = is
}

func (d *differences) recall(s helmfile.Spec) (is helmfile.Difference, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	is, ok = d.known[key(s)]
	return is, ok
}

func (d *differences) forget(s helmfile.Spec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, key(s))
}

// key is a Spec without credentials, which differ each time. It has the sensitive values:
// with others the difference is another one. It is nowhere but in memory.
func key(s helmfile.Spec) string {
	text, err := json.Marshal([]any{
		s.Binary, s.HelmBinary, s.Plugins, s.WorkingDirectory, s.Path, s.Content, s.Release, s.ValuesFiles, s.Values, s.SensitiveValues, s.Set, s.Selectors,
		s.Environment, s.Kubeconfig, s.KubeContext, s.EnvironmentVariables,
	})
	if err != nil { // strings can be marshalled
		return err.Error()
	}
	return string(text)
}
