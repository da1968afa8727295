package kubeapi

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

func TestAClusterIsActiveWhenItsAPIServerAnswersAndEndsWithIt(t *testing.T) {
	t.Parallel()
	c := newCloud(t, assets(t))
	in := &awseks.CreateClusterInput{
		Name: aws.String("green"), RoleArn: aws.String(roleARN), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	}
	arn := *wiretest.Must(c.CreateCluster(t.Context(), in))(t).Cluster.Arn
	if x := c.describe(t, "green"); x.Status != types.ClusterStatusCreating || x.Endpoint != nil || c.plane.Server(arn) != nil {
		t.Errorf("at once it is %s at %v", x.Status, x.Endpoint)
	}
	c.until(t, "green", types.ClusterStatusActive)
	before := c.describe(t, "green")
	old := c.enter(t, "green", labKey())
	if status := old.can(t, everything); status != http.StatusOK {
		t.Errorf("an ACTIVE cluster answers %d", status)
	}
	c.make(t, "green", "/api/v1/namespaces", object{"metadata": object{"name": "kept"}})
	if err := c.service.RotateCA(t.Context(), arn); err != nil {
		t.Fatal(err)
	}
	if x := c.describe(t, "green"); *x.CertificateAuthority.Data == *before.CertificateAuthority.Data || *x.Endpoint != *before.Endpoint {
		t.Errorf("with another certificate authority it is at %s, and the data are new: %t", *x.Endpoint, *x.CertificateAuthority.Data != *before.CertificateAuthority.Data)
	}
	if status := c.enter(t, "green", labKey()).can(t, "/api/v1/namespaces/kept"); status != http.StatusOK {
		t.Errorf("with another certificate authority it answers %d", status)
	}
	old.http.CloseIdleConnections()
	if resp, err := old.http.Get(old.url + "/readyz"); err == nil { //nolint:noctx // it must not get that far
		_ = resp.Body.Close()
		t.Error("with the old certificate authority one still gets in")
	}

	pids := c.plane.Server(arn).pids()
	if n := len(alive(pids)); n != 3 {
		t.Fatalf("%d programs run", n)
	}
	wiretest.Must(c.DeleteCluster(t.Context(), &awseks.DeleteClusterInput{Name: in.Name}))(t)
	if x := c.describe(t, "green"); x.Status != types.ClusterStatusDeleting {
		t.Errorf("at once a deleted cluster is %s", x.Status)
	}
	c.until(t, "green", "gone")
	if left := alive(pids); len(left) > 0 {
		t.Errorf("of a deleted cluster %v run", left)
	}

	again := *wiretest.Must(c.CreateCluster(t.Context(), in))(t).Cluster.Arn
	c.until(t, "green", types.ClusterStatusActive)
	after := c.describe(t, "green")
	if again != arn || *after.Endpoint == *before.Endpoint || *after.CertificateAuthority.Data == *before.CertificateAuthority.Data ||
		*after.Identity.Oidc.Issuer == *before.Identity.Oidc.Issuer || !after.CreatedAt.After(*before.CreatedAt) {
		t.Errorf("made anew under its name it is %+v, and was %+v", after, before)
	}
	if status := c.enter(t, "green", labKey()).can(t, "/api/v1/namespaces/kept"); status != http.StatusNotFound {
		t.Errorf("what the cluster of before had is %d", status)
	}
	c.testCrash(t, arn)
}

// testCrash ends green's API server behind EKS's back.
func (c *cloud) testCrash(t *testing.T, arn string) {
	t.Helper()
	s := c.plane.Server(arn)
	pids := s.pids()
	if err := syscall.Kill(pids[1], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !strings.Contains(c.log.String(), "kube-apiserver: signal: killed"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not tell:\n%s", c.log)
		}
	}
	if x := c.describe(t, "green"); x.Status != types.ClusterStatusActive || *x.Endpoint != s.Endpoint() {
		t.Errorf("a cluster that cannot be reached is %s at %s", x.Status, *x.Endpoint)
	}
	wiretest.Must(c.DeleteCluster(t.Context(), &awseks.DeleteClusterInput{Name: aws.String("green")}))(t)
	c.until(t, "green", "gone")
	if left := alive(pids); len(left) > 0 {
		t.Errorf("of a deleted cluster %v run", left)
	}
}

// broken programs, in a folder of their own.
func broken(t *testing.T, apiServer string) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{"etcd": "exec sleep 60", "kube-apiserver": apiServer, "kube-controller-manager": "exit 9"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAClusterWhoseAPIServerDoesNotStartHasFailed(t *testing.T) {
	t.Parallel()
	c := newCloud(t, broken(t, "echo no such flag >&2; exit 3"))
	in := &awseks.CreateClusterInput{
		Name: aws.String("green"), RoleArn: aws.String(roleARN), ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: []string{"subnet-1", "subnet-2"}},
	}
	wiretest.Must(c.CreateCluster(t.Context(), in))(t)
	var x *types.Cluster
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if x = c.describe(t, "green"); x.Status != types.ClusterStatusCreating {
			break
		}
	}
	if x.Status != types.ClusterStatusFailed || len(x.Health.Issues) != 1 {
		t.Fatalf("it is %s: %+v", x.Status, x.Health)
	}
	for _, want := range []string{"the API server of green", "kube-apiserver: exit status 3", "no such flag"} {
		if got := *x.Health.Issues[0].Message; !strings.Contains(got, want) {
			t.Errorf("the reason is %q, without %q", got, want)
		}
	}
	wiretest.Must(c.DeleteCluster(t.Context(), &awseks.DeleteClusterInput{Name: in.Name}))(t)
	c.until(t, "green", "gone")
}

func TestTwoAPIServersStartAtATime(t *testing.T) {
	t.Parallel()
	c := newCloud(t, broken(t, "exec sleep 60")) // which never gets ready
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	for _, name := range []string{"a", "b", "c", "d"} {
		go func() {
			_, err := c.plane.Start(ctx, eks.ClusterInfo{ARN: clusterARN(name).text, Name: name})
			ended <- err
		}()
	}
	started := func() int {
		found, err := filepath.Glob(filepath.Join(c.plane.dir, "*", "kube-apiserver.log"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	for end := time.Now().Add(10 * time.Second); started() < atOnce && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // for a third one, which must not come
	if n := started(); n != atOnce {
		t.Errorf("%d start at a time", n)
	}
	cancel()
	for range 4 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a start ends by %v", err)
		}
	}
	if arns := c.plane.Running(); len(arns) != 0 || len(c.plane.servers) != 0 {
		t.Errorf("there are %v", arns)
	}
}

func TestALabHasOnlySoManyAPIServers(t *testing.T) {
	t.Parallel()
	c := newCloud(t, broken(t, "exec sleep 60")) // which never gets ready
	ctx := t.Context()
	for i := range MaxServers {
		_, err := c.plane.place(eks.ClusterInfo{ARN: clusterARN(string(rune('a' + i))).text})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.plane.Start(ctx, eks.ClusterInfo{ARN: clusterARN("green").text, Name: "green"})
	if err == nil || !strings.Contains(err.Error(), "8 API servers run already") {
		t.Errorf("one more: %v", err)
	}
	_, err = c.plane.Start(ctx, eks.ClusterInfo{ARN: clusterARN("a").text, Name: "a"})
	if err == nil || !strings.Contains(err.Error(), "runs already") {
		t.Errorf("the same again: %v", err)
	}
}
