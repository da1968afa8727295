package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/manifest"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// setFile is a file of a ClusterSet.
func setFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clusterset.yaml")
	if err := os.WriteFile(path, []byte("kind: ClusterSet\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatTheCommandsAboutClustersPrint(t *testing.T) {
	file := setFile(t)
	for name, tc := range map[string]struct {
		args []string
		edit func(*fakeFleet)
		code int
	}{
		"list":                {[]string{"list"}, nil, 0},
		"list-wide":           {[]string{"list", "-o", "wide", "--all"}, nil, 0},
		"list-json":           {[]string{"list", "-o", "json", "--all"}, nil, 0},
		"list-yaml":           {[]string{"list", "-o", "yaml"}, nil, 0},
		"list-not-in-order":   {[]string{"list", "--not-in-order"}, failedScope, 0},
		"list-stopped":        {[]string{"list"}, stopped, 0},
		"diff":                {[]string{"diff"}, nil, 1},
		"diff-json":           {[]string{"diff", "-o", "json"}, nil, 1},
		"diff-yaml":           {[]string{"diff", "-o", "yaml"}, nil, 1},
		"diff-none":           {[]string{"diff"}, settled, 0},
		"diff-stopped":        {[]string{"diff"}, stopped, 3},
		"diff-unknown":        {[]string{"diff"}, failedScope, 2},
		"sync":                {[]string{"sync"}, nil, 2},
		"sync-dry-run":        {[]string{"sync", "--dry-run"}, nil, 2},
		"sync-json":           {[]string{"sync", "-o", "json"}, nil, 2},
		"sync-none":           {[]string{"sync"}, settled, 0},
		"sync-stopped":        {[]string{"sync"}, stopped, 3},
		"sync-failed":         {[]string{"sync"}, failedWrite, 2},
		"sync-no-namespace":   {[]string{"sync"}, noNamespace, 2},
		"sync-no-credentials": {[]string{"sync"}, noCredentials, 2},
		"diff-left":           {[]string{"diff"}, heldOnly, 2},
		"sync-allowed-wrong":  {[]string{"sync", "--allow-relabel", "arn:aws:eks:us-east-1:111111111111:cluster/nope"}, settled, 0},
		"sync-deletes":        {[]string{"sync"}, deletes, 0},
		"list-nothing":        {[]string{"list"}, noneThere, 0},
		"diff-nothing":        {[]string{"diff"}, noneThere, 0},
		"sync-nothing":        {[]string{"sync"}, noneThere, 0},
		"explain-new":         {[]string{"explain", "arn:aws:eks:eu-west-1:222222222222:cluster/blue"}, nil, 0},
		"sync-beside": {[]string{"sync"}, func(f *fakeFleet) {
			settled(f)
			f.info.Controlled = "a controller keeps ClusterSet argocd/production, too"
		}, 0},
		"explain":         {[]string{"explain", "green"}, nil, 0},
		"explain-json":    {[]string{"explain", "green", "-o", "json"}, nil, 0},
		"explain-held":    {[]string{"explain", "green-2"}, nil, 0},
		"explain-missing": {[]string{"explain", "old"}, nil, 0},
		"explain-unselected": {[]string{"explain", "red"}, func(f *fakeFleet) {
			red := testCluster(eksID("111111111111", "us-east-1", "red"))
			red.Tags = map[string]string{"team": "ops", "skip": "true"}
			f.found = []registry.Sighting{{Cluster: red, Presence: registry.Present}}
			f.traffic = registry.Traffic{Routes: []string{"rule 10 of listener app/web/80"}}
			f.probe = errors.New("nobody answers at https://red.eks.example: its endpoint is private")
		}, 0},
		"retire-dry-run": {[]string{"retire", "old", "--dry-run"}, func(f *fakeFleet) {
			f.effect = "ApplicationSet argocd/web would delete their Applications of it, workloads that are there stay or go, by which Argo CD does first"
		}, 0},
		"retire-json":    {[]string{"retire", "old", "--yes", "-o", "json"}, nil, 0},
		"retire-refused": {[]string{"retire", "green", "old", "--yes"}, refusedRetirement, 1},
		"adopt-dry-run":  {[]string{"adopt", "by-hand", "--dry-run"}, adoptable1, 0},
		"adopt-json":     {[]string{"adopt", "by-hand", "--yes", "-o", "json"}, adoptable1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fleet := newFleet()
			if tc.edit != nil {
				tc.edit(fleet)
			}
			c := clustersCall{args: append([]string{"clusters", "-f", file}, tc.args...), fleet: fleet}
			code, out, errOut := c.do(t)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			text := out
			if errOut != "" {
				text += "--- stderr\n" + errOut
			}
			golden(t, "clusters-"+name+".txt", text)
		})
	}
}

