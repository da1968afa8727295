package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/yaml"
)

const (
	appMesh    = "examples/app-mesh/"
	gatewayAPI = appMesh + "gateway-api/"
	appMeshDoc = "docs/app-mesh.md"
)

// object of a manifest.
type object struct {
	file string
	data map[string]any
}

func (o object) kind() string { return str(o.data, "kind") }
func (o object) name() string { return str(o.data, "metadata.name") }
func (o object) String() string {
	return fmt.Sprintf("%s: %s %s", o.file, o.kind(), o.name())
}

// namespaceOf a reference in the object: its own, where the reference has none.
func (o object) namespaceOf(ref any) string {
	if ns := str(ref, "namespace"); ns != "" {
		return ns
	}
	return str(o.data, "metadata.namespace")
}

// values at a path; "x[]" is every element of the list x.
func values(v any, path string) []any {
	if path == "" {
		return []any{v}
	}
	key, rest, _ := strings.Cut(path, ".")
	key, list := strings.CutSuffix(key, "[]")
	m, _ := v.(map[string]any)
	next, ok := m[key]
	switch {
	case !ok:
		return nil
	case !list:
		return values(next, rest)
	}
	var out []any
	elements, _ := next.([]any)
	for _, e := range elements {
		out = append(out, values(e, rest)...)
	}
	return out
}

// str is the text at a path; "" where there is none.
func str(v any, path string) string {
	for _, s := range values(v, path) {
		if s, ok := s.(string); ok {
			return s
		}
	}
	return ""
}

// decode the documents of a file. A key that stands twice is an error.
func decode(content string) ([]map[string]any, error) {
	var out []map[string]any
	for document := range strings.SplitSeq("\n"+content, "\n---") {
		var m map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &m); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// references by name: those at the path in objects of the kind lead to an object of the
// other kind in the same folder.
var references = []struct{ kind, path, to string }{
	{"Canary", "spec.targetRef", "Deployment"},
	{"Canary", "spec.service.gatewayRefs[]", "Gateway"},
	{"Canary", "spec.analysis.metrics[].templateRef", "MetricTemplate"},
	{"HTTPRoute", "spec.parentRefs[]", "Gateway"},
	{"GatewayRoute", "spec.httpRoute.action.target.virtualService.virtualServiceRef", "VirtualService"},
	{"VirtualService", "spec.provider.virtualRouter.virtualRouterRef", "VirtualRouter"},
	{"VirtualRouter", "spec.routes[].httpRoute.action.weightedTargets[].virtualNodeRef", "VirtualNode"},
}

// flaggerMetrics need no MetricTemplate.
var flaggerMetrics = []string{"request-success-rate", "request-duration"}

// checkAppMesh lists what does not hold together in files, by their path: what is no
// object, and what leads nowhere within its folder.
func checkAppMesh(files map[string]string) []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	folders := map[string][]object{}
	for file, content := range files {
		documents, err := decode(content)
		switch {
		case err != nil:
			say("%s: %v", file, err)
		case path.Base(file) == "helmfile.yaml":
			checkHelmfile(say, file, documents)
			continue
		}
		for i, d := range documents {
			o := object{file, d}
			if str(d, "apiVersion") == "" || o.kind() == "" || o.name() == "" {
				say("%s: document %d has no apiVersion, no kind or no name", file, i+1)
			}
			folders[path.Dir(file)] = append(folders[path.Dir(file)], o)
		}
	}
	for _, objects := range folders {
		seen := map[string]string{} // kind, namespace, name → file
		for _, o := range objects {
			key := strings.Join([]string{o.kind(), o.namespaceOf(nil), o.name()}, " ")
			if seen[key] != "" {
				say("%s: is in %s, too", o, seen[key])
			}
			seen[key] = o.file
		}
		for _, r := range references {
			for _, o := range objects {
				if o.kind() != r.kind {
					continue
				}
				for _, ref := range values(o.data, r.path) {
					key := strings.Join([]string{r.to, o.namespaceOf(ref), str(ref, "name")}, " ")
					if seen[key] == "" {
						say("%s: %s leads to no %s", o, r.path, key)
					}
				}
			}
		}
		for _, o := range objects {
			checkObject(say, o, objects)
		}
	}
	slices.Sort(problems)
	return problems
}

