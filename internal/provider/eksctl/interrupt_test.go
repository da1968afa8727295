package eksctl_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	runner "github.com/norikae/norikae/internal/eksctl"
)

// The test program is an eksctl that hangs, too, and what that starts.
const play = "EKSCTL_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(play) {
	case "":
		os.Exit(m.Run())
	case "hang": // until it is interrupted; what it started stays
		if os.Args[1] == "get" {
			fmt.Println("[]")
			os.Exit(0)
		}
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, syscall.SIGINT)
		self, err := os.Executable()
		if err != nil {
			os.Exit(9)
		}
		child := exec.Command(self) //nolint:noctx // it outlives this
		child.Env = []string{play + "=stay"}
		if err := child.Start(); err != nil {
			os.Exit(9)
		}
		record := os.Getenv("EKSCTL_RECORD")
		if err := os.WriteFile(record+".part", []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
			os.Exit(9)
		}
		if err := os.Rename(record+".part", record); err != nil {
			os.Exit(9)
		}
		fmt.Println("waiting for the stack")
		<-interrupted
		fmt.Println("stopped waiting")
		os.Exit(1)
	case "stay":
		signal.Ignore(syscall.SIGINT)
		time.Sleep(time.Minute)
	}
}

func TestAnEksctlThatHangsIsEndedWithAllThatItStarted(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	if err := os.Symlink(self, filepath.Join(programs, "eksctl")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs)
	limits := func(operation, limit string) func(object) { return with("timeouts", object{operation: limit}) }
	for name, tc := range map[string]struct {
		resource  string
		config    object
		operation string // create, update, delete
		made      object // what there is before; nil: nothing
		stop      bool   // by Ctrl-C, else by its timeout
		says      []string
	}{
		"a cluster that takes too long": {
			cluster, blue(limits("create", "2s")), "create", nil, false,
			[]string{"after the 2s that timeouts.create allows", `timeouts { create = "4s" }`, "waiting for the stack\nstopped waiting", "eksctl delete cluster --name blue"},
		},
		"a cluster that Ctrl-C ends": {cluster, blue(), "create", nil, true, []string{"interrupted; its last lines:", "eksctl delete cluster --name blue"}},
		"an update of a cluster": {
			cluster, blue(limits("update", "2s"), with("spec", spec("web2"))), "update", blue(limits("update", "2s")), false,
			[]string{"after the 2s that timeouts.update allows", `timeouts { update = "4s" }`, "the next apply does what is missing"},
		},
		"the deletion of a cluster": {cluster, nil, "delete", blue(limits("delete", "2s")), false, []string{"after the 2s that timeouts.delete allows", `timeouts { delete = "4s" }`}},
		"a node group":              {nodegroup, group(limits("create", "2s")), "create", nil, false, []string{"after the 2s that timeouts.create allows", "eksctl delete nodegroup"}},
		"a node group by Ctrl-C":    {nodegroup, group(), "create", nil, true, []string{"interrupted; its last lines:"}},
		"the deletion of a node group": {
			nodegroup, nil, "delete", group(limits("delete", "2s")), false, []string{"after the 2s that timeouts.delete allows"},
		},
		"a service account":                 {account, dns(limits("create", "2s")), "create", nil, false, []string{"after the 2s that timeouts.create allows", "eksctl delete iamserviceaccount"}},
		"the deletion of a service account": {account, nil, "delete", dns(limits("delete", "2s")), false, []string{"after the 2s that timeouts.delete allows"}},
	} {
		t.Run(name, func(t *testing.T) {
			record := filepath.Join(t.TempDir(), "record")
			w := newWorld()
			tf := start(t, w, object{}, play+"=hang", "EKSCTL_RECORD="+record)
			if tc.resource != cluster && tc.made != nil {
				tf.must(cluster, nil, blue())
				w.groups = map[string]bool{}
			}
			p := planned{resource: tc.resource}
			switch {
			case tc.made == nil:
				p = tf.plan(tc.resource, nil, tc.config)
			case tc.config != nil:
				state := tf.must(tc.resource, nil, tc.made)
				p = tf.plan(tc.resource, &state, tc.config)
			default:
				p.prior = tf.must(tc.resource, nil, tc.made)
			}
			tf.clean(p.diags)
			w.real = runner.Runner{}
			if tc.stop {
				go func() {
					childOf(t, record)
					if _, err := tf.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{}); err != nil {
						t.Error(err)
					}
				}()
			}
			began := time.Now()
			var diags []*tfprotov6.Diagnostic
			if tc.operation == "delete" {
				after, d := tf.destroy(tc.resource, p.prior)
				if diags = d; after.IsNull() {
					t.Error("a deletion that failed leaves no state")
				}
			} else {
				_, diags = tf.apply(p)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			said := text(diags, tfprotov6.DiagnosticSeverityError)
			for _, want := range tc.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in:\n%s", want, said)
				}
			}
			ended(t, childOf(t, record))
		})
	}
}

// childOf waits until the program has started another, and gives that one's process ID.
func childOf(t *testing.T, record string) int {
	t.Helper()
	for range 250 {
		if raw, err := os.ReadFile(record); err == nil {
			pid, _ := strconv.Atoi(string(raw))
			return pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("eksctl did not start")
	return 0
}

// ended waits until a process is gone.
func ended(t *testing.T, pid int) {
	t.Helper()
	for range 250 {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the process %d still runs", pid)
}
