package registry

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextRender(t *testing.T) {
	c := eks("Prod_Blue")
	c.Tags = map[string]string{"env": "prod", "example.com/team": "red", "empty": ""}
	for name, tc := range map[string]struct{ source, want string }{
		"every field":                       {"{{ .Name }} {{ .Partition }} {{ .Account }} {{ .Region }} {{ .Version }} {{ .VPC }}", "Prod_Blue aws 111122223333 us-east-1 1.36 vpc-1"},
		"the ARN":                           {"{{ .ARN }}", "arn:aws:eks:us-east-1:111122223333:cluster/Prod_Blue"},
		"the endpoint":                      {"{{ .Endpoint }}", "https://Prod_Blue.eks.example"},
		"a tag":                             {"{{ .Tags.env }}", "prod"},
		"a tag with a slash":                {`{{ index .Tags "example.com/team" }}`, "red"},
		"a tag that may be missing":         {`{{ get .Tags "no" }}`, ""},
		"a tag with a default":              {`{{ get .Tags "no" | default "none" }}`, "none"},
		"an empty tag with a default":       {`{{ .Tags.empty | default "none" }}`, "none"},
		"functions":                         {`{{ .Name | lower | replace "_" "-" | trimPrefix "prod-" | trimSuffix "e" | upper }}`, "BLU"},
		"characters, not bytes, are cut":    {`{{ trunc 2 "乗り換え" }}`, "乗り"},
		"a branch":                          {`{{ if eq .Tags.env "prod" }}yes{{ else }}no{{ end }}`, "yes"},
		"a with":                            {`{{ with get .Tags "env" }}{{ . }}{{ end }}`, "prod"},
		"the cluster from within a with":    {`{{ with "x" }}{{ $.Name }}{{ end }}`, "Prod_Blue"},
		"a tag of a branch that is not run": {`{{ if eq .Region "x" }}{{ .Tags.no }}{{ end }}ok`, "ok"},
		"printf":                            {`{{ printf "%s-%05d*" .Region 7 }}`, "us-east-1-00007*"},
		"plain text":                        {"gold", "gold"},
		"nothing":                           {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := ParseText(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := x.Render(c); err != nil || got != tc.want {
				t.Errorf("Render = %q, %v, want %q", got, err, tc.want)
			}
			if x.String() != tc.source || !x.Equal(text(tc.source)) || x.Equal(text(tc.source+"x")) || x.Equal(nil) {
				t.Errorf("String = %q, or it is not equal to itself alone", x)
			}
		})
	}
	if got, err := (*Text)(nil).Render(c); got != "" || err != nil {
		t.Errorf("nil renders %q, %v", got, err)
	}
}