// checkObject looks at what is no reference by name.
func checkObject(say func(string, ...any), o object, objects []object) {
	find := func(kind, name string) (object, bool) {
		i := slices.IndexFunc(objects, func(p object) bool { return p.kind() == kind && (name == "" || p.name() == name) })
		if i < 0 {
			return object{}, false
		}
		return objects[i], true
	}
	labelled := func(kind, selector, labels string) {
		want, _ := values(o.data, selector)[0].(map[string]any)
		if !slices.ContainsFunc(objects, func(p object) bool {
			have, _ := append(values(p.data, labels), nil)[0].(map[string]any)
			return p.kind() == kind && len(want) > 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(k string) bool { return want[k] != have[k] })
		}) {
			say("%s: %s %v selects no %s", o, selector, want, kind)
		}
	}
	switch o.kind() {
	case "Mesh":
		labelled("Namespace", "spec.namespaceSelector.matchLabels", "metadata.labels")
	case "VirtualGateway":
		labelled("Deployment", "spec.podSelector.matchLabels", "spec.template.metadata.labels")
	case "Gateway":
		if _, ok := find("GatewayClass", str(o.data, "spec.gatewayClassName")); !ok {
			say("%s: its class is not there", o)
		}
	case "Canary":
		provider := "appmesh:v1beta2"
		if len(values(o.data, "spec.service.gatewayRefs[]")) > 0 {
			provider = "gatewayapi:v1"
		}
		if got := str(o.data, "spec.provider"); got != provider {
			say("%s: provider %s, want %s", o, got, provider)
		}
		for _, m := range values(o.data, "spec.analysis.metrics[]") {
			if builtin := slices.Contains(flaggerMetrics, str(m, "name")); builtin != (str(m, "templateRef.name") == "") || builtin != (provider == "appmesh:v1beta2") {
				say("%s: metric %s is not what %s needs", o, str(m, "name"), provider)
			}
		}
	case "HTTPRoute", "VirtualRouter":
		canary, ok := find("Canary", "")
		if !ok {
			say("%s: no Canary to be made of", o)
			return
		}
		sum := 0
		for _, b := range append(values(o.data, "spec.rules[].backendRefs[]"), values(o.data, "spec.routes[].httpRoute.action.weightedTargets[]")...) {
			weights := values(b, "weight")
			if len(weights) == 1 {
				w, _ := weights[0].(float64)
				sum += int(w)
			}
			if o.kind() == "VirtualRouter" {
				continue // its targets are references
			}
			if got := str(b, "name"); got != canary.name()+"-primary" && got != canary.name()+"-canary" {
				say("%s: Flagger makes no Service %s", o, got)
			}
			if got, want := values(b, "port"), values(canary.data, "spec.service.port"); fmt.Sprint(got) != fmt.Sprint(want) {
				say("%s: port %v, the Canary has %v", o, got, want)
			}
		}
		if sum != 100 {
			say("%s: weights that sum to %d", o, sum)
		}
	case "MetricTemplate":
		checkQuery(say, o)
	}
}

// Names of the Service podinfo-canary's backend in Traefik's metrics, before and after they
// changed, and of backends that a release must not be judged by.
var (
	canaryBackends = []string{"test-podinfo-canary-http-9898@kubernetesgateway", "httproute-test-podinfo-gw-traefik-traefik-ep-web-0-276b9ed22b3d7bdf14d6-svc-test-podinfo-canary-1@kubernetesgateway"}
	otherBackends  = []string{
		"test-podinfo-primary-http-9898@kubernetesgateway", "httproute-test-podinfo-gw-traefik-traefik-ep-web-0-276b9ed22b3d7bdf14d6-svc-test-podinfo-primary-0@kubernetesgateway",
		"test-other-podinfo-canary-http-9898@kubernetesgateway", "httproute-test-podinfo-gw-traefik-traefik-ep-web-0-276b9ed22b3d7bdf14d6-wrr@kubernetesgateway",
	}
	serviceLabel = regexp.MustCompile(`service=~"([^"]*)"`)
)

// checkQuery renders a query as Flagger does, and asks whether it is one of the canary.
func checkQuery(say func(string, ...any), o object) {
	var query strings.Builder
	value := func(s string) func() string { return func() string { return s } }
	t, err := template.New("").Funcs(template.FuncMap{"namespace": value("test"), "target": value("podinfo"), "interval": value("1m")}).Parse(str(o.data, "spec.query"))
	if err == nil {
		err = t.Execute(&query, nil)
	}
	if err != nil {
		say("%s: %v", o, err)
		return
	}
	labels := serviceLabel.FindAllStringSubmatch(query.String(), -1)
	if len(labels) == 0 {
		say("%s: asks for no service", o)
	}
	for _, l := range labels {
		re, err := regexp.Compile("^(?:" + l[1] + ")$") // as Prometheus anchors it
		if err != nil {
			say("%s: %v", o, err)
			continue
		}
		for _, b := range canaryBackends {
			if !re.MatchString(b) {
				say("%s: does not ask for %s", o, b)
			}
		}
		for _, b := range otherBackends {
			if re.MatchString(b) {
				say("%s: asks for %s, too", o, b)
			}
		}
	}
}

