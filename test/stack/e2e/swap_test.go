//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// balancer is an ALB that answers 404 but for what rules say.
func (w world) balancer(t *testing.T, name string) (url, listener string) {
	t.Helper()
	api := elb.NewFromConfig(w.aws)
	lb, err := api.CreateLoadBalancer(t.Context(), &elb.CreateLoadBalancerInput{Name: &name, Subnets: w.subnets})
	if err != nil {
		t.Fatal(err)
	}
	l, err := api.CreateListener(t.Context(), &elb.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancers[0].LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(80),
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumFixedResponse, FixedResponseConfig: &elbtypes.FixedResponseActionConfig{StatusCode: aws.String("404")}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + *lb.LoadBalancers[0].DNSName, *l.Listeners[0].ListenerArn
}

// folder is a copy of the story's examples, in which Terraform works in one step's.
type folder struct{ root, dir string }

func (w world) terraform(t *testing.T, listener string) folder {
	t.Helper()
	f := folder{root: t.TempDir()}
	if err := os.CopyFS(f.root, os.DirFS(seed)); err != nil {
		t.Fatal(err)
	}
	f.dir = filepath.Join(f.root, "02-target-cluster")
	vars, err := json.Marshal(map[string]any{
		"region": "us-east-1", "vpc_id": w.vpc, "alb_listener_arn": listener,
		"subnet_ids": map[string]string{"us-east-1a": w.subnets[0], "us-east-1b": w.subnets[1]},
		"pace":       map[string]any{"step_weight": 20, "step_interval": "5s", "bake": "5s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "lab.auto.tfvars.json"), vars, 0o600); err != nil {
		t.Fatal(err)
	}
	ran(t, "terraform", "-chdir="+f.dir, "init", "-input=false", "-no-color")
	return f
}

// step takes the files of a later step.
func (f folder) step(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.root, name, "main.tf"))
	if err == nil {
		err = os.WriteFile(filepath.Join(f.dir, "main.tf"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ran(t, "terraform", "-chdir="+f.dir, "init", "-input=false", "-no-color")
}

func (f folder) apply(t *testing.T) error {
	t.Helper()
	_, err := tried(t, "", "terraform", "-chdir="+f.dir, "apply", "-input=false", "-auto-approve", "-no-color")
	return err
}

// settled wants a plan without a difference.
func (f folder) settled(t *testing.T) {
	t.Helper()
	if out, err := tried(t, "", "terraform", "-chdir="+f.dir, "plan", "-input=false", "-no-color", "-detailed-exitcode"); err != nil {
		t.Errorf("the plan after the apply is not empty: %v\n%s", err, out)
	}
}

// weights of the rule that a listener has, by target group's name.
func (w world) weights(t *testing.T, listener string) map[string]int32 {
	t.Helper()
	api := elb.NewFromConfig(w.aws)
	rules, err := api.DescribeRules(t.Context(), &elb.DescribeRulesInput{ListenerArn: &listener})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int32{}
	for _, r := range rules.Rules {
		if aws.ToString(r.Priority) != "10" {
			continue
		}
		for _, g := range r.Actions[0].ForwardConfig.TargetGroups {
			out[strings.Split(*g.TargetGroupArn, "/")[1]] = aws.ToInt32(g.Weight)
		}
	}
	return out
}

// A target cluster is swapped by one apply, under load: added, set up, given the
// application, and then its traffic, step by step.
func TestATargetClusterIsSwappedByOneApply(t *testing.T) {
	w := open(t)
	url, listener := w.balancer(t, "swap")
	f := w.terraform(t, listener)
	timed(t, "terraform apply: a target group, a cluster, its set-up, and the rule", func() {
		if err := f.apply(t); err != nil {
			t.Fatal(err)
		}
	})
	at := func(name string) *cluster {
		return &cluster{world: w, name: name, kubeconfig: filepath.Join(f.dir, name+".kubeconfig")}
	}
	deploy := func(c *cluster) {
		c.must(t, "create", "namespace", "podinfo")
		c.release(t, "6.9.1")
	}
	timed(t, "the application on blue, until the load balancer answers", func() {
		deploy(at("blue"))
		eventually(t, "it answers", func() error {
			_, err := tried(t, "", "curl", "-sf", "-m", "2", url+"/readyz")
			return err
		})
		at("blue").becomes(t, "Initialized")
	})
	f.settled(t)

	counts := load(t, url, 200, func() {
		f.step(t, "06-target-swap")
		done := make(chan error, 1)
		begun := time.Now()
		go func() { done <- f.apply(t) }()
		eventually(t, "green is set up", func() error {
			_, err := at("green").kubectl(t, "get", "deployment/flagger", "-n", "flagger")
			return err
		})
		t.Logf("%6.2fs  until green is there", time.Since(begun).Seconds())
		if got := w.weights(t, listener); got["gateway-green"] != 0 {
			t.Errorf("before there was an application, the weights were %v", got)
		}
		deploy(at("green"))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		t.Logf("%6.2fs  terraform apply: green added, and all traffic moved there", time.Since(begun).Seconds())
	})
	t.Logf("the client counted %+v", counts)
	if counts.OK != counts.Sent || counts.OK < 5000 {
		t.Errorf("the client counted %+v", counts)
	}
	if got, want := fmt.Sprint(w.weights(t, listener)), "map[gateway-blue:0 gateway-green:100]"; got != want {
		t.Errorf("the weights are %s, want %s", got, want)
	}
	f.settled(t)
}
