package eks_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestEveryOperationOfTheAPIIsListed(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*sdk.Client]()
	for m := range client.Methods() {
		if m.Name != "Options" && m.Type.NumIn() == 4 {
			want = append(want, m.Name)
		}
	}
	var got []string
	for _, op := range eks.Operations() {
		got = append(got, op.Name)
		if (op.Fidelity == wire.Simplified) != (op.How != "") {
			t.Errorf("%s is %s, but how: %q", op.Name, op.Fidelity, op.How)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	l := newLab(t)
	_, err := l.ListFargateProfiles(t.Context(), &sdk.ListFargateProfilesInput{ClusterName: aws.String("blue")})
	wiretest.Refused(t, err, "NotSimulated", "")
}

func TestTagsOfEverythingCanBeChanged(t *testing.T) {
	l := newLab(t)
	ctx := t.Context()
	cluster := l.add(t, "blue")
	name := aws.String("blue")
	tags := map[string]string{"a": "1", "b": "2"}
	g := group("blue", "g")
	g.Tags = tags
	arns := []string{
		*wiretest.Must(l.CreateNodegroup(ctx, g))(t).Nodegroup.NodegroupArn,
		*wiretest.Must(l.CreateAddon(ctx, &sdk.CreateAddonInput{ClusterName: name, AddonName: aws.String("vpc-cni"), Tags: tags}))(t).Addon.AddonArn,
		*wiretest.Must(l.CreateAccessEntry(ctx, &sdk.CreateAccessEntryInput{ClusterName: name, PrincipalArn: aws.String(lister), Tags: tags}))(t).AccessEntry.AccessEntryArn,
		*wiretest.Must(l.CreatePodIdentityAssociation(ctx, &sdk.CreatePodIdentityAssociationInput{
			ClusterName: name, Namespace: name, ServiceAccount: name, RoleArn: aws.String(role), Tags: tags,
		}))(t).Association.AssociationArn,
	}
	wiretest.Must(l.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &cluster, Tags: tags}))(t)
	for _, arn := range append(arns, cluster) {
		wiretest.Must(l.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"b": "3", "c": "", "d e": "4"}}))(t)
		wiretest.Must(l.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"a", "ghost"}}))(t)
		wiretest.Must(l.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"d e"}}))(t)
		got := wiretest.Must(l.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}))(t).Tags
		if !maps.Equal(got, map[string]string{"b": "3", "c": ""}) {
			t.Errorf("%s has the tags %v", arn, got)
		}
	}
	if got := l.cluster(t, "blue").Tags; got["b"] != "3" {
		t.Errorf("DescribeCluster shows the tags %v", got)
	}
	seen := 0
	for _, r := range l.service.Resources(account, region) {
		if slices.Contains(append(arns, cluster), r.ARN) && r.Tags["b"] == "3" {
			seen++
		}
	}
	if seen != 5 {
		t.Errorf("Resources has %d of them", seen)
	}
	many := map[string]string{}
	for i := range 49 {
		many[fmt.Sprint(i)] = ""
	}
	for arn, want := range map[string]string{
		"x":            "BadRequestException",
		"arn:aws:s3:x": "BadRequestException",
		"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/a/b": "BadRequestException",
		cluster + "x": "NotFoundException",
		arns[0] + "x": "NotFoundException",
		cluster[:len("arn:aws:eks:us-east-1:000000000000:cluster")]: "NotFoundException",
		cluster: "BadRequestException", // 51 tags
	} {
		_, err := l.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: many})
		wiretest.Refused(t, err, want, "")
	}
}

// plane is a ControlPlane that takes its time.
type plane struct {
	takes time.Duration
	fail  error // of starts
	stuck error // of stops

	mu      sync.Mutex
	running map[string]eks.ClusterInfo
	starts  int
	ended   error // of the context of the last start or stop
}

func (p *plane) wait(ctx context.Context) (err error) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = err
	}()
	timer := time.NewTimer(p.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // it is looked at
	}
}

func (p *plane) Start(ctx context.Context, c eks.ClusterInfo) (eks.Endpoint, error) {
	err := p.wait(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starts++
	if err == nil {
		err = p.fail
	}
	if err != nil {
		return eks.Endpoint{}, err
	}
	if p.running == nil {
		p.running = map[string]eks.ClusterInfo{}
	}
	p.running[c.ARN] = c
	return eks.Endpoint{URL: "https://127.0.0.1:1/" + c.Name, CA: []byte("pem of " + c.Name)}, nil
}

func (p *plane) Stop(ctx context.Context, arn string) error {
	if err := p.wait(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck == nil {
		delete(p.running, arn)
	}
	return p.stuck
}

func (p *plane) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.running)
}

// direct calls the service without HTTP, as in a bubble of package synctest.
type direct struct{ *eks.Service }

func newDirect(t *testing.T, cfg eks.Config) direct {
	t.Helper()
	return direct{wiretest.Must(eks.New(cfg))(t)}
}

