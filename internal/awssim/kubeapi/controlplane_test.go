package kubeapi

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awseks "github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/norikae/norikae/internal/awssim/clitest"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/sts"
	"github.com/norikae/norikae/internal/awssim/wiretest"
)

const everything = "/api/v1/secrets" // that administrators may read, and viewers may not

// TestClustersLetInWhomAWSWould runs two real API servers for all that is about tokens.
func TestClustersLetInWhomAWSWould(t *testing.T) {
	t.Parallel()
	c := newCloud(t, assets(t))
	c.add(t, eks.NewCluster{Name: "green"}, eks.NewCluster{Name: "blue", AuthenticationMode: eks.ModeConfigMap})
	t.Run("a token is for one cluster", c.testOneCluster)
	t.Run("refused tokens", c.testRefusals)
	t.Run("an access entry's group", c.testEntry)
	t.Run("access policies", c.testPolicies)
	t.Run("a policy in namespaces", c.testNamespacedPolicy)
	t.Run("aws-auth", c.testAWSAuth)
	t.Run("both ways", c.testBothWays)
	t.Run("a pod's service account is a role", c.testServiceAccount)
	t.Run("the AWS CLI", c.testAWSCLI)
	if text := c.log.String(); strings.Contains(text, sts.LabSecret) || strings.Contains(text, "X-Amz-Signature") || strings.Contains(text, tokenPrefix+"a") {
		t.Errorf("the log tells secrets:\n%s", text)
	}
}

func (c *cloud) testOneCluster(t *testing.T) {
	green := c.enter(t, "green", labKey())
	if who := green.whoami(t); who != labUser+" eks:access-policy:AmazonEKSClusterAdminPolicy system:authenticated" {
		t.Errorf("who has created green is %q there", who)
	}
	if status := green.can(t, everything); status != http.StatusOK {
		t.Errorf("its creator gets %d at green", status)
	}
	if who := c.at(t, "blue", green.token).whoami(t); who != "Unauthorized" {
		t.Errorf("green's token is %q at blue", who)
	}
	if who := c.enter(t, "blue", labKey()).whoami(t); who != "kubernetes-admin system:masters system:authenticated" {
		t.Errorf("who has created blue, with a ConfigMap only, is %q there", who)
	}
	r := good()
	r.endpoint = c.url
	if status := c.at(t, "green", wrap(r.presign(t))).can(t, everything); status != http.StatusOK {
		t.Errorf("a token with the lab's endpoint gets %d", status)
	}
}

func (c *cloud) testRefusals(t *testing.T) {
	url := good().presign(t)
	late := good()
	late.at = time.Now().Add(-16 * time.Minute)
	guess := good()
	guess.key = credentials.NewStaticCredentialsProvider(sts.LabAccessKeyID, "guess", "")
	stranger := good()
	stranger.key = credentials.NewStaticCredentialsProvider("AKIDSTRANGER", "guess", "")
	bare := good()
	bare.cluster = ""
	for name, token := range map[string]string{
		"signed with another secret": wrap(guess.presign(t)),
		"of an unknown key":          wrap(stranger.presign(t)),
		"expired":                    wrap(late.presign(t)),
		"tampered with":              wrap(set("X-Amz-Expires", "61")(url)),
		"without the header":         wrap(bare.presign(t)),
		"huge":                       wrap(url + strings.Repeat("&", 4096)),
		"with a parameter twice":     wrap(url + "&Action=GetCallerIdentity"),
		"no token of EKS":            "abc",
	} {
		t.Run(name, func(t *testing.T) {
			if who := c.at(t, "green", token).whoami(t); who != "Unauthorized" {
				t.Errorf("it is let in as %q", who)
			}
		})
	}
}

// entry of a role in a cluster.
func (c *cloud) entry(t *testing.T, cluster, role string, groups ...string) {
	t.Helper()
	wiretest.Must(c.CreateAccessEntry(t.Context(), &awseks.CreateAccessEntryInput{ClusterName: &cluster, PrincipalArn: &role, KubernetesGroups: groups}))(t)
}