// checkHelmfile asks whether each release's chart is of a repository of the file.
func checkHelmfile(say func(string, ...any), file string, documents []map[string]any) {
	var repositories []string
	for _, r := range values(documents[0], "repositories[]") {
		repositories = append(repositories, str(r, "name"))
	}
	releases := values(documents[0], "releases[]")
	if len(releases) == 0 || len(documents) > 1 {
		say("%s: %d releases in %d documents", file, len(releases), len(documents))
	}
	for _, r := range releases {
		if repository, chart, _ := strings.Cut(str(r, "chart"), "/"); str(r, "name") == "" || str(r, "namespace") == "" || chart == "" || !slices.Contains(repositories, repository) {
			say("%s: release %s: no name, no namespace, or a chart of no repository: %s", file, str(r, "name"), str(r, "chart"))
		}
	}
}

// repositoryPath is what looks like a path of this repository in a page, outside of webAddress.
var (
	webAddress     = regexp.MustCompile(`https?://\S+`)
	repositoryPath = regexp.MustCompile(`(?:\.\./)*\b(?:api|charts|cmd|config|design|docs|examples|internal|test|tools)/[\w./-]*\w`)
)

// checkAppMeshPage lists the paths of the page that are not there, and the files of the
// examples that it does not name.
func checkAppMeshPage(page string, files map[string]string, exists func(string) bool) []string {
	var problems []string
	for _, p := range repositoryPath.FindAllString(webAddress.ReplaceAllString(page, ""), -1) {
		if p = path.Clean(strings.TrimLeft(p, "./")); !exists(p) {
			problems = append(problems, "no such path: "+p)
		}
	}
	for file := range files {
		if !strings.Contains(page, "(../"+file+")") {
			problems = append(problems, "no link to "+file)
		}
	}
	slices.Sort(problems)
	return problems
}

// appMeshFiles are the files of the examples, by their path.
func appMeshFiles(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, appMesh), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		out[filepath.ToSlash(strings.TrimPrefix(p, root+"/"))] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheAppMeshExamplesHoldTogether(t *testing.T) {
	files := appMeshFiles(t)
	for _, p := range checkAppMesh(files) {
		t.Error(p)
	}
	// Each rule has something to look at.
	for _, r := range references {
		if !slices.ContainsFunc(slices.Collect(maps.Values(files)), func(content string) bool {
			documents, _ := decode(content)
			return slices.ContainsFunc(documents, func(d map[string]any) bool { return str(d, "kind") == r.kind && len(values(d, r.path)) > 0 })
		}) {
			t.Errorf("no %s has %s", r.kind, r.path)
		}
	}
}

