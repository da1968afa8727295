package app

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/cli"
	"github.com/norikae/norikae/internal/fleettest"
)

// stopNoise is what controller-runtime says whenever a leader gives its lease up.
const stopNoise = `level=ERROR msg="error received after stop sequence was engaged" err="leader election lost"`

// keep the ground's ClusterSets with a controller that asks its AWS.
func (p *ground) keep(t *testing.T, change ...func(*cli.ControllerOptions)) *running {
	t.Helper()
	env := Environment{
		Getenv:     func(string) string { return "" },
		HTTPClient: p.world.HTTP(), Endpoint: p.world.Endpoint, Credentials: someone(),
	}
	return control(t, p.Cluster, awsPasses(env), change...)
}

func someone() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("AKIATEST", "x", "")
}

// set as it is in the API server.
func (p *ground) set(t *testing.T) *v1alpha1.ClusterSet {
	t.Helper()
	cs := &v1alpha1.ClusterSet{}
	if err := p.Client.Get(t.Context(), client.ObjectKey{Namespace: p.Namespace, Name: "fleet"}, cs); err != nil {
		t.Fatal(err)
	}
	return cs
}

// poke asks for a pass, and waits until there was one since.
func (p *ground) poke(t *testing.T, r *running, why string) {
	t.Helper()
	cs := p.set(t)
	was := cs.DeepCopy()
	cs.Annotations = map[string]string{"why": why}
	if err := p.Client.Patch(t.Context(), cs, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
	before := r.passes(t)
	until(t, "pass: "+why, func() bool { return r.passes(t) > before })
}

// labels of the cluster Secrets, by Argo CD's name of the cluster.
func (p *ground) cells(t *testing.T) map[string]string {
	t.Helper()
	cells := map[string]string{}
	for _, s := range p.secrets(t) {
		if _, twice := cells[string(s.Data["name"])]; twice {
			t.Errorf("cluster %s has two Secrets", s.Data["name"])
		}
		cells[string(s.Data["name"])] = s.Labels["cell"]
	}
	return cells
}

func (p *ground) untilCells(t *testing.T, r *running, want map[string]string) {
	t.Helper()
	var got map[string]string
	deadline := time.Now().Add(30 * time.Second)
	for got = p.cells(t); !maps.Equal(got, want); got = p.cells(t) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s:\n%s\n%s", cmp.Diff(want, got), r.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *ground) eventCount(t *testing.T) int {
	t.Helper()
	out, ok := p.Kubectl(t, "", "get", "events.events.k8s.io", "--field-selector", "regarding.kind=ClusterSet", "-o", "name")
	if !ok {
		t.Fatal(out)
	}
	return strings.Count(out, "\n")
}

// TestTheControllerKeepsAFleet from its first pass to the end of its ClusterSet, on a real
// API server and the lab's AWS.
func TestTheControllerKeepsAFleet(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	first := p.keep(t)
	if out, ok := p.Kubectl(t, "", "apply", "-f", p.file); !ok {
		t.Fatal(out)
	}
	p.untilCells(t, first, map[string]string{"blue": "one", "green": "one"})
	ready := func(r *running) {
		t.Helper()
		until(t, "good status\n"+r.log.String(), func() bool { return meta.IsStatusConditionTrue(p.set(t).Status.Conditions, v1alpha1.ConditionReady) })
	}
	ready(first)
	until(t, "3 events", func() bool { return p.eventCount(t) == 3 })

	// Hazard D8: nothing changes, so nothing is written and nothing is said.
	status, versions := p.set(t).Status, p.versions(t)
	p.poke(t, first, "nothing has changed")
	p.poke(t, first, "still nothing")

	// Somebody edits a Secret: it is repaired at once.
	for _, s := range p.secrets(t) {
		if string(s.Data["name"]) == "blue" {
			s.Labels["cell"] = "by-hand"
			if d := cmp.Diff(status, p.set(t).Status) + cmp.Diff(versions, p.versions(t)); d != "" || p.eventCount(t) != 3 {
				t.Errorf("%d events, and what changed by itself:\n%s", p.eventCount(t), d)
			}
			if err := p.Client.Update(t.Context(), &s); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.untilCells(t, first, map[string]string{"blue": "one", "green": "one"})

	until(t, "4 events", func() bool { return p.eventCount(t) == 4 })

	// A replica waits, and takes over when the first stops.
	second := p.keep(t)
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	if err := p.world.Add(t.Context(), p.id("red"), map[string]string{fleettest.CellTag: "two"}); err != nil {
		t.Fatal(err)
	}
	p.untilCells(t, second, map[string]string{"blue": "one", "green": "one", "red": "two"})
	ready(second)

	// The set goes and its Secrets stay, until it is there again.
	versions = p.versions(t)
	if err := p.Client.Delete(t.Context(), p.set(t)); err != nil {
		t.Fatal(err)
	}
	until(t, "word of it", func() bool {
		return strings.Contains(second.log.String(), "its 3 cluster Secrets stay in namespace "+p.Namespace)
	})
	if out, ok := p.Kubectl(t, "", "apply", "-f", p.file); !ok {
		t.Fatal(out)
	}
	ready(second)
	if d := cmp.Diff(versions, p.versions(t)); d != "" {
		t.Errorf("Secrets changed with their set:\n%s", d)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
	for _, r := range []*running{first, second} {
		if log := r.log.String(); strings.Contains(strings.ReplaceAll(log, stopNoise, ""), "level=ERROR") || strings.Contains(log, "certificate-authority") {
			t.Errorf("the log:\n%s", log)
		}
	}
}

func TestAnEventOfAWSIsSeenWithinSeconds(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	queues := sqs.New(sqs.Options{Region: awssim.Region, BaseEndpoint: &p.world.Endpoint, HTTPClient: p.world.HTTP(), Credentials: someone()})
	queue, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("events"), Tags: map[string]string{awssim.EventsTag: "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	r := p.keep(t, func(o *cli.ControllerOptions) { o.EventsQueueURL = *queue.QueueUrl })
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	rarely := strings.ReplaceAll(string(text), "\nspec:", "\nspec:\n  interval: 1h")
	if out, ok := p.Kubectl(t, rarely, "apply", "-f", "-"); !ok {
		t.Fatal(out)
	}
	p.untilCells(t, r, map[string]string{"blue": "one", "green": "one"})
	clusters := eks.New(eks.Options{Region: p.world.Regions[0], BaseEndpoint: &p.world.Endpoint, HTTPClient: p.world.HTTP(), Credentials: someone()})
	if _, err := clusters.TagResource(t.Context(), &eks.TagResourceInput{ResourceArn: aws.String(p.id("blue").ARN()), Tags: map[string]string{fleettest.CellTag: "two"}}); err != nil {
		t.Fatal(err)
	}
	p.untilCells(t, r, map[string]string{"blue": "two", "green": "one"})
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "norikae_clusterset_aws_calls_total" && m.GetCounter().GetValue() > 0 {
				called[m.GetLabel()[1].GetValue()+":"+m.GetLabel()[0].GetValue()] = true
			}
		}
	}
	for _, call := range []string{"resource-groups-tagging-api:GetResources", "eks:DescribeCluster", "sqs:ReceiveMessage"} {
		if !called[call] {
			t.Errorf("%s is not among the calls that were counted: %v", call, called)
		}
	}
}

func TestAQueueThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	p := newGround(t)
	if err := p.keep(t, func(o *cli.ControllerOptions) { o.EventsQueueURL = "https://example.com/queue" }).end(); err == nil || !strings.Contains(err.Error(), `--events-queue-url: the queue's URL "https://example.com/queue" is not of the form`) {
		t.Errorf("%v", err)
	}
}
