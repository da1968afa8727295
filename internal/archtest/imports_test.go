package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A rule says what the packages below a path may import; the standard library is free
// but for what purity_test.go says. Paths that end in /... hold for everything below.
type rule struct {
	pkg     string
	ours    []string // packages of this module, from its root
	modules []string // prefixes of other modules' packages
	why     string   // completes the sentence "PKG may not import X: …"
}

// Groups of packages that the rules speak of, from the bottom up.
var (
	pure = []string{"internal/traffic", "internal/shift", "internal/analysis", "internal/registry"}
	core = slices.Concat(pure, []string{"internal/engine", "internal/fault"})
	// shared is what every adapter may use.
	shared = slices.Concat(core, []string{"internal/arn", "internal/awsconf"})
	all    = []string{"api/...", "internal/..."}

	// kubernetes is what the controller, its adapter and their tests use.
	kubernetes = []string{"k8s.io", "sigs.k8s.io", "github.com/go-logr/logr", "github.com/prometheus/client_golang", "github.com/prometheus/client_model"}

	// terraform is what providers are made of.
	terraform = []string{"github.com/hashicorp/terraform-plugin-framework", "github.com/hashicorp/terraform-plugin-framework-timeouts", "github.com/hashicorp/terraform-plugin-framework-validators", "github.com/hashicorp/terraform-plugin-go", "github.com/hashicorp/terraform-plugin-log"}

	aws       = []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"}
	testTools = []string{"pgregory.net/rapid", "github.com/google/go-cmp", "github.com/miekg/dns"} // the last asks the lab's name server
)

