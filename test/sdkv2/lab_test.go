package sdkv2

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lab starts a simulated AWS that ends with the test, and adds its environment to w's.
func (w *workspace) lab(t testing.TB, seed string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), ours(t, "norikae"), append([]string{"lab", "up", "--seed", seed, "--listen", "127.0.0.1:0", "--cluster-delay", "0s", "-o", "json"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait()
	})
	facts, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the lab did not say where it is: %v", err)
	}
	var world struct {
		Endpoint, ListenerARN, HostedZoneID string
		Env                                 []string
	}
	if err := json.Unmarshal(facts, &world); err != nil {
		t.Fatal(err)
	}
	for _, is := range []string{world.ListenerARN, world.HostedZoneID} {
		if is != "" && !strings.Contains(w.read(t, "main.tf"), is) {
			t.Fatalf("the lab's world %s has %s, the fixture names another: write its main.tf and make fixtures anew", seed, is)
		}
	}
	w.env = append(w.env, world.Env...)
}

// aws calls the lab with Debian's AWS CLI, which needs to be told where it is.
func (w *workspace) aws(t testing.TB, args ...string) string {
	t.Helper()
	return w.run(t, "/usr/bin/aws", append([]string{"--endpoint-url", w.value("AWS_ENDPOINT_URL"), "--output", "json"}, args...)...)
}

// call is one API call, as the lab's log has it.
type call struct{ Service, Operation string }

// writes tells whether a call changes something.
func (c call) writes() bool {
	for _, prefix := range []string{"Describe", "List", "Get", "Simulate", "AssumeRole", "TestDNS"} {
		if strings.HasPrefix(c.Operation, prefix) {
			return false
		}
	}
	return true
}

// calls of the lab so far.
func (w *workspace) calls(t testing.TB) (out []call) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.value("AWS_ENDPOINT_URL")+"/_lab/calls", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for d := json.NewDecoder(resp.Body); ; {
		var c call
		switch err := d.Decode(&c); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			t.Fatalf("the log of calls: %v", err)
		}
		out = append(out, c)
	}
}

// rule makes a rule as the old provider did: with weights, and without a tag.
func (w *workspace) rule(t testing.TB, priority, conditions string, weights string) {
	t.Helper()
	const listener = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/lab/28911965408373c3/e440408e5923a3b7"
	w.aws(t, "elbv2", "create-rule", "--listener-arn", listener, "--priority", priority, "--conditions", conditions,
		"--actions", `[{"Type":"forward","ForwardConfig":{"TargetGroups":[`+weights+`]}}]`)
}

const (
	blue  = `{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/92e0dc5909d5d1e1","Weight":`
	green = `{"TargetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/dad1a4ea44841cab","Weight":`
)

// eksctl is run by its stand-in, as the old provider ran it.
func (w *workspace) eksctl(t testing.TB, stdin string, args ...string) {
	t.Helper()
	w.stdin = stdin
	defer func() { w.stdin = "" }()
	w.run(t, ours(t, "test/eksctl"), args...)
}

// path puts programs before others of the same name.
func (w *workspace) path(programs ...string) {
	for _, p := range programs {
		w.env = append(w.env, "PATH="+filepath.Dir(p)+":"+w.value("PATH"))
	}
}