func (d direct) call(t *testing.T, op string, p wire.Params) (wire.Struct, error) {
	t.Helper()
	return d.Serve(t.Context(), &wire.Request{Operation: op, Params: p, Region: region, AccountID: account})
}

func (d direct) create(t *testing.T, name string) {
	t.Helper()
	wiretest.Must(d.call(t, "CreateCluster", wire.Params{
		"name": name, "roleArn": role, "resourcesVpcConfig": wire.Params{"subnetIds": []any{"subnet-1", "subnet-2"}},
	}))(t)
}

// member of the cluster in an answer, as text.
func (d direct) member(t *testing.T, name, member string) string {
	t.Helper()
	out, err := d.call(t, "DescribeCluster", wire.Params{"name": name})
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e.Code
	}
	cluster, _ := out[0].Value.(wire.Struct)
	for _, m := range cluster {
		if m.Name == member {
			return fmt.Sprint(m.Value)
		}
	}
	return ""
}

func TestAClusterIsActiveWhenItsTimeHasComeAndItsControlPlaneRuns(t *testing.T) {
	for name, tc := range map[string]struct{ create, start time.Duration }{
		"a fast control plane": {10 * time.Minute, time.Second},
		"a slow control plane": {time.Second, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &plane{takes: tc.start}
				d := newDirect(t, eks.Config{CreateDelay: tc.create, DeleteDelay: time.Minute, ControlPlane: p})
				defer d.Close()
				d.create(t, "blue")
				time.Sleep(10*time.Minute - time.Nanosecond)
				if s, url := d.member(t, "blue", "status"), d.member(t, "blue", "endpoint"); s != "CREATING" || url != "<nil>" {
					t.Errorf("the cluster is %s at %s", s, url)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if s, url := d.member(t, "blue", "status"), d.member(t, "blue", "endpoint"); s != "ACTIVE" || url != "https://127.0.0.1:1/blue" {
					t.Errorf("the cluster is %s at %s", s, url)
				}
				if ca := d.member(t, "blue", "certificateAuthority"); !strings.Contains(ca, "cGVtIG9mIGJsdWU=") {
					t.Errorf("the certificate authority is %s", ca)
				}
				wiretest.Must(d.call(t, "DeleteCluster", wire.Params{"name": "blue"}))(t)
				time.Sleep(max(time.Minute, tc.start) - time.Nanosecond)
				if s := d.member(t, "blue", "status"); s != "DELETING" {
					t.Errorf("the cluster is %s", s)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if s := d.member(t, "blue", "status"); s != "ResourceNotFoundException" || p.count() != 0 {
					t.Errorf("the cluster is %s, %d control planes run", s, p.count())
				}
			})
		})
	}
}

func TestAControlPlaneThatDoesNotStartOrStopFailsItsCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plane{takes: time.Second, fail: errors.New("no port left")}
		d := newDirect(t, eks.Config{ControlPlane: p})
		defer d.Close()
		d.create(t, "blue")
		time.Sleep(2 * time.Second)
		if s, why := d.member(t, "blue", "status"), d.member(t, "blue", "health"); s != "FAILED" || !strings.Contains(why, "no port left") {
			t.Errorf("the cluster is %s: %s", s, why)
		}
		_, err := d.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "green"})
		if s := d.member(t, "green", "status"); err == nil || s != "ResourceNotFoundException" {
			t.Errorf("a cluster that did not start is %s: %v", s, err)
		}

		p.fail, p.stuck = nil, errors.New("it hangs")
		if _, err := d.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "green"}); err != nil {
			t.Fatal(err)
		}
		wiretest.Must(d.call(t, "DeleteCluster", wire.Params{"name": "green"}))(t)
		time.Sleep(2 * time.Second)
		if s, why := d.member(t, "green", "status"), d.member(t, "green", "health"); s != "FAILED" || !strings.Contains(why, "it hangs") {
			t.Errorf("the cluster is %s: %s", s, why)
		}
		p.stuck = nil
		wiretest.Must(d.call(t, "DeleteCluster", wire.Params{"name": "green"}))(t)
		wiretest.Must(d.call(t, "DeleteCluster", wire.Params{"name": "blue"}))(t)
		time.Sleep(2 * time.Second)
		if n := len(d.Resources(account, region)); n != 0 || p.count() != 0 {
			t.Errorf("%d resources are left, %d control planes run", n, p.count())
		}
	})
}

func TestCallsAreServedWhileControlPlanesStartAndCloseEndsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plane{takes: 24 * time.Hour}
		d := newDirect(t, eks.Config{ControlPlane: p})
		d.create(t, "blue")
		begun := time.Now()
		d.create(t, "green")
		if s := d.member(t, "blue", "status"); s != "CREATING" || time.Since(begun) != 0 {
			t.Errorf("the cluster is %s after %s", s, time.Since(begun))
		}
		d.Close()
		if !errors.Is(p.ended, context.Canceled) || time.Since(begun) != 0 {
			t.Errorf("the start ended by %v after %s", p.ended, time.Since(begun))
		}
		d.create(t, "late")
		synctest.Wait()
		if s := d.member(t, "late", "status"); s != "CREATING" || p.starts != 2 {
			t.Errorf("the cluster is %s, %d control planes were started", s, p.starts)
		}
		d.Close()
	})
}

func TestCloseEndsControlPlanesThatAreStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plane{}
		d := newDirect(t, eks.Config{ControlPlane: p})
		if _, err := d.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "blue"}); err != nil {
			t.Fatal(err)
		}
		p.takes = 24 * time.Hour
		wiretest.Must(d.call(t, "DeleteCluster", wire.Params{"name": "blue"}))(t)
		begun := time.Now()
		synctest.Wait()
		d.Close()
		if !errors.Is(p.ended, context.Canceled) || time.Since(begun) != 0 {
			t.Errorf("the stop ended by %v after %s", p.ended, time.Since(begun))
		}
		if s := d.member(t, "blue", "status"); s != "DELETING" {
			t.Errorf("the cluster is %s", s)
		}
	})
}

func TestTheCertificateAuthorityOfAClusterCanChange(t *testing.T) {
	l := newLab(t)
	arn := l.add(t, "blue")
	l.add(t, "green")
	before := *l.cluster(t, "green").CertificateAuthority.Data
	if *l.cluster(t, "blue").CertificateAuthority.Data == before {
		t.Error("clusters share a certificate authority")
	}
	if err := l.service.SetEndpoint(arn, eks.Endpoint{URL: "https://127.0.0.1:2", CA: []byte("new")}); err != nil {
		t.Fatal(err)
	}
	if c := l.cluster(t, "blue"); *c.Endpoint != "https://127.0.0.1:2" || *c.CertificateAuthority.Data != "bmV3" {
		t.Errorf("the cluster is at %s with %s", *c.Endpoint, *c.CertificateAuthority.Data)
	}
	if *l.cluster(t, "green").CertificateAuthority.Data != before {
		t.Error("another cluster's certificate authority has changed")
	}
	if l.service.SetEndpoint(arn+"x", eks.Endpoint{}) == nil {
		t.Error("a cluster that is not there was changed")
	}
}

func TestClustersThatALabIsBuiltWith(t *testing.T) {
	l := newLab(t)
	for name, n := range map[string]eks.NewCluster{
		"an impossible name": {Account: account, Region: region, Name: "a b"},
		"an unknown version": {Account: account, Region: region, Name: "a", Version: "1.1"},
		"one subnet":         {Account: account, Region: region, Name: "a", Subnets: []string{"subnet-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.service.AddCluster(t.Context(), n); err == nil {
				t.Error("it is accepted")
			}
		})
	}
	l.add(t, "blue")
	if _, err := l.service.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "blue"}); err == nil {
		t.Error("a second cluster of the same name is accepted")
	}
	if c := l.cluster(t, "blue"); c.Status != types.ClusterStatusActive || c.AccessConfig.AuthenticationMode != types.AuthenticationModeApiAndConfigMap {
		t.Errorf("the cluster is %s with %s", c.Status, c.AccessConfig.AuthenticationMode)
	}
}

func TestIdentifiersDependOnTheSeedAndTheCallsAlone(t *testing.T) {
	history := func(seed uint64) string {
		s := newDirect(t, eks.Config{Seed: seed, Now: newClock().Now})
		defer s.Close()
		s.create(t, "blue")
		_, err := s.AddCluster(t.Context(), eks.NewCluster{Account: account, Region: region, Name: "green"})
		if err != nil {
			t.Fatal(err)
		}
		u := wiretest.Must(s.call(t, "UpdateClusterConfig", wire.Params{"name": "green", "deletionProtection": true}))(t)
		return fmt.Sprint(wiretest.Must(s.call(t, "DescribeCluster", wire.Params{"name": "blue"}))(t), u, s.Resources(account, region))
	}
	one := history(1)
	if again := history(1); again != one {
		t.Errorf("the same seed gives\n%s\nand\n%s", one, again)
	}
	if history(2) == one {
		t.Error("another seed gives the same identifiers")
	}
}

// A lab with 1,000 clusters must stay cheap; this bound is what they may cost here.
func TestAClusterCostsFewBytes(t *testing.T) {
	const clusters, most = 2000, 6 << 10 // bytes for each
	s := newDirect(t, eks.Config{})
	defer s.Close()
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range clusters {
		_, err := s.AddCluster(t.Context(), eks.NewCluster{
			Account: account, Region: region, Name: fmt.Sprintf("cluster-%d", i), Tags: map[string]string{"env": "prod", "n": fmt.Sprint(i)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / clusters
	t.Logf("%d bytes for each cluster", each)
	if each > most {
		t.Errorf("a cluster costs %d bytes, more than %d", each, most)
	}
	runtime.KeepAlive(s)
}
