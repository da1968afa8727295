package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

const oldYAML = `apiVersion: clusterset.mumo.co/v1alpha1
kind: ClusterSet
metadata: {name: production, namespace: argocd}
spec:
  selector: {eksTags: {environment: production}}
  template: {metadata: {labels: {mine: "yes"}}}
`

func oldFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.yaml")
	if err := os.WriteFile(path, []byte(oldYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatAMigrationPrints(t *testing.T) {
	file := oldFile(t)
	for name, tc := range map[string]struct {
		args []string
		in   string
		edit func(*fakeFleet)
		code int
	}{
		"yaml":  {[]string{"argocd-clusterset", "-f", file, "--region", "us-east-1,eu-west-1"}, "", nil, 0},
		"json":  {[]string{"argocd-clusterset", "-f", "-", "--region", "us-east-1", "-o", "json"}, oldYAML, nil, 0},
		"two":   {[]string{"argocd-clusterset", "-f", "-", "--region", "us-east-1"}, oldYAML + "---\n" + strings.Replace(oldYAML, "production", "test", 1), nil, 0},
		"flags": {[]string{"okra", "--name", "web", "-n", "team", "--eks-tags", "a=b,c=d", "--labels", "e=f", "--region", "us-east-1"}, "", nil, 0},
		"adopt": {[]string{"argocd-clusterset", "-f", file, "--region", "us-east-1", "--adopt"}, "", adoptable1, 0},
		"adopted": {
			[]string{"argocd-clusterset", "-f", file, "--region", "us-east-1", "--adopt", "--yes"}, "", adoptable1, 0,
		},
		"adopt-left": {[]string{"argocd-clusterset", "-f", file, "--region", "us-east-1", "--adopt", "--yes"}, "", func(f *fakeFleet) {
			adoptable1(f)
			pass := f.pass
			f.pass = func(o PassOptions) (Pass, error) {
				p, err := pass(o)
				p.Entries = append(p.Entries, foreign("gone", "https://gone.eks.example"))
				return p, err
			}
		}, 2},
		"adopt-none": {[]string{"argocd-clusterset", "-f", file, "--region", "us-east-1", "--adopt"}, "", func(f *fakeFleet) {
			f.pass = func(PassOptions) (Pass, error) { return Pass{}, nil }
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := clustersCall{args: append([]string{"migrate"}, tc.args...), in: tc.in, fleet: newFleet()}
			if tc.edit != nil {
				tc.edit(c.fleet)
			}
			pass := c.fleet.pass
			c.fleet.pass = func(o PassOptions) (Pass, error) { // the adapter does not read what others have there
				p, err := pass(o)
				for i := range p.Entries {
					if !p.Entries[i].Ours() {
						p.Entries[i].Config = ""
					}
				}
				return p, err
			}
			code, out, errOut := c.do(t)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			golden(t, "migrate-"+name+".txt", out+"--- stderr\n"+errOut)
			writes := slices.ContainsFunc(c.fleet.passes, func(o PassOptions) bool { return o.Mode == Write })
			if yes := slices.Contains(tc.args, "--yes"); writes != yes {
				t.Errorf("it wrote: %t, want %t", writes, yes)
			}
		})
	}
}

func TestTheRegionOfTheEnvironmentIsTakenAndSaid(t *testing.T) {
	code, out, errOut := call{args: []string{"migrate", "argocd-clusterset", "-f", oldFile(t)}, env: map[string]string{"AWS_REGION": "eu-west-1"}}.do(t)
	if code != 0 || !strings.Contains(out, "- eu-west-1") || !strings.HasPrefix(errOut, "note: the region is eu-west-1, which AWS_REGION names; --region names others\n") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

func TestMistakesOfAMigrationAreExplained(t *testing.T) {
	file := oldFile(t)
	for name, tc := range map[string]struct {
		args   []string
		errOut string
	}{
		"no tool that there is":        {[]string{"orka"}, "error: norikae migrate has no command \"orka\"\nDid you mean `norikae migrate okra`?\n"},
		"no file":                      {[]string{"okra"}, "error: -f is missing: name the file of kind ClusterSet of okra.mumo.co/v1alpha1\nFor example `norikae migrate okra -f old.yaml --region us-east-1`, or -f - to read it from stdin.\n"},
		"a file without -f":            {[]string{"okra", "old.yaml"}, "error: norikae migrate okra takes no argument \"old.yaml\"\nDid you mean `norikae migrate okra -f old.yaml`?\n"},
		"no region":                    {[]string{"argocd-clusterset", "-f", file}, "error: --region is missing: argocd-clusterset looked in the one region of its environment, and did not write it down\nFor example `norikae migrate argocd-clusterset -f old.yaml --region us-east-1`.\n"},
		"another tool's file":          {[]string{"okra", "-f", file}, "error: " + file + ": line 1: this is a ClusterSet of clusterset.mumo.co/v1alpha1: norikae migrate argocd-clusterset reads it\n"},
		"a file and flags":             {[]string{"okra", "-f", file, "--labels", "a=b"}, "error: both -f and --labels: a ClusterSet comes from a file or from the flags of the tool\nLeave one of them out.\n"},
		"flags without a name":         {[]string{"okra", "--eks-tags", "a=b"}, "error: --name is missing: the ClusterSet needs one, and the tool's command line had none\nFor example `norikae migrate okra --name production --eks-tags env=prod --region us-east-1`.\n"},
		"a flag of the other tool":     {[]string{"okra", "--role-arn", "x"}, "error: norikae migrate okra has no flag --role-arn\nSee `norikae migrate okra --help`.\n"},
		"a yes to nothing":             {[]string{"okra", "-f", file, "--yes"}, "error: --yes without --adopt: printing asks nobody\nFor example `norikae migrate okra -f old.yaml --adopt --yes`.\n"},
		"a format that is none":        {[]string{"okra", "-f", file, "-o", "table"}, "error: --output \"table\": want yaml or json\nSee `norikae --help`.\n"},
		"a region that is none":        {[]string{"argocd-clusterset", "-f", file, "--region", "virginia"}, "error: argocd-clusterset \"production\": region \"virginia\": want a region such as us-east-1\n"},
		"a level of logs that is none": {[]string{"okra", "-f", file, "--log-level", "loud"}, "error: --log-level \"loud\": want debug, info, warn or error\nSee `norikae --help`.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := call{args: append([]string{"migrate"}, tc.args...)}.do(t)
			if code != 1 || out != "" {
				t.Errorf("exit code %d, want 1; stdout %q", code, out)
			}
			if d := cmp.Diff(tc.errOut, errOut); d != "" {
				t.Errorf("stderr (-want +got):\n%s", d)
			}
		})
	}
}

func TestEveryCommandBelowHasAnExampleAndHelp(t *testing.T) {
	for _, parent := range New(Deps{}).Commands() {
		for _, cmd := range parent.Commands() {
			if !strings.Contains(cmd.Example, cmd.CommandPath()) || cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
				t.Errorf("%s: example %q, short help %q", cmd.CommandPath(), cmd.Example, cmd.Short)
			}
			args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
			if code, out, errOut := (call{args: args}).do(t); code != 0 || errOut != "" || !strings.Contains(out, "Examples:") {
				t.Errorf("%s --help: exit code %d, stderr %q, stdout:\n%s", cmd.CommandPath(), code, errOut, out)
			}
		}
	}
}

func TestOnlyHarmlessFieldsOfAConfigAreShown(t *testing.T) {
	config := `{"username":"U","password":"P","bearerToken":"B","proxyUrl":"http://u:p@proxy",
		"tlsClientConfig":{"keyData":"K","certData":"Q0VSVA==","caData":"Q0E=","serverName":"S","insecure":true},
		"awsAuthConfig":{"clusterName":"C","roleARN":""},
		"execProviderConfig":{"command":"CMD","args":["--token","T"],"env":{"AWS_REGION":"R","AWS_SECRET_ACCESS_KEY":"X"}},
		"new":{"field":"N"}}`
	shown, _ := fields(registry.Registration{Server: "https://user:pass@host", Config: config})
	want := map[string]string{
		"server": "https://user:xxxxx@host", "config.username": hidden, "config.password": hidden, "config.bearerToken": hidden,
		"config.proxyUrl": hidden, "config.tlsClientConfig.keyData": hidden, "config.tlsClientConfig.certData": "sha256:9D0F06F9A2DC2A6B…",
		"config.tlsClientConfig.caData": "sha256:", "config.tlsClientConfig.serverName": "S", "config.tlsClientConfig.insecure": "true",
		"config.awsAuthConfig.clusterName": "C", "config.awsAuthConfig.roleARN": `""`, "config.execProviderConfig.command": "CMD",
		"config.execProviderConfig.args": hidden, "config.execProviderConfig.env.AWS_REGION": "R",
		"config.execProviderConfig.env.AWS_SECRET_ACCESS_KEY": hidden, "config.new.field": hidden,
	}
	for _, k := range []string{"config.tlsClientConfig.caData", "config.tlsClientConfig.certData"} {
		if !strings.HasPrefix(shown[k], "sha256:") {
			t.Errorf("%s is %q, want a fingerprint", k, shown[k])
		}
		delete(shown, k)
		delete(want, k)
	}
	if d := cmp.Diff(want, shown); d != "" {
		t.Errorf("shown (-want +got):\n%s", d)
	}
	if shown, _ := fields(registry.Registration{Config: "not JSON: " + bearer}); shown["config.text"] != hidden {
		t.Errorf("what is no JSON is shown: %q", shown)
	}
	own, _ := fields(registry.Registration{Config: `{"execProviderConfig":{"command":"argocd-k8s-auth","args":["aws","--cluster-name","blue"]}}`})
	if own["config.execProviderConfig.args"] != `["aws","--cluster-name","blue"]` {
		t.Errorf("the arguments of Argo CD's own command: %q", own)
	}
}

func TestWhatAnActionChanges(t *testing.T) {
	k := testCluster(eksID("111111111111", "us-east-1", "blue"))
	e := entry(k, "1.36")
	e.Labels["theirs"], e.Annotations = "x", map[string]string{"note": bearer, "ours": "1"}
	e.Applied = registry.Keys{Labels: []string{"environment", "version"}, Annotations: []string{"ours"}}
	want := registration(k, "1.36")
	delete(want.Labels, "environment")
	want.Annotations = map[string]string{"note": "n"}
	line := func(field, from, to string) fieldChange {
		c := fieldChange{Field: field}
		if from != "" {
			c.From = &from
		}
		if to != "" {
			c.To = &to
		}
		return c
	}
	for name, tc := range map[string]struct {
		action registry.Action
		want   []fieldChange
	}{
		"nothing":           {registry.Action{Entry: e}, nil},
		"only ours go":      {registry.Action{Do: registry.Update, Entry: e, Want: want}, []fieldChange{line("label environment", "production", ""), line("annotation note", hidden, "n"), line("annotation ours", "1", "")}},
		"a note":            {registry.Action{Do: registry.Mark, Entry: e, Notes: registry.Notes{MissingSince: y2k}}, []fieldChange{line("missing since", "", "2000-01-01T00:00:00Z")}},
		"a deletion":        {registry.Action{Do: registry.Delete, Entry: e}, []fieldChange{line("name", "blue-us-east-1", ""), line("server", "https://blue.eks.example", "")}},
		"an order of words": {registry.Action{Do: registry.Create, Want: registry.Registration{ClusterName: "n", Server: "s", Shard: "1", Labels: map[string]string{"a": "b"}}}, []fieldChange{line("name", "", "n"), line("server", "", "s"), line("shard", "", "1"), line("label a", "", "b")}},
	} {
		if d := cmp.Diff(tc.want, changes(tc.action)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestAgesAreShort(t *testing.T) {
	for want, d := range map[string]int{"0s": -5, "12s": 12, "5m": 300, "1h1m": 3661, "1d": 86400, "3d4h": 3*86400 + 4*3600 + 59} {
		if got := age(y2k, y2k.Add(seconds(d))); got != want {
			t.Errorf("age after %d s: %q, want %q", d, got, want)
		}
	}
}

func TestOutcomesWithoutSecretsAreFoundByTheNameTheyWouldHave(t *testing.T) {
	o := registrar.Outcome{Action: registry.Action{Cluster: eksID("1", "r", "blue"), Want: registry.Registration{ClusterName: "b"}}}
	for name, want := range map[string]bool{"blue": true, "b": true, "": false, "argocd/blue": false} {
		if called(o, name) != want {
			t.Errorf("called %q: %t, want %t", name, !want, want)
		}
	}
}