func (w *workspace) value(name string) (value string) {
	for _, kv := range w.env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// clusters are made with the stand-in, which the provider finds too.
func (w *workspace) clusters(t testing.TB, names ...string) {
	t.Helper()
	w.path(ours(t, "test/eksctl"))
	w.env = append(w.env, "EKSCTL_RECORD="+filepath.Join(w.dir, "eksctl.record"))
	for _, name := range names {
		w.eksctl(t, `{apiVersion: eksctl.io/v1alpha5, kind: ClusterConfig, metadata: {name: `+name+`, region: us-east-1, version: "1.33"}}`,
			"create", "cluster", "-f", "-", "--write-kubeconfig=false")
	}
}

// kubernetes is a real API server, with helm, helmfile and their plugin, and a kubeconfig
// that leads there.
func (w *workspace) kubernetes(t testing.TB) {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	needed(t, "KUBEBUILDER_ASSETS", filepath.Join(assets, "kube-apiserver"))
	helm := needed(t, "NORIKAE_HELM", os.Getenv("NORIKAE_HELM"))
	helmfile := needed(t, "NORIKAE_HELMFILE", os.Getenv("NORIKAE_HELMFILE"))
	plugins := needed(t, "NORIKAE_HELMDIFF", os.Getenv("NORIKAE_HELMDIFF"))
	w.lab(t, "", "--kubernetes", assets)
	w.clusters(t, "blue")
	w.path(helm, helmfile)
	w.env = append(w.env, "HELM_PLUGINS="+plugins, "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir(), "HELMFILE_CACHE_HOME="+t.TempDir())

	var described struct {
		Cluster struct {
			Endpoint             string
			CertificateAuthority struct{ Data string }
		}
	}
	if err := json.Unmarshal([]byte(w.aws(t, "eks", "describe-cluster", "--name", "blue")), &described); err != nil {
		t.Fatal(err)
	}
	w.write(t, "kubeconfig", `apiVersion: v1
kind: Config
current-context: blue
clusters: [{name: blue, cluster: {server: "`+described.Cluster.Endpoint+`", certificate-authority-data: `+described.Cluster.CertificateAuthority.Data+`}}]
contexts: [{name: blue, context: {cluster: blue, user: blue}}]
users:
- name: blue
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: `+ours(t, "norikae")+`
      args: [eks, get-token, --cluster-name, blue, --region, us-east-1]
      interactiveMode: Never
`)
	// Who assumes the role that a fixture names gets in as well.
	w.stdin = `{apiVersion: v1, kind: ConfigMap, metadata: {name: aws-auth, namespace: kube-system}, data: {mapRoles: "[{rolearn: arn:aws:iam::000000000000:role/deployer, username: deployer, groups: [system:masters]}]"}}`
	defer func() { w.stdin = "" }()
	w.run(t, filepath.Join(assets, "kubectl"), "--kubeconfig=kubeconfig", "apply", "-f", "-")
}

// live makes the lab what the fixtures' states say that it is.
var live = map[string]func(testing.TB, *workspace){
	"alb": func(t testing.TB, w *workspace) {
		w.lab(t, "blue-green")
		w.rule(t, "11", `[{"Field":"path-pattern","PathPatternConfig":{"Values":["/api/*","/v2/*"]}}]`, green+`100},`+blue+`0}`)
		w.rule(t, "12", `[{"Field":"http-request-method","HttpRequestMethodConfig":{"Values":["GET","POST"]}},{"Field":"query-string","QueryStringConfig":{"Values":[{"Key":"version","Value":"2"}]}}]`, blue+`1}`)
		w.rule(t, "13", `[{"Field":"source-ip","SourceIpConfig":{"Values":["203.0.113.0/24"]}}]`, blue+`3},`+green+`1}`)
		w.env = append(w.env, "DATADOG_API_KEY=fake", "DATADOG_APPLICATION_KEY=fake")
	},
	"route53": func(t testing.TB, w *workspace) {
		w.lab(t, "route53")
		for _, r := range []string{`"SetIdentifier":"blue","Weight":10`, `"SetIdentifier":"green","Weight":90`} {
			w.aws(t, "route53", "change-resource-record-sets", "--hosted-zone-id", "Z47Z5SHO8NZPZKHMZX6C", "--change-batch",
				`{"Changes":[{"Action":"CREATE","ResourceRecordSet":{"Name":"www.example.com","Type":"A",`+r+`,"TTL":60,"ResourceRecords":[{"Value":"203.0.113.1"}]}}]}`)
		}
	},
	"cluster": func(t testing.TB, w *workspace) {
		w.lab(t, "")
		w.clusters(t, "least", "unversioned", "blue")
		for _, m := range [][]string{
			{"role/admins", "admin", "system:masters"},
			{"user/jane", "jane", "developers", "viewers"},
		} {
			args := []string{"create", "iamidentitymapping", "--cluster=blue", "--region=us-east-1", "--arn=arn:aws:iam::000000000000:" + m[0], "--username=" + m[1]}
			for _, g := range m[2:] {
				args = append(args, "--group="+g)
			}
			w.eksctl(t, "", args...)
		}
	},
	"nodegroup": func(t testing.TB, w *workspace) {
		w.lab(t, "")
		w.clusters(t, "blue")
		for _, name := range []string{"least", "misspelt", "full"} {
			w.eksctl(t, "", "create", "nodegroup", "--cluster=blue", "--region=us-east-1", "--name="+name)
		}
	},
	"iamserviceaccount": func(t testing.TB, w *workspace) {
		w.lab(t, "")
		w.clusters(t, "blue")
	},
	"release_set": func(t testing.TB, w *workspace) {
		w.kubernetes(t)
		for _, name := range []string{"web", "api"} {
			w.run(t, os.Getenv("NORIKAE_HELM"), "upgrade", "--install", name, "./web", "--kubeconfig=kubeconfig", "--set=image=web:1")
		}
	},
	"release": func(t testing.TB, w *workspace) {
		w.kubernetes(t)
		w.run(t, os.Getenv("NORIKAE_HELM"), "upgrade", "--install", "web", "./web", "--kubeconfig=kubeconfig")
		w.run(t, os.Getenv("NORIKAE_HELM"), "upgrade", "--install", "api", "./web", "--kubeconfig=kubeconfig", "--namespace=production", "--create-namespace", "--set=replicas=2")
	},
}
