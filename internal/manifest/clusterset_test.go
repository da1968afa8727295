package manifest

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/kubetest"
)

var kube kubetest.Server

func TestMain(m *testing.M) { os.Exit(kube.Main(m)) }

const goodSet = `apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: production, namespace: fleet}
spec:
  sources:
  - eks:
      regions: [us-east-1, eu-west-1]
      accounts:
      - {roleARN: "arn:aws:iam::111122223333:role/norikae", externalID: "a=b"}
      - {roleARN: "arn:aws:iam::444455556666:role/norikae"}
      selector:
        matchTags: {env: prod}
        matchExpressions:
        - {key: tier, operator: In, values: [web, api]}
        names: ["prod-*"]
        exclude: {names: ["*-old"], arns: ["arn:aws:eks:us-east-1:111122223333:cluster/prod-x"], tags: {norikae: "off"}}
  template:
    name: "{{ .Name }}"
    labels: {env: '{{ index .Tags "env" }}', fleet: main}
    annotations: {example.com/arn: "{{ .ARN }}"}
    project: web
    shard: 2
    namespaces: [web, api]
    targetGroups: {name: "{{ .Name }}-*"}
  auth:
    exec: {roleARN: "arn:aws:iam::{{ .Account }}:role/argocd", env: {AWS_REGION: "{{ .Region }}"}}
  argocdNamespace: argo
  interval: 30s
  refreshInterval: 10m
  deletion: {policy: Delete, grace: 2h, maxPercent: 20, keepLast: 3}
  probe: {enabled: false, timeout: 10s}
`

// editSet is goodSet with some of its parts replaced; pairs are old, new, old, new.
func editSet(t *testing.T, pairs ...string) string {
	t.Helper()
	s := goodSet
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("the manifest has no %q", pairs[i])
		}
		s = strings.ReplaceAll(s, pairs[i], pairs[i+1])
	}
	return s
}

// many is a list of n texts, in YAML.
func many(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ", ")
}

func TestTheGoodClusterSetIsGood(t *testing.T) {
	if _, err := LoadClusterSets("set.yaml", []byte(goodSet)); err != nil {
		t.Fatal(err)
	}
}

type badSet struct {
	edits []string
	want  string // each line after "set.yaml:"
}