func TestAppMeshChecksCatchViolations(t *testing.T) {
	files := appMeshFiles(t)
	for name, tc := range map[string]struct{ file, old, new, want string }{
		"no YAML":                                {appMesh + "mesh.yaml", "kind: Mesh", "kind: Mesh: x", "mesh.yaml: error converting YAML"},
		"a key twice":                            {appMesh + "mesh.yaml", "kind: Mesh", "kind: Mesh\nkind: Mesh", `key "kind" already set`},
		"no name":                                {appMesh + "mesh.yaml", "{name: global}", "{}", "no name"},
		"an empty document":                      {appMesh + "mesh.yaml", "\n---\n", "\n---\n---\n", "document 2 has no apiVersion"},
		"an object twice":                        {appMesh + "podinfo.yaml", "kind: Canary\nmetadata: {name: podinfo,", "kind: Deployment\nmetadata: {name: podinfo,", "is in"},
		"a mesh without a namespace":             {appMesh + "mesh.yaml", "sidecarInjectorWebhook: enabled\n---", "sidecarInjectorWebhook: disabled\n---", "selects no Namespace"},
		"a gateway without pods":                 {appMesh + "gateway.yaml", "labels: {app.kubernetes.io/name: gateway}", "labels: {app: gateway}", "selects no Deployment"},
		"a canary of nothing":                    {appMesh + "podinfo.yaml", "kind: Deployment, name: podinfo}", "kind: Deployment, name: podinfos}", "leads to no Deployment podinfo podinfos"},
		"a route to nothing":                     {appMesh + "gateway.yaml", "virtualServiceRef: {name: podinfo}", "virtualServiceRef: {name: web}", "leads to no VirtualService podinfo web"},
		"App Mesh's objects as they were before": {appMesh + "podinfo.yaml", "appmesh:v1beta2", "appmesh", "provider appmesh, want appmesh:v1beta2"},
		"a canary that stayed on App Mesh":       {gatewayAPI + "podinfo.yaml", "provider: gatewayapi:v1", "provider: appmesh:v1beta2", "want gatewayapi:v1"},
		"a canary of another gateway":            {gatewayAPI + "podinfo.yaml", "name: traefik, namespace: traefik}", "name: traefik, namespace: podinfo}", "leads to no Gateway podinfo traefik"},
		"a metric of the Envoys":                 {gatewayAPI + "podinfo.yaml", "name: success-rate #", "name: request-success-rate #", "is not what gatewayapi:v1 needs"},
		"a metric that is not there":             {gatewayAPI + "podinfo.yaml", "templateRef: {name: latency}", "templateRef: {name: latencies}", "leads to no MetricTemplate podinfo latencies"},
		"a metric in another namespace":          {gatewayAPI + "metrics.yaml", "{name: latency, namespace: podinfo}", "{name: latency, namespace: flagger}", "leads to no MetricTemplate podinfo latency"},
		"a route of another gateway":             {gatewayAPI + "made-by-flagger.yaml", "name: traefik, namespace: traefik}", "name: gateway, namespace: traefik}", "leads to no Gateway traefik gateway"},
		"a gateway of another class":             {gatewayAPI + "gateway.yaml", "gatewayClassName: traefik", "gatewayClassName: nginx", "its class is not there"},
		"a backend that Flagger does not make":   {gatewayAPI + "made-by-flagger.yaml", "name: podinfo-primary", "name: podinfo", "Flagger makes no Service podinfo"},
		"a backend on another port":              {gatewayAPI + "made-by-flagger.yaml", "name: podinfo-primary, port: 9898", "name: podinfo-primary, port: 80", "port [80], the Canary has [9898]"},
		"weights that are no percents":           {gatewayAPI + "made-by-flagger.yaml", "weight: 100", "weight: 1", "sum to 1"},
		"a query of the primary":                 {gatewayAPI + "metrics.yaml", "1000 * histogram_quantile(0.99, sum by (le) (\n      rate(traefik_service_request_duration_seconds_bucket{service=~\"(.+-svc-)?{{ namespace }}-{{ target }}-canary", "1000 * histogram_quantile(0.99, sum by (le) (\n      rate(traefik_service_request_duration_seconds_bucket{service=~\"(.+-svc-)?{{ namespace }}-{{ target }}-[a-z]+", "asks for"},
		"a query with an unknown word":           {gatewayAPI + "metrics.yaml", "{{ interval }}]))\n    )\n---", "{{ period }}]))\n    )\n---", `function "period" not defined`},
		"a chart of no repository":               {gatewayAPI + "helmfile.yaml", "chart: traefik/traefik", "chart: traefiks/traefik", "a chart of no repository"},
	} {
		t.Run(name, func(t *testing.T) {
			planted := maps.Clone(files)
			planted[tc.file] = strings.Replace(files[tc.file], tc.old, tc.new, 1)
			if planted[tc.file] == files[tc.file] {
				t.Fatalf("%s has no %q", tc.file, tc.old)
			}
			got := checkAppMesh(planted)
			if !slices.ContainsFunc(got, func(p string) bool { return strings.Contains(p, tc.want) }) {
				t.Errorf("got %q, want one that says %q", got, tc.want)
			}
		})
	}
}

func TestTheAppMeshPageNamesWhatIsThere(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, appMeshDoc))
	if err != nil {
		t.Fatal(err)
	}
	files := appMeshFiles(t)
	exists := func(p string) bool {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(p)))
		return err == nil
	}
	for _, p := range checkAppMeshPage(string(page), files, exists) {
		t.Errorf("%s: %s", appMeshDoc, p)
	}
	planted := strings.Replace(string(page), "kubectl apply -f examples/app-mesh/gateway-api/gateway.yaml", "kubectl apply -f examples/app-mesh/gateways.yaml", 1)
	planted = strings.ReplaceAll(planted, "(../examples/app-mesh/mesh.yaml)", "(../examples/app-mesh)")
	want := []string{"no link to examples/app-mesh/mesh.yaml", "no such path: examples/app-mesh/gateways.yaml"}
	if got := checkAppMeshPage(planted, files, exists); !slices.Equal(got, want) {
		t.Errorf("planted: got %q, want %q", got, want)
	}
}