func (c *cloud) testEntry(t *testing.T) {
	session := c.assume(t, roleARN, "me")
	if who := c.enter(t, "green", session).whoami(t); who != "Unauthorized" {
		t.Errorf("a role without an entry is let in as %q", who)
	}
	c.entry(t, "green", roleARN, "readers")
	c.make(t, "green", "/apis/"+rbac+"/v1/clusterroles", object{
		"metadata": object{"name": "readers"}, "rules": []object{{"apiGroups": []string{""}, "resources": []string{"configmaps"}, "verbs": []string{"list"}}},
	})
	c.make(t, "green", "/apis/"+rbac+"/v1/clusterrolebindings", object{
		"metadata": object{"name": "readers"}, "roleRef": object{"apiGroup": rbac, "kind": "ClusterRole", "name": "readers"},
		"subjects": []object{{"apiGroup": rbac, "kind": "Group", "name": "readers"}},
	})
	r := good()
	r.key, r.at = session, time.Now().Add(-time.Second) // not the token that was refused
	green := c.at(t, "green", wrap(r.presign(t)))
	if who := green.whoami(t); who != "arn:aws:sts::000000000000:assumed-role/argocd/me readers system:authenticated" {
		t.Errorf("the role's session is %q", who)
	}
	if may, not := green.can(t, "/api/v1/configmaps"), green.can(t, everything); may != http.StatusOK || not != http.StatusForbidden {
		t.Errorf("what it may is %d, what it may not %d", may, not)
	}

	wiretest.Must(c.DeleteAccessEntry(t.Context(), &awseks.DeleteAccessEntryInput{ClusterName: aws.String("green"), PrincipalArn: aws.String(roleARN)}))(t)
	r.at = time.Now().Add(-2 * time.Second)
	if who := c.at(t, "green", wrap(r.presign(t))).whoami(t); who != "Unauthorized" {
		t.Errorf("without its entry, with a new token, it is let in as %q", who)
	}
	// The token that was let in is known for the API server's 10 s and the webhook's.
	limit := 10*time.Second + tokenTTL + time.Second
	for begun := time.Now(); green.can(t, "/api/v1/configmaps") != http.StatusUnauthorized; time.Sleep(200 * time.Millisecond) {
		if time.Since(begun) > limit {
			t.Fatalf("without its entry it is let in after %s, with the token of before", limit)
		}
	}
}

func (c *cloud) associate(t *testing.T, cluster, role, policy string, namespaces ...string) {
	t.Helper()
	scope := &types.AccessScope{Type: types.AccessScopeTypeCluster}
	if len(namespaces) > 0 {
		scope = &types.AccessScope{Type: types.AccessScopeTypeNamespace, Namespaces: namespaces}
	}
	arn := "arn:aws:eks::aws:cluster-access-policy/" + policy
	wiretest.Must(c.AssociateAccessPolicy(t.Context(), &awseks.AssociateAccessPolicyInput{ClusterName: &cluster, PrincipalArn: &role, PolicyArn: &arn, AccessScope: scope}))(t)
}

func (c *cloud) testPolicies(t *testing.T) {
	const pods, roles = "/api/v1/pods", "/apis/" + rbac + "/v1/clusterroles"
	for policy, want := range map[string]struct {
		pods, secrets, roles int // statuses of reading them
		write                int // of making a ConfigMap
	}{
		"AmazonEKSClusterAdminPolicy": {200, 200, 200, 201},
		"AmazonEKSAdminPolicy":        {200, 200, 403, 201},
		"AmazonEKSEditPolicy":         {200, 200, 403, 201},
		"AmazonEKSViewPolicy":         {200, 403, 403, 403},
		"AmazonEKSAdminViewPolicy":    {200, 200, 200, 403},
		"AmazonEKSSecretReaderPolicy": {403, 200, 403, 403},
	} {
		t.Run(policy, func(t *testing.T) {
			role := "arn:aws:iam::000000000000:role/" + policy
			c.entry(t, "green", role)
			c.associate(t, "green", role, policy)
			green := c.enter(t, "green", c.assume(t, role, "me"))
			if p, s, r := green.can(t, pods), green.can(t, everything), green.can(t, roles); p != want.pods || s != want.secrets || r != want.roles {
				t.Errorf("reading pods is %d, secrets %d, roles %d; want %+v", p, s, r, want)
			}
			status, _ := green.call(t, http.MethodPost, "/api/v1/namespaces/default/configmaps", object{
				"metadata": object{"name": strings.ToLower(policy)},
			})
			if status != want.write {
				t.Errorf("writing is %d, want %d", status, want.write)
			}
		})
	}
}

func (c *cloud) testNamespacedPolicy(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/web"
	for _, ns := range []string{"web-1", "web-2", "db"} {
		c.make(t, "green", "/api/v1/namespaces", object{"metadata": object{"name": ns}})
	}
	c.entry(t, "green", role)
	c.associate(t, "green", role, "AmazonEKSEditPolicy", "web-*")
	c.associate(t, "green", role, "AmazonEKSViewPolicy", "db")
	green := c.enter(t, "green", c.assume(t, role, "me"))
	for path, want := range map[string]int{
		"/api/v1/namespaces/web-1/secrets": 200, "/api/v1/namespaces/web-2/secrets": 200, "/api/v1/namespaces/db/pods": 200,
		"/api/v1/namespaces/db/secrets": 403, "/api/v1/namespaces/default/pods": 403, "/api/v1/pods": 403,
	} {
		if got := green.can(t, path); got != want {
			t.Errorf("%s is %d, want %d", path, got, want)
		}
	}
}

// awsAuthOf makes the ConfigMap of a cluster with one role.
func (c *cloud) awsAuthOf(t *testing.T, cluster, roles string) {
	t.Helper()
	c.make(t, cluster, "/api/v1/namespaces/kube-system/configmaps", object{
		"metadata": object{"name": "aws-auth"}, "data": object{"mapRoles": roles},
	})
}

