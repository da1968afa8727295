package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// model is the priority of the courier whose rule and state the others are copies of.
const model = 40000

// numbered is a courier by its priority, which is in its name and host, too.
func (l *lab) numbered(priority int) string {
	return l.courier(fmt.Sprintf("c%d", priority), fmt.Sprintf("priority = %d\nhosts = [\"h%[1]d.example.com\"]", priority), 100, 0, "")
}

// copyRule of the model, as its courier made it.
func (l *lab) copyRule(t *testing.T, priority int) (arn string) {
	t.Helper()
	out, err := l.api.CreateRule(t.Context(), &elb.CreateRuleInput{
		ListenerArn: aws.String(l.ListenerARN), Priority: aws.Int32(int32(priority)),
		Conditions: []elbtypes.RuleCondition{{Field: aws.String("host-header"), HostHeaderConfig: &elbtypes.HostHeaderConditionConfig{Values: []string{fmt.Sprintf("h%d.example.com", priority)}}}},
		Actions:    l.forward(100, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.Rules[0].RuleArn)
}

// couriers puts copies of the model into the state. A provider that makes a hundred takes
// minutes, because it keeps below AWS's rate limits: 3 writes and 10 reads a second.
func (f *folder) couriers(t *testing.T, l *lab, priorities []int) {
	t.Helper()
	name := filepath.Join(f.dir, "terraform.tfstate")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	resources, _ := state["resources"].([]any)
	one, err := json.Marshal(resources[0])
	if err != nil || len(resources) != 1 {
		t.Fatalf("%d resources: %v", len(resources), err)
	}
	arn, _ := f.attributes(t, fmt.Sprintf("eksctl_courier_alb.c%d", model))["arn"].(string)
	for _, n := range priorities {
		var other any
		text := strings.NewReplacer(arn, l.copyRule(t, n), fmt.Sprint(model), fmt.Sprint(n)).Replace(string(one))
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			t.Fatal(err)
		}
		resources = append(resources, other)
	}
	state["resources"] = resources
	if text, err = json.Marshal(state); err == nil {
		err = os.WriteFile(name, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPlanOf100CouriersReadsEachInTwoCallsAndWritesNothing(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	hcl := l.numbered(model)
	f := l.folder(t, hcl)
	f.apply(t)
	var others []int
	for i := range 99 {
		others = append(others, model+1+i)
		hcl += l.numbered(model + 1 + i)
	}
	if _, err := l.api.DeleteRule(t.Context(), &elb.DeleteRuleInput{RuleArn: aws.String(l.RuleARN)}); err != nil {
		t.Fatal(err) // a listener has 100 rules at most
	}
	f.couriers(t, l, others)
	f.write(t, hcl)
	if n := len(f.state(t)); n != 100 {
		t.Fatalf("%d couriers are in the state", n)
	}
	before := len(l.calls(t))
	f.empty(t)
	calls := l.calls(t)[before:]
	if m := mutations(calls); len(m) != 0 {
		t.Errorf("a plan with no change wrote: %v", m)
	}
	of := map[string]int{}
	for _, c := range calls {
		of[c.Operation]++
	}
	t.Logf("a plan of 100 couriers: %d calls: %v", len(calls), of)
	if len(calls) < 100 || len(calls) > 200 {
		t.Errorf("%d calls for 100 couriers: %v, want 1 or 2 each", len(calls), of)
	}
}