func settled(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) { return settledPass(), nil }
}

func stopped(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := testPass()
		p.Stopped, p.StoppedReason = "3 of 5 clusters vanished within 1h, and 1 may", "BlastRadius"
		return p, nil
	}
}

func failedScope(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := testPass()
		p.Scopes[1].Err = errors.New("access denied: sts:AssumeRole")
		return p, nil
	}
}

func failedWrite(f *fakeFleet) {
	f.pass = func(PassOptions) (Pass, error) {
		p := written(settledPass())
		o := testPass().Outcomes[5]
		o.State, o.Reason, o.Err, o.Message = registry.Unwritten, "WriteDenied", errRefused, "create: secrets is forbidden"
		p.Outcomes = append(p.Outcomes, o)
		return p, nil
	}
}

func refusedRetirement(f *fakeFleet) {
	f.retire = &registry.RefusedError{Reason: "CarriesTraffic", Message: "it gets traffic from rule 10 of listener app/web/80; move that away first"}
}

// adoptable1 makes the Secret by-hand one of the cluster by-hand.
func adoptable1(f *fakeFleet) {
	f.pass = func(o PassOptions) (Pass, error) {
		p := testPass()
		if slices.Contains(o.Adopt, "by-hand") {
			k := testCluster(eksID("111111111111", "us-east-1", "by-hand"))
			e := p.Entries[0]
			e.Config = "" // what the adapter gives of others' Secrets
			want := registration(k, "1.36")
			want.ClusterName = e.ClusterName
			p.Outcomes = append(p.Outcomes, registrar.Outcome{Action: registry.Action{Cluster: k.ID, State: registry.Registered, Do: registry.Adopt, Entry: &e, Want: want}})
		}
		if o.Mode != Look {
			p = written(p)
		}
		return p, nil
	}
}

