package eksctl

import (
	"maps"
	"slices"
	"strings"
)

// kept are the variables that eksctl may see, besides AWS's and its own; a name that
// ends with * stands for all that begin so.
var kept = []string{
	"PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_*", "TZ", "XDG_*", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"EKSCTL_*", "AWS_*", "SYSTEMROOT", "USERPROFILE",
}

// credentials are the variables that say who is calling; another who replaces them all.
var credentials = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}

// Environment is what of a process's environment eksctl may see, with the variables of
// set over it. Where set says who is calling, nothing else says so.
func Environment(environ []string, set map[string]string) []string {
	who := slices.ContainsFunc(credentials, func(name string) bool { return set[name] != "" })
	out := map[string]string{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(kept, func(p string) bool { return matches(p, name) }) || (who && slices.Contains(credentials, name)) {
			continue
		}
		out[name] = value
	}
	maps.Copy(out, set)
	env := make([]string, 0, len(out))
	for _, name := range slices.Sorted(maps.Keys(out)) {
		env = append(env, name+"="+out[name])
	}
	return env
}

func matches(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
