package metric

import (
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/analysis"
)

func factsForTests(t testing.TB) Facts {
	a, err := New(Config{
		ALB: &ALB{ARN: arns + "listener/app/web/0123456789abcdef/fedcba9876543210"}, Names: map[string]string{green: "new-cluster"},
		RouteARN: arns + "listener-rule/app/web/0123456789abcdef/fedcba9876543210/00000000000000aa",
	})
	if err != nil {
		t.Fatal(err)
	}
	m := errorsBelow(nil)
	return a.facts(request(0), analysis.NewSchedule(m.Timing, m.Interval, 0), m.Timing.Period)
}

func TestM09_QueriesCanNameBothSidesAsDimensionsWantIt(t *testing.T) {
	f := factsForTests(t)
	for text, want := range map[string]string{
		"{{.New.Suffix}}":                   "targetgroup/green/0123456789abcdef",
		"{{.Old.Suffix}}":                   "targetgroup/blue/0123456789abcdef",
		"{{.Old.ARN}}":                      blue,
		"{{.New.Name}} {{.Old.Name}}":       "new-cluster blue",
		"{{.New.Weight}}/{{.Old.Weight}}":   "10/90",
		"{{.LoadBalancer.Suffix}}":          "app/web/0123456789abcdef",
		"{{.LoadBalancer.ARN}}":             lbARN,
		"{{.Route.ARN}}":                    arns + "listener-rule/app/web/0123456789abcdef/fedcba9876543210/00000000000000aa",
		"{{.Region}} {{.Account}}":          "us-east-1 000000000000",
		"{{.Interval}} {{.Period}}":         "60 60",
		"{{range .Gaining}}{{.ARN}}{{end}}": green,
		"{{if gt .New.Weight 5}}big{{end}}": "big",
	} {
		q, err := parseQuery(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := q.render(f); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"nothing":                   {" \n", "is empty"},
		"an unknown field":          {"{{.Newer.ARN}}", "can't evaluate field Newer"},
		"an unknown function":       {"{{env `HOME`}}", `function "env" not defined`},
		"a function without bounds": {`{{printf "%1000000000d" 1}}`, "function printf is not possible"},
		"one that doubles":          {`{{$a := print .Region .Region}}`, "function print is not possible"},
		"one in brackets":           {`{{len (printf "%1000000000d" 1)}}`, "function printf is not possible"},
		"one in a chain":            {`{{(printf "x").Foo}}`, "function printf is not possible"},
		"a loop over a number":      {"{{range 1000000000}}x{{end}}", "only .Gaining and .Losing"},
		"a loop over a variable":    {"{{$n := 1000000000}}{{range $n}}{{end}}", "only .Gaining and .Losing"},
		"deep loops":                {"{{range .Losing}}{{range $.Losing}}{{range $.Losing}}{{end}}{{end}}{{end}}", "at most 2 deep"},
		"definitions":               {`{{define "x"}}{{template "x"}}{{end}}`, "define and block"},
		"a call of a template":      {`{{template "x"}}`, "is not possible"},
		"one that comes to nothing": {"{{if .New}} {{end}}", "empty once"},
		"one that grows":            {"{{range .Losing}}" + strings.Repeat("x", maxTemplate) + "{{end}}", "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := parseQuery(tc.text)
			if err == nil {
				_, err = q.render(factsForTests(t))
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	q, err := parseQuery("{{range .Losing}}" + strings.Repeat("x", maxTemplate/2) + "{{end}}")
	if err != nil {
		t.Fatal(err)
	}
	f := factsForTests(t)
	f.Losing = append(f.Losing, f.Losing[0], f.Losing[0])
	if _, err := q.render(f); err == nil || !strings.Contains(err.Error(), "exceeds 65536 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestASideThatIsNotThereIsAnError(t *testing.T) {
	q, err := parseQuery("{{.Old.ARN}}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := q.render(Facts{}); err == nil {
		t.Errorf("rendered %q", got)
	}
}

func FuzzQueryTemplate(f *testing.F) {
	for _, s := range []string{"{{.New.ARN}}", "{{range .Gaining}}{{.Name}}{{end}}", "{{if eq .New.Name `x`}}a{{else}}b{{end}}", "{{range 9}}{{end}}", "{{with .Old}}{{.ID}}{{end}}", "{{index .Losing 0}}"} {
		f.Add(s)
	}
	facts := factsForTests(f)
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parseQuery(text)
		if err != nil {
			return
		}
		if out, err := q.render(facts); err == nil && len(out) > maxTemplate {
			t.Errorf("%d bytes", len(out))
		}
	})
}