func TestMistakesAboutClustersAreExplained(t *testing.T) {
	file, missing := setFile(t), filepath.Join(t.TempDir(), "none.yaml")
	for name, tc := range map[string]struct {
		args   []string
		in     string
		edit   func(*clustersCall)
		code   int
		errOut string
	}{
		"no ClusterSet":               {[]string{"list"}, "", nil, 1, "error: no ClusterSet: -f is missing, and no name\nFor example `norikae clusters list -f clusterset.yaml`, or its name in the cluster.\n"},
		"no ClusterSet to explain by": {[]string{"explain", "blue"}, "", nil, 1, "error: no ClusterSet: -f is missing, and no name\nFor example `norikae clusters explain CLUSTER -f clusterset.yaml`, or its name in the cluster.\n"},
		"of a diff, too, and that is not 1": {
			[]string{"diff"}, "", nil, 2, "error: no ClusterSet: -f is missing, and no name\nFor example `norikae clusters diff -f clusterset.yaml`, or its name in the cluster.\n",
		},
		"an unknown flag of diff":    {[]string{"diff", "--al"}, "", nil, 2, "error: norikae clusters diff has no flag --al\nSee `norikae clusters diff --help`.\n"},
		"a file and a name":          {[]string{"sync", "production", "-f", file}, "", nil, 1, "error: both -f " + file + " and the name \"production\": a ClusterSet comes from a file or from the cluster\nLeave one of them out.\n"},
		"a file without -f":          {[]string{"sync", file}, "", nil, 1, "error: " + file + " is a file, and no name of a ClusterSet in the cluster\nDid you mean `norikae clusters sync -f " + file + "`?\n"},
		"two names":                  {[]string{"list", "a", "b"}, "", nil, 1, "error: norikae clusters list takes the name of one ClusterSet, not 2\nSeveral are read from files: give -f several times, or a file with several documents.\n"},
		"a file that is not there":   {[]string{"list", "-f", missing}, "", nil, 1, "error: reading the ClusterSet: open " + missing + ": no such file or directory\nName the file with -f, or use -f - to read it from stdin.\n"},
		"a format that is none":      {[]string{"list", "-f", file, "-o", "text"}, "", nil, 1, "error: --output \"text\": want table, wide, json, yaml\nSee `norikae --help`.\n"},
		"a command that is not one":  {[]string{"lst"}, "", nil, 1, "error: norikae clusters has no command \"lst\"\nDid you mean `norikae clusters list`?\n"},
		"a command like no other":    {[]string{"frobnicate"}, "", nil, 1, "error: norikae clusters has no command \"frobnicate\"\nThe commands are adopt, diff, explain, list, retire, sync.\n"},
		"nothing to explain":         {[]string{"explain", "-f", file}, "", nil, 1, "error: explain needs one cluster, not 0\nFor example `norikae clusters explain blue -f clusterset.yaml`.\n"},
		"nothing to adopt":           {[]string{"adopt", "-f", file}, "", nil, 1, "error: adopt needs a Secret\nFor example `norikae clusters adopt blue -f clusterset.yaml`.\n"},
		"nothing to retire":          {[]string{"retire", "-f", file}, "", nil, 1, "error: retire needs a cluster\nFor example `norikae clusters retire blue -f clusterset.yaml`.\n"},
		"a cluster that nobody has":  {[]string{"retire", "grene", "-f", file}, "", nil, 1, "error: there is no cluster and no Secret \"grene\" in ClusterSet argocd/production\nDid you mean \"green\"? `norikae clusters list` shows those that there are; `norikae clusters explain` why one is not selected.\n"},
		"a name of two clusters":     {[]string{"explain", "blue", "-f", file}, "", nil, 1, "error: \"blue\" is ambiguous: 2 clusters are called so:\n  arn:aws:eks:eu-west-1:222222222222:cluster/blue\n  arn:aws:eks:us-east-1:111111111111:cluster/blue\nName the one by its ARN, or as ACCOUNT/REGION/NAME.\n"},
		"a relabelling of two":       {[]string{"sync", "--allow-relabel", "blue", "-f", file}, "", nil, 1, "error: \"blue\" is ambiguous: 2 clusters are called so:\n  arn:aws:eks:eu-west-1:222222222222:cluster/blue\n  arn:aws:eks:us-east-1:111111111111:cluster/blue\nName the one by its ARN, or as ACCOUNT/REGION/NAME.\n"},
		"a cluster without a Secret": {[]string{"retire", "blue-eu-west-1", "-f", file, "-y"}, "", nil, 1, "error: arn:aws:eks:eu-west-1:222222222222:cluster/blue has no Secret of ClusterSet argocd/production: there is nothing to retire\n"},
		"somebody else's Secret":     {[]string{"retire", "by-hand", "-f", file, "-y"}, "", nil, 1, "error: secret argocd/by-hand has no mark of a ClusterSet: it is not this one's to delete\nNothing was deleted.\n"},
		"somebody else's Secret to explain": {
			[]string{"explain", "by-hand", "-f", file},
			"", nil, 1,
			"error: secret argocd/by-hand has no mark of a ClusterSet\n`norikae clusters adopt` takes it over, if its server is that of a cluster that is selected; `norikae clusters list --all` shows its server.\n",
		},
		"a Secret that is not there": {[]string{"adopt", "nobody", "-f", file}, "", nil, 1, "error: there is no cluster Secret argocd/nobody: it needs the label argocd.argoproj.io/secret-type: cluster; those without a ClusterSet are by-hand\nNothing was written.\n"},
		"a Secret of no cluster":     {[]string{"adopt", "by-hand", "-f", file}, "", nil, 1, "error: secret argocd/by-hand has the server https://by-hand.eks.example, which is that of no cluster that ClusterSet argocd/production selects\nNothing was written.\n"},
		"a Secret that it has": {
			[]string{"adopt", registry.SecretName(eksID("111111111111", "us-east-1", "green")), "-f", file},
			"", nil, 1,
			"error: secret argocd/" + registry.SecretName(eksID("111111111111", "us-east-1", "green")) + " is of ClusterSet argocd/production already\nNothing was written.\n",
		},
		"a manifest that cannot be read": {
			[]string{"list", "-f", file}, "", func(c *clustersCall) {
				c.openErr = &manifest.Error{Name: "x.yaml", Problems: []manifest.Problem{{Line: 2, Path: "kind", Value: `"TrafficShift"`, Message: "want ClusterSet"}}}
			}, 1, "error: x.yaml:2: kind = \"TrafficShift\": want ClusterSet\nNothing was sent to AWS. The fields are explained in docs/clusterset-fields.md.\n",
		},
		"a suspended set": {
			[]string{"sync", "-f", file},
			"", func(c *clustersCall) { c.fleet.info.Suspended = true }, 1,
			"error: ClusterSet argocd/production is suspended: spec.suspend is true\nNothing was written. Set spec.suspend to false to write again; list, diff and explain work all the same.\n",
		},
		"a retirement that nobody confirms": {
			[]string{"retire", "old", "-f", file},
			"", nil, 1,
			"Retire Secret argocd/eks-old-5f16ac9085 of arn:aws:eks:us-east-1:111111111111:cluster/old?\nType old to go on: \nerror: nobody said yes\nNothing was written. --yes does not ask.\n",
		},
		"a retirement with another name typed": {
			[]string{"retire", "old", "-f", file},
			"blue\n", nil, 1,
			"Retire Secret argocd/eks-old-5f16ac9085 of arn:aws:eks:us-east-1:111111111111:cluster/old?\nType old to go on: error: \"blue\" is not \"old\"\nNothing was written.\n",
		},
		"a confirmation where stdin is the file": {
			[]string{"retire", "old", "-f", "-"},
			"kind: ClusterSet\n", nil, 1,
			"error: stdin holds the ClusterSet, so nobody can be asked\nNothing was written. Give --yes, or name the file with -f.\n",
		},
		"a pass that may not list Secrets": {
			[]string{"list", "-f", file}, "", func(c *clustersCall) {
				c.fleet.pass = func(PassOptions) (Pass, error) {
					return Pass{}, fmt.Errorf("listing Argo CD's cluster Secrets: %w", fault.ErrDenied)
				}
			}, 1, "error: ClusterSet argocd/production: listing Argo CD's cluster Secrets: access denied\nnorikae needs list on secrets and on applicationsets.argoproj.io, and to write create, patch and delete on secrets; `kubectl auth can-i --list -n argocd` shows what you may.\n",
		},
		"an API server that is not there": {
			[]string{"diff", "-f", file}, "", func(c *clustersCall) {
				c.fleet.pass = func(PassOptions) (Pass, error) {
					return Pass{}, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
				}
			}, 2, "error: ClusterSet argocd/production: dial: connection refused\nNobody answers there: check the kubeconfig, its context (--context) and the network.\n",
		},
		"a pass that fails": {
			[]string{"sync", "-f", file}, "", func(c *clustersCall) {
				c.fleet.pass = func(PassOptions) (Pass, error) {
					return Pass{}, fmt.Errorf("listing Argo CD's cluster Secrets: %w", errRefused)
				}
			}, 1, "error: ClusterSet argocd/production: listing Argo CD's cluster Secrets: secrets is forbidden\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := clustersCall{args: append([]string{"clusters"}, tc.args...), in: tc.in, fleet: newFleet()}
			if tc.edit != nil {
				tc.edit(&c)
			}
			code, _, errOut := c.do(t)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if d := cmp.Diff(tc.errOut, errOut); d != "" {
				t.Errorf("stderr (-want +got):\n%s", d)
			}
			if len(c.fleet.retired) > 0 || slices.ContainsFunc(c.fleet.passes, func(o PassOptions) bool { return o.Mode == Write && name != "a pass that fails" }) {
				t.Errorf("something was written: retired %q, passes %+v", c.fleet.retired, c.fleet.passes)
			}
		})
	}
}

