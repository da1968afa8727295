package helmfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/norikae/norikae/internal/helmfile"
)

// Terraform plans twice: to show it, and again when it applies, in another process, and
// refuses a second plan that differs from the first. But charts may make up values at each
// rendering, and other resources of the same apply change the cluster in between. So what
// was planned is kept, beside what else Terraform keeps of a working directory, until it
// is applied or asked anew by a refresh, at most for a while.

// lasts is how long a difference is kept that was neither applied nor refreshed.
const lasts = 10 * time.Minute

func memory(s helmfile.Spec) (string, error) {
	text, err := json.Marshal(specKey(s))
	if err != nil {
		return "", fmt.Errorf("naming a difference: %w", err)
	}
	dir, err := filepath.Abs(cmp.Or(os.Getenv("TF_DATA_DIR"), ".terraform"))
	if err != nil {
		return "", fmt.Errorf("finding the data directory: %w", err)
	}
	return filepath.Join(dir, "helmfile", fmt.Sprintf("diff-%x.json", sha256.Sum256(text))), nil
}

// remember is no promise: what is not kept is asked again.
func remember(s helmfile.Spec, d helmfile.Difference) {
	file, err := memory(s)
	if err != nil {
		return
	}
	text, err := json.Marshal(d)
	if err != nil || os.MkdirAll(filepath.Dir(file), 0o700) != nil {
		return
	}
	_ = os.WriteFile(file, text, 0o600)
}

func recall(s helmfile.Spec) (d helmfile.Difference, ok bool) {
	file, err := memory(s)
	if err != nil {
		return d, false
	}
	info, err := os.Stat(file)
	if err != nil || time.Since(info.ModTime()) > lasts {
		return d, false
	}
	text, err := os.ReadFile(file)
	return d, err == nil && json.Unmarshal(text, &d) == nil
}

func forget(s helmfile.Spec) {
	if file, err := memory(s); err == nil {
		_ = os.Remove(file)
	}
}

// specKey is a Spec without credentials, which differ each time, and with the text of the
// files that it names.
func specKey(s helmfile.Spec) any {
	var texts []string
	for _, file := range append([]string{s.Path}, s.ValuesFiles...) {
		for _, at := range []string{file, filepath.Join(s.WorkingDirectory, file)} {
			text, err := os.ReadFile(at)
			if err == nil {
				texts = append(texts, at, string(text))
			}
		}
	}
	return []any{
		s.Binary, s.HelmBinary, s.Plugins, s.WorkingDirectory, s.Path, s.Content, s.Release, s.ValuesFiles, s.Values, s.SensitiveValues, s.Set, s.Selectors,
		s.Environment, s.Kubeconfig, s.KubeContext, s.EnvironmentVariables, texts,
	}
}
