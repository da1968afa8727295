package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/iam"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

// assets is the folder of Kubernetes' programs.
func assets(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set, and this test runs real API servers: export KUBEBUILDER_ASSETS=$(make -s kube-assets), or run it by make test")
	}
	return dir
}

// cloud is EKS with real API servers, IAM and STS behind one endpoint, and the real SDK.
type cloud struct {
	*awseks.Client

	plane   *ControlPlane
	service *eks.Service
	iam     *awsiam.Client
	sts     *awssts.Client
	url     string
	log     *logs
}

// logs that were written.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newCloud(t *testing.T, programs string) *cloud {
	t.Helper()
	c := &cloud{log: &logs{}}
	users := iam.New(iam.Config{Seed: 1})
	identities := sts.New(sts.Config{Seed: 1, IAM: users, JWKS: func(ctx context.Context, issuer string) ([]byte, error) {
		set, _, err := c.plane.JWKS(ctx, issuer)
		return set, err
	}})
	var err error
	c.plane, err = NewControlPlane(PlaneConfig{
		Assets: programs, STS: identities, Endpoint: func() string { return c.url }, Logger: slog.New(slog.NewTextHandler(c.log, nil)),
		Access: func(arn string) (eks.Access, bool) { return c.service.Access(arn) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	c.service = wiretest.Must(eks.New(eks.Config{Seed: 1, ControlPlane: c.plane}))(t)
	t.Cleanup(c.service.Close)
	c.url = wiretest.Serve(t, wire.Config{Resolve: identities.Resolve, Check: identities.Check}, c.service.Registration(), identities.Registration(), users.Registration())
	c.Client = awseks.New(awseks.Options{Region: region, BaseEndpoint: &c.url, Credentials: labKey()})
	c.iam = awsiam.New(awsiam.Options{Region: region, BaseEndpoint: &c.url, Credentials: labKey()})
	c.sts = awssts.New(awssts.Options{Region: region, BaseEndpoint: &c.url, Credentials: labKey()})
	return c
}

// add clusters at the same time.
func (c *cloud) add(t *testing.T, clusters ...eks.NewCluster) {
	t.Helper()
	var all sync.WaitGroup
	for _, n := range clusters {
		n.Account, n.Region = account, region
		all.Go(func() {
			if _, err := c.service.AddCluster(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
}

// assume a role, which is everybody's here.
func (c *cloud) assume(t *testing.T, role, session string) aws.CredentialsProvider {
	t.Helper()
	out := wiretest.Must(c.sts.AssumeRole(t.Context(), &awssts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session}))(t).Credentials
	return credentials.NewStaticCredentialsProvider(*out.AccessKeyId, *out.SecretAccessKey, *out.SessionToken)
}

func (c *cloud) describe(t *testing.T, name string) *types.Cluster {
	t.Helper()
	return wiretest.Must(c.DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: &name}))(t).Cluster
}

// until EKS says that a cluster is in a state; "gone" is one, too.
func (c *cloud) until(t *testing.T, name string, want types.ClusterStatus) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := c.DescribeCluster(t.Context(), &awseks.DescribeClusterInput{Name: &name})
		got := types.ClusterStatus("gone")
		if _, gone := errors.AsType[*types.ResourceNotFoundException](err); err != nil && !gone {
			t.Fatal(err)
		}
		if err == nil {
			got = out.Cluster.Status
		}
		if got == want {
			return
		}
		if time.Now().After(end) || err == nil && got == types.ClusterStatusFailed {
			t.Fatalf("%s is %s, want %s: %+v", name, got, want, out.Cluster.Health)
		}
	}
}

// entrance to a cluster, as Argo CD has it: what EKS describes, and a token.
type entrance struct {
	url   string
	http  *http.Client
	token string
}

// enter a cluster, as EKS describes it now, with a token made by a key.
func (c *cloud) enter(t *testing.T, name string, key aws.CredentialsProvider) entrance {
	t.Helper()
	r := good()
	r.cluster, r.key = name, key
	return c.at(t, name, wrap(r.presign(t)))
}

// at a cluster with a token.
func (c *cloud) at(t *testing.T, name, token string) entrance {
	t.Helper()
	x := c.describe(t, name)
	ca := wiretest.Must(base64.StdEncoding.DecodeString(*x.CertificateAuthority.Data))(t)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("the certificate authority of %s is %q", name, ca)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return entrance{*x.Endpoint, &http.Client{Transport: transport, Timeout: 20 * time.Second}, token}
}

// call the API server; body, if there is one, is an object.
func (e entrance) call(t *testing.T, method, path string, body any) (status int, answer map[string]any) {
	t.Helper()
	raw := wiretest.Must(json.Marshal(body))(t)
	req := wiretest.Must(http.NewRequestWithContext(t.Context(), method, e.url+path, bytes.NewReader(raw)))(t)
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	text := wiretest.Must(io.ReadAll(resp.Body))(t)
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return resp.StatusCode, answer
}

// can tells whether the caller may GET a path: the status.
func (e entrance) can(t *testing.T, path string) int {
	t.Helper()
	status, _ := e.call(t, http.MethodGet, path, nil)
	return status
}

// whoami is the caller's user name and groups as the API server has them; the status,
// where it is not let in.
func (e entrance) whoami(t *testing.T) string {
	t.Helper()
	status, out := e.call(t, http.MethodPost, "/apis/authentication.k8s.io/v1/selfsubjectreviews", object{
		"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
	})
	if status != http.StatusCreated {
		return http.StatusText(status)
	}
	raw := wiretest.Must(json.Marshal(out["status"]))(t)
	var review struct {
		UserInfo struct {
			Username string
			Groups   []string
		}
	}
	if err := json.Unmarshal(raw, &review); err != nil {
		t.Fatal(err)
	}
	return review.UserInfo.Username + " " + strings.Join(review.UserInfo.Groups, " ")
}

// make an object as the cluster's administrator.
func (c *cloud) make(t *testing.T, cluster, path string, o object) {
	t.Helper()
	if err := c.plane.api(clusterARN(cluster).text).do(t.Context(), http.MethodPost, path, o, nil); err != nil {
		t.Fatal(err)
	}
}

// pids of a server's programs, each of which leads a process group.
func (s *Server) pids() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	for _, p := range s.programs {
		out = append(out, p.cmd.Process.Pid)
	}
	return out
}

// alive are those of some processes that run.
func alive(pids []int) []int {
	var out []int
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			out = append(out, pid)
		}
	}
	return out
}
