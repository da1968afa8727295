package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/registry"
)

// A Secret may hold passwords, keys and bearer tokens, and its annotations a copy of all
// of it (kubectl.kubernetes.io/last-applied-configuration). So only what is known to be
// harmless is shown, and everything else is called hidden.
const hidden = "(not shown)"

// lastApplied is where kubectl keeps a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// harmless fields of a config. Source: Argo CD, docs/operator-manual/declarative-setup.md.
var harmless = map[string]bool{
	"awsAuthConfig.clusterName":                 true,
	"awsAuthConfig.roleARN":                     true,
	"awsAuthConfig.profile":                     true,
	"tlsClientConfig.insecure":                  true,
	"tlsClientConfig.serverName":                true,
	"execProviderConfig.command":                true,
	"execProviderConfig.apiVersion":             true,
	"execProviderConfig.installHint":            true,
	"execProviderConfig.env.AWS_REGION":         true,
	"execProviderConfig.env.AWS_DEFAULT_REGION": true,
	"execProviderConfig.env.AWS_PROFILE":        true,
	"disableCompression":                        true,
}

// ownCommand is the command whose arguments hold no secret.
const ownCommand = "argocd-k8s-auth"

// fieldChange is one line or two of a diff. A text that is not there is nil.
type fieldChange struct {
	Field string  `json:"field"`
	From  *string `json:"from"`
	To    *string `json:"to"`
}

// fields of a Secret as they may be shown, by name, and as they are, to compare them.
func fields(r registry.Registration) (shown, raw map[string]string) {
	shown, raw = map[string]string{}, map[string]string{}
	put := func(name, value, as string) {
		if value != "" {
			raw[name], shown[name] = value, clean(as)
		}
	}
	put("name", r.ClusterName, r.ClusterName)
	put("server", r.Server, shownURL(r.Server))
	put("project", r.Project, r.Project)
	put("shard", r.Shard, r.Shard)
	put("namespaces", r.Namespaces, r.Namespaces)
	for k, v := range configFields(r.Config) {
		put("config."+k, v, shownConfig(k, v, r.Config))
	}
	for k, v := range r.Labels {
		raw[label+k], shown[label+k] = v, clean(v)
	}
	for k, v := range r.Annotations {
		raw[annotation+k], shown[annotation+k] = v, clean(v)
		if k == lastApplied {
			shown[annotation+k] = hidden
		}
	}
	return shown, raw
}

// configFields are the leaves of a config: a.b → text. What is no JSON is one leaf.
func configFields(config string) map[string]string {
	out := map[string]string{}
	if config == "" {
		return out
	}
	var tree map[string]any
	if json.Unmarshal([]byte(config), &tree) != nil {
		out["text"] = config
		return out
	}
	leaves(out, "", tree)
	return out
}

func leaves(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			at := k
			if path != "" {
				at = path + "." + k
			}
			leaves(out, at, child)
		}
	case string:
		if v == "" {
			v = `""` // an empty role is not the same as none
		}
		out[path] = v
	case nil:
	default:
		text, err := json.Marshal(v)
		if err != nil { // it came out of JSON
			text = []byte(hidden)
		}
		out[path] = string(text)
	}
}

// shownConfig is a field of a config as people may see it.
func shownConfig(field, value, config string) string {
	switch {
	case harmless[field]:
		return value
	case field == "tlsClientConfig.caData", field == "tlsClientConfig.certData":
		return fingerprint(value)
	case field == "execProviderConfig.args" && configFields(config)["execProviderConfig.command"] == ownCommand:
		return value
	}
	return hidden
}

// fingerprint of a certificate, as openssl x509 -fingerprint -sha256 begins; of anything
// else, of its text.
func fingerprint(b64 string) string {
	data := []byte(b64)
	if text, err := base64.StdEncoding.DecodeString(b64); err == nil {
		data = text
		if block, _ := pem.Decode(text); block != nil {
			data = block.Bytes
		}
	}
	sum := sha256.Sum256(data)
	return fmt.Sprintf("sha256:%X…", sum[:8])
}

// shownURL hides a password in an address.
func shownURL(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.User == nil {
		return clean(server)
	}
	return clean(u.Redacted())
}

// changes that an action makes to its Secret, by field.
func changes(a registry.Action) []fieldChange {
	var out []fieldChange
	switch a.Do {
	case registry.Create:
		out = between(registry.Registration{}, a.Want, registry.Keys{})
	case registry.Update, registry.Adopt, registry.Replace:
		out = between(a.Entry.Registration, a.Want, a.Entry.Applied)
		if a.Do == registry.Adopt && a.Entry.Config == "" { // what others have there is not read
			out = append(out, fieldChange{Field: "config", From: new(hidden)})
		}
	case registry.Delete:
		out = between(registry.Registration{ClusterName: a.Entry.ClusterName, Server: a.Entry.Server}, registry.Registration{}, registry.Keys{})
	case registry.Mark:
	}
	slices.SortStableFunc(out, func(a, b fieldChange) int { return byField(a.Field, b.Field) })
	if a.Entry != nil && a.Do != "" && a.Do != registry.Delete {
		for _, n := range []struct {
			name     string
			from, to time.Time
		}{
			{"missing since", a.Entry.MissingSince, a.MissingSince},
			{"unselected since", a.Entry.UnselectedSince, a.UnselectedSince},
			{"yielded at", a.Entry.YieldedAt, a.YieldedAt},
		} {
			if !n.from.Equal(n.to) {
				out = append(out, fieldChange{n.name, stampOrNil(n.from), stampOrNil(n.to)})
			}
		}
	}
	return out
}

// between lists what differs. Labels and annotations that the new one does not name go only
// if they are ours.
func between(from, to registry.Registration, ours registry.Keys) []fieldChange {
	oldShown, oldRaw := fields(from)
	newShown, newRaw := fields(to)
	names := maps.Clone(oldRaw)
	maps.Copy(names, newRaw)
	var out []fieldChange
	for _, name := range slices.SortedFunc(maps.Keys(names), byField) {
		was, had := oldRaw[name]
		will, has := newRaw[name]
		if had == has && was == will || had && !has && othersKey(name, ours) {
			continue
		}
		c := fieldChange{Field: clean(name)}
		if had {
			c.From = new(oldShown[name])
			if strings.HasPrefix(name, annotation) && othersKey(name, ours) {
				c.From = new(hidden) // nobody knows what others put there
			}
		}
		if has {
			c.To = new(newShown[name])
		}
		out = append(out, c)
	}
	return out
}

// Prefixes of the names of fields.
const (
	label      = "label "
	annotation = "annotation "
)

// othersKey tells whether a label or annotation was not set by us.
func othersKey(name string, ours registry.Keys) bool {
	if k, ok := strings.CutPrefix(name, label); ok {
		return !slices.Contains(ours.Labels, k)
	}
	k, ok := strings.CutPrefix(name, annotation)
	return ok && !slices.Contains(ours.Annotations, k)
}

// byField sorts what Argo CD reads before labels before annotations.
func byField(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) }

func rank(name string) int {
	switch {
	case name == "name":
		return 0
	case name == "server":
		return 1
	case strings.HasPrefix(name, label):
		return 3
	case strings.HasPrefix(name, annotation):
		return 4
	}
	return 2
}

func stampOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(stamp(t))
}