// rules in the order of dependency: a package may import what stands above it. The
// first that fits a package holds.
var rules = []rule{
	{"internal/traffic", nil, nil, "it holds the nouns and is pure"},
	{"internal/fault", nil, nil, "it holds the classes of errors that everybody may know"},
	{"internal/arn", []string{"internal/fault"}, nil, "it reads text"},
	{"internal/analysis", []string{"internal/traffic"}, nil, "it is pure and judges numbers that others fetched"},
	{"internal/shift", []string{"internal/traffic", "internal/analysis"}, nil, "it is pure and decides"},
	{"internal/registry", nil, nil, "it is pure and decides about clusters"},
	{"internal/registrar", []string{"internal/registry", "internal/fault"}, nil, "it owns the ports; adapters come to it as values"},
	{"internal/engine", core, nil, "it owns the ports; adapters come to it as values"},

	{"internal/awsconf", shared, slices.Concat(aws, []string{"golang.org/x/time"}), "it makes the AWS configuration for the adapters"},
	{"internal/discover", slices.Concat(shared, []string{"internal/registrar"}), aws, "an adapter knows the core and its own SDK, never another adapter"},
	{"internal/carries", slices.Concat(shared, []string{"internal/registrar"}), aws, "an adapter knows the core and its own SDK, never another adapter"},
	{"internal/events", slices.Concat(shared, []string{"internal/registrar"}), aws, "an adapter knows the core and its own SDK, never another adapter"},
	{"internal/probe", slices.Concat(core, []string{"internal/registrar"}), nil, "it reaches for an API server as anybody could"},
	{
		"internal/register/...", slices.Concat(core, []string{"internal/registrar"}), kubernetes,
		"an adapter knows the core and its own API, never another adapter",
	},
	{"internal/router/marktext", core, nil, "it turns marks into text and back, for every router"},
	{"internal/router/...", slices.Concat(shared, []string{"internal/router/marktext"}), aws, "an adapter knows the core and its own SDK, never another adapter"},
	{"internal/metric", shared, nil, "it is what the metric sources share; each SDK has an adapter of its own"},
	{"internal/metric/cloudwatch", slices.Concat(shared, []string{"internal/metric"}), aws, "an adapter knows the core and its own SDK, never another adapter"},
	{"internal/metric/...", slices.Concat(shared, []string{"internal/metric"}), nil, "an adapter knows the core and its own source, never another adapter"},
	{"internal/store/...", core, []string{"github.com/gofrs/flock"}, "an adapter knows the core, never another adapter"},

	{"api/...", []string{"api/..."}, []string{"k8s.io/apimachinery"}, "the kinds are data, for everybody"},
	{
		"internal/manifest", slices.Concat(core, []string{"api/...", "internal/arn"}),
		[]string{"sigs.k8s.io/yaml", "go.yaml.in/yaml", "k8s.io/apimachinery"},
		"it turns text into what is declared and calls nothing",
	},
	{
		"internal/migrate", slices.Concat(core, []string{"api/..."}),
		[]string{"go.yaml.in/yaml", "k8s.io/apimachinery"},
		"it turns other tools' text into ours and calls nothing",
	},
	{
		"internal/controller", slices.Concat(core, []string{"api/...", "internal/registrar"}), kubernetes,
		"it talks to ports; internal/app gives it the adapters",
	},
	{
		"internal/cli", slices.Concat(core, []string{"api/...", "internal/manifest", "internal/registrar", "internal/migrate"}),
		[]string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/term", "sigs.k8s.io/yaml"},
		"the command line talks to ports; internal/app gives it the adapters",
	},

	{"internal/provider/connection", nil, terraform, "it is data, and how Terraform says it"},
	{
		"internal/provider/courier", slices.Concat(core, []string{"api/...", "internal/arn", "internal/manifest", "internal/provider/connection"}), terraform,
		"it talks to ports; internal/app/terraform gives it the adapters",
	},
	{"internal/release", []string{"internal/fault"}, []string{"github.com/gofrs/flock"}, "it fetches other people's releases and knows nothing of ours"},
	{"internal/kubeconfig", []string{"internal/fault"}, []string{"sigs.k8s.io/yaml", "k8s.io", "github.com/gofrs/flock"}, "an adapter knows the core, never another adapter"},
	{"internal/workload", []string{"internal/fault"}, kubernetes, "an adapter knows the core, never another adapter"},
	{"internal/eksctl", []string{"internal/fault"}, []string{"go.yaml.in/yaml", "sigs.k8s.io/yaml"}, "an adapter knows the core, never another adapter"},
	{"internal/helmfile", []string{"internal/fault"}, []string{"go.yaml.in/yaml", "sigs.k8s.io/yaml"}, "an adapter knows the core, never another adapter"},
	{"internal/ekstoken", []string{"internal/fault"}, aws, "an adapter knows the core, never another adapter"},
	{
		"internal/provider/...",
		[]string{"internal/fault", "internal/arn", "internal/provider/...", "internal/eksctl", "internal/helmfile"},
		slices.Concat(terraform, kubernetes, []string{"go.yaml.in/yaml", "sigs.k8s.io/yaml"}),
		"it talks to ports; internal/app/terraform gives it the adapters",
	},

	{
		"internal/eksapi",
		[]string{"internal/fault", "internal/arn", "internal/awsconf", "internal/provider/connection", "internal/provider/eksctl"},
		aws,
		"an adapter knows its port and its SDK",
	},

	{
		"internal/awssim/...",
		[]string{"internal/awssim/..."},
		[]string{"github.com/fxamacker/cbor", "github.com/coder/websocket", "github.com/gofrs/flock", "github.com/miekg/dns", "go.yaml.in/yaml", "golang.org/x/time"},
		"an oracle must not share our bugs: the simulator knows nothing of the product, nor AWS's own client code",
	},

	{"internal/load", nil, nil, "it counts from outside and knows nobody that serves"},
	{
		"internal/labcli",
		[]string{"internal/awssim/...", "internal/load"},
		[]string{"github.com/spf13/cobra", "github.com/spf13/pflag"},
		"it is the command line of the simulator, which knows nothing of the product",
	},
	{
		"internal/demo", slices.Concat(core, []string{"api/...", "internal/manifest", "internal/awssim/...", "internal/labcli", "internal/load"}), nil,
		"it is a play on ports; internal/app gives it the product",
	},

	{
		"tools/clidoc",
		[]string{"internal/app"},
		[]string{"github.com/spf13/cobra", "github.com/spf13/pflag"},
		"it describes the commands as they are put together, and is no part of the product",
	},
	{"internal/bench", nil, nil, "it measures whole shifts, in its tests"},
	{"tools/labdoc", []string{"internal/awssim/..."}, nil, "it asks the simulator what it can do"},
	{"tools/...", nil, nil, "it reads the tree and is no part of the product"},
	{"internal/e2e/...", nil, nil, "it runs the program from outside"},
	{"internal/archtest", nil, nil, "it looks at the tree from outside"},
	{"internal/app/...", all, []string{""}, "it is the composition root"},
	{"cmd/...", []string{"internal/app/..."}, nil, "a command is a few lines that call internal/app"},
}