func TestWhereAClusterSetComesFrom(t *testing.T) {
	file := setFile(t)
	for name, tc := range map[string]struct {
		args  []string
		in    string
		files []SetFile
		set   string
	}{
		"from two files":       {[]string{"list", "-f", file, "-f", "-"}, "x", []SetFile{{file, []byte("kind: ClusterSet\n")}, {"stdin", []byte("x")}}, ""},
		"by name":              {[]string{"diff", "production"}, "", nil, "production"},
		"by --set":             {[]string{"explain", "green", "--set", "production"}, "", nil, "production"},
		"of a command's own -": {[]string{"sync", "-f", "-", "--dry-run"}, "y", []SetFile{{"stdin", []byte("y")}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := clustersCall{args: append([]string{"clusters", "-n", "team", "--kubeconfig", "/k", "--context", "c"}, tc.args...), in: tc.in}
			c.do(t)
			c.options.Log = nil
			want := FleetOptions{Files: tc.files, Name: tc.set, Namespace: "team", Kubeconfig: "/k", Context: "c"}
			if d := cmp.Diff(want, c.options); d != "" {
				t.Errorf("options (-want +got):\n%s", d)
			}
		})
	}
}

func TestWhatAPassIsAllowedToDo(t *testing.T) {
	file := setFile(t)
	green := eksID("111111111111", "us-east-1", "green").ARN()
	other := eksID("333333333333", "us-east-1", "unheard-of").ARN()
	for name, tc := range map[string]struct {
		args []string
		edit func(*fakeFleet)
		want []PassOptions
	}{
		"list looks":                        {[]string{"list"}, nil, []PassOptions{{Mode: Look}}},
		"diff looks":                        {[]string{"diff"}, nil, []PassOptions{{Mode: Look}}},
		"a dry run is validated":            {[]string{"sync", "--dry-run"}, nil, []PassOptions{{Mode: DryRun, Allow: map[string][]string{}}}},
		"sync writes":                       {[]string{"sync"}, nil, []PassOptions{{Mode: Write, Allow: map[string][]string{}}}},
		"what is allowed is found by name":  {[]string{"sync", "--allow-relabel", "green"}, nil, []PassOptions{{Mode: Look}, {Mode: Write, Allow: map[string][]string{green: {registry.AllowRelabel}}}}},
		"and taken by ARN":                  {[]string{"sync", "--allow-replace", other, "--allow-relabel", other}, nil, []PassOptions{{Mode: Write, Allow: map[string][]string{other: {registry.AllowRelabel, registry.AllowReplace}}}}},
		"adopt writes only what is adopted": {[]string{"adopt", "argocd/by-hand", "--yes"}, adoptable1, []PassOptions{{Mode: Look, Adopt: []string{"by-hand"}, Only: []string{"by-hand"}}, {Mode: Write, Adopt: []string{"by-hand"}, Only: []string{"by-hand"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := clustersCall{args: append([]string{"clusters", "-f", file}, tc.args...), fleet: newFleet()}
			if tc.edit != nil {
				tc.edit(c.fleet)
			}
			c.do(t)
			if d := cmp.Diff(tc.want, c.fleet.passes); d != "" {
				t.Errorf("passes (-want +got):\n%s", d)
			}
		})
	}
}

func TestARetirementIsConfirmedByTheName(t *testing.T) {
	c := clustersCall{args: []string{"clusters", "retire", "old", "-f", setFile(t), "--force"}, in: "old\n", fleet: newFleet()}
	code, out, errOut := c.do(t)
	if code != 0 || !slices.Equal(c.fleet.retired, []string{"eks-old-5f16ac9085"}) || !c.fleet.forced {
		t.Errorf("exit code %d, retired %q, forced %t\n%s%s", code, c.fleet.retired, c.fleet.forced, out, errOut)
	}
}

func TestAFailedDeletionIsSaid(t *testing.T) {
	c := clustersCall{args: []string{"clusters", "retire", "old", "-f", setFile(t), "--yes"}, fleet: newFleet()}
	c.fleet.deleted = errRefused
	code, out, errOut := c.do(t)
	if code != 1 || !strings.Contains(out, "NOT deleted") || !strings.Contains(errOut, "secrets is forbidden") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

func TestAnInterruptedPassSaysWhatWasWritten(t *testing.T) {
	file := setFile(t)
	for name, tc := range map[string]struct {
		fleet  func(signals chan os.Signal) *fakeFleet
		code   int
		errOut string
	}{
		"before anything was written": {
			func(chan os.Signal) *fakeFleet { f := newFleet(); f.waits = true; return f }, 130,
			"error: interrupted: nothing was written\n`norikae clusters diff` shows what is left to do.\n",
		},
		"in the middle": {
			func(chan os.Signal) *fakeFleet {
				f := newFleet()
				f.pass = func(PassOptions) (Pass, error) {
					time.Sleep(1500 * time.Millisecond) // the write that is under way
					return written(testPass()), nil
				}
				return f
			}, 130,
			"error: interrupted: what was written is said above, and no more was\n`norikae clusters diff` shows what is left to do.\n",
		},
		"twice": {
			func(signals chan os.Signal) *fakeFleet {
				f := newFleet()
				f.pass = func(PassOptions) (Pass, error) {
					signals <- syscall.SIGINT
					time.Sleep(time.Hour) // a write that hangs
					return Pass{}, nil
				}
				return f
			}, 130,
			"error: interrupted again: a write may be under way, and its end is not known\n`norikae clusters diff` shows what is left to do.\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal)
				c := clustersCall{args: []string{"clusters", "sync", "-f", file}, fleet: tc.fleet(signals), signals: signals}
				go func() { time.Sleep(time.Second); signals <- os.Interrupt }()
				code, _, errOut := c.run(t)
				if code != tc.code || errOut != tc.errOut {
					t.Errorf("exit code %d, want %d; stderr:\n%s\nwant:\n%s", code, tc.code, errOut, tc.errOut)
				}
				time.Sleep(2 * time.Hour) // the hanging write ends
			})
		})
	}
}