func (c *cloud) testAWSAuth(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/argocd-controller"
	session := c.assume(t, role, "argo@cd")
	if who := c.enter(t, "blue", session).whoami(t); who != "Unauthorized" {
		t.Errorf("without aws-auth a role is %q", who)
	}
	c.awsAuthOf(t, "blue", "# roles of the team\n- rolearn: "+role+"\n  username: argo:{{SessionName}}\n  groups:\n    - system:masters\n")
	r := good()
	r.cluster, r.key, r.at = "blue", session, time.Now().Add(-time.Second)
	blue := c.at(t, "blue", wrap(r.presign(t)))
	if who := blue.whoami(t); who != "argo:argo-cd system:masters system:authenticated" {
		t.Errorf("the role is %q", who)
	}
	if status := blue.can(t, everything); status != http.StatusOK {
		t.Errorf("system:masters gets %d", status)
	}
}

// testBothWays makes blue know access entries, too.
func (c *cloud) testBothWays(t *testing.T) {
	const role = "arn:aws:iam::000000000000:role/argocd-controller"
	wiretest.Must(c.UpdateClusterConfig(t.Context(), &awseks.UpdateClusterConfigInput{
		Name: aws.String("blue"), AccessConfig: &types.UpdateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
	}))(t)
	c.until(t, "blue", types.ClusterStatusActive)
	r := good()
	r.cluster, r.key, r.at = "blue", c.assume(t, role, "both"), time.Now().Add(-2*time.Second)
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); who != "argo:both system:masters system:authenticated" {
		t.Errorf("by aws-auth the role is %q", who)
	}
	c.entry(t, "blue", role, "entered")
	r.at = time.Now().Add(-3 * time.Second)
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); !strings.HasSuffix(who, "/both entered system:authenticated") {
		t.Errorf("with an entry as well the role is %q", who)
	}
	r.key = labKey()
	if who := c.at(t, "blue", wrap(r.presign(t))).whoami(t); who != labUser+" eks:access-policy:AmazonEKSClusterAdminPolicy system:authenticated" {
		t.Errorf("its creator, who was its administrator without an entry, is %q", who)
	}
}

// testServiceAccount takes the way of IRSA: a token of the cluster's own, which STS takes
// for a role.
func (c *cloud) testServiceAccount(t *testing.T) {
	issuer := *c.describe(t, "green").Identity.Oidc.Issuer
	provider := wiretest.Must(c.iam.CreateOpenIDConnectProvider(t.Context(), &awsiam.CreateOpenIDConnectProviderInput{
		Url: &issuer, ClientIDList: []string{"sts.amazonaws.com"}, ThumbprintList: []string{strings.Repeat("a", 40)},
	}))(t).OpenIDConnectProviderArn
	subject := strings.TrimPrefix(issuer, "https://") + ":sub"
	trust := `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "` + *provider + `"},
		"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"` + subject + `": "system:serviceaccount:default:app"}}}]}`
	role := wiretest.Must(c.iam.CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: aws.String("irsa"), AssumeRolePolicyDocument: &trust}))(t).Role.Arn
	admin := c.enter(t, "green", labKey())
	token := func(account string) string {
		c.make(t, "green", "/api/v1/namespaces/default/serviceaccounts", object{"metadata": object{"name": account}})
		status, out := admin.call(t, http.MethodPost, "/api/v1/namespaces/default/serviceaccounts/"+account+"/token", object{
			"spec": object{"audiences": []string{"sts.amazonaws.com"}, "expirationSeconds": 3600},
		})
		s, _ := out["status"].(map[string]any)
		text, _ := s["token"].(string)
		if status != http.StatusCreated || text == "" {
			t.Fatalf("a service account's token: %d %v", status, out)
		}
		return text
	}
	in := &awssts.AssumeRoleWithWebIdentityInput{RoleArn: role, RoleSessionName: aws.String("pod"), WebIdentityToken: aws.String(token("app"))}
	got := wiretest.Must(c.sts.AssumeRoleWithWebIdentity(t.Context(), in))(t)
	if *got.AssumedRoleUser.Arn != "arn:aws:sts::000000000000:assumed-role/irsa/pod" {
		t.Errorf("the pod is %s", *got.AssumedRoleUser.Arn)
	}
	in.WebIdentityToken = aws.String(token("other"))
	_, err := c.sts.AssumeRoleWithWebIdentity(t.Context(), in)
	wiretest.Refused(t, err, "AccessDenied", "")
	c.entry(t, "blue", *role, "pods")
	key := credentials.NewStaticCredentialsProvider(*got.Credentials.AccessKeyId, *got.Credentials.SecretAccessKey, *got.Credentials.SessionToken)
	if who := c.enter(t, "blue", key).whoami(t); !strings.HasSuffix(who, "assumed-role/irsa/pod pods system:authenticated") {
		t.Errorf("at the other cluster the pod is %q", who)
	}
}

func (c *cloud) testAWSCLI(t *testing.T) {
	cli := clitest.Start(t, clitest.Config{Endpoint: c.url, Region: region, Key: sts.LabAccessKeyID, Secret: sts.LabSecret})
	token := cli.Run("status.token", "eks", "get-token", "--cluster-name", "green")
	if who := c.at(t, "green", token).whoami(t); !strings.HasPrefix(who, labUser+" ") {
		t.Errorf("by `aws eks get-token` one is %q", who)
	}
}

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