func TestTextErrorsOfOneCluster(t *testing.T) {
	c := eks("a")
	long := eks("a")
	long.Tags["long"] = strings.Repeat("x", 300)
	bad := eks("a")
	bad.Tags["bad"] = "\xff"
	for name, tc := range map[string]struct {
		source string
		c      Cluster
		want   []string
	}{
		"a missing tag is named with its template":  {"x-{{ .Tags.team }}", c, []string{"`x-{{ .Tags.team }}`", `no tag "team"`}},
		"so is one with a slash":                    {`{{ index .Tags "a/b" }}`, c, []string{`no tag "a/b"`, `get .Tags "a/b"`}},
		"a cluster without tags":                    {"{{ .Tags.team }}", Cluster{ID: id("a"), Status: Active}, []string{`no tag "team"`}},
		"too long":                                  {strings.Repeat("{{ .Tags.long }}", 20), long, []string{"4096 bytes"}},
		"not UTF-8":                                 {"{{ .Tags.bad }}", bad, []string{"UTF-8"}},
		"a tag of a cluster of which only ID is":    {"{{ .Tags.env }}", Cluster{ID: id("a")}, []string{".Region", "does not have"}},
		"a tag that may be missing of one as well":  {`{{ get .Tags "env" | default .Name }}`, Cluster{ID: id("a")}, []string{"does not have"}},
		"a version of one as well":                  {"{{ with .Version }}{{ . }}{{ end }}", Cluster{ID: id("a")}, []string{"does not have"}},
		"the whole cluster of one as well":          {"{{ with $ }}{{ .Name }}{{ end }}", Cluster{ID: id("a")}, []string{"does not have"}},
		"a growing text":                            {`{{ $x := .Tags.long }}` + strings.Repeat("{{ $x = print $x $x }}", 40), long, []string{"4096"}},
		"a replacement that grows":                  {`{{ $x := .Tags.long }}` + strings.Repeat(`{{ $x = replace "" $x $x }}`, 9), long, []string{"4096"}},
		"a comparison that cannot be made is named": {"{{ if lt (len .Tags.env) .Tags.env }}{{ end }}", c, []string{"incompatible types"}},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := ParseText(tc.source)
			if err == nil {
				_, err = x.Render(tc.c)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestTextOfAnIDNeedsNoMore(t *testing.T) {
	got, err := text("{{ .Name }}.{{ .Region }}.{{ .Account }}.{{ .Partition }}-*").Render(Cluster{ID: id("a")})
	if want := "a.us-east-1.111122223333.aws-*"; got != want || err != nil {
		t.Errorf("Render = %q, %v, want %q", got, err, want)
	}
}

func TestParseTextRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ source, want string }{
		"a misspelt field":                        {"{{ .Label }}", "no .Label; it has .Name, .ARN"},
		"one of a branch that is not run":         {`{{ if eq .Region "x" }}{{ .Label }}{{ end }}`, "no .Label"},
		"one of the cluster within a with":        {`{{ with "x" }}{{ $.Label }}{{ end }}`, "no .Label"},
		"a method":                                {"{{ .Scope }}", "no .Scope"},
		"what a Secret has to say is not a field": {"{{ .CA }}", "no .CA"},
		"a field of a string":                     {"{{ .Name.First }}", "First"},
		"a tag with a dash":                       {"{{ .Tags.a-b }}", `index .Tags "the-key"`},
		"an unknown function":                     {"{{ env `HOME` }}", `"env" not defined`},
		"a function of Go's that is not ours":     {"{{ js .Name }}", `function "js" is not there; there are and,`},
		"a call":                                  {"{{ call .Name }}", `function "call"`},
		"a loop":                                  {"{{ range .Tags }}x{{ end }}", "no loops"},
		"a long loop":                             {"{{ range 1000000000 }}{{ end }}", "no loops"},
		"a recursion":                             {`{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`, "no loops"},
		"a definition":                            {`{{ define "a" }}x{{ end }}y`, "define is not there"},
		"an argument of the wrong type":           {"{{ trunc .Name 3 }}", "wrong type"},
		"too few arguments":                       {"{{ replace .Name }}", "wrong number of args"},
		"a negative length":                       {"{{ trunc -1 .Name }}", "0 or more"},
		"a wide verb":                             {`{{ printf "%99999d" 1 }}`, "3 digits"},
		"a wide verb by argument":                 {`{{ printf "%*d" 99999 1 }}`, "3 digits"},
		"an action without its end":               {"{{ .Name", "unclosed action"},
		"a text that is too long in itself":       {strings.Repeat("x", 5000), "4096 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := ParseText(tc.source)
			if err == nil || x != nil {
				t.Fatalf("ParseText = %v, %v, want an error", x, err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
		})
	}
}

func TestTextNeverPanicsOrGrows(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"{{", "}}", " .Name ", " .Tags.env ", ".Tags", "|", "lower", "trunc 3", "trunc 99999999999", `"%d"`, "printf", "print", "index .Tags", "get .Tags", `"a/b"`,
		"if", "else", "end", "with", "$x := ", "$x", "$", ".", "range", "define", "(", ")", "-1", "1.5", "nil", "true", "len", "not", "eq", "replace `a` `b`", "x", "\xff",
	})
	rapid.Check(t, func(t *rapid.T) {
		source := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "between"))
		x, err := ParseText(source)
		if err != nil {
			return
		}
		if got, err := x.Render(eks("a")); err == nil && len(got) > 4096 {
			t.Fatalf("%q renders %d bytes", source, len(got))
		}
	})
}