func TestASlowPassSaysThatItWorks(t *testing.T) {
	c := clustersCall{args: []string{"clusters", "list", "-f", setFile(t)}, fleet: newFleet()}
	c.fleet.pass = func(PassOptions) (Pass, error) { time.Sleep(5 * time.Second); return settledPass(), nil }
	if code, _, errOut := c.do(t); code != 0 || errOut != "still asking AWS and Argo CD (2s)\n" {
		t.Errorf("exit code %d, stderr %q", code, errOut)
	}
}

func TestYAMLSaysWhatJSONSays(t *testing.T) {
	file := setFile(t)
	for _, args := range [][]string{{"list", "--all"}, {"diff"}, {"sync"}, {"explain", "green"}, {"retire", "old", "--yes"}} {
		outs := map[string]any{}
		for _, format := range []string{"json", "yaml"} {
			c := clustersCall{args: append([]string{"clusters", "-f", file, "-o", format}, args...)}
			_, out, _ := c.do(t)
			var v any
			decode := json.Unmarshal
			if format == "yaml" {
				decode = func(b []byte, v any) error { return yaml.Unmarshal(b, v) }
			}
			if err := decode([]byte(out), &v); err != nil {
				t.Fatalf("%q -o %s: %v\n%s", args, format, err, out)
			}
			outs[format] = v
		}
		if d := cmp.Diff(outs["json"], outs["yaml"]); d != "" {
			t.Errorf("%q (-json +yaml):\n%s", args, d)
		}
	}
}