// ruleFor a package; ok is false when nobody thought of it.
func ruleFor(pkg string) (r rule, ok bool) {
	if forTestsOnly(pkg) && !within(pkg, "internal/awssim/...") {
		if within(pkg, "test/...") {
			return rule{pkg: pkg, ours: []string{moduleBelowTest(pkg) + "/..."}, modules: []string{""}, why: "it is a module of its own, and knows nothing of ours"}, true
		}
		return rule{pkg: pkg, ours: all, modules: slices.Concat(aws, kubernetes, testTools), why: "it supports tests"}, true
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return within(pkg, r.pkg) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// moduleBelowTest of a package: its first two folders.
func moduleBelowTest(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// forTestsOnly tells whether a package is named as one that only tests may use, such as
// internal/enginetest. Those may know all of us.
func forTestsOnly(pkg string) bool {
	return strings.HasSuffix(pkg, "test") && pkg != "internal/archtest" || within(pkg, "test/...")
}

// forTests widens a rule to what a package's tests may import besides.
func (r rule) forTests(pkg string) rule {
	r.modules = slices.Concat(r.modules, testTools)
	switch {
	case within(pkg, "test/..."): // is no less from outside
	case slices.Contains(pure, pkg) || pkg == "internal/fault":
		r.ours = core
	case within(pkg, "internal/awssim/..."):
		// The real SDK is what drives the simulator.
		r.modules = slices.Concat(r.modules, aws)
	default:
		r.ours = all
		r.modules = slices.Concat(r.modules, aws, kubernetes)
	}
	return r
}

// within tells whether pkg is pattern, or below it when it ends in /...
func within(pkg, pattern string) bool {
	dir, below := strings.CutSuffix(pattern, "/...")
	return pkg == dir || below && strings.HasPrefix(pkg, dir+"/")
}

// checkImports lists the imports that break a rule.
func checkImports(files []goFile) []string {
	var problems []string
	unknown := map[string]bool{}
	for _, f := range files {
		r, ok := ruleFor(f.dir())
		if !ok {
			if !unknown[f.dir()] {
				problems = append(problems, fmt.Sprintf("%s: no import rule for this package: add one to internal/archtest/imports_test.go, and the package to ARCHITECTURE.md", f.dir()))
			}
			unknown[f.dir()] = true
			continue
		}
		if f.isTest() || forTestsOnly(f.dir()) {
			r = r.forTests(f.dir())
		}
		for imported, line := range f.imports() {
			if !r.allows(f, imported) {
				problems = append(problems, fmt.Sprintf("%s:%d: %s may not import %s: %s", f.path, line, f.dir(), imported, r.why))
			}
		}
	}
	return problems
}

func (r rule) allows(f goFile, imported string) bool {
	host, _, _ := strings.Cut(imported, "/")
	ours, ok := strings.CutPrefix(imported, module+"/")
	switch {
	case ok && ours == f.dir():
		return f.isTest() // an external test of its own package
	case ok && forTestsOnly(ours) && !f.isTest() && !forTestsOnly(f.dir()):
		return false
	case ok:
		return slices.ContainsFunc(r.ours, func(p string) bool { return within(ours, p) })
	case !strings.Contains(host, "."):
		return true // the standard library
	}
	return slices.ContainsFunc(r.modules, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
}

func TestImportsPointDown(t *testing.T) {
	report(t, checkImports(goFiles(t)))
}

func TestImportRulesCatchViolations(t *testing.T) {
	for name, tc := range map[string]struct {
		path, imported string
		want           string // empty: allowed
	}{
		"traffic imports nothing of ours":               {"internal/traffic/x.go", module + "/internal/fault", "is pure"},
		"analysis may use traffic":                      {"internal/analysis/x.go", module + "/internal/traffic", ""},
		"shift may use analysis":                        {"internal/shift/x.go", module + "/internal/analysis", ""},
		"analysis may not use shift":                    {"internal/analysis/x.go", module + "/internal/shift", "is pure"},
		"a pure package takes no other module":          {"internal/shift/x.go", "github.com/google/go-cmp/cmp", "is pure"},
		"its tests may compare with go-cmp":             {"internal/shift/x_test.go", "github.com/google/go-cmp/cmp", ""},
		"its tests may not use other assertion modules": {"internal/shift/x_test.go", "github.com/stretchr/testify/require", "is pure"},
		"its tests may not reach for an adapter":        {"internal/shift/x_test.go", module + "/internal/store/memory", "is pure"},
		"the engine knows no adapter":                   {"internal/engine/x.go", module + "/internal/router/elbv2", "owns the ports"},
		"the engine's tests may use one":                {"internal/engine/x_test.go", module + "/internal/store/memory", ""},
		"a router uses its SDK":                         {"internal/router/elbv2/x.go", "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2", ""},
		"a router knows no metric source":               {"internal/router/elbv2/x.go", module + "/internal/metric/cloudwatch", "never another adapter"},
		"routers share the text of marks":               {"internal/router/elbv2/x.go", module + "/internal/router/marktext", ""},
		"a module of its own looks from outside":        {"test/terraform/x_test.go", module + "/internal/awssim", "knows nothing of ours"},
		"a module of its own has packages":              {"test/sdkv2/cmd/x/main.go", module + "/test/sdkv2/old", ""},
		"which knows no SDK":                            {"internal/router/marktext/x.go", "github.com/aws/aws-sdk-go-v2/aws", "marks into text"},
		"a router knows no other":                       {"internal/router/elbv2/x.go", module + "/internal/router/route53", "never another adapter"},
		"a metric source shares what all of them share": {"internal/metric/datadog/x.go", module + "/internal/metric", ""},
		"a metric source knows no other":                {"internal/metric/datadog/x.go", module + "/internal/metric/prometheus", "never another adapter"},
		"only the CloudWatch source uses AWS":           {"internal/metric/datadog/x.go", "github.com/aws/aws-sdk-go-v2/aws", "never another adapter"},
		"a store knows no configuration of AWS":         {"internal/store/file/x.go", module + "/internal/awsconf", "never another adapter"},
		"the manifest calls nothing":                    {"internal/manifest/x.go", module + "/internal/router/elbv2", "calls nothing"},
		"the command line uses no AWS SDK":              {"internal/cli/x.go", "github.com/aws/aws-sdk-go-v2/aws", "talks to ports"},
		"the command line wires no adapter":             {"internal/cli/x.go", module + "/internal/store/file", "talks to ports"},
		"the simulator knows nothing of the product":    {"internal/awssim/elbv2/x.go", module + "/internal/traffic", "oracle"},
		"nor do its tests":                              {"internal/awssim/elbv2/x_test.go", module + "/internal/router/elbv2", "oracle"},
		"nor AWS's own types":                           {"internal/awssim/elbv2/x.go", "github.com/aws/aws-sdk-go-v2/aws", "oracle"},
		"its tests drive it with the real SDK":          {"internal/awssim/elbv2/x_test.go", "github.com/aws/aws-sdk-go-v2/aws", ""},
		"its packages know each other":                  {"internal/awssim/elbv2/x.go", module + "/internal/awssim/model", ""},
		"the demo may start a lab":                      {"internal/demo/x.go", module + "/internal/awssim", ""},
		"the lab's command line knows no product":       {"internal/labcli/x.go", module + "/internal/engine", "knows nothing of the product"},
		"the demo wires no adapter":                     {"internal/demo/x.go", module + "/internal/router/elbv2", "play on ports"},
		"a load knows nobody that serves":               {"internal/load/x.go", module + "/internal/awssim", "counts from outside"},
		"the composition root knows everybody":          {"internal/app/x.go", module + "/internal/awssim", ""},
		"test support may know adapters and tools":      {"internal/enginetest/x.go", module + "/internal/store/memory", ""},
		"that of the simulator knows no product either": {"internal/awssim/labtest/x.go", module + "/internal/engine", "oracle"},
		"but nothing that is for tests":                 {"internal/app/x.go", module + "/internal/enginetest", "composition root"},
		"a command calls the composition root":          {"cmd/norikae/main.go", module + "/internal/app", ""},
		"and nobody else":                               {"cmd/norikae/main.go", module + "/internal/engine", "a few lines"},
		"the kinds import no client":                    {"api/v1alpha1/x.go", "k8s.io/client-go/kubernetes", "are data"},
		"a new package needs a rule":                    {"internal/surprise/x.go", "fmt", "no import rule"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, tc.path, fmt.Sprintf("package x\n\nimport _ %q\n", tc.imported))
			wantCaught(t, checkImports([]goFile{f}), tc.want)
		})
	}
}

// A rule that no import path can reach, because one above it takes them all, would be
// a lie.
func TestEveryRuleIsReachable(t *testing.T) {
	for i, r := range rules {
		pkg := strings.Replace(r.pkg, "/...", "/x", 1)
		if got := slices.IndexFunc(rules, func(o rule) bool { return within(pkg, o.pkg) }); got != i {
			t.Errorf("the rule for %s is hidden by the one for %s", r.pkg, rules[got].pkg)
		}
	}
}
