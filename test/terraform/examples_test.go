package terraform

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// example makes a folder with a copy of one, and gives its variables these values.
func (l *lab) example(t *testing.T, name string, variables map[string]any) *folder {
	t.Helper()
	f := l.folder(t, "")
	f.become(t, name, variables)
	return f
}

// become replaces the configuration by that of another example: the next step of the
// same story.
func (f *folder) become(t *testing.T, name string, variables map[string]any) {
	t.Helper()
	from := os.DirFS(filepath.Join("..", "..", "examples", "terraform", filepath.FromSlash(name)))
	err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(f.dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		b, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(variables)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "terraform.tfvars.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pace of the examples on a lab, where a period is a second.
var pace = map[string]any{"step_weight": 25, "step_interval": "1s", "bake": "2s"}

// The seed's way with clusters of any origin: all traffic on blue, then two numbers are
// swapped under load.
func TestTheExampleForClustersOfOthersMovesTraffic(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	variables := func(blue, green int) map[string]any {
		return map[string]any{
			"listener_arn": l.ListenerARN, "host": "shop.example.com", "pace": pace,
			"target_group_arns": map[string]any{"blue": l.arn("blue"), "green": l.arn("green")},
			"weights":           map[string]any{"blue": blue, "green": green},
		}
	}
	f := l.example(t, "bring-your-own-cluster", variables(100, 0))
	f.apply(t)
	arn, _ := f.attributes(t, "eksctl_courier_alb.web")["arn"].(string)
	before := len(l.calls(t))
	stop := l.requests(t, "shop.example.com", 100)
	f.become(t, "bring-your-own-cluster", variables(0, 100))
	f.apply(t)
	stop().nothingLost(t)
	if got, want := l.written(l.calls(t)[before:]), []string{"75:25", "50:50", "25:75", "0:100"}; !slices.Equal(got, want) {
		t.Errorf("written %v, want %v", got, want)
	}
	if w := l.weights(t, arn); w != "0:100" {
		t.Errorf("live %s, declared 0:100", w)
	}
	l.noMark(t, arn)
	f.empty(t)
}

// The seed's flow: a cluster, a node group more, one less, and another cluster, with
// traffic all the time from the moment there is somebody to answer it.
func TestTheExampleOfAProductionSetupSwitchesClustersUnderLoad(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	targets := map[string]any{}
	for _, g := range l.TargetGroups {
		for i, target := range g.Targets {
			host, port, err := net.SplitHostPort(target)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			targets[fmt.Sprintf("%s-%d", g.Name, i)] = map[string]any{"color": g.Name, "ip": host, "port": n}
		}
	}
	variables := map[string]any{
		"region": l.Region, "vpc_id": "vpc-0123456789abcdef0", "security_group_id": "sg-0123456789abcdef0",
		"subnet_ids":       map[string]any{"us-east-1a": "subnet-0123456789abcdef0", "us-east-1b": "subnet-0123456789abcdef1"},
		"alb_listener_arn": l.ListenerARN, "host": "shop.example.com", "pace": pace, "target_type": "ip", "targets": targets,
	}
	f, eksctl := l.clusters(t, "")
	f.become(t, "productionsetup-alb/01-bootstrap", variables)
	f.apply(t)
	eksctl.golden(t, "productionsetup-alb/01-bootstrap")
	f.empty(t)
	stop := l.requests(t, "shop.example.com", 50)
	for _, step := range []string{"02-update-to-add", "03-update-to-del", "04-switch-cluster"} {
		f.become(t, "productionsetup-alb/"+step, variables)
		f.apply(t)
		eksctl.golden(t, "productionsetup-alb/"+step)
		f.empty(t)
	}
	stop().nothingLost(t)
	live, _ := f.attributes(t, "eksctl_courier_alb.web")["live_weights"].(map[string]any)
	for arn, w := range live {
		if want := map[bool]float64{true: 100}[strings.Contains(arn, "cluster-green")]; w != want {
			t.Errorf("%s has the weight %v, want %v", arn, w, want)
		}
	}
	if len(live) != 2 {
		t.Errorf("live weights: %v", live)
	}
}