func TestAnInterruptedLookWritesNothing(t *testing.T) {
	for _, args := range [][]string{{"list"}, {"diff"}, {"explain", "blue"}} {
		synctest.Test(t, func(t *testing.T) {
			c := clustersCall{args: append([]string{"clusters", "-f", "-"}, args...), fleet: newFleet(), signals: make(chan os.Signal)}
			c.fleet.waits = true
			go func() { time.Sleep(time.Second); c.signals <- os.Interrupt }()
			code, _, errOut := c.run(t)
			if want := "error: ClusterSet argocd/production: context canceled\nIt was interrupted; nothing was written.\n"; code != ExitInterrupted || errOut != want {
				t.Errorf("%q: exit code %d, stderr:\n%s\nwant:\n%s", args, code, errOut, want)
			}
		})
	}
}

func TestFormatsAreCompletedAndClustersAreNoFiles(t *testing.T) {
	_, out, _ := call{args: []string{"__complete", "clusters", "list", "-o", ""}}.do(t)
	if !strings.HasPrefix(out, "table\nwide\njson\nyaml\n") {
		t.Errorf("formats:\n%s", out)
	}
	_, out, _ = call{args: []string{"__complete", "clusters", "explain", ""}}.do(t)
	if !strings.HasPrefix(out, ":4\n") { // cobra.ShellCompDirectiveNoFileComp
		t.Errorf("clusters:\n%s", out)
	}
}