// badSets are found wrong by us and by the API server, too; see refusals.
func badSets() map[string]badSet {
	const groups = `targetGroups: {name: "{{ .Name }}-*"}`
	const role = `{roleARN: "arn:aws:iam::444455556666:role/norikae"}`
	return map[string]badSet{
		"no sources": {
			[]string{"regions: [us-east-1, eu-west-1]", "regions: []"},
			`7: spec.sources[0].eks.regions = []: an empty list: name at least one, or remove the line`,
		},
		"a region that is none": {
			[]string{"eu-west-1", "Ireland"},
			`7: spec.sources[0].eks.regions[1] = "Ireland": want a region, such as us-east-1; list those that exist with ` + "`aws account list-regions`",
		},
		"a region twice": {
			[]string{"eu-west-1", "us-east-1"},
			`7: spec.sources[0].eks.regions[1] = "us-east-1": is the same as that of spec.sources[0].eks.regions[0]: want each of them once`,
		},
		"more than 40 regions": {
			[]string{"us-east-1, eu-west-1", many(41, "us-east-%d")},
			`7: spec.sources[0].eks.regions: has 41 regions, want 1–40, such as us-east-1`,
		},
		"a user where a role belongs": {
			[]string{role, `{roleARN: "arn:aws:iam::444455556666:user/jane"}`},
			`10: spec.sources[0].eks.accounts[1].roleARN = "arn:aws:iam::444455556666:user/jane": want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with ` + "`aws iam list-roles`",
		},
		"an account without a role": {
			[]string{role, `{externalID: abc}`},
			`10: spec.sources[0].eks.accounts[1].roleARN: is missing: want the ARN of a role, arn:PARTITION:iam::ACCOUNT:role/NAME; list those that exist with ` + "`aws iam list-roles`",
		},
		"an external ID of one character": {
			[]string{`externalID: "a=b"`, `externalID: x`},
			`9: spec.sources[0].eks.accounts[0].externalID = "x": want 2–1224 letters, digits and +=,.@:/_-`,
		},
		"In without values": {
			[]string{"operator: In, values: [web, api]", "operator: In"},
			`14: spec.sources[0].eks.selector.matchExpressions[0].values: is missing: In needs 1–20 values; for any value use Exists or DoesNotExist`,
		},
		"Exists with values": {
			[]string{"operator: In", "operator: Exists"},
			`14: spec.sources[0].eks.selector.matchExpressions[0].values: Exists has no values: remove the line, or use In or NotIn`,
		},
		"an operator that there is not": {
			[]string{"operator: In", "operator: in"},
			`14: spec.sources[0].eks.selector.matchExpressions[0].operator = "in": want In, NotIn, Exists or DoesNotExist; did you mean "In"?`,
		},
		"an expression without a key": {
			[]string{"{key: tier, operator", "{operator"},
			`14: spec.sources[0].eks.selector.matchExpressions[0].key: is missing: want a tag's key`,
		},
		"a name pattern twice": {
			[]string{`["prod-*"]`, `["prod-*", "prod-*"]`},
			`15: spec.sources[0].eks.selector.names[1] = "prod-*": is the same as that of spec.sources[0].eks.selector.names[0]: want each of them once`,
		},
		"more than 50 labels": {
			[]string{"fleet: main", many(50, "l%d: x")},
			`19: spec.template.labels: has 51 entries, want at most 50`,
		},
		"a shard below 0": {
			[]string{"shard: 2", "shard: -1"},
			`22: spec.template.shard = -1: want 0 or more; without the line Argo CD decides`,
		},
		"a namespace twice": {
			[]string{"[web, api]\n    targetGroups", "[web, web]\n    targetGroups"},
			`23: spec.template.namespaces[1] = "web": is the same as that of spec.template.namespaces[0]: want each of them once`,
		},
		"two ways to find target groups": {
			[]string{groups, `targetGroups: {name: "{{ .Name }}-*", registeredInstances: true}`},
			`24: spec.template.targetGroups: has name and registeredInstances, want exactly one of name, tags, registeredInstances and none; write none: true if no load balancer ever sends these clusters traffic`,
		},
		"no way to find target groups": {
			[]string{groups, `targetGroups: {none: false}`},
			`24: spec.template.targetGroups: has none of name, tags, registeredInstances and none, want exactly one; write none: true if no load balancer ever sends these clusters traffic`,
		},
		"an empty name of target groups": {
			[]string{groups, `targetGroups: {name: "", none: true}`},
			`24: spec.template.targetGroups.name = "": want 1–1024 characters; without the line it is not looked at`,
		},
		"an empty name of clusters": {
			[]string{`name: "{{ .Name }}"` + "\n", "name: \"\"\n"},
			`18: spec.template.name = "": want 1–1024 characters; without the line it is {{ .Name }}-{{ .Region }}-{{ .Account }}`,
		},
		"two ways to enter": {
			[]string{"  auth:\n", "  auth:\n    eksARN: true\n"},
			`25: spec.auth: has exec and eksARN, want exactly one of awsAuthConfig, exec and eksARN; Argo CD enters a cluster in one way`,
		},
		"more than 20 variables": {
			[]string{`AWS_REGION: "{{ .Region }}"`, many(21, "V%d: x")},
			`26: spec.auth.exec.env: has 21 variables, want at most 20`,
		},
		"a namespace of Argo CD in upper case": {
			[]string{"argocdNamespace: argo", "argocdNamespace: Argo"},
			`27: spec.argocdNamespace = "Argo": want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1`,
		},
		"an interval of 5s":               {[]string{"interval: 30s", "interval: 5s"}, `28: spec.interval = 5s: want 10s–24h`},
		"an interval of 0s":               {[]string{"interval: 30s", "interval: 0s"}, `28: spec.interval = "0s": want 10s–24h; without the line it is 1m`},
		"a refresh interval of two days":  {[]string{"refreshInterval: 10m", "refreshInterval: 48h"}, `29: spec.refreshInterval = 48h: want 1m–24h`},
		"an interval in words":            {[]string{"interval: 30s", "interval: half a minute"}, `28: spec.interval = "half a minute": not a duration: write it with a unit, such as 90s, 10m or 1h30m`},
		"an interval without a unit":      {[]string{"interval: 30s", "interval: 30"}, `28: spec.interval = 30: a duration needs a unit: write it with a unit, such as 90s, 10m or 1h30m`},
		"an interval beyond all bounds":   {[]string{"interval: 30s", "interval: 99999999999h"}, `28: spec.interval = "99999999999h": not a duration: write it with a unit, such as 90s, 10m or 1h30m`},
		"a policy that there is not":      {[]string{"policy: Delete", "policy: delete"}, `30: spec.deletion.policy = "delete": want Retain or Delete; did you mean "Delete"?`},
		"a grace of 1s":                   {[]string{"grace: 2h", "grace: 1s"}, `30: spec.deletion.grace = 1s: want 1m–720h`},
		"more than all clusters":          {[]string{"maxPercent: 20", "maxPercent: 101"}, `30: spec.deletion.maxPercent = 101: want 0–100 (percent of the registered clusters)`},
		"fewer clusters than none":        {[]string{"keepLast: 3", "keepLast: -1"}, `30: spec.deletion.keepLast = -1: want 0 or more`},
		"a probe of two minutes":          {[]string{"timeout: 10s", "timeout: 2m"}, `31: spec.probe.timeout = 2m: want 1s–1m`},
		"a name of 64 characters":         {[]string{"name: production", "name: " + strings.Repeat("a", 64)}, `3: metadata.name = "` + strings.Repeat("a", 64) + `": want 1–63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends, such as production: it becomes a label's value`},
		"text where a number belongs":     {[]string{"keepLast: 3", `keepLast: "3"`}, `30: spec.deletion.keepLast = "3": want a whole number, without quotes`},
		"a number beyond 32 bits":         {[]string{"keepLast: 3", `keepLast: 3000000000`}, `30: spec.deletion.keepLast = 3000000000: want a whole number`},
		"a number where text belongs":     {[]string{"env: prod}", "env: 1}"}, `12: spec.sources[0].eks.selector.matchTags[env] = 1: want text: put it in quotes, "1"`},
		"a truth value where none is":     {[]string{"enabled: false", "enabled: never"}, `31: spec.probe.enabled = "never": want true or false`},
		"a field that does not exist":     {[]string{"argocdNamespace", "argoCDNamespace"}, `27: spec.argoCDNamespace: there is no such field; did you mean "argocdNamespace"?`},
		"a field in the wrong case":       {[]string{"roleARN: \"arn:aws:iam::4", "roleArn: \"arn:aws:iam::4"}, `10: spec.sources[0].eks.accounts[1].roleArn: there is no such field; did you mean "roleARN"?`},
		"a field that is set twice":       {[]string{"shard: 2", "shard: 2\n    shard: 3"}, `23: spec.template.shard: is set twice, first on line 22: keep one`},
		"a label that is set twice":       {[]string{"fleet: main", "fleet: main, fleet: a"}, `19: spec.template.labels[fleet]: is set twice: keep one`},
		"a source that is not EKS":        {[]string{"- eks:", "- gke:"}, `6: spec.sources[0].gke: there is no such field; did you mean "eks"?`},
		"an external ID that is empty":    {[]string{`externalID: "a=b"`, `externalID: ""`}, `9: spec.sources[0].eks.accounts[0].externalID = "": want 2–1224 characters; without the line it is not sent`},
		"a kind of another API":           {[]string{"norikae.dev/v1alpha1", "norikae.dev/v1"}, `1: apiVersion = "norikae.dev/v1": want norikae.dev/v1alpha1`},
		"more than 500 excluded clusters": {[]string{`arns: ["arn:aws:eks:us-east-1:111122223333:cluster/prod-x"]`, "arns: [" + many(501, `"arn:aws:eks:us-east-1:111122223333:cluster/c%d"`) + "]"}, `16: spec.sources[0].eks.selector.exclude.arns: has 501 ARNs, want at most 500`},
	}
}

