package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/norikae/norikae/internal/app"
	"github.com/norikae/norikae/internal/awssim"
)

const root = "../.."

// examples are the manifests that people copy: the files of examples/ and the YAML
// blocks of the pages, by where they stand.
func examples(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(filepath.Join(root, "examples"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "charts" || d.Name() == "node_modules") {
			return filepath.SkipDir // of Helm, and test/terraform runs them; of others
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		name := filepath.ToSlash(strings.TrimPrefix(path, root+"/"))
		switch {
		case strings.Contains(string(text), kindClusterSet): // see clusterSets
		case strings.HasPrefix(name, appMesh) && !strings.Contains(string(text), "norikae.dev/"): // see TestTheAppMeshExamplesHoldTogether
		default:
			out[name] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{"README.md", "docs/shifting.md", "docs/trafficshift.md"} {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range yamlBlocks(string(text)) {
			if !strings.Contains(block, kindClusterSet) { // see clusterSets
				out[fmt.Sprintf("%s, block %d", page, i+1)] = whole(block)
			}
		}
	}
	return out
}

func yamlBlocks(page string) []string {
	var out []string
	for _, part := range strings.Split(page, "```yaml\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		out = append(out, block)
	}
	return out
}

// whole makes a manifest of a block that shows only some fields of spec.
func whole(block string) string {
	if strings.HasPrefix(block, "apiVersion:") {
		return block
	}
	parts := map[string]string{
		"route":        "  route: {alb: {listenerARN: arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/0123456789abcdef/1123456789abcdef, rule: {priority: 10, hosts: [example.com]}}}\n",
		"destinations": "  destinations:\n  - {name: blue, targetGroupARN: \"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/0123456789abcdef\", weight: 0}\n  - {name: green, targetGroupARN: \"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/green/1123456789abcdef\", weight: 100}\n",
	}
	text := "apiVersion: norikae.dev/v1alpha1\nkind: TrafficShift\nmetadata: {name: web}\nspec:\n"
	for _, field := range []string{"route", "destinations"} {
		if !strings.HasPrefix(block, field+":") && !strings.Contains(block, "\n"+field+":") {
			text += parts[field]
		}
	}
	return text + "  " + strings.ReplaceAll(strings.TrimSpace(block), "\n", "\n  ") + "\n"
}

var (
	anyListener = regexp.MustCompile(`arn:[^\s",]*:listener/[^\s",]*`)
	anyGroup    = regexp.MustCompile(`arn:[^\s",]*:targetgroup/([\w-]+)/[^\s",]*`)
)

// labs of the worlds that examples are planned on.
func labs(t *testing.T) map[string]awssim.World {
	t.Helper()
	out := map[string]awssim.World{}
	for _, name := range []string{awssim.WorldBlueGreen, awssim.WorldNLB, awssim.WorldRoute53} {
		cfg := awssim.Fast()
		cfg.World = name
		lab, err := awssim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = lab.Close() })
		if err := lab.Start("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		out[name] = lab.World()
	}
	return out
}

// worldOf an example, by its route.
func worldOf(text string) string {
	switch {
	case strings.Contains(text, "nlb:"):
		return awssim.WorldNLB
	case strings.Contains(text, "route53:"):
		return awssim.WorldRoute53
	}
	return awssim.WorldBlueGreen
}

// sides are target groups of examples that are not of two clusters.
var sides = map[string]string{"mesh": "blue", "traefik": "green"}

// placed puts a world's names in the place of an example's.
func placed(text string, w awssim.World) string {
	text = anyListener.ReplaceAllLiteralString(text, w.ListenerARN)
	text = anyGroup.ReplaceAllStringFunc(text, func(s string) string {
		name, _, _ := strings.Cut(anyGroup.FindStringSubmatch(s)[1], "-")
		name = cmp.Or(sides[name], name)
		for _, g := range w.TargetGroups {
			if g.Name == name {
				return g.ARN
			}
		}
		return s
	})
	for _, d := range w.Destinations {
		text = strings.ReplaceAll(text, "eks-"+d.SetIdentifier, d.SetIdentifier)
		text = regexp.MustCompile(`arn:[^\s",]*:loadbalancer/app/`+d.SetIdentifier+`/[^\s",]*`).ReplaceAllLiteralString(text, d.LoadBalancerARN)
	}
	text = strings.ReplaceAll(text, "Z0123456789ABCDEFGHIJ", w.HostedZoneID)
	return strings.ReplaceAll(text, `, pathPatterns: ["/*"]`, "") // which the lab's rule does not have
}

// TestEveryExampleCanBePlanned plans each of them on a lab: it is decoded, validated and
// compiled, its route is read, and all of its queries are asked.
func TestEveryExampleCanBePlanned(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	worlds := labs(t)
	prometheus := newMetricServer(t, `{"status":"success","data":{"resultType":"scalar","result":[0,"0.5"]}}`)
	datadog := newMetricServer(t, `{"status":"ok","series":[]}`)
	all := examples(t)
	if len(all) < 16 {
		t.Errorf("only %d examples were found", len(all))
	}
	planned := map[string]int{}
	for name, text := range all {
		t.Run(name, func(t *testing.T) {
			w := worlds[worldOf(text)]
			planned[w.World]++
			text = placed(text, w)
			text = strings.ReplaceAll(text, "http://prometheus.monitoring.svc:9090", prometheus.URL)
			text = strings.ReplaceAll(text, "site: datadoghq.eu", "address: "+datadog.URL)
			env := map[string]string{"HOME": t.TempDir(), "DD_API_KEY": "api", "DD_APP_KEY": "app", "NORIKAE_CLOUDWATCH_PERIOD": "1s"}
			var out, errs strings.Builder
			code := app.Main(t.Context(), []string{"plan", "-f", "-"}, strings.NewReader(text), &out, &errs, app.Environment{
				Getenv: func(k string) string { return env[k] }, Endpoint: w.Endpoint,
				Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
			})
			if code != 0 || !strings.Contains(out.String(), "\npolicies ") {
				t.Errorf("exit code %d\n%s%s\n%s", code, out.String(), errs.String(), text)
			}
		})
	}
	for name := range worlds {
		if planned[name] < 2 {
			t.Errorf("%d examples of the world %s", planned[name], name)
		}
	}
	for name, s := range map[string]*metricServer{"Prometheus": prometheus, "Datadog": datadog} {
		asked := s.queries()
		if len(asked) == 0 {
			t.Errorf("no example asked %s", name)
		}
		for _, q := range asked {
			if strings.Contains(q, "{{") || !strings.Contains(q, "green") && !strings.Contains(q, "blue") {
				t.Errorf("%s was asked %q, which names neither side", name, q)
			}
		}
	}
}

// metricServer gives every query the same answer.
type metricServer struct {
	*httptest.Server

	mu    sync.Mutex
	asked []string
}

func newMetricServer(t *testing.T, answer string) *metricServer {
	s := &metricServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.FormValue("query"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *metricServer) queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}