func TestBadClusterSetsAreExplained(t *testing.T) {
	all := badSets()
	maps.Copy(all, wrongSets())
	if len(all) < 70 {
		t.Errorf("only %d bad ClusterSets", len(all))
	}
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			_, err := LoadClusterSets("set.yaml", []byte(editSet(t, tc.edits...)))
			want := "set.yaml:" + strings.ReplaceAll(tc.want, "\n", "\nset.yaml:")
			if err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

func TestFilesOfClusterSets(t *testing.T) {
	const fleet = ", namespace: fleet"
	other := strings.Replace(goodSet, "name: production", "name: staging", 1)
	bad := strings.Replace(other, "interval: 30s", "interval: 1s", 1)
	for name, tc := range map[string]struct {
		in, want string
		sets     int
	}{
		"nothing":                      {"# later\n---\n", "x: the file is empty: it must declare a ClusterSet of norikae.dev/v1alpha1", 0},
		"a list":                       {"- a\n", "x:1: […]: want fields here", 0},
		"not YAML":                     {"a: [\n", "x:1: not valid YAML: did not find expected node content; check the indentation, the quotes and the colons around this line", 0},
		"a TrafficShift":               {good, "x:2: kind = \"TrafficShift\": want ClusterSet\nx:4: spec.sources: has 0 sources, want 1–20: each says in which regions, and maybe accounts, to look for clusters\nx:5: spec.route: there is no such field; here may stand: sources, template, auth, argocdNamespace, interval, refreshInterval, deletion, probe, suspend\nx:9: spec.destinations: there is no such field; here may stand: sources, template, auth, argocdNamespace, interval, refreshInterval, deletion, probe, suspend\nx:12: spec.strategy: there is no such field; here may stand: sources, template, auth, argocdNamespace, interval, refreshInterval, deletion, probe, suspend\nx:13: spec.analysis: there is no such field; here may stand: sources, template, auth, argocdNamespace, interval, refreshInterval, deletion, probe, suspend", 0},
		"two of them":                  {goodSet + "---\n" + other, "", 2},
		"one of two is bad":            {goodSet + "---\n" + bad, "x:60: spec.interval = 1s: want 10s–24h", 0},
		"one of them twice":            {goodSet + "---\n" + goodSet, "x:35: metadata.name = \"production\": is declared twice in this file, first on line 3: keep one", 0},
		"of one name in two places":    {goodSet + "---\n" + strings.Replace(goodSet, fleet, ", namespace: b", 1), "", 2},
		"no namespace":                 {strings.Replace(goodSet, fleet, "", 1), "", 1},
		"a namespace in upper case":    {strings.Replace(goodSet, fleet, ", namespace: Fleet", 1), "x:3: metadata.namespace = \"Fleet\": want 1–63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as web or web-eu1", 0},
		"a field of the server's":      {strings.Replace(goodSet, fleet, fleet+", uid: x, generation: 3, managedFields: [{}]", 1) + "status: {counts: {discovered: 3}}\n", "", 1},
		"a field that nobody knows":    {strings.Replace(goodSet, fleet, fleet+", owner: x", 1), "x:3: metadata.owner: there is no such field; here may stand: name, namespace, labels, annotations", 0},
		"a name that is only a prefix": {strings.Replace(goodSet, "name: production", "generateName: production-", 1), "x:3: metadata.generateName: there is no such field; here may stand: name, namespace, labels, annotations\nx:3: metadata.name: is missing: want 1–63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends, such as production: it becomes a label's value", 0},
	} {
		t.Run(name, func(t *testing.T) {
			sets, err := LoadClusterSets("x", []byte(tc.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want || len(sets) != tc.sets {
				t.Errorf("%d sets, want %d; got:\n%s\nwant:\n%s", len(sets), tc.sets, got, tc.want)
			}
		})
	}
}

func FuzzLoadClusterSets(f *testing.F) {
	f.Add([]byte(goodSet))
	f.Add([]byte(minimalSet + "---\n" + goodSet))
	f.Add([]byte("spec: {sources: [{eks: {regions: &r [a, *r]}}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sets, err := LoadClusterSets("x", data)
		if err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		for _, cs := range sets {
			cs.Namespace = "fleet"
			if _, err := CompileClusterSet(cs); err != nil {
				t.Errorf("it was loaded, but does not compile: %v", err)
			}
		}
	})
}
